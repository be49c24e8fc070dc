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
import { scriptedHost } from "../../host/local/scripted-system.ts";

/** sda: sda1, and sda2 a PV of two volumes; a file behind a loop device. */
const HOST = scriptedHost({
  files: {
    "/sys/devices/sda/dev": "8:0",
    "/sys/devices/sda/sda1/dev": "8:1",
    "/sys/devices/sda/sda1/partition": "1",
    "/sys/devices/sda/sda2/dev": "8:2",
    "/sys/devices/sda/sda2/partition": "2",
    "/sys/devices/dm-0/dev": "253:0",
    "/sys/devices/dm-1/dev": "253:1",
    "/sys/devices/loop0/dev": "7:0",
    "/sys/devices/loop0/loop/backing_file": "/srv/web.img",
  },
  links: {
    "/sys/dev/block/8:0": "/sys/devices/sda",
    "/sys/dev/block/8:1": "/sys/devices/sda/sda1",
    "/sys/dev/block/8:2": "/sys/devices/sda/sda2",
    "/sys/dev/block/253:0": "/sys/devices/dm-0",
    "/sys/dev/block/253:1": "/sys/devices/dm-1",
    "/sys/dev/block/7:0": "/sys/devices/loop0",
    "/sys/class/block/loop0": "/sys/devices/loop0",
    "/sys/devices/sda/sda2/holders/dm-0": "/sys/devices/dm-0",
    "/sys/devices/sda/sda2/holders/dm-1": "/sys/devices/dm-1",
    "/dev/vg0/web": "/dev/dm-0",
  },
  nodes: {
    "/dev/sda": "8:0",
    "/dev/sda1": "8:1",
    "/dev/sda2": "8:2",
    "/dev/dm-0": "253:0",
    "/dev/mapper/vg0-web": "253:0",
    "/dev/mapper/vg0-mail": "253:1",
    "/dev/loop0": "7:0",
    "/srv/web.img": 12,
    "/srv/other.img": 13,
  },
});

async function claim(path: string, writes = true): Promise<DiskClaim> {
  return { path, writes, ...(await readDiskReach(HOST, path))! };
}

const row = (disks: unknown, more: Partial<Operation> = {}): Operation => ({
  ...{ id: 1, kind: "start", guest: "web", step: "create", startedAtMs: 0 },
  ...{ pid: 9, pidStarted: "1", bootId: "b", data: { disks } },
  ...more,
});

describe("two disks", () => {
  test.each([
    ["/dev/vg0/web", "/dev/mapper/vg0-web", true],
    ["/dev/mapper/vg0-web", "/dev/mapper/vg0-mail", false],
    ["/dev/mapper/vg0-web", "/dev/sda2", true],
    ["/dev/mapper/vg0-web", "/dev/sda", true],
    ["/dev/mapper/vg0-web", "/dev/sda1", false],
    ["/dev/sda1", "/dev/sda2", false],
    ["/dev/sda1", "/dev/sda", true],
    ["/srv/web.img", "/dev/loop0", true],
    ["/srv/web.img", "/srv/other.img", false],
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
    expect(await readDiskReach(HOST, "/dev/sdz")).toBeUndefined();
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
