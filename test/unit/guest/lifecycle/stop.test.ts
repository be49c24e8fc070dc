import { describe, expect, test } from "vitest";
import { attempt, attemptSync } from "../../../../src/base/failure.ts";
import type { DomainFact } from "../../../../src/guest/inventory/facts.ts";
import { planPause, planResume } from "../../../../src/guest/lifecycle/pause.ts";
import { planReboot } from "../../../../src/guest/lifecycle/reboot.ts";
import { planStop, runStop } from "../../../../src/guest/lifecycle/stop.ts";
import type { StopOptions } from "../../../../src/guest/lifecycle/stop.ts";
import { commandedXen, WEB1_UUID } from "../../../support/commanded-xen.ts";
import type { CommandedOptions, CommandedXen } from "../../../support/commanded-xen.ts";

const WEB1 = { domid: 3, name: "web1", uuid: WEB1_UUID };
const FACT: DomainFact = { ...WEB1, state: "running", memoryMib: 128, vcpus: 1 };
const NORMAL: StopOptions = { acpi: false, waitS: 600 };
const ENDS = { poweroff: "destroy", reboot: "restart" } as const;

const plan = (options: Partial<StopOptions> = {}, domain: Partial<DomainFact> = {}) =>
  planStop({ domain: { ...FACT, ...domain }, actions: ENDS }, { ...NORMAL, ...options });

describe("whether it is stopped", () => {
  test("a guest that runs is asked", () => {
    expect(plan()).toEqual({
      ...NORMAL,
      domain: WEB1,
      ask: "shutdown",
      takeAwayAfterMs: 120_000,
    });
    expect(plan({ acpi: true }).ask).toBe("power-button");
  });

  test.each(["paused", "crashed", "suspended"] as const)("one that is %s cannot hear", (state) => {
    expect(attemptSync(() => plan({}, { state }))).toMatchObject({
      ok: false,
      failure: { kind: "refused" },
    });
  });

  test("what cannot hear is destroyed where that was asked for, but not what is being saved", () => {
    expect(plan({ destroyAfterS: 60 }, { state: "crashed" })).toMatchObject({ destroyAfterS: 0 });
    expect(plan({ destroyAfterS: 60 }, { state: "paused" })).not.toHaveProperty("ask");
    const saved = attemptSync(() => plan({ destroyAfterS: 0 }, { state: "suspended" }));
    expect(saved).toMatchObject({ ok: false, failure: { kind: "refused" } });
  });

  test("of one that was left suspended the way out is said by whoever refuses it", () => {
    const domain = { ...FACT, state: "suspended" as const };
    const survey = { domain, images: [], events: [], drift: [] };
    for (const refuse of [
      () => planStop(survey, { ...NORMAL, destroyAfterS: 0 }),
      () => planResume(survey, { anyway: true }),
      () => planPause(domain),
      () => planReboot(survey, { anyway: true, waitS: 1 }),
    ]) {
      const refused = attemptSync<unknown>(refuse);
      const next = expect.stringContaining(`xl resume ${FACT.domid}`) as string;
      expect(refused).toMatchObject({ ok: false, failure: { kind: "refused", next } });
      expect(JSON.stringify(refused)).not.toContain("domus stop");
    }
  });

  test("what ends already is only waited for", () => {
    expect(plan({}, { state: "shut-down" })).not.toHaveProperty("ask");
  });

  test("one that xl would start again is refused", () => {
    const survey = { domain: FACT, actions: { ...ENDS, poweroff: "restart" as const } };
    expect(attemptSync(() => planStop(survey, NORMAL))).toMatchObject({
      failure: { kind: "refused", why: expect.stringContaining("restart") as string },
    });
    expect(planStop(survey, { ...NORMAL, destroyAfterS: 0 }).destroyAfterS).toBe(0);
  });
});

/** The guest is gone at the so manieth look at Xen after it was asked. */
const endsAfter = (looks: number): CommandedOptions => ({
  onLook: (xen, at) => {
    if (at >= looks && xen.calls.includes("shutdown 3")) xen.domains = [];
  },
});

describe("stopping", () => {
  test("asks, waits, and writes it down", async () => {
    const xen = commandedXen([WEB1], endsAfter(25));
    const waited: number[] = [];
    const stopped = await runStop(xen.ports, plan(), { onWait: (seconds) => waited.push(seconds) });
    expect(stopped).toEqual({ how: "shut-down", seconds: 24 });
    expect(xen.calls).toEqual(["shutdown 3"]);
    expect(waited.slice(0, 3)).toEqual([0, 1, 2]);
    expect(xen.events()).toEqual([
      {
        guest: "web1",
        uuid: WEB1_UUID,
        domid: 3,
        kind: "stopped",
        by: "domus",
        detail: { how: "shut-down", seconds: 24 },
      },
    ]);
    expect(xen.ports.records.operations()).toEqual([]);
  });

  test("destroys only when it is told to, and then", async () => {
    const verbs: CommandedOptions["verbs"] = { destroy: (xen) => void (xen.domains = []) };
    const patient = commandedXen([WEB1], { verbs });
    const failed = await attempt(() => runStop(patient.ports, plan({ waitS: 120 })));
    expect(failed).toMatchObject({
      failure: {
        kind: "failed",
        what: "web1 (domain 3) still runs, 120 s after it was asked to shut down.",
      },
    });
    expect(patient.calls).toEqual(["shutdown 3"]);
    const told = commandedXen([WEB1], { verbs });
    expect(await runStop(told.ports, plan({ destroyAfterS: 60, waitS: 10 }))).toEqual({
      how: "destroyed",
      seconds: 60,
    });
    expect(told.calls).toEqual(["shutdown 3", "destroy 3"]);
    const now = commandedXen([WEB1], { verbs });
    await runStop(now.ports, plan({ destroyAfterS: 0 }));
    expect(now.calls).toEqual(["destroy 3"]);
  });

  test("another guest with its id is not destroyed", async () => {
    const xen = commandedXen([WEB1], {
      onLook: (one, at) => {
        if (at > 5) one.domains = [{ ...WEB1, uuid: WEB1_UUID.replace("8", "9") }];
      },
    });
    expect(await runStop(xen.ports, plan({ destroyAfterS: 60 }))).toMatchObject({
      how: "shut-down",
    });
    expect(xen.calls).toEqual(["shutdown 3"]);
  });

  describe("a guest without PV drivers", () => {
    const silent =
      'Shutting down domain 3\nPV control interface not available: external graceful shutdown not possible.\nUse "-F" to fallback to ACPI power event.\n';
    const verbs: CommandedOptions["verbs"] = {
      shutdown: (_, argv) => (argv.includes("-F") ? {} : { exitCode: 1, stderr: silent }),
      destroy: (xen) => void (xen.domains = []),
    };

    test("is not asked, and that is said, with the way out", async () => {
      const xen = commandedXen([WEB1], { verbs });
      expect(await attempt(() => runStop(xen.ports, plan()))).toMatchObject({
        failure: {
          kind: "failed",
          what: expect.stringContaining("no drivers for Xen") as string,
          next: expect.stringContaining("domus stop --acpi web1") as string,
        },
      });
      expect(xen.calls).toEqual(["shutdown 3"]);
      expect(xen.ports.records.operations()).toEqual([]);
    });

    test("may not listen to its power button", async () => {
      const xen = commandedXen([WEB1], { verbs });
      expect(await attempt(() => runStop(xen.ports, plan({ acpi: true })))).toMatchObject({
        failure: { why: expect.stringContaining("power button") as string },
      });
      expect(xen.calls).toEqual(["shutdown -F 3"]);
    });

    test("has its power button pressed before it is destroyed", async () => {
      const xen = commandedXen([WEB1], { verbs });
      expect(await runStop(xen.ports, plan({ destroyAfterS: 60 }))).toMatchObject({
        how: "destroyed",
        seconds: 60,
      });
      expect(xen.calls).toEqual(["shutdown 3", "shutdown -F 3", "destroy 3"]);
      expect(xen.told[1]).toContain("pressing its power button");
    });

    test("whose power button cannot be pressed: what xl says", async () => {
      const stderr =
        "PV control interface not available: sending ACPI power button event.\nlibxl: error: Send trigger 'power' failed: Function not implemented\n";
      const broken = { shutdown: () => ({ exitCode: 1, stderr }) };
      const xen = commandedXen([WEB1], { verbs: broken });
      expect(await attempt(() => runStop(xen.ports, plan({ acpi: true })))).toMatchObject({
        failure: { why: expect.stringContaining("Function not implemented") as string },
      });
    });
  });

  describe("a domain that has shut down and is still there", () => {
    const verbs: CommandedOptions["verbs"] = {
      shutdown: (xen) => void (xen.domains = [{ ...WEB1, flags: "---s--" }]),
      destroy: (xen) => void (xen.domains = []),
    };

    test.each([
      ["after a while", {}, 120_000],
      ["at once when no xl does it", { watched: false }, 0],
    ])("is taken away %s", async (_, domain, afterMs) => {
      const xen = commandedXen([WEB1], { verbs });
      const stopped = await runStop(xen.ports, plan({}, domain));
      expect(stopped.how).toBe("shut-down");
      expect(xen.calls).toEqual(["shutdown 3", "destroy 3"]);
      expect(xen.clock.now()).toBeGreaterThanOrEqual(afterMs);
      expect(xen.clock.now()).toBeLessThan(afterMs + 3000);
    });

    test("may be taken away by its own xl at the same time", async () => {
      const gone = (xen: CommandedXen) => {
        xen.domains = [];
        return { exitCode: 1, stderr: "libxl: error: Domain 3:Non-existant domain\n" };
      };
      const xen = commandedXen([WEB1], { verbs: { ...verbs, destroy: gone } });
      expect((await runStop(xen.ports, plan())).how).toBe("shut-down");
      const stuck = commandedXen([WEB1], { verbs: { ...verbs, destroy: () => ({ exitCode: 1 }) } });
      const failed = await attempt(() => runStop(stuck.ports, plan()));
      expect(failed).toMatchObject({ failure: { kind: "failed" } });
    });

    test("is left and said when it is to be kept", async () => {
      const xen = commandedXen([WEB1], { verbs });
      const actions = { ...ENDS, poweroff: "preserve" } as const;
      const kept = planStop({ domain: { ...FACT, watched: false }, actions }, NORMAL);
      expect(await attempt(() => runStop(xen.ports, kept))).toMatchObject({
        failure: { kind: "failed", what: expect.stringContaining("still there") as string },
      });
      expect(xen.calls).toEqual(["shutdown 3"]);
    });
  });

  test("nothing is asked, and nothing is said to be, while another command is at work", async () => {
    const xen = commandedXen([WEB1]);
    const { records, self } = xen.ports;
    const other = { kind: "save", guest: "web1", step: "write", data: {} };
    records.beginOperation({ ...other, ...self, pid: 4711 });
    const ran = await attempt(() => runStop(xen.ports, plan()));
    expect(ran).toMatchObject({ ok: false, failure: { kind: "refused" } });
    expect([xen.calls, xen.told]).toEqual([[], []]);
  });

  test("Ctrl-C says in which state it is", async () => {
    const interrupt = new AbortController();
    const xen = commandedXen([WEB1]);
    const onWait = (seconds: number) => (seconds === 3 ? interrupt.abort() : undefined);
    await expect(runStop(xen.ports, plan(), { signal: interrupt.signal, onWait })).rejects.toThrow(
      "aborted",
    );
    expect(xen.told).toEqual([
      "Asking web1 (domain 3) to shut down.",
      "web1 (domain 3) was asked to shut down and is running; it may still end by itself.",
    ]);
    expect(xen.ports.records.operations()).toEqual([]);
  });

  test("a guest that crashes as it shuts down, and stays, is not waited for", async () => {
    const verbs: CommandedOptions["verbs"] = {
      shutdown: (xen) => void (xen.domains = [{ ...WEB1, flags: "---sc-" }]),
      destroy: (xen) => void (xen.domains = []),
    };
    const xen = commandedXen([WEB1], { verbs });
    expect(await attempt(() => runStop(xen.ports, plan()))).toMatchObject({
      failure: {
        what: expect.stringContaining("web1 has crashed instead of shutting down") as string,
        next: expect.stringContaining("domus stop --destroy-after 0 web1") as string,
      },
    });
    expect([xen.calls, xen.clock.now() < 60_000]).toEqual([["shutdown 3"], true]);
    const told = commandedXen([WEB1], { verbs });
    expect((await runStop(told.ports, plan({ destroyAfterS: 90 }))).how).toBe("destroyed");
    // One for which xl acts is gone a moment later.
    const brief = commandedXen([WEB1], {
      verbs,
      onLook: (one, at) => {
        if (at > 20) one.domains = [];
      },
    });
    expect((await runStop(brief.ports, plan())).how).toBe("shut-down");
  });

  describe("a guest that xl starts again as it ends", () => {
    const XL = "/proc/354/cmdline";
    const LOG = "/var/log/xen/xl-web1.log";
    const waits = (domid: number) => `Waiting for domain web1 (domid ${domid}) to die [pid 354]\n`;
    const shuts = (domid: number, code: number, action: string) =>
      `Domain ${domid} has shut down, reason code ${code} 0x${code}\nAction for shutdown reason code ${code} is ${action}\n`;
    const again = (domid: number) => `Done. Rebooting now\n${waits(domid)}`;
    /** A dom0 whose xl writes into its log. */
    const looping = (options: CommandedOptions = {}) => {
      const files: Record<string, string> = { [LOG]: waits(3), [XL]: "xl\0create\0web1.cfg\0" };
      const log = (text: string) => void (files[LOG] += text);
      return { files, log, xen: commandedXen([WEB1], { ...options, files }) };
    };

    test.each([
      [3, "it crashed"],
      [4, "its watchdog fired"],
      [1, "it rebooted"],
    ])("has not been stopped (reason %i)", async (code, why) => {
      const { xen, log } = looping({
        verbs: {
          shutdown: (one) => {
            log(shuts(3, code, "restart"));
            one.domains = [];
          },
        },
      });
      expect(await attempt(() => runStop(xen.ports, plan()))).toMatchObject({
        failure: {
          kind: "failed",
          what: `web1 was to shut down, but ${why} (domain 3), and xl starts it again.`,
          next: expect.stringContaining("domus stop --destroy-after 0 web1") as string,
        },
      });
      expect(xen.events()).toEqual([]);
    });

    test.each([
      ["shut down", 0, "destroy"],
      ["crashed, and is not to be started again", 3, "destroy"],
      ["crashed, and was kept, and taken away", 3, "preserve"],
    ])("is not one that has %s", async (_, code, action) => {
      const { xen, log } = looping({
        verbs: {
          shutdown: (one) => {
            log(shuts(3, code, action));
            one.domains = [];
          },
        },
      });
      expect((await runStop(xen.ports, plan())).how).toBe("shut-down");
    });

    test("is destroyed until none comes any more", async () => {
      // It crashes at the moment in which it is destroyed, twice.
      let lives = 3;
      const { xen, log } = looping({
        verbs: {
          destroy: (one) => {
            one.domains = [];
            if (lives >= 5) return log(`Domain ${lives} has been destroyed.\n`);
            log(shuts(lives, 3, "restart"));
            lives += 1;
            log(again(lives));
            one.domains = [{ ...WEB1, domid: lives }];
          },
        },
      });
      expect(await runStop(xen.ports, plan({ destroyAfterS: 0 }))).toMatchObject({
        how: "destroyed",
      });
      expect(xen.calls).toEqual(["destroy 3", "destroy 4", "destroy 5"]);
      expect(xen.domains).toEqual([]);
      expect(xen.told[0]).toContain("xl started it again as domain 4: destroying that, too.");
    });

    test("that has just ended by itself is destroyed as the next domain, and said to be", async () => {
      const { xen, log } = looping({ verbs: { destroy: (one) => void (one.domains = []) } });
      log(shuts(3, 3, "restart"));
      log(again(4));
      log("Domain 4 has been destroyed.\n");
      xen.domains = [{ ...WEB1, domid: 4 }];
      expect(await runStop(xen.ports, plan({ destroyAfterS: 0 }))).toMatchObject({
        how: "destroyed",
      });
      expect(xen.calls).toEqual(["destroy 4"]);
    });

    test("is waited for while its xl is about to start it", async () => {
      const { xen, log, files } = looping({
        verbs: { destroy: (one) => void (one.domains = []) },
      });
      const { clock } = xen.ports;
      const sleep = clock.sleep.bind(clock);
      let looks = 0;
      Object.assign(clock, {
        sleep: (ms: number) => {
          looks += 1;
          if (looks === 3) log(shuts(3, 3, "restart"));
          if (looks === 20) {
            xen.domains = [{ ...WEB1, domid: 4 }];
            log(again(4));
          }
          // The xl of the second one ends with it.
          if (looks === 21) delete files[XL];
          return sleep(ms);
        },
      });
      await runStop(xen.ports, plan({ destroyAfterS: 0 }));
      expect(xen.calls).toEqual(["destroy 3", "destroy 4"]);
    });

    test("is not waited for when its xl is gone, nor for ever", async () => {
      const verbs: CommandedOptions["verbs"] = { destroy: (one) => void (one.domains = []) };
      const gone = looping({ verbs });
      gone.log(shuts(3, 3, "restart"));
      delete gone.files[XL];
      await runStop(gone.xen.ports, plan({ destroyAfterS: 0 }));
      expect(gone.xen.clock.now()).toBe(0);
      const blind = looping({ verbs });
      await runStop(blind.xen.ports, plan({ destroyAfterS: 0 }));
      expect(blind.xen.clock.now()).toBeLessThan(60_000);
      const stuck = looping({ verbs });
      stuck.log(shuts(3, 3, "restart"));
      const failed = await attempt(() => runStop(stuck.xen.ports, plan({ destroyAfterS: 0 })));
      expect(failed).toMatchObject({ failure: { kind: "limit" } });
    });

    test("that comes again and again is given up in the end", async () => {
      let lives = 3;
      const { xen, log } = looping({
        verbs: {
          destroy: (one) => {
            log(shuts(lives, 3, "restart"));
            lives += 1;
            log(again(lives));
            one.domains = [{ ...WEB1, domid: lives }];
          },
        },
      });
      const failed = await attempt(() => runStop(xen.ports, plan({ destroyAfterS: 0 })));
      expect(failed).toMatchObject({ failure: { kind: "failed" } });
      expect(xen.calls).toHaveLength(6);
    });
  });
});
