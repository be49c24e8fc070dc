/** Images made wrong on purpose: each must end in a failure that says where and why, at once. */
import { describe, expect, test } from "vitest";
import { cpuTime } from "../../../../support/cpu-time.ts";
import { FailureError } from "../../../../../src/base/failure.ts";
import { openXfs } from "../../../../../src/disk/fs/xfs/xfs.ts";
import { CASES } from "./hostile-cases.ts";
import {
  BLOCK,
  BLOCKS,
  DATA_BLOCK,
  FREE_TREE,
  INODE,
  INODE_SIZE,
  LINK_BLOCK,
  makeImage,
  ROOT_BLOCK,
  setInode,
  TREE_LEAF,
} from "./image.ts";
import type { Image } from "./image.ts";
import { mutateStructures, useEverything } from "./mutations.ts";

async function failureOf(version: 4 | 5, spoil: (image: Image) => void): Promise<string> {
  const image = makeImage(version);
  spoil(image);
  image.seal();
  const took = cpuTime();
  try {
    await useEverything(image);
    return "no failure";
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    expect(took()).toBeLessThan(1000);
    return `${error.failure.kind}: ${error.message}`;
  }
}

describe.each([4, 5] as const)("version %i", (version) => {
  test("the image itself is right", async () => {
    expect(await useEverything(makeImage(version))).toEqual([
      "file file 1500",
      "tree file 20000",
      "short directory 19",
      "short/inner",
      "large directory 2048",
      "large/part-0",
      "large/part-1",
      "link symlink 6",
      "target",
      "remote symlink 600",
      "far/far/",
      "device block-device 0",
      "0+20",
      "100+64",
      "200+10",
    ]);
    const fs = await openXfs(makeImage(version).source());
    expect(fs).toMatchObject({
      label: "by hand",
      blockSizeBytes: BLOCK,
      sizeBytes: BLOCKS * BLOCK,
    });
    expect(fs.state).toEqual({ clean: true, text: "clean" });
    const entry = await fs.lookup(await fs.root(), "device");
    expect((await fs.inode(entry!)).device).toEqual({ major: 202, minor: 70_000 });
    const mapped = await fs.inode((await fs.lookup(await fs.root(), "tree"))!);
    const text = Buffer.from(await fs.read(mapped, 0, 20_000)).toString("latin1");
    const blocks = Array.from({ length: 20 }, (_, i) => text.charCodeAt(i * BLOCK));
    const [b, hole] = ["b".charCodeAt(0), 0];
    expect(blocks.map((code, i) => (code === b ? i : hole)).filter(Boolean)).toEqual([5, 15, 16]);
    expect(blocks[0]).toBe(b);
  });

  // The long run is in test/real.
  test("mutations of all structures, sealed again", () => mutateStructures(version, 150));
});

describe.each(CASES)("hostile %s", (_, cases) => {
  test.each(cases)("%s", async (_name, spoil, expected) => {
    expect(await failureOf(5, spoil)).toMatch(expected);
  });
});

describe("more of them", () => {
  test("shorter than a superblock", async () => {
    const source = { ...makeImage().source(), size: 400 };
    await expect(openXfs(source)).rejects.toThrow(/a device of 400 bytes/);
  });

  test("version 4: directories of version 1, features of IRIX", async () => {
    expect(await failureOf(4, (i) => i.u16(100, 0x9404))).toMatch(
      /^unsupported: .*directories of version 1/,
    );
    expect(await failureOf(4, (i) => i.u16(100, 0xb6b4))).toMatch(
      /^unsupported: .*the feature shared/,
    );
    expect(await failureOf(4, (i) => i.u32(200, 0x21a))).toMatch(/^unsupported: .*parent/);
    expect(await failureOf(4, (i) => i.u32(204, 0x1000))).toMatch(/features2 bit 0x1000/);
  });

  test("a read of more than is sane is a limit, not an allocation", async () => {
    const image = makeImage();
    setInode(image, INODE.file, { mode: 0o100644, size: 2 ** 50, format: 2 });
    image.seal();
    const fs = await openXfs(image.source());
    const inode = await fs.inode((await fs.lookup(await fs.root(), "file"))!);
    await expect(fs.read(inode, 0, 2 ** 49)).rejects.toThrow(/over the limit of 1 GiB/);
    expect(await fs.read(inode, 2 ** 50 - 10, 100)).toEqual(new Uint8Array(10));
  });

  test("a flipped bit in each sealed block is a wrong checksum", async () => {
    const places: [number, RegExp][] = [
      [110, /superblock: found checksum/],
      [512 + 60, /group 0 > AGF: found checksum/],
      [FREE_TREE * BLOCK + 900, /free-space tree > block 2: found checksum/],
      [INODE.file * INODE_SIZE + 500, /inode 9: found checksum/],
      [ROOT_BLOCK * BLOCK + 900, /inode 8 > directory block 0: found checksum/],
      [DATA_BLOCK * BLOCK + 900, /inode 12 > directory block 0: found checksum/],
      [TREE_LEAF * BLOCK + 900, /inode 10 > extent tree block 9: found checksum/],
      [LINK_BLOCK * BLOCK + 900, /inode 14 > symlink block 12: found checksum/],
    ];
    for (const [place, expected] of places) {
      const image = makeImage();
      image.u8(place, image.bytes[place]! ^ 0x10);
      await expect(useEverything(image)).rejects.toThrow(expected);
    }
  });
});
