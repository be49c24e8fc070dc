/** Files and loop devices as sources: their holes, their names, and whether they were written to. */
import { spawnSync } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { attempt } from "../../../src/base/failure.ts";
import { KIB, MIB } from "../../../src/base/units.ts";
import { readHoleMap } from "../../../src/host/local/hole-map.ts";
import { openSyncSource } from "../../../src/host/local/sync-source.ts";
import { openSyncTarget } from "../../../src/host/local/sync-target.ts";
import { randomSource } from "../../support/mutate.ts";
import { needRoot, scratch, sh } from "../../support/need.ts";

function loopOf(path: string): string {
  needRoot("loop devices");
  const device = sh(`losetup --find --show ${path}`).toString().trim();
  onTestFinished(() => void spawnSync("losetup", ["-d", device]));
  return device;
}

/** Each range that is said to read as zero, in steps of `step`, does; the bytes that are said to be so. */
async function zeroBytes(path: string, step: number): Promise<number> {
  await using source = await openSyncSource(path);
  const bytes = readFileSync(path);
  let found = 0;
  for (let at = 0; at < source.size; at += step) {
    const length = Math.min(step, source.size - at);
    if (!source.readsAsZero?.(at, length)) continue;
    found += length;
    if (bytes.subarray(at, at + length).some((byte) => byte !== 0)) return -1;
  }
  return found;
}

function sparseFile(
  dir: string,
  sizeBytes: number,
  pieces: readonly (readonly [number, number])[],
) {
  const path = join(dir, "disk.img");
  writeFileSync(path, "");
  const fd = openSync(path, "r+");
  for (const [offset, length] of pieces) writeSync(fd, Buffer.alloc(length, 7), 0, length, offset);
  truncateSync(path, sizeBytes);
  return { path, fd };
}

describe("the holes of a file", () => {
  test("are known where nothing was written, at any place, and nowhere else", async () => {
    const pieces = [
      [4096, 10],
      [3 * MIB, MIB],
      [10 * MIB - 5, 10],
      [20 * MIB, 1],
    ] as const;
    const { path } = sparseFile(scratch(), 24 * MIB + 77, pieces);
    const found = await zeroBytes(path, 64 * KIB);
    expect(found).toBeGreaterThan(22 * MIB);
    expect(found).toBeLessThan(24 * MIB);
    await using source = await openSyncSource(path, { holes: false });
    expect("readsAsZero" in source).toBe(false);
  });

  test("are never where something was written a moment ago, into space that was reserved", async () => {
    const dir = scratch();
    const random = randomSource(1);
    for (let i = 0; i < 8; i++) {
      // What was read counts as data as well: each time a new one.
      const path = join(dir, `${i}.img`);
      sh(`fallocate -l 16M ${path}`);
      const fd = openSync(path, "r+");
      for (let j = 0; j <= i; j++) writeSync(fd, Buffer.of(1), 0, 1, random(16 * MIB));
      expect(await zeroBytes(path, MIB)).toBeGreaterThanOrEqual((15 - i) * MIB);
      closeSync(fd);
    }
  });

  test("are a whole file that is empty, and none of one that is full", async () => {
    const dir = scratch();
    expect(await zeroBytes(sparseFile(dir, 64 * MIB, []).path, MIB)).toBe(64 * MIB);
    expect(await zeroBytes(sparseFile(dir, 0, []).path, MIB)).toBe(0);
    expect(await zeroBytes(sparseFile(dir, 2 * MIB, [[0, 2 * MIB]]).path, 4 * KIB)).toBe(0);
  });

  test("are known on XFS, btrfs and tmpfs, and not asked for where nobody vouches for them", async () => {
    needRoot("mounts");
    const dir = scratch();
    sh(`mkdir ${dir}/at`);
    const filesystems = {
      "mkfs.xfs -q": true,
      "mkfs.btrfs -q": true,
      tmpfs: true,
      ramfs: false,
    };
    for (const [make, isKnown] of Object.entries(filesystems)) {
      const image = join(dir, "fs.img");
      rmSync(image, { force: true });
      if (make.endsWith("fs")) sh(`mount -t ${make} none ${dir}/at`);
      else sh(`truncate -s 400M ${image} && ${make} ${image} && mount -o loop ${image} ${dir}/at`);
      try {
        const { path, fd } = sparseFile(`${dir}/at`, 8 * MIB, [[MIB + 5, 100]]);
        expect(await zeroBytes(path, MIB), make).toBe(isKnown ? 7 * MIB : 0);
        closeSync(fd);
      } finally {
        sh(`umount --lazy ${dir}/at`);
      }
    }
  });

  test("are not asked for without perl, nor of what has none: then all is read", async () => {
    const dir = scratch();
    sh(`mkfifo ${dir}/fifo`);
    const fifo = openSync(join(dir, "fifo"), "r+");
    expect(await readHoleMap({ fd: fifo, path: dir, sizeBytes: MIB })).toBeUndefined();
    closeSync(fifo);
    const path = join(dir, "file");
    writeFileSync(path, "");
    const fd = openSync(path, "r");
    const before = process.env["PATH"];
    process.env["PATH"] = dir;
    try {
      expect(await readHoleMap({ fd, path, sizeBytes: 0 })).toBeUndefined();
    } finally {
      process.env["PATH"] = before;
      closeSync(fd);
    }
  });
});

describe("a source", () => {
  test("is the same one under another name, and another one when it is made anew or has another size", async () => {
    const dir = scratch();
    const { path } = sparseFile(dir, MIB, [[0, 5]]);
    const nameOf = async (name: string) => {
      await using source = await openSyncSource(name);
      return Buffer.from(source.identity).toString("hex");
    };
    const first = await nameOf(path);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    symlinkSync(path, join(dir, "link"));
    expect(await nameOf(join(dir, "link"))).toBe(first);
    renameSync(path, join(dir, "moved"));
    expect(await nameOf(join(dir, "moved"))).toBe(first);
    {
      await using target = await openSyncTarget(join(dir, "moved"));
      expect(Buffer.from(target.identity).toString("hex")).toBe(first);
    }
    copyFileSync(join(dir, "moved"), path);
    rmSync(join(dir, "moved"));
    expect(await nameOf(path)).not.toBe(first);
    const copied = await nameOf(path);
    // The filesystem may give it the same inode.
    rmSync(path);
    sparseFile(dir, MIB, [[0, 5]]);
    expect(await nameOf(path)).not.toBe(copied);
    const before = await nameOf(path);
    truncateSync(path, MIB + 1);
    expect(await nameOf(path)).not.toBe(before);
  });

  test("that is a loop device is the same one when it is attached again", async () => {
    const { path } = sparseFile(scratch(), MIB, []);
    const names: string[] = [];
    for (let i = 0; i < 2; i++) {
      const device = sh(`losetup --find --show ${path}`).toString().trim();
      try {
        await using source = await openSyncSource(device);
        expect(source).toMatchObject({ kind: "block-device", size: MIB, path: device });
        names.push(Buffer.from(source.identity).toString("hex"));
      } finally {
        sh(`losetup -d ${device}`);
      }
    }
    expect(names[1]).toBe(names[0]);
  });

  test("knows whether it was written to meanwhile", async () => {
    const dir = scratch();
    const { path, fd } = sparseFile(dir, MIB, [[0, 5]]);
    // The times of a file advance in steps.
    sh(`touch -d '1 hour ago' ${path} && sleep 0.1`);
    {
      await using source = await openSyncSource(path);
      expect(await source.isChanged()).toBe(false);
      writeSync(fd, Buffer.of(1), 0, 1, 100);
      expect(await source.isChanged()).not.toBe(false);
    }
    const device = loopOf(path);
    await using source = await openSyncSource(device);
    expect(await source.isChanged()).toBe(false);
    sh(`printf x | dd of=${device} bs=1 seek=9000 conv=notrunc status=none`);
    expect(await source.isChanged()).toBe(true);
  });

  test("that cannot be read to its end says where", async () => {
    const { path } = sparseFile(scratch(), 2 * MIB, [[0, 2 * MIB]]);
    const device = loopOf(path);
    await using source = await openSyncSource(device);
    truncateSync(path, MIB);
    await source.read(0, 4096);
    const failed = await attempt(() => source.read(2 * MIB - 4096, 4096));
    expect(failed).toMatchObject({ failure: { kind: "io", errno: "EIO", where: [device] } });
    const tagger = source.openTagger!(new Uint8Array(16));
    const tags = await attempt(() => tagger.tags([{ offset: MIB, length: MIB }]));
    expect(tags).toMatchObject({ failure: { kind: "io", where: [device] } });
    await tagger.close();
  });

  test("named like a logical volume is a file when there is no such volume", async () => {
    const dir = scratch();
    sh(`mkdir ${dir}/vg0`);
    writeFileSync(join(dir, "vg0/root"), "x");
    const before = process.cwd();
    process.chdir(dir);
    try {
      await using source = await openSyncSource("vg0/root");
      expect(source).toMatchObject({ kind: "file", path: "vg0/root", size: 1 });
    } finally {
      process.chdir(before);
    }
  });
});
