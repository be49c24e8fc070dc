import { describe, expect, test } from "vitest";
import { attempt, attemptSync } from "../../../../src/base/failure.ts";
import type { DomainFact } from "../../../../src/guest/inventory/facts.ts";
import {
  configWith,
  planAttachDisk,
  planAttachNic,
  planDetachDisk,
  planDetachNic,
} from "../../../../src/guest/lifecycle/attach.ts";
import type { DevicePlan } from "../../../../src/guest/lifecycle/attach.ts";
import { runDevice } from "../../../../src/guest/lifecycle/run-attach.ts";
import { planConfigChange } from "../../../../src/guest/persist/persist.ts";
import type { FileChange } from "../../../../src/host/host.ts";
import { parseDomainConfig } from "../../../../src/xen/domain-config.ts";
import { summaryOfConfig } from "../../../../src/xen/domain-summary.ts";
import { commandedXen, WEB1_UUID } from "../../../support/commanded-xen.ts";
import type { CommandedOptions } from "../../../support/commanded-xen.ts";

const PATH = "/etc/xen/web1.cfg";
const CONFIG = `name = "web1"\nmemory = 128\ndisk = [ '/dev/vg0/web1,raw,xvda,rw' ]\nvif = [ 'mac=00:16:3e:00:00:01,bridge=xenbr0' ]\n`;
const SUMMARY = summaryOfConfig(parseDomainConfig(CONFIG, { path: PATH }).config!);
const FACT: DomainFact = {
  ...{ domid: 3, name: "web1", uuid: WEB1_UUID, state: "running", memoryMib: 128, vcpus: 1 },
  guest: SUMMARY,
};
const SURVEY = { domain: FACT, others: [] };
const DATA = "/dev/vg0/data,raw,xvdb,rw";
const MAC = "00:16:3e:00:00:07";

describe("what is attached", () => {
  test("a disk, in one form", () => {
    const { words, device } = planAttachDisk(SURVEY, "phy:vg0/data,xvdb,w");
    expect(words).toEqual(["vg0/data,raw,xvdb,rw"]);
    expect(device).toMatchObject({ kind: "disk", disk: { vdev: "xvdb", readonly: false } });
    expect(planAttachDisk(SURVEY, DATA).words).toEqual([DATA]);
  });

  test.each([
    ["no disk at all", "/dev/vg0/data,raw,xvdb,rw,what"],
    ["a disk without a vdev", "/dev/vg0/data"],
    ["one with an odd vdev", "/dev/vg0/data,raw,sdzz,rw"],
    ["one without a target", ",raw,xvdb,rw"],
    ["one whose vdev is taken", "/dev/vg0/data,raw,xvda,rw"],
    ["one whose vdev is taken under another name", "/dev/vg0/data,raw,51712,rw"],
  ])("not %s", (_, spec) => {
    expect(attemptSync(() => planAttachDisk(SURVEY, spec))).toMatchObject({
      failure: { kind: "misuse" },
    });
  });

  test("an interface, with an address of its own", () => {
    const { words, device } = planAttachNic(SURVEY, "bridge=xenbr1", MAC);
    expect(words).toEqual([`mac=${MAC}`, "bridge=xenbr1"]);
    expect(device).toEqual({ kind: "nic", nic: { mac: MAC, bridge: "xenbr1" } });
    expect(planAttachNic(SURVEY, "mac=0:16:3E:0:0:9", MAC).words).toEqual([
      "mac=00:16:3e:00:00:09",
    ]);
  });

  test.each(["brige=xenbr0", "mac=zz", "rate=10Mb/s", "rate=much", "mac=00:16:3e:00:00:01"])(
    "not %s",
    (spec) => {
      expect(attemptSync(() => planAttachNic(SURVEY, spec, MAC))).toMatchObject({
        failure: { kind: "misuse" },
      });
    },
  );

  test("nothing to a domain that does not run, or of which libxl knows nothing", () => {
    const { guest: _, ...foreign } = FACT;
    for (const domain of [{ ...FACT, state: "crashed" as const }, foreign])
      expect(attemptSync(() => planAttachDisk({ domain, others: [] }, DATA))).toMatchObject({
        failure: { kind: "refused" },
      });
  });
});

describe("what is detached", () => {
  test("a disk by any name of its vdev", () => {
    expect(planDetachDisk(SURVEY, "51712", undefined)).toMatchObject({
      words: ["xvda"],
      isSo: false,
    });
  });

  test("an interface by its address", () => {
    expect(planDetachNic(SURVEY, "0:16:3E:0:0:1", undefined).words).toEqual(["00:16:3e:00:00:01"]);
  });

  test("what it does not have is said, with what it has", () => {
    expect(attemptSync(() => planDetachDisk(SURVEY, "xvdb", undefined))).toMatchObject({
      failure: { kind: "misuse", next: "It has xvda (/dev/vg0/web1)." },
    });
    expect(attemptSync(() => planDetachNic(SURVEY, MAC, undefined)).ok).toBe(false);
  });

  test("what only the config has is only taken from there", () => {
    const domain = { ...FACT, guest: { ...SUMMARY, disks: [] } };
    expect(planDetachDisk({ domain, others: [] }, "xvda", SUMMARY)).toMatchObject({ isSo: true });
  });

  test("a drive stays, its medium may go", () => {
    const cd = { ...SUMMARY.disks[0]!, cdrom: true, vdev: "hdc" };
    const domain = { ...FACT, guest: { ...SUMMARY, disks: [cd] } };
    expect(
      attemptSync(() => planDetachDisk({ domain, others: [] }, "hdc", undefined)),
    ).toMatchObject({
      failure: { next: expect.stringContaining("xl cd-eject 3 hdc") as string },
    });
  });
});

test("the config gets the device, and nothing else", () => {
  const attached = planAttachDisk(SURVEY, DATA);
  const more = configWith(SUMMARY, attached);
  expect(more.disks.map(({ vdev }) => vdev)).toEqual(["xvda", "xvdb"]);
  expect(configWith(more, attached)).toBe(more);
  const other = { ...SUMMARY, disks: [{ ...SUMMARY.disks[0]!, vdev: "xvdb" }] };
  expect(attemptSync(() => configWith(other, attached))).toMatchObject({
    failure: { kind: "misuse" },
  });
  const nic = planAttachNic(SURVEY, "bridge=xenbr1", MAC);
  expect(configWith(SUMMARY, nic).nics.map(({ mac }) => mac)).toEqual(["00:16:3e:00:00:01", MAC]);
  const gone = planDetachNic(SURVEY, "00:16:3e:00:00:01", undefined);
  expect(configWith(SUMMARY, gone).nics).toEqual([]);
});

/** libxl's JSON of a domain with these disks. */
const live = (vdevs: readonly string[]) => ({
  c_info: { name: "web1", uuid: WEB1_UUID },
  disks: vdevs.map((vdev) => ({
    vdev,
    pdev_path: `/dev/vg0/${vdev}`,
    format: "raw",
    readwrite: 1,
  })),
});

function scene(options: CommandedOptions = {}) {
  const changes: FileChange[] = [];
  const has = (vdevs: readonly string[]) => [
    { domid: 3, name: "web1", uuid: WEB1_UUID, config: live(vdevs) },
  ];
  const xen = commandedXen(has(["xvda"]), {
    verbs: {
      "block-attach": (one) => void (one.domains = has(["xvda", "xvdb"])),
      "block-detach": (one) => void (one.domains = has([])),
    },
    files: { [PATH]: CONFIG, "/dev/vg0/data": { kind: "block-device", sizeBytes: 4096 } },
    replaceFile: async (_, change) => void changes.push(change),
    ...options,
  });
  const persist = (plan: DevicePlan) =>
    planConfigChange(
      xen.ports.host,
      { name: "web1", config: { path: PATH, realPath: PATH, autostart: [], guest: SUMMARY } },
      { change: (config) => configWith(config, plan), now: new Date(0) },
    );
  return { xen, changes, persist };
}

describe("attaching and detaching", () => {
  test("the domain first, then the config", async () => {
    const { xen, changes, persist } = scene();
    const plan = planAttachDisk(SURVEY, DATA);
    await runDevice(xen.ports, plan, await persist(plan));
    expect(xen.calls).toEqual([`block-attach 3 ${DATA}`]);
    expect(new TextDecoder().decode(changes[0]!.bytes)).toBe(
      CONFIG.replace("rw' ]", `rw', '${DATA}' ]`),
    );
    // As the watcher says it (docs/reference/json.md).
    expect(xen.events()).toMatchObject([
      { kind: "attached", detail: { vdev: "xvdb", target: "/dev/vg0/data" } },
      { kind: "config-changed" },
    ]);
    expect(xen.ports.records.operations()).toEqual([]);
  });

  test("a disk that somebody has is not attached", async () => {
    const { xen } = scene({
      findUsers: async () => [{ kind: "guest", what: "disk xvda of domain web2", writes: true }],
    });
    const ran = await attempt(() => runDevice(xen.ports, planAttachDisk(SURVEY, DATA), undefined));
    expect(ran).toMatchObject({ failure: { kind: "refused" } });
    expect(xen.calls).toEqual([]);
  });

  test("a disk that is not there is not attached", async () => {
    const { xen } = scene({ files: {} });
    const ran = await attempt(() => runDevice(xen.ports, planAttachDisk(SURVEY, DATA), undefined));
    expect(ran).toMatchObject({ failure: { kind: "missing" } });
    expect(xen.calls).toEqual([]);
  });

  test("what xl did not do is said, and the config stays", async () => {
    const { xen, changes, persist } = scene({
      verbs: {
        "block-detach": () => ({ exitCode: 1, stderr: "libxl_device_disk_safe_remove failed.\n" }),
      },
    });
    const plan = planDetachDisk(SURVEY, "xvda", undefined);
    const ran = await attempt(async () => runDevice(xen.ports, plan, await persist(plan)));
    expect(ran).toMatchObject({
      failure: {
        kind: "failed",
        why: "xl says: libxl_device_disk_safe_remove failed.",
        next: expect.stringMatching(
          /^The domain is as it was\. A guest gives a disk back/,
        ) as string,
      },
    });
    expect(changes).toEqual([]);
    expect(xen.events()).toEqual([]);
  });

  test("a disk that no driver of the guest uses: when it can be taken back", async () => {
    const { xen } = scene({
      verbs: {
        "block-detach": () => ({ exitCode: 1, stderr: "libxl_device_disk_safe_remove failed.\n" }),
        "block-list": () => ({ stdout: "Vdev BE handle state\n51712 0 3 1 -1 -1 /local\n" }),
      },
    });
    const plan = planDetachDisk(SURVEY, "xvda", undefined);
    expect(await attempt(() => runDevice(xen.ports, plan, undefined))).toMatchObject({
      failure: { next: expect.stringContaining("xl block-detach --force 3 xvda") as string },
    });
  });

  test("xl that says nothing and does nothing is found out", async () => {
    const { xen } = scene({ verbs: {} });
    const plan = planDetachDisk(SURVEY, "xvda", undefined);
    const ran = await attempt(() => runDevice(xen.ports, plan, undefined));
    expect(ran).toMatchObject({ failure: { kind: "failed" } });
  });

  test("a config that is not written is said, with what was done", async () => {
    const { xen, persist } = scene({
      replaceFile: () => Promise.reject(new Error("unreachable")),
    });
    const plan = planAttachDisk(SURVEY, DATA);
    const planned = await persist(plan);
    const host = { ...xen.ports.host };
    delete host.replaceFile;
    const ran = await attempt(() => runDevice({ ...xen.ports, host }, plan, planned));
    expect(ran).toMatchObject({
      failure: {
        kind: "failed",
        what: expect.stringMatching(
          /^The disk xvdb \(\/dev\/vg0\/data\) was attached, but the config/,
        ) as string,
        next: expect.stringContaining("domus persist web1") as string,
      },
    });
  });
});
