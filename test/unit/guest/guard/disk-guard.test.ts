import { describe, expect, test } from "vitest";
import { attempt } from "../../../../src/base/failure.ts";
import { assertFree } from "../../../../src/guest/guard/disk-guard.ts";
import type { GuardPorts } from "../../../../src/guest/guard/disk-guard.ts";
import type { DeviceUser } from "../../../../src/host/local/device-users.ts";

const MOUNT: DeviceUser = { kind: "mount", what: "mounted at /srv", writes: true };
const READER: DeviceUser = {
  kind: "guest",
  what: "disk xvdd of domain b (running)",
  writes: false,
};

const OWNER = { name: "other" };
const NOTHING_WAITS = { waitingImages: async () => [], reachesOf: async () => new Map() };

function judged(users: readonly DeviceUser[], writes: boolean, state?: "unfinished" | "finished") {
  const ports: GuardPorts = {
    findUsers: async () => users,
    copyState: async () => (state === undefined ? undefined : { state, record: "/r" }),
    ...NOTHING_WAITS,
  };
  return attempt(() => assertFree(ports, "/dev/vg0/a", { writes, owner: OWNER }));
}

describe("a disk", () => {
  test.each<[string, readonly DeviceUser[], boolean, boolean]>([
    ["nobody has", [], true, true],
    ["another one writes to", [MOUNT], true, false],
    ["another one reads, and this one would write", [READER], true, false],
    ["both only read", [READER], false, true],
    ["another one writes to, and this one reads", [READER, MOUNT], false, false],
  ])("that %s", async (_, users, writes, free) => {
    const result = await judged(users, writes);
    expect(result.ok).toBe(free);
    if (!free) expect(result).toMatchObject({ failure: { kind: "refused" } });
  });

  test("that a start which failed has left behind a loop device: how to let go of it", async () => {
    const loop: DeviceUser = { kind: "loop", what: "behind /dev/loop12", writes: true };
    expect(await judged([loop], true)).toMatchObject({
      failure: { next: expect.stringContaining("losetup -d /dev/loop12,") as string },
    });
    const both = await judged([loop, MOUNT], true);
    expect(both).toMatchObject({ failure: { next: expect.not.stringContaining("losetup") } });
  });

  test("that is half of a copy, whoever has it", async () => {
    expect(await judged([], false, "unfinished")).toMatchObject({
      failure: { kind: "refused", what: expect.stringContaining("unfinished copy") as string },
    });
    expect(await judged([], true, "finished")).toMatchObject({ ok: true });
  });

  test("whose users cannot be told is not given", async () => {
    const ports: GuardPorts = {
      findUsers: () => Promise.reject(new Error("xl does not answer")),
      copyState: async () => undefined,
      ...NOTHING_WAITS,
    };
    const use = { writes: true, owner: OWNER };
    await expect(assertFree(ports, "/x", use)).rejects.toThrow("xl does not answer");
  });
});
