/** What can be wrong in an image, and the failure that each must end in. */
import {
  BLOCK,
  DATA_BLOCK,
  FILE_BLOCK,
  FREE_TREE,
  INODE,
  INODE_SIZE,
  LINK_BLOCK,
  ROOT_BLOCK,
  setDirectory,
  setExtents,
  setFreeLeaf,
  setMapped,
  setShortform,
  setTreeNode,
  setTreeRoot,
  TREE_LEAF,
  TREE_NODE,
} from "./image.ts";
import type { Image } from "./image.ts";

const { file, tree, root, large, short, link, remote } = INODE;
const placeOf = (number: number) => number * INODE_SIZE;
const FORK = 176;
const ENTRIES = 64;
type Case = readonly [string, (image: Image) => void, RegExp];

const SUPERBLOCK: readonly Case[] = [
  ["sb_magicnum", (i) => i.u32(0, 0), /^corrupt: image > xfs > superblock: found magic 0x0/],
  ["sb_blocksize 0", (i) => i.u32(4, 0), /^corrupt: .*sb_blocksize 0/],
  ["sb_blocksize 3000", (i) => i.u32(4, 3000), /^corrupt: .*sb_blocksize 3000, .*power of two/],
  ["sb_blocksize 2^31", (i) => i.u32(4, 2 ** 31), /^corrupt: .*sb_blocksize 2147483648/],
  ["sb_blocksize 4096", (i) => i.u32(4, 4096), /^corrupt: .*sb_blocklog 10, expected 12/],
  ["sb_blocklog 255", (i) => i.u8(120, 255), /^corrupt: .*sb_blocklog 255, expected 10/],
  ["sb_sectsize 0", (i) => i.u16(102, 0), /^corrupt: .*sb_sectsize 0/],
  ["sb_sectsize 65535", (i) => i.u16(102, 65_535), /^corrupt: .*sb_sectsize 65535/],
  ["sb_sectlog 0", (i) => i.u8(121, 0), /^corrupt: .*sb_sectlog 0/],
  ["sb_inodesize 0", (i) => i.u16(104, 0), /^corrupt: .*sb_inodesize 0/],
  ["sb_inodesize 2048", (i) => i.u16(104, 2048), /^corrupt: .*sb_inodesize 2048/],
  ["sb_inodelog 255", (i) => i.u8(122, 255), /^corrupt: .*sb_inodelog 255, expected 9/],
  ["sb_inopblog 63", (i) => i.u8(123, 63), /^corrupt: .*sb_inopblog 63, expected 1/],
  ["sb_inopblock 0", (i) => i.u16(106, 0), /^corrupt: .*sb_inopblock 0, expected 2/],
  ["sb_agblocks 0", (i) => i.u32(84, 0), /^corrupt: .*sb_agblocks 0/],
  ["sb_agblocks 2^32-1", (i) => i.u32(84, -1), /^corrupt: .*sb_agblocks 4294967295/],
  ["sb_agblklog 0", (i) => i.u8(124, 0), /^corrupt: .*sb_agblklog 0, expected 8/],
  ["sb_agblklog 63", (i) => i.u8(124, 63), /^corrupt: .*sb_agblklog 63, expected 8/],
  ["sb_agcount 0", (i) => i.u32(88, 0), /^corrupt: .*sb_agcount 0/],
  ["sb_agcount 2^32-1", (i) => i.u32(88, -1), /^corrupt: .*sb_dblocks 300/],
  ["sb_dblocks 0", (i) => i.u64(8, 0), /^corrupt: .*sb_dblocks 0/],
  ["sb_dblocks 2^64-1", (i) => i.u64(8, -1), /^corrupt: .*sb_dblocks 184467440737095/],
  ["larger than the device", (i) => i.u64(8, 301), /^corrupt: .*found 301 blocks of 1024/],
  ["sb_dirblklog 63", (i) => i.u8(192, 63), /^corrupt: .*sb_dirblklog 63, expected 0 to 6/],
  ["sb_inprogress", (i) => i.u8(126, 1), /^corrupt: .*sb_inprogress 1/],
  ["sb_logblocks 0", (i) => i.u32(96, 0), /^corrupt: .*a log of 0 blocks/],
  ["sb_logblocks 2^32-1", (i) => i.u32(96, -1), /^corrupt: .*a log of 4294967295 blocks/],
  ["the log outside", (i) => i.u64(48, 150), /^corrupt: .*a log of 64 blocks from 150 on/],
  ["the log far outside", (i) => i.u64(48, -1), /^corrupt: .*a log of 64 blocks from 1844/],
  ["version 3", (i) => i.u16(100, 0xb4b3), /^unsupported: .*version 3 of XFS/],
  ["version 6", (i) => i.u16(100, 0xb4b6), /^unsupported: .*version 6 of XFS/],
  [
    "incompat bit 31",
    (i) => i.u32(216, 0x8000_000b),
    /^unsupported: .*incompat feature 0x80000000/,
  ],
  [
    "sb_rootino 2^64-1",
    (i) => i.u64(56, -1),
    /inode 18446744073709552000: found a reference to it/,
  ],
  ["sb_rootino 0", (i) => i.u64(56, 0), /^corrupt: .*inode 0: found a reference to it/],
  ["the root is a file", (i) => i.u64(56, file), /^corrupt: .*inode 9: found file/],
  ["another UUID", (i) => i.u8(32, 0), /^corrupt: image > xfs > inode 8: found UUID 1011/],
];

const INODES: readonly Case[] = [
  ["di_magic", (i) => i.u16(placeOf(file), 0), /^corrupt: .*inode 9: found inode magic 0x0/],
  ["di_version", (i) => i.u8(placeOf(file) + 4, 2), /^corrupt: .*inode 9: found inode version 2/],
  [
    "di_ino",
    (i) => i.u64(placeOf(file) + 152, 10),
    /^corrupt: .*inode 9: found di_ino 10, expected 9/,
  ],
  ["di_uuid", (i) => i.u8(placeOf(file) + 160, 0), /^corrupt: .*inode 9: found UUID 0011/],
  ["no kind", (i) => i.u16(placeOf(file) + 2, 0o644), /^corrupt: .*inode 9: found mode 0644/],
  ["no links", (i) => i.u32(placeOf(file) + 16, 0), /^corrupt: .*inode 9: .* 0 links/],
  [
    "di_format 7",
    (i) => i.u8(placeOf(file) + 5, 7),
    /^corrupt: .*inode 9: found di_format 7 of a file/,
  ],
  ["contents in the inode", (i) => i.u8(placeOf(file) + 5, 1), /di_format 1 of a file/],
  [
    "di_size 2^63",
    (i) => i.u64(placeOf(file) + 56, 2n ** 63n),
    /^corrupt: .*a size of 92233720368547/,
  ],
  [
    "di_size 2^60",
    (i) => i.u64(placeOf(file) + 56, 2n ** 60n),
    /^limit: .*the size of a file is over/,
  ],
  [
    "di_forkoff 255",
    (i) => i.u8(placeOf(file) + 82, 255),
    /^corrupt: .*inode 9: found di_forkoff 255/,
  ],
  ["too many extents", (i) => i.u32(placeOf(file) + 76, 22), /inode 9 > extents: found 22 extents/],
  ["2^32-1 extents", (i) => i.u32(placeOf(file) + 76, -1), /extents: found 4294967295 extents/],
  [
    "on the realtime device",
    (i) => i.u16(placeOf(file) + 90, 1),
    /^unsupported: .*inode 9: a file on/,
  ],
];

const EXTENTS: readonly Case[] = [
  [
    "outside",
    (i) => setExtents(i, placeOf(file) + FORK, [[0, 299, 2]]),
    /2 blocks from 99 on of group 1/,
  ],
  ["over a group's end", (i) => setExtents(i, placeOf(file) + FORK, [[0, 199, 2]]), /of group 0/],
  [
    "in a gap",
    (i) => i.u64(placeOf(file) + FORK + 8, (250n << 21n) | 2n),
    /from 250 on of group 0/,
  ],
  [
    "far outside",
    (i) => i.u64(placeOf(file) + FORK + 8, -1),
    /2097151 blocks from 255 on of group/,
  ],
  [
    "over the headers",
    (i) => setExtents(i, placeOf(file) + FORK, [[0, 1, 2]]),
    /2 blocks from 1 on/,
  ],
  [
    "empty",
    (i) => i.u64(placeOf(file) + FORK + 8, 300n << 21n),
    /found an empty extent at block 0/,
  ],
  ["far behind the end", (i) => i.u32(placeOf(file) + FORK, 0x7fff_ffff), /no failure/],
  [
    "overlapping",
    (i) =>
      setMapped(i, file, { mode: 0o100644, size: 3000 }, [
        [0, FILE_BLOCK, 2],
        [1, FILE_BLOCK + 2, 1],
      ]),
    /inode 9 > extents: found an extent from block 1 on, expected one from 2 on/,
  ],
  [
    "root of level 0",
    (i) => setTreeRoot(i, tree, 0, [[0, TREE_LEAF]]),
    /bb_level 0, expected 1 to 8/,
  ],
  ["root of level 65535", (i) => setTreeRoot(i, tree, 65_535, [[0, TREE_LEAF]]), /bb_level 65535/],
  ["root without entries", (i) => setTreeRoot(i, tree, 1, []), /tree root: found bb_numrecs 0/],
  ["root too full", (i) => i.u16(placeOf(tree) + FORK + 2, 21), /bb_numrecs 21, expected 1 to 20/],
  [
    "level of a child",
    (i) => setTreeRoot(i, tree, 2, [[0, TREE_LEAF]]),
    /found bb_level 0, expected 1/,
  ],
  [
    "a node that is its own child",
    (i) => {
      setTreeRoot(i, tree, 2, [[0, TREE_NODE]]);
      const entries = setTreeNode(i, TREE_NODE, { level: 1, count: 1, owner: tree });
      i.u64(entries, 0);
      i.u64(entries + 8 * 59, TREE_NODE);
    },
    /extent tree block 13: found bb_level 1, expected 0/,
  ],
  [
    "the same leaf again and again",
    (i) =>
      setTreeRoot(i, tree, 1, [
        [0, TREE_LEAF],
        [18, TREE_LEAF],
        [19, TREE_LEAF],
      ]),
    /extent tree block 9: found block 0 first, expected 18 or later/,
  ],
  ["a leaf without entries", (i) => i.u16(TREE_LEAF * BLOCK + 6, 0), /block 9: found bb_numrecs 0/],
  ["a leaf too full", (i) => i.u16(TREE_LEAF * BLOCK + 6, 60), /bb_numrecs 60, expected 1 to 59/],
  ["magic of a leaf", (i) => i.u32(TREE_LEAF * BLOCK, 0), /extent tree block 9: found magic 0x0/],
  [
    "owner of a leaf",
    (i) => i.u64(TREE_LEAF * BLOCK + 56, 99),
    /block 9: found owner 99, expected 10/,
  ],
  [
    "place of a leaf",
    (i) => i.u64(TREE_LEAF * BLOCK + 24, 99),
    /block 9: found blkno 99, expected 18/,
  ],
  [
    "UUID of a leaf",
    (i) => i.u8(TREE_LEAF * BLOCK + 40, 99),
    /extent tree block 9: found UUID 6311/,
  ],
];

const rootEntry = ROOT_BLOCK * BLOCK + ENTRIES + 32;
const directory = { block: ROOT_BLOCK, owner: root, form: "block" } as const;
const DIRECTORIES: readonly Case[] = [
  ["magic", (i) => i.u32(ROOT_BLOCK * BLOCK, 0), /inode 8 > directory block 0: found magic 0x0/],
  ["owner", (i) => i.u64(ROOT_BLOCK * BLOCK + 40, 9), /block 0: found owner 9, expected 8/],
  ["place", (i) => i.u64(ROOT_BLOCK * BLOCK + 8, 9), /block 0: found blkno 9, expected 16/],
  ["tag", (i) => i.u16(rootEntry + 14, 97), /found tag 97 of what is at byte 96, expected 96/],
  ["long name", (i) => i.u8(rootEntry + 8, 255), /found tag \d+ of what is at byte 96/],
  ["name over the end", (i) => i.u8(ROOT_BLOCK * BLOCK + 64 + 8, 255), /directory block 0: found/],
  [
    "free space of 0",
    (i) => i.u32(rootEntry, 0xffff_0000),
    /found free space of 0 bytes at byte 96/,
  ],
  ["free space of 4", (i) => i.u32(rootEntry, 0xffff_0004), /found free space of 4 bytes/],
  ["free space beyond", (i) => i.u32(rootEntry, 0xffff_fff8), /found free space of 65528 bytes/],
  [
    "hash table of 2^32-1",
    (i) => i.u32((ROOT_BLOCK + 1) * BLOCK - 8, -1),
    /a hash table of 429496/,
  ],
  ["stale entries", (i) => i.u32((ROOT_BLOCK + 1) * BLOCK - 4, 99), /hash table of 9 entries, 99/],
  ["no inode", (i) => setDirectory(i, directory, [["a", 800, 1]]), /inode 800 for "a"/],
  ["inode in the gap", (i) => setDirectory(i, directory, [["a", 450, 1]]), /inode 450 for "a"/],
  ["inode in the headers", (i) => setDirectory(i, directory, [["a", 3, 1]]), /inode 3 for "a"/],
  ["a slash in a name", (i) => setDirectory(i, directory, [["a/b", file, 1]]), /the name "a\/b"/],
  [
    "a NUL in a name",
    (i) => setDirectory(i, directory, [["a\0b", file, 1]]),
    /the name "a\\u0000b"/,
  ],
  ["an empty name", (i) => setDirectory(i, directory, [["", file, 1]]), /the name ""/],
  [
    "short: too long",
    (i) => i.u64(placeOf(short) + 56, 337),
    /inode 11 > short form: found 337 bytes/,
  ],
  [
    "short: count",
    (i) => i.u8(placeOf(short) + FORK, 2),
    /short form: found entry 1 with a name of 0/,
  ],
  [
    "short: cut off",
    (i) => i.u64(placeOf(short) + 56, 12),
    /short form: found entry 0 with a name of 5/,
  ],
  [
    "short: empty",
    (i) => i.u64(placeOf(short) + 56, 0),
    /short form: found xfs_dir2_sf_hdr at byte 0/,
  ],
  [
    "short: left over",
    (i) => i.u64(placeOf(short) + 56, 25),
    /found 1 entries in 19 bytes, expected 25/,
  ],
  ["short: wide numbers", (i) => i.u8(placeOf(short) + FORK + 1, 1), /short form: found/],
  ["short: names", (i) => setShortform(i, short, [["a/", file, 1]]), /short form: found the name/],
  ["half a block", (i) => halfBlock(i, [[0, DATA_BLOCK, 1]]), /directory block 0: found a part/],
  [
    "a block cut off by the next",
    (i) =>
      halfBlock(i, [
        [0, DATA_BLOCK, 1],
        [2, DATA_BLOCK, 2],
      ]),
    /inode 12 > directory block 0: found a part of it missing/,
  ],
  [
    "the same block again and again",
    (i) => {
      const pieces = Array.from({ length: 20 }, (_, n) => [n * 90, FILE_BLOCK, 90] as const);
      setMapped(i, large, { mode: 0o40755, size: 2 ** 40 }, pieces);
    },
    /^(corrupt|limit): /,
  ],
];

/** Directory blocks of two filesystem blocks. */
function halfBlock(image: Image, extents: Parameters<typeof setMapped>[3]): void {
  image.u8(192, 1);
  setShortform(image, root, [["large", large, 2]]);
  setMapped(image, large, { mode: 0o40755, size: 4096 }, extents);
}

const SYMLINKS: readonly Case[] = [
  ["empty", (i) => i.u64(placeOf(link) + 56, 0), /inode 13: found a symlink of 0 bytes/],
  ["endless", (i) => i.u64(placeOf(link) + 56, 2000), /inode 13: found a symlink of 2000 bytes/],
  ["too long", (i) => i.u64(placeOf(link) + 56, 337), /a symlink of 337 bytes in the inode/],
  ["magic", (i) => i.u32(LINK_BLOCK * BLOCK, 0), /inode 14 > symlink block 12: found magic 0x0/],
  ["owner", (i) => i.u64(LINK_BLOCK * BLOCK + 32, 13), /block 12: found owner 13, expected 14/],
  ["place", (i) => i.u64(LINK_BLOCK * BLOCK + 40, 1), /block 12: found blkno 1, expected 24/],
  ["length", (i) => i.u32(LINK_BLOCK * BLOCK + 8, 1), /block 12: found 1 bytes for byte 0/],
  ["offset", (i) => i.u32(LINK_BLOCK * BLOCK + 4, 1), /found 600 bytes for byte 1/],
  [
    "more than a block",
    (i) => i.u64(placeOf(remote) + 56, 1000),
    /found 600 bytes for byte 0 .*968/,
  ],
  [
    "no extents",
    (i) => i.u32(placeOf(remote) + 76, 0),
    /inode 14: found 0 bytes of a symlink, exp/,
  ],
];

const agf = 512;
const FREE_SPACE: readonly Case[] = [
  ["agf_magicnum", (i) => i.u32(agf, 0), /group 0 > AGF: found magic 0x0/],
  ["agf_seqno", (i) => i.u32(agf + 8, 1), /group 0 > AGF: found group 1 of 200 blocks/],
  ["agf_length", (i) => i.u32(agf + 12, 199), /group 0 > AGF: found group 0 of 199 blocks/],
  ["agf_uuid", (i) => i.u8(agf + 64, 0), /group 0 > AGF: found UUID/],
  ["root outside", (i) => i.u32(agf + 16, 200), /free-space tree: found a reference to block 200/],
  [
    "root in the headers",
    (i) => i.u32(agf + 16, 1),
    /free-space tree: found a reference to block 1/,
  ],
  ["no levels", (i) => i.u32(agf + 28, 0), /AGF: found a free-space tree of 0 levels/],
  ["too many levels", (i) => i.u32(agf + 28, 2 ** 31), /a free-space tree of 2147483648 levels/],
  ["level", (i) => i.u32(agf + 28, 2), /free-space tree > block 2: found bb_level 0, expected 1/],
  ["magic", (i) => i.u32(FREE_TREE * BLOCK, 0), /free-space tree > block 2: found magic 0x0/],
  ["owner", (i) => i.u32(FREE_TREE * BLOCK + 48, 1), /block 2: found owner 1, expected 0/],
  ["too full", (i) => i.u16(FREE_TREE * BLOCK + 6, 122), /bb_numrecs 122, expected 0 to 121/],
  ["count", (i) => i.u32(agf + 52, 117), /group 0: found 116 free blocks, expected 117/],
  [
    "descending",
    (i) =>
      setFreeLeaf(i, 0, [
        [50, 5],
        [20, 5],
      ]),
    /an extent from block 20 on/,
  ],
  [
    "overlapping",
    (i) =>
      setFreeLeaf(i, 0, [
        [20, 40],
        [50, 5],
      ]),
    /5 free blocks from 50 on/,
  ],
  ["empty", (i) => setFreeLeaf(i, 0, [[20, 0]]), /0 free blocks from 20 on/],
  ["outside", (i) => setFreeLeaf(i, 0, [[20, 181]]), /181 free blocks from 20 on/],
  [
    "over the headers",
    (i) => setFreeLeaf(i, 0, [[1, 4]]),
    /4 free blocks from 1 on, expected .* 2/,
  ],
];

export const CASES: readonly (readonly [string, readonly Case[]])[] = [
  ["superblocks", SUPERBLOCK],
  ["inodes", INODES],
  ["extents", EXTENTS],
  ["directories", DIRECTORIES],
  ["symlinks", SYMLINKS],
  ["free space", FREE_SPACE],
];
