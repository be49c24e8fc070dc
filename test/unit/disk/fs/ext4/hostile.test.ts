/** Images made wrong on purpose: each must end in a failure that says where and why, at once. */
import { describe, expect, test } from "vitest";
import { cpuTime } from "../../../../support/cpu-time.ts";
import { FailureError } from "../../../../../src/base/failure.ts";
import { openExt4 } from "../../../../../src/disk/fs/ext4/ext4.ts";
import {
  BLOCK,
  BLOCKS,
  FILE_BLOCK,
  FILE_INODE,
  FREE_BLOCK,
  makeImage,
  ROOT_BLOCK,
  setDirectory,
  setExtents,
  setIndex,
  setInode,
} from "./image.ts";
import type { Image } from "./image.ts";
import { mutateStructures, useEverything } from "./mutations.ts";

async function failureOf(spoil: (image: Image) => void): Promise<string> {
  const image = makeImage();
  spoil(image);
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

const SB = 1024;
const file = makeImage().inodeAt(FILE_INODE);
const tree = file + 0x28;

const CASES: readonly (readonly [string, (image: Image) => void, RegExp])[] = [
  ["s_magic", (i) => i.u16(SB + 0x38, 0), /^corrupt: image > ext4 > superblock: found magic 0x0/],
  ["s_log_block_size 31", (i) => i.u32(SB + 0x18, 31), /^corrupt: .*s_log_block_size 31/],
  [
    "s_log_block_size 2^32-1",
    (i) => i.u32(SB + 0x18, -1),
    /^corrupt: .*s_log_block_size 4294967295/,
  ],
  ["s_inode_size 0", (i) => i.u16(SB + 0x58, 0), /^corrupt: .*s_inode_size 0/],
  ["s_inode_size 384", (i) => i.u16(SB + 0x58, 384), /^corrupt: .*s_inode_size 384.*power of two/],
  ["s_inode_size above the block", (i) => i.u16(SB + 0x58, 2048), /^corrupt: .*s_inode_size 2048/],
  ["s_blocks_per_group 0", (i) => i.u32(SB + 0x20, 0), /^corrupt: .*s_blocks_per_group 0/],
  ["s_blocks_per_group 1", (i) => i.u32(SB + 0x20, 1), /^corrupt: .*s_inodes_count 32/],
  ["s_inodes_per_group 0", (i) => i.u32(SB + 0x28, 0), /^corrupt: .*s_inodes_per_group 0/],
  ["s_inodes_count", (i) => i.u32(SB, 33), /^corrupt: .*s_inodes_count 33, expected 32/],
  ["s_blocks_count 0", (i) => i.u32(SB + 4, 0), /^corrupt: .*number of block groups/],
  [
    "larger than the device",
    (i) => i.u32(SB + 4, BLOCKS + 1),
    /^corrupt: .*found 193 blocks of 1024/,
  ],
  ["s_first_data_block", (i) => i.u32(SB + 0x14, 7), /^corrupt: .*s_first_data_block 7/],
  [
    "unknown incompat bits are named",
    (i) => i.u32(SB + 0x60, 0x42 | 0x8000_0000 | 0x20),
    /^unsupported: .*incompat feature 0x20, incompat feature 0x80000000/,
  ],
  ["compression", (i) => i.u32(SB + 0x60, 0x43), /^unsupported: .*the feature compression/],
  [
    "metadata_csum of another kind",
    (i) => i.u32(SB + 0x64, 0x400),
    /^corrupt: .*superblock: found checksum 0x0/,
  ],
  ["s_desc_size 0", (i) => i.u32(SB + 0x60, 0xc2), /^corrupt: .*s_desc_size 0/],
  [
    "inode table outside",
    (i) => i.u32(2048 + 8, BLOCKS - 2),
    /group 0 > descriptor: found inode table/,
  ],
  [
    "inode table in the superblock",
    (i) => i.u32(2048 + 8, 1),
    /group 0 > descriptor: found inode table/,
  ],
  ["root is a file", (i) => i.u16(i.inodeAt(2), 0o100644), /^corrupt: .*inode 2: found file/],
  ["inode without a kind", (i) => i.u16(file, 0o644), /^corrupt: .*inode 12: found mode 0644/],
  ["inode without links", (i) => i.u16(file + 0x1a, 0), /^corrupt: .*inode 12: .* 0 links/],
  ["i_size of 2^63", (i) => i.u32(file + 0x6c, 0x8000_0000), /^corrupt: .*inode 12: found a size/],
  [
    "extent depth 65535",
    (i) => i.u16(tree + 6, 65_535),
    /inode 12 > extent tree root: .*depth 65535/,
  ],
  [
    "eh_entries above eh_max",
    (i) => i.u16(tree + 2, 5),
    /extent tree root: found 5 extents of at most 4/,
  ],
  [
    "eh_max above the room",
    (i) => i.u16(tree + 4, 5),
    /extent tree root: found 1 extents of at most 5/,
  ],
  ["eh_magic", (i) => i.u16(tree, 0), /extent tree root: found extent header magic 0x0/],
  ["extent outside", (i) => i.u32(tree + 20, BLOCKS), /found 2 blocks from 192 on/],
  ["extent far outside", (i) => i.u16(tree + 18, 0xffff), /blocks from 281470681743370 on/],
  ["extent over the superblock", (i) => i.u32(tree + 20, 1), /found 2 blocks from 1 on/],
  ["extent of length 0", (i) => i.u16(tree + 16, 0), /found an empty extent at 0/],
  [
    "overlapping extents",
    (i) => {
      const extents = [
        [0, 2, 10],
        [1, 1, 20],
      ] as const;
      setInode(i, FILE_INODE, { mode: 0o100644, size: 3000, extents });
    },
    /found an extent from block 1 on, expected one from 2 on/,
  ],
  [
    "an extent tree that is its own child",
    (i) => {
      setIndex(i, tree, 1, [[0, FREE_BLOCK]]);
      setIndex(i, FREE_BLOCK * BLOCK, 1, [[0, FREE_BLOCK]]);
    },
    /extent block 12: found extent depth 1, expected 0/,
  ],
  [
    "an extent tree that leads to the same leaf again and again",
    (i) => {
      i.u32(file + 4, 100_000);
      setIndex(i, tree, 1, [
        [0, FREE_BLOCK],
        [10, FREE_BLOCK],
        [20, FREE_BLOCK],
      ]);
      setExtents(i, FREE_BLOCK * BLOCK, [[0, 1, FILE_BLOCK]], 84);
    },
    /extent block 12: found block 0 first, expected 10 or later/,
  ],
  [
    "a leaf without entries",
    (i) => {
      setIndex(i, tree, 1, [[0, FREE_BLOCK]]);
      setExtents(i, FREE_BLOCK * BLOCK, [], 84);
    },
    /extent block 12: found a node without entries/,
  ],
  [
    "a block map that points at itself",
    (i) => {
      const loop = Array.from({ length: 256 }, () => FREE_BLOCK);
      for (const [at, block] of loop.entries()) i.u32(FREE_BLOCK * BLOCK + 4 * at, block);
      const blocks = Array.from({ length: 15 }, () => FREE_BLOCK);
      setInode(i, 2, { mode: 0o40755, size: 0xffff_fc00, blocks });
    },
    /^corrupt: |^limit: .*number of directory blocks is over the limit of 192/,
  ],
  [
    "holes behind a block map that points at itself",
    (i) => {
      i.u32(FREE_BLOCK * BLOCK, FREE_BLOCK);
      i.u32(FREE_BLOCK * BLOCK + 1020, FREE_BLOCK);
      const blocks = Array.from({ length: 15 }, (_, at) => (at < 12 ? 0 : FREE_BLOCK));
      setInode(i, FILE_INODE, { mode: 0o100644, size: 2 ** 40, blocks });
    },
    /no failure/,
  ],
  [
    "a directory of the same block again and again",
    (i) =>
      setInode(i, 2, {
        mode: 0o40755,
        size: 0xffff_fc00,
        extents: [
          [0, 170, ROOT_BLOCK],
          [170, 170, ROOT_BLOCK],
          [340, 170, ROOT_BLOCK],
        ],
      }),
    /^(corrupt|limit): /,
  ],
  [
    "rec_len 0",
    (i) => i.u16(ROOT_BLOCK * BLOCK + 28, 0),
    /inode 2 > directory block 0: found an entry of 0/,
  ],
  ["rec_len 4", (i) => i.u16(ROOT_BLOCK * BLOCK + 28, 4), /found an entry of 4 bytes/],
  [
    "rec_len past the block",
    (i) => i.u16(ROOT_BLOCK * BLOCK + 28, 1004),
    /found an entry of 1004 bytes/,
  ],
  ["rec_len not aligned", (i) => i.u16(ROOT_BLOCK * BLOCK + 28, 13), /found an entry of 13 bytes/],
  [
    "name longer than its entry",
    (i) => {
      setDirectory(i, ROOT_BLOCK, [
        ["a", 12, 1],
        ["b", 12, 1],
      ]);
      i.bytes[ROOT_BLOCK * BLOCK + 30] = 200;
    },
    /an entry of 12 bytes with a name of 200/,
  ],
  ["entry of no inode", (i) => i.u32(ROOT_BLOCK * BLOCK + 24, 33), /inode 33 for "file"/],
  ["entry of a reserved inode", (i) => i.u32(ROOT_BLOCK * BLOCK + 24, 8), /inode 8 for "file"/],
  ["a slash in a name", (i) => setDirectory(i, ROOT_BLOCK, [["a/b", 12, 1]]), /the name "a\/b"/],
  [
    "a NUL in a name",
    (i) => setDirectory(i, ROOT_BLOCK, [["a\0b", 12, 1]]),
    /the name "a\\u0000b"/,
  ],
  ["an empty name", (i) => setDirectory(i, ROOT_BLOCK, [["", 12, 1]]), /the name ""/],
  [
    "an endless symlink",
    (i) => setInode(i, FILE_INODE, { mode: 0o120777, size: 5000, extents: [] }),
    /inode 12: found a symlink of 5000 bytes/,
  ],
  [
    "an empty symlink",
    (i) => setInode(i, FILE_INODE, { mode: 0o120777, size: 0 }),
    /a symlink of 0 bytes/,
  ],
  [
    "more inline data than fits",
    (i) => setInode(i, FILE_INODE, { mode: 0o100644, size: 61, flags: 0x1000_0000 }),
    /inode 12: found 61 bytes of inline data, expected at most 60/,
  ],
  [
    "an encrypted file",
    (i) => setInode(i, FILE_INODE, { mode: 0o100644, size: 61, flags: 0x800 }),
    /^unsupported: image > ext4 > inode 12: encryption of file contents/,
  ],
  [
    "an encrypted directory",
    (i) => setInode(i, FILE_INODE, { mode: 0o40755, size: 1024, flags: 0x800 }),
    /^unsupported: image > ext4 > inode 12: encryption of names/,
  ],
];

describe("hostile images", () => {
  test("the image itself is right", async () => {
    expect(await failureOf(() => {})).toBe("no failure");
  });

  test.each(CASES)("%s", async (_, spoil, expected) => {
    expect(await failureOf(spoil)).toMatch(expected);
  });

  test("shorter than a superblock", async () => {
    const image = makeImage();
    const source = { ...image.source(), size: 1500 };
    await expect(openExt4(source)).rejects.toThrow(/a device of 1500 bytes/);
  });

  test("a read of more than is sane is a limit, not an allocation", async () => {
    const image = makeImage();
    setInode(image, FILE_INODE, { mode: 0o100644, size: 2 ** 50, extents: [] });
    const fs = await openExt4(image.source());
    const inode = await fs.inode((await fs.lookup(await fs.root(), "file"))!);
    await expect(fs.read(inode, 0, 2 ** 49)).rejects.toThrow(/over the limit of 1 GiB/);
    expect(await fs.read(inode, 2 ** 50 - 10, 100)).toEqual(new Uint8Array(10));
  });

  // The long run is in test/real.
  test("mutations of all structures", () => mutateStructures(300));
});
