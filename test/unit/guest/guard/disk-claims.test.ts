import { describe, expect, test } from "vitest";
import {
  claimUsers,
  claimsOf,
  contested,
  isOperationAtWork,
} from "../../../../src/guest/guard/disk-claims.ts";
import type { DiskClaim } from "../../../../src/guest/guard/disk-claims.ts";
import type { Operation } from "../../../../src/host/records.ts";
import { readDiskReach } from "../../../../src/host/local/device-users.ts";
import { DISK_HOST } from "./disk-host.ts";

async function claim(path: string, writes = true): Promise<DiskClaim> {
  return { path, writes, ...(await readDiskReach(DISK_HOST, path))! };
}

const row = (disks: unknown, more: Partial<Operation> = {}): Operation => ({
  ...{ id: 1, kind: "start", guest: "web", step: "create", startedAtMs: 0 },
  ...{ pid: 9, pidStarted: "1", bootId: "b", data: { disks } },
  ...more,
});

describe("two disks", () => {
  test.each([
    ["/dev/vg0/pandora-disk", "/dev/mapper/vg0-pandora--disk", true],
    ["/dev/mapper/vg0-pandora--disk", "/dev/mapper/vg0-mail", false],
    ["/dev/mapper/vg0-pandora--disk", "/dev/sda2", true],
    ["/dev/mapper/vg0-pandora--disk", "/dev/sda", true],
    ["/dev/mapper/vg0-pandora--disk", "/dev/sda1", false],
    ["/dev/sda1", "/dev/sda2", false],
    ["/dev/sda1", "/dev/sda", true],
    ["/srv/pandora.img", "/dev/loop0", true],
    ["/srv/pandora.img", "/srv/other.img", false],
  ])("%s and %s are in each other's way: %s", async (one, other, isSo) => {
    for (const [a, b] of [
      [one, other],
      [other, one],
    ] as const) {
      const wanted = await claim(a);
      expect(contested([wanted], row([await claim(b)])) !== undefined).toBe(isSo);
      expect(claimUsers(wanted, [row([await claim(b)])]).length > 0).toBe(isSo);
    }
  });

  test("that are only read are not, and one that is written to is", async () => {
    const [reader, writer] = [await claim("/dev/sda1", false), await claim("/dev/sda1")];
    expect(contested([reader], row([reader]))).toBeUndefined();
    expect(contested([reader], row([writer]))).toBe(reader);
    expect(contested([writer], row([reader]))).toBe(writer);
    expect(claimUsers(reader, [row([reader])])).toEqual([
      { kind: "guest", what: "taken by domus start web (process 9)", writes: false },
    ]);
  });

  test("of which one is not there are not", async () => {
    expect(await readDiskReach(DISK_HOST, "/dev/sdz")).toBeUndefined();
  });
});

test("what somebody has made of the records claims nothing", async () => {
  const good = await claim("/dev/sda1");
  for (const disks of [undefined, null, "x", 7, {}, [null, 7, {}, { ...good, reaches: [7] }]])
    expect(claimsOf(row(disks))).toEqual([]);
  expect(claimsOf(row([{ ...good, writes: "yes" }, good]))).toEqual([good]);
});

test.each([
  ["its process", { isAlive: true, words: [], bootId: "b" }, true],
  ["the xl that it has left", { isAlive: false, words: ["/etc/xen/web.cfg"], bootId: "b" }, true],
  ["nobody", { isAlive: false, words: ["/etc/xen/mail.cfg"], bootId: "b" }, false],
  [
    "nobody since the host started",
    { isAlive: false, words: ["/etc/xen/web.cfg"], bootId: "c" },
    false,
  ],
])("%s works on an operation", (_, { isAlive, words, bootId }, isSo) => {
  const operation = row([], { data: { config: "/etc/xen/web.cfg", domid: 3 } });
  const ports = {
    self: { pid: 1, pidStarted: "1", bootId },
    isAlive: () => isAlive,
    xlWith: (word: string) => (words.includes(word) ? [55] : []),
  };
  expect(isOperationAtWork(operation, ports)).toBe(isSo);
});
