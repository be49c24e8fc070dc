/** Filesystems over several devices, each read alone; copies that are damaged. */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { FailureError } from "../../../../../src/base/failure.ts";
import { openBtrfs } from "../../../../../src/disk/fs/btrfs/btrfs.ts";
import { findPath } from "../../../../../src/disk/fs/resolve.ts";
import { memorySource } from "../../../../../src/disk/source.ts";
import { imageSource, mountedAs } from "../../../../support/fs/mounted.ts";
import { makeTree } from "../../../../support/fs/tree.ts";
import { differences, domusView, kernelView } from "../../../../support/fs/view.ts";
import type { View } from "../../../../support/fs/view.ts";
import { need, needRoot, scratch, sh } from "../../../../support/need.ts";
import { forgetDevices, makeBtrfsForms, mkfsBtrfs } from "./forms.ts";

/** Makes a filesystem over `count` images, fills it, and gives the kernel's view of it. */
async function spread(
  dir: string,
  count: number,
  mkfs: string,
  fill: (root: string) => Promise<void> | void,
): Promise<{ images: string[]; kernel: View }> {
  const images = Array.from({ length: count }, (_, i) => `${dir}/image${i}`);
  sh(`truncate -s 1G ${images.join(" ")}`);
  const loops = images.map((image) => sh(`losetup -f --show '${image}'`).toString().trim());
  const root = `${dir}/root`;
  sh(`mkdir '${root}'`);
  try {
    sh(`mkfs.btrfs -q -f ${mkfs} ${loops.join(" ")}`);
    sh(`btrfs device scan ${loops.join(" ")}; mount ${loops[0]!} '${root}'`);
    try {
      await fill(root);
      sh(`sync -f '${root}'`);
      return { images, kernel: kernelView(root) };
    } finally {
      sh(`umount '${root}'`);
      forgetDevices();
    }
  } finally {
    sh(`losetup -d ${loops.join(" ")}`);
  }
}

describe("every copy alone is the whole filesystem", () => {
  test.for([
    [2, "-d raid1 -m raid1"],
    [3, "-d raid1c3 -m raid1c3"],
    [4, "-d raid1c4 -m raid1c4"],
    [2, "-M -d raid1 -m raid1"],
    [1, "-d raid0 -m raid0"],
  ] as const)("%i devices, %s", async ([count, mkfs]) => {
    need("mkfs.btrfs", "losetup");
    needRoot("it mounts images");
    const { images, kernel } = await spread(scratch(), count, mkfs, async (root) => {
      await makeTree(root, { files: 3000, crowd: 1500, sparseSize: 1_000_000_000 });
      makeBtrfsForms(root);
    });
    for (const [i, image] of images.entries()) {
      using source = imageSource(image);
      const fs = await openBtrfs(source);
      expect(fs.state.clean).toBe(true);
      const codes = fs.notes.map(({ code }) => code);
      expect(codes).toEqual(count > 1 ? ["btrfs-several-devices"] : []);
      if (count > 1) expect(fs.notes[0]!.what).toContain(`device ${i + 1} of a filesystem over`);
      expect(differences(kernel, await domusView(fs))).toEqual([]);
    }
  });
});

describe("what is on other devices is named, not guessed", () => {
  test.for([
    [2, "-d raid0 -m raid1", /chunk \d+, RAID0\) is not supported$/],
    [4, "-d raid10 -m raid1c4", /chunk \d+, RAID10\) is not supported$/],
    [3, "-d raid5 -m raid1c3", /chunk \d+, RAID5\) is not supported$/],
    [4, "-d raid6 -m raid1c4", /chunk \d+, RAID6\) is not supported$/],
    [
      2,
      "-d single -m raid1",
      /data on another device .*\(device [12], chunk \d+\) is not supported$/,
    ],
  ] as const)("%i devices, %s", async ([count, mkfs, expected]) => {
    need("mkfs.btrfs", "losetup");
    needRoot("it mounts images");
    const { images, kernel } = await spread(
      scratch(),
      count,
      mkfs,
      (root) =>
        sh(
          `cd '${root}'; echo small > small; for i in $(seq 30); do head -c 3M /dev/urandom > big$i; done`,
        ) && undefined,
    );
    let failed = 0;
    for (const image of images) {
      using source = imageSource(image);
      const fs = await openBtrfs(source);
      const domus = await domusView(fs, { content: false });
      expect([...domus.keys()].sort()).toEqual([...kernel.keys()].sort());
      const small = (await findPath(fs, "/small"))!;
      expect(Buffer.from(await fs.read(small.inode, 0, 100)).toString()).toBe("small\n");
      try {
        for (let i = 1; i <= 30; i++) {
          await fs.read((await findPath(fs, `/big${i}`))!.inode, 0, 3_000_000);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(FailureError);
        expect(String(error)).toMatch(/image > btrfs > subvolume 5 > inode \d+: /);
        expect(String(error)).toMatch(expected);
        failed += 1;
      }
      const used = await Array.fromAsync(fs.usedExtents());
      const has = (at: number) =>
        used.some(({ offset, length }) => offset <= at && at + 4096 <= offset + length);
      expect([65_536, 2 ** 26].map(has)).toEqual([true, true]);
      for (const [i, { offset }] of used.entries()) {
        if (i > 0) expect(offset).toBeGreaterThan(used[i - 1]!.offset + used[i - 1]!.length);
      }
    }
    expect(failed).toBeGreaterThan(0);
  });

  test("metadata over devices", async () => {
    need("mkfs.btrfs", "losetup");
    needRoot("it mounts images");
    const { images } = await spread(scratch(), 2, "-d raid0 -m raid0", () => {});
    using source = imageSource(images[0]!);
    await expect(openBtrfs(source)).rejects.toThrow(
      /^image > btrfs > chunk tree > block \d+: data spread over devices \(chunk \d+, RAID0\) is not supported$/,
    );
  });
});

/** All places of a run of bytes in a file. */
function placesOf(bytes: Buffer, wanted: Buffer): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(wanted); at >= 0; at = bytes.indexOf(wanted, at + 1)) places.push(at);
  return places;
}

function damage(image: string, place: number): void {
  const fd = openSync(image, "r+");
  writeSync(fd, Buffer.alloc(64, 0xee), 0, 64, place);
  closeSync(fd);
}

describe("a damaged copy", () => {
  test("of data is passed over, and named when there is no other", async () => {
    need("mkfs.btrfs");
    needRoot("it mounts images");
    for (const csum of ["crc32c", "xxhash"]) {
      const image = `${scratch()}/image`;
      sh(`truncate -s 300M '${image}'`);
      mkfsBtrfs(image, `-d dup --csum ${csum}`);
      const content = Buffer.alloc(400_000, "some contents of a file, ");
      content.write("here is the mark", 200_000);
      await mountedAs({ image, type: "btrfs", options: "max_inline=0" }, (root) => {
        sh(`cat > '${root}/file'`, { input: content });
      });
      const read = async () => {
        using source = imageSource(image);
        const fs = await openBtrfs(source);
        const { inode } = (await findPath(fs, "/file"))!;
        return Buffer.from(await fs.read(inode, 1000, 300_000)).equals(
          content.subarray(1000, 301_000),
        );
      };
      const [first, second, ...more] = placesOf(
        readFileSync(image),
        Buffer.from("here is the mark"),
      );
      expect(more).toEqual([]);
      expect(await read()).toBe(true);
      damage(image, first!);
      expect(await read()).toBe(true);
      damage(image, second! + 4096);
      expect(await read()).toBe(true);
      damage(image, first! + 4096);
      await expect(read()).rejects.toThrow(
        /^image > btrfs > subvolume 5 > inode 257 > data at \d+: found (crc32c|xxhash64) checksum .*, computed from the bytes, expected .*, as recorded$/,
      );
    }
  });

  test("of metadata is passed over, and named when there is no other", async () => {
    need("mkfs.btrfs");
    needRoot("it mounts images");
    const image = `${scratch()}/image`;
    sh(`truncate -s 300M '${image}'`);
    mkfsBtrfs(image, "");
    await mountedAs({ image, type: "btrfs" }, (root) => {
      sh(`cd '${root}'; for i in $(seq 1000); do echo a-mark-of-its-own > file$i; done`);
    });
    const look = async () => {
      using source = imageSource(image);
      return (await domusView(await openBtrfs(source))).size;
    };
    const before = placesOf(readFileSync(image), Buffer.from("file777"));
    expect(before.length).toBeGreaterThan(3);
    expect(await look()).toBe(1001);
    const half = before.slice(0, before.length / 2);
    for (const place of half) damage(image, place);
    expect(await look()).toBe(1001);
    for (const place of before) damage(image, place);
    await expect(look()).rejects.toThrow(
      /^image > btrfs > subvolume 5 > block \d+: found crc32c checksum 0x[0-9a-f]{8}, expected 0x[0-9a-f]{8}, computed/,
    );
  });
});

describe("a damaged superblock", () => {
  test("is read from its newest copy, with a note", async () => {
    need("mkfs.btrfs");
    needRoot("it mounts images");
    const image = `${scratch()}/image`;
    sh(`truncate -s 300M '${image}'`);
    mkfsBtrfs(image, "");
    await mountedAs({ image, type: "btrfs" }, (root) => sh(`echo hello > '${root}/file'`));
    const bytes = Uint8Array.from(readFileSync(image));
    bytes.fill(0, 65_536 + 100, 65_536 + 200);
    const fs = await openBtrfs(memorySource(bytes, ["image"]));
    expect(fs.state).toEqual({
      clean: false,
      text: "superblock damaged, copy at byte 67108864 used",
    });
    expect(fs.notes.map(({ code }) => code)).toEqual(["btrfs-superblock-damaged"]);
    const { inode } = (await findPath(fs, "/file"))!;
    expect(Buffer.from(await fs.read(inode, 0, 100)).toString()).toBe("hello\n");
    await expect(Array.fromAsync(fs.usedExtents())).rejects.toThrow(/damaged superblock/);
  });
});
