import { describe, expect, test } from "vitest";
import type { DomainFact } from "../../../../src/guest/inventory/facts.ts";
import { runRevert } from "../../../../src/guest/persist/run-persist.ts";
import type { RevertStep } from "../../../../src/guest/persist/plan-revert.ts";
import { commandedXen, WEB1_UUID } from "../../../support/commanded-xen.ts";
import type { CommandedOptions } from "../../../support/commanded-xen.ts";

const NAMES = { domid: 3, name: "web1", uuid: WEB1_UUID };
const DOMAIN: DomainFact = { ...NAMES, state: "running", memoryMib: 128, vcpus: 1 };
const DISK = { vdev: "xvdb", target: "/dev/vg0/a", format: "raw", cdrom: false } as const;
const steps: RevertStep[] = [
  { difference: { of: "vcpus", config: 2, live: 1 }, argv: ["xl", "vcpu-set", "3", "2"] },
  {
    difference: { of: "disk", config: { ...DISK, readonly: false, elsewhere: false } },
    argv: ["xl", "block-attach", "3", "/dev/vg0/a,raw,xvdb,rw"],
    attaches: { path: "/dev/vg0/a", writes: true },
  },
  { difference: { of: "name", config: "a", live: "b" }, argv: ["xl", "rename", "3", "a"] },
];
const survey = { guest: "web1", domain: DOMAIN, steps, left: [] };
const CALLS = ["vcpu-set 3 2", "block-attach 3 /dev/vg0/a,raw,xvdb,rw", "rename 3 a"];

const scene = (options: CommandedOptions = {}, uuid = WEB1_UUID) =>
  commandedXen([{ ...NAMES, uuid }], options);

describe("a revert", () => {
  test("runs all steps in their order, and writes them into the history", async () => {
    const xen = scene();
    expect(await runRevert(xen.ports, survey)).toEqual({ done: steps });
    expect(xen.calls).toEqual(CALLS);
    expect(xen.events().map(({ kind, detail }) => [kind, detail])).toEqual([
      ["config-changed", { what: "vcpus", from: 1, to: 2 }],
      ["attached", { vdev: "xvdb", target: "/dev/vg0/a" }],
      ["renamed", { from: "b", to: "a" }],
    ]);
    expect(xen.ports.records.operations()).toEqual([]);
  });

  test("stops at the first that fails, and says what xl said", async () => {
    const stderr = "libxl: error: libxl_device.c:1:device_x: Domain 3:no such device\n";
    const xen = scene({ verbs: { "block-attach": () => ({ stderr, exitCode: 1 }) } });
    expect(await runRevert(xen.ports, survey)).toMatchObject({
      done: [steps[0]],
      failed: { step: steps[1], failure: { kind: "failed", why: "xl says: no such device" } },
    });
    expect(xen.calls).toEqual(CALLS.slice(0, 2));
    expect(xen.ports.records.operations()).toEqual([]);
  });

  test("gives no disk that somebody else has", async () => {
    const xen = scene({
      findUsers: async () => [{ kind: "mount", what: "mounted at /srv", writes: true }],
    });
    expect(await runRevert(xen.ports, survey)).toMatchObject({
      done: [steps[0]],
      failed: { step: steps[1], failure: { kind: "refused" } },
    });
    expect(xen.calls).toEqual(CALLS.slice(0, 1));
  });

  test("begins with nothing when an image of another guest waits for a disk", async () => {
    const xen = scene({ files: { "/save/g9": "memory" } });
    xen.ports.records.addImage({
      ...{ guest: "g9", uuid: "u9", path: "/save/g9", state: "waiting", savedAtMs: 1 },
      disks: [{ vdev: "xvda", path: "/dev/vg0/a", readonly: false }],
    });
    await expect(runRevert(xen.ports, survey)).rejects.toThrow("of g9, whose memory image");
    expect(xen.calls).toEqual([]);
    expect(xen.ports.records.operations()).toEqual([]);
  });

  test("is refused when the domain is another one by now", async () => {
    const { ports } = scene({}, "99999999-2222-3333-4444-555555555555");
    await expect(runRevert(ports, survey)).rejects.toThrow("not there any more");
  });
});
