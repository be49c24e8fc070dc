/** Files and loop devices as destinations. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { attempt } from "../../../src/base/failure.ts";
import { KIB, MIB } from "../../../src/base/units.ts";
import { openSyncSource } from "../../../src/host/local/sync-source.ts";
import { openSyncTarget } from "../../../src/host/local/sync-target.ts";
import { receive } from "../../../src/sync/receiver.ts";
import { send } from "../../../src/sync/sender.ts";
import { randomSource } from "../../support/mutate.ts";
import { need, needRoot, scratch, sh } from "../../support/need.ts";
import { changedBytes, diskBytes, sha256 } from "../../unit/sync/memory-device.ts";
import { memoryConnection } from "../../unit/sync/memory-pipe.ts";

const ODD_BYTES = 6 * MIB + 1537;

/** What the file takes on the disk. */
function allocatedBytes(path: string): number {
  return statSync(path).blocks * 512;
}

function loopOf(path: string, options = ""): string {
  needRoot("loop devices");
  need("losetup");
  const device = sh(`losetup ${options} --find --show ${path}`).toString().trim();
  onTestFinished(() => void spawnSync("losetup", ["-d", device]));
  return device;
}

/** Writes, zeroes and reads anywhere, and compares each read with what memory has. */
async function randomWork(path: string, seed: number): Promise<Uint8Array> {
  const random = randomSource(seed);
  await using target = await openSyncTarget(path);
  const { size } = target;
  const model = new Uint8Array(await target.read(0, size));
  for (let i = 0; i < 400; i++) {
    const offset = random(size);
    const most = Math.min(size - offset, random(8) === 0 ? 3 * MIB : 20 * KIB);
    const length = 1 + random(most);
    const what = random(4);
    if (what === 0) {
      model.fill(0, offset, offset + length);
      await target.zero(offset, length);
    } else if (what === 1) {
      const bytes = await target.read(offset, length);
      expect(Buffer.compare(bytes, model.subarray(offset, offset + length)), `${i}`).toBe(0);
      if (target.readsAsZero!(offset, length)) expect(bytes.every((byte) => byte === 0)).toBe(true);
    } else {
      const bytes = new Uint8Array(length).fill(1 + random(255));
      model.set(bytes, offset);
      await target.write(offset, bytes);
      // It is the caller's again.
      bytes.fill(0xee);
    }
  }
  await target.flush();
  return model;
}

describe("a file", () => {
  test("is made with one hole, for its owner only, and keeps what is written", async () => {
    const path = join(scratch(), "disk.img");
    {
      await using target = await openSyncTarget(path, { createBytes: ODD_BYTES });
      expect(target).toMatchObject({ kind: "file", created: true, size: ODD_BYTES, path });
      expect(target.readsAsZero!(0, ODD_BYTES)).toBe(true);
      await target.write(ODD_BYTES - 3, Uint8Array.of(1, 2, 3));
      expect(target.readsAsZero!(0, 5 * MIB)).toBe(true);
      expect(target.readsAsZero!(5 * MIB, MIB + MIB)).toBe(false);
      await target.flush();
    }
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(allocatedBytes(path)).toBeLessThan(64 * KIB);
    const bytes = readFileSync(path);
    expect(bytes.length).toBe(ODD_BYTES);
    expect([...bytes.subarray(-4)]).toEqual([0, 1, 2, 3]);
  });

  test("has at every moment what was written last", async () => {
    const path = join(scratch(), "disk.img");
    writeFileSync(path, diskBytes(ODD_BYTES, 1));
    const model = await randomWork(path, 2);
    expect(sha256(readFileSync(path))).toBe(sha256(model));
  });

  test("gives back the space of what becomes zero, and takes none for zeroes in a hole", async () => {
    const path = join(scratch(), "disk.img");
    writeFileSync(path, new Uint8Array(4 * MIB).fill(9));
    {
      await using target = await openSyncTarget(path, { sizeBytes: 8 * MIB });
      await target.zero(MIB, 2 * MIB);
      await target.zero(5 * MIB, 3 * MIB);
      await target.flush();
    }
    expect(statSync(path).size).toBe(8 * MIB);
    expect(allocatedBytes(path)).toBeLessThanOrEqual(2 * MIB + 64 * KIB);
    expect(allocatedBytes(path)).toBeGreaterThanOrEqual(2 * MIB);
  });

  test("that is longer than the source is cut off by the flush, not before", async () => {
    const path = join(scratch(), "disk.img");
    writeFileSync(path, new Uint8Array(3000).fill(9));
    await using target = await openSyncTarget(path, { sizeBytes: 1000 });
    expect(target.size).toBe(1000);
    expect(statSync(path).size).toBe(3000);
    expect(await attempt(async () => target.write(999, new Uint8Array(2)))).toMatchObject({
      failure: { kind: "corrupt" },
    });
    await target.flush();
    expect(statSync(path).size).toBe(1000);
  });

  test("is not made in /dev, nor where nobody asks for one; nothing is left of one that is too large", async () => {
    for (const name of ["/dev/vg0/web1", "/dev/web1"])
      expect(await attempt(() => openSyncTarget(name, { createBytes: 10 }))).toMatchObject({
        failure: { kind: "misuse" },
      });
    expect(existsSync("/dev/web1")).toBe(false);
    const path = join(scratch(), "disk.img");
    expect(await attempt(() => openSyncTarget(path))).toMatchObject({
      failure: { kind: "missing" },
    });
    const huge = await attempt(() => openSyncTarget(path, { createBytes: 2 ** 53 - 1 }));
    expect(huge).toMatchObject({ failure: { kind: "io", errno: "EFBIG", where: [path] } });
    expect(existsSync(path)).toBe(false);
  });

  test("on a full filesystem fails with the place, from then on", async () => {
    needRoot("a mount");
    const dir = scratch();
    sh(`mount -t tmpfs -o size=2m none ${dir}`);
    onTestFinished(() => void spawnSync("umount", [dir]));
    const path = join(dir, "disk.img");
    await using target = await openSyncTarget(path, { createBytes: 8 * MIB });
    await target.write(0, new Uint8Array(MIB).fill(1));
    await target.read(0, 1);
    const full = { failure: { kind: "io", errno: "ENOSPC", where: [path] } };
    const filling = async () => {
      for (let at = MIB; at < 8 * MIB; at += MIB)
        await target.write(at, new Uint8Array(MIB).fill(1));
      await target.flush();
    };
    const failed = await attempt(filling);
    expect(failed).toMatchObject(full);
    expect(failed).toMatchObject({
      failure: { op: expect.stringMatching(/^write \d+ bytes at byte/) },
    });
    expect(await attempt(() => target.flush())).toMatchObject(full);
    expect(await attempt(() => target.write(0, new Uint8Array(1)))).toMatchObject(full);
  });

  test("is locked: a second one is refused", async () => {
    const path = join(scratch(), "disk.img");
    writeFileSync(path, new Uint8Array(1000));
    {
      await using _target = await openSyncTarget(path);
      const second = await attempt(() => openSyncTarget(path));
      expect(second).toMatchObject({ failure: { kind: "refused" } });
    }
    await using target = await openSyncTarget(path);
    expect(target.created).toBe(false);
  });
});

describe("a loop device", () => {
  test("has at every moment what was written last", async () => {
    const path = join(scratch(), "disk.img");
    writeFileSync(path, diskBytes(6 * MIB + 512, 3));
    const device = loopOf(path);
    const model = await randomWork(device, 4);
    expect(sha256(readFileSync(device))).toBe(sha256(model));
    expect(sha256(readFileSync(path))).toBe(sha256(model));
  });

  test("gives back the space of what becomes zero", async () => {
    const path = join(scratch(), "disk.img");
    writeFileSync(path, new Uint8Array(4 * MIB).fill(9));
    const device = loopOf(path);
    await using target = await openSyncTarget(device);
    expect(target).toMatchObject({ kind: "block-device", created: false, size: 4 * MIB });
    await target.zero(1000, 3 * MIB);
    expect(Buffer.compare(await target.read(1000, 3 * MIB), new Uint8Array(3 * MIB))).toBe(0);
    expect([(await target.read(999, 1))[0], (await target.read(3 * MIB + 1000, 1))[0]]).toEqual([
      9, 9,
    ]);
    await target.flush();
    expect(allocatedBytes(path)).toBeLessThan(2 * MIB);
  });

  test("is refused when it is mounted, when another has claimed it, and when it is too small", async () => {
    const dir = scratch();
    const path = join(dir, "disk.img");
    sh(`truncate -s 8M ${path} && mkfs.ext4 -q ${path} && mkdir ${dir}/at`);
    const device = loopOf(path);
    sh(`mount ${device} ${dir}/at`);
    try {
      const mounted = await attempt(() => openSyncTarget(device));
      expect(mounted).toMatchObject({ failure: { kind: "refused", where: [device] } });
    } finally {
      sh(`umount ${dir}/at`);
    }
    await using _target = await openSyncTarget(device);
    const second = await attempt(() => openSyncTarget(device));
    expect(second).toMatchObject({ failure: { kind: "refused" } });
    const small = await attempt(() =>
      openSyncTarget(loopOf(path, "--sizelimit 4096"), { sizeBytes: 8192 }),
    );
    expect(small).toMatchObject({
      failure: { kind: "refused", what: expect.stringContaining("too small") },
    });
  });

  test("that can only be read says so", async () => {
    const path = join(scratch(), "disk.img");
    writeFileSync(path, new Uint8Array(4096));
    const device = loopOf(path, "--read-only");
    expect(await attempt(() => openSyncTarget(device))).toMatchObject({
      failure: { kind: "refused", what: expect.stringContaining("read-only") },
    });
  });
});

describe("a copy", () => {
  const run = async (from: string, to: string, createBytes?: number) => {
    await using source = await openSyncSource(from);
    const options = { sizeBytes: source.size, ...(createBytes !== undefined && { createBytes }) };
    await using target = await openSyncTarget(to, options);
    const connection = memoryConnection();
    const { identity } = source;
    const [sent] = await Promise.all([
      send({ source, channel: connection.source, identity, program: "test" }),
      receive({ target, channel: connection.destination, program: "test" }),
    ]);
    return sent;
  };

  test("of a file with holes to a new one, then of what changed, to a device, and to a shorter file", async () => {
    const dir = scratch();
    const from = join(dir, "from.img");
    const to = join(dir, "to.img");
    const bytes = diskBytes(12 * MIB + 3072, 5);
    writeFileSync(from, bytes);
    truncateSync(from, 60 * MIB);
    await run(from, to, 60 * MIB);
    sh(`cmp ${from} ${to}`);
    expect(allocatedBytes(to)).toBeLessThanOrEqual(allocatedBytes(from));
    writeFileSync(from, changedBytes(bytes, 30, 6));
    const sent = await run(from, to);
    expect(sent.equalSegments + sent.patchedSegments + sent.zeroedSegments).toBe(13);
    sh(`cmp ${from} ${to}`);
    const behind = join(dir, "behind.img");
    writeFileSync(behind, new Uint8Array(20 * MIB).fill(3));
    const device = loopOf(behind);
    await run(from, device);
    sh(`cmp -n ${12 * MIB + 3072} ${from} ${device}`);
    await run(device, to);
    sh(`cmp ${device} ${to}`);
  });
});
