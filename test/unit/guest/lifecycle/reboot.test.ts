import { describe, expect, test } from "vitest";
import { attempt, attemptSync } from "../../../../src/base/failure.ts";
import type { BootOutcome } from "../../../../src/guest/console/watch-boot.ts";
import type { BootCheck } from "../../../../src/guest/lifecycle/plan-start.ts";
import { planReboot, runReboot } from "../../../../src/guest/lifecycle/reboot.ts";
import type { RebootSurvey } from "../../../../src/guest/lifecycle/reboot.ts";
import type { DomainName } from "../../../../src/guest/lifecycle/domain-command.ts";
import { commandedXen, WEB1_UUID } from "../../../support/commanded-xen.ts";
import type { CommandedOptions } from "../../../support/commanded-xen.ts";

const WEB1 = { domid: 3, name: "web1", uuid: WEB1_UUID };
const SURVEY: RebootSurvey = {
  domain: { ...WEB1, state: "running", memoryMib: 128, vcpus: 1, watched: true },
  actions: { poweroff: "destroy", reboot: "restart" },
  check: { verdict: "boots", findings: [] },
  configPath: "/etc/xen/web1.cfg",
  drift: [],
};
const NORMAL = { anyway: false, waitS: 600 };
const FAILS: BootCheck = {
  verdict: "fails",
  findings: [
    {
      code: "root-missing",
      severity: "error",
      where: ["xvda"],
      what: "No root.",
      why: "It is gone.",
      next: "Look.",
    },
  ],
};

const refusal = (survey: Partial<RebootSurvey>, options = {}) =>
  attemptSync(() => planReboot({ ...SURVEY, ...survey }, { ...NORMAL, ...options }));

describe("whether it is rebooted", () => {
  test("a guest that will come back is", () => {
    expect(planReboot(SURVEY, NORMAL)).toEqual({ ...NORMAL, disks: [], domain: WEB1, notes: [] });
  });

  test.each<[string, Partial<RebootSurvey>, string]>([
    ["that would not boot", { check: FAILS }, "web1 would not come back: No root."],
    [
      "that xl would end",
      { actions: { poweroff: "destroy", reboot: "destroy" } },
      "xl ends it when it reboots",
    ],
    [
      "that xl would keep",
      { actions: { poweroff: "destroy", reboot: "preserve" } },
      "xl ends it when it reboots",
    ],
    ["that nobody looks after", { domain: { ...SURVEY.domain, watched: false } }, "is gone"],
    ["that is paused", { domain: { ...SURVEY.domain, state: "paused" } }, "is paused"],
    ["that crashed", { domain: { ...SURVEY.domain, state: "crashed" } }, "is crashed"],
  ])("one %s is not", (_, survey, what) => {
    expect(refusal(survey)).toMatchObject({
      failure: { kind: "refused", what: expect.stringContaining(what) as string },
    });
  });

  test("--anyway overrules the check, and nothing else", () => {
    const plan = planReboot({ ...SURVEY, check: FAILS }, { ...NORMAL, anyway: true });
    expect(plan.notes).toEqual(["The boot check says that it fails: No root."]);
    const ends = refusal({ actions: { poweroff: "destroy", reboot: "destroy" } }, { anyway: true });
    expect(ends).toMatchObject({ ok: false });
  });

  test("what could not be told, and what it will not bring, is said", () => {
    const drift = [{ of: "vcpus", config: 4, live: 2 }] as const;
    const check: BootCheck = { verdict: "unknown", findings: [] };
    const { notes } = planReboot({ ...SURVEY, check, drift }, NORMAL);
    expect(notes).toEqual([
      "Whether it will boot could not be told: domus check web1 says why.",
      "A reboot does not read /etc/xen/web1.cfg: the guest keeps what its domain has. The config says vcpus 4; the domain has 2.",
    ]);
    const unknown = planReboot({ ...SURVEY, check: undefined, configPath: undefined }, NORMAL);
    expect(unknown.notes).toEqual([expect.stringContaining("No config of it is known")]);
  });
});

const UP: BootOutcome = { outcome: "up", reason: "it asks for a login", evidence: [], domid: 5 };
const plan = planReboot(SURVEY, NORMAL);

function watching() {
  const watched: DomainName[] = [];
  const watch = async (domain: DomainName) => {
    watched.push(domain);
    return UP;
  };
  return { watched, watch };
}

/** As xl does it: the old domain ends, for a while there is none, then there is a new one. */
const restarts: CommandedOptions["onLook"] = (xen, at) => {
  if (!xen.calls.includes("reboot 3")) return;
  if (at > 10) xen.domains = [{ ...WEB1, domid: 5 }];
  else if (at > 7) xen.domains = [];
};

describe("rebooting", () => {
  test("waits for the new domain, and watches it", async () => {
    const xen = commandedXen([WEB1], { onLook: restarts });
    const { watched, watch } = watching();
    expect(await runReboot(xen.ports, plan, { watch })).toEqual({
      domain: { ...WEB1, domid: 5 },
      boot: UP,
    });
    expect(watched).toEqual([{ ...WEB1, domid: 5 }]);
    expect(xen.calls).toEqual(["reboot 3"]);
    expect(xen.events()).toMatchObject([{ kind: "rebooted", domid: 5, detail: { from: 3 } }]);
    expect(xen.ports.records.operations()).toEqual([]);
  });

  test("a twin with its uuid is not its new domain", async () => {
    const twin = { ...WEB1, domid: 4, name: "web2" };
    const xen = commandedXen([WEB1, twin], {
      onLook: (one, at) => {
        if (at > 9) one.domains = [twin];
      },
    });
    const { watched, watch } = watching();
    const failed = await attempt(() => runReboot(xen.ports, plan, { watch }));
    expect(failed).toMatchObject({
      failure: { kind: "failed", what: "web1 has shut down, and was not started again." },
    });
    expect(watched).toEqual([]);
  });

  test("a guest without PV drivers: nothing can reboot it from outside", async () => {
    const stderr =
      'Rebooting domain 3\nPV control interface not available: external graceful reboot not possible.\nUse "-F" to fallback to ACPI reset event.\n';
    const xen = commandedXen([WEB1], { verbs: { reboot: () => ({ exitCode: 1, stderr }) } });
    expect(await attempt(() => runReboot(xen.ports, plan, watching()))).toMatchObject({
      failure: {
        kind: "failed",
        what: expect.stringContaining("no drivers for Xen") as string,
        next: expect.stringContaining("domus stop --acpi web1") as string,
      },
    });
    expect(xen.calls).toEqual(["reboot 3"]);
  });

  test("one that nobody starts again is said", async () => {
    const xen = commandedXen([WEB1], {
      verbs: { reboot: (one) => void (one.domains = [{ ...WEB1, flags: "---sr-" }]) },
    });
    const failed = await attempt(() => runReboot(xen.ports, plan, watching()));
    expect(failed).toMatchObject({
      failure: { kind: "failed", next: expect.stringContaining("--destroy-after 0") as string },
    });
  });

  test("one that does not listen is said", async () => {
    const xen = commandedXen([WEB1]);
    const failed = await attempt(() => runReboot(xen.ports, plan, watching()));
    expect(failed).toMatchObject({
      failure: {
        kind: "failed",
        what: "web1 (domain 3) still runs, 600 s after it was asked to reboot.",
      },
    });
  });

  test("Ctrl-C says in which state it is", async () => {
    const interrupt = new AbortController();
    const xen = commandedXen([WEB1]);
    const onWait = () => interrupt.abort();
    const run = { ...watching(), signal: interrupt.signal, onWait };
    await expect(runReboot(xen.ports, plan, run)).rejects.toThrow("aborted");
    expect(xen.told).toEqual([
      "Asking web1 (domain 3) to reboot.",
      "web1 (domain 3) was asked to reboot and still runs; it may still do so.",
    ]);
  });

  test("Ctrl-C while it boots ends the watch only", async () => {
    const interrupt = new AbortController();
    const xen = commandedXen([WEB1], { onLook: restarts });
    const watch = async () => {
      interrupt.abort();
      return interrupt.signal.throwIfAborted() ?? UP;
    };
    const run = { watch, signal: interrupt.signal };
    await expect(runReboot(xen.ports, plan, run)).rejects.toThrow("aborted");
    expect(xen.told).toEqual([
      "Asking web1 (domain 3) to reboot.",
      "web1 has been started again as domain 5, and goes on.",
    ]);
    expect(xen.events().map(({ kind }) => kind)).toEqual(["rebooted"]);
  });
});
