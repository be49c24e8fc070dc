/** Images made wrong on purpose, with right checksums: each must end in a failure that says where and why, at once. */
import { deflateSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { cpuTime } from "../../../../support/cpu-time.ts";
import { openBtrfs } from "../../../../../src/disk/fs/btrfs/btrfs.ts";
import { memorySource } from "../../../../../src/disk/source.ts";
import { survivesMutation } from "../../../../support/mutate.ts";
import {
  BIG,
  BIG_DATA,
  BLOCK,
  BLOCKS,
  CHUNK,
  CHUNK_BYTES,
  chunkItem,
  csumItem,
  DEVICE_BYTES,
  dirItem,
  FILE,
  FREE_BLOCK,
  inlineExtent,
  inodeItem,
  LINK,
  makeImage,
  nameHash,
  PACKED,
  PACKED_DATA,
  regularExtent,
  rootItem,
  rootRef,
  SUPERBLOCK,
  writeLeaf,
  writeNode,
} from "./image.ts";
import type { Image, RawItem, RawKey } from "./image.ts";
import { failureOf, useEverything } from "./use.ts";

type Case = readonly [name: string, spoil: (image: Image) => void, expected: RegExp];

/** A field of the superblock. */
const sb =
  (at: number, bytes: 2 | 4 | 8, value: number | bigint) =>
  (image: Image): void => {
    const place = SUPERBLOCK + at;
    if (bytes === 8) image.view.setBigUint64(place, BigInt(value), true);
    else if (bytes === 4) image.view.setUint32(place, Number(value), true);
    else image.view.setUint16(place, Number(value), true);
    image.seal(SUPERBLOCK);
  };

const SUPERBLOCKS: readonly Case[] = [
  [
    "magic",
    (i) => (i.bytes.fill(0, SUPERBLOCK + 64, SUPERBLOCK + 72), i.seal(SUPERBLOCK)),
    /^corrupt: image > btrfs > superblock: found another magic/,
  ],
  ["checksum", (i) => void (i.bytes[SUPERBLOCK + 300] = 1), /superblock: found crc32c checksum 0x/],
  ["checksum type 9", sb(196, 2, 9), /^unsupported: .*checksum type 9/],
  ["bytenr", sb(48, 8, 4096), /found bytenr 4096, expected 65536, its place/],
  ["zoned", sb(188, 8, 0x1341), /^unsupported: .*superblock: the feature zoned is not/],
  ["extent tree v2", sb(188, 8, 0x2341), /^unsupported: .*the feature extent_tree_v2/],
  ["raid stripe tree", sb(188, 8, 0x4341), /^unsupported: .*the feature raid_stripe_tree/],
  ["remap tree", sb(188, 8, 0x20341), /^unsupported: .*the feature remap_tree/],
  [
    "unknown bits",
    sb(188, 8, 2n ** 40n + 2n ** 63n),
    /incompat feature 0x10000000000, incompat feature 0x8000000000000000/,
  ],
  ["seed device", sb(56, 8, 2n ** 32n + 1n), /^unsupported: .*a seed device/],
  ["metadata dump", sb(56, 8, 2n ** 33n + 1n), /^unsupported: .*an image of metadata/],
  ["uuid changing", sb(56, 8, 2n ** 36n + 1n), /^unsupported: .*was cut off/],
  ["sectorsize 0", sb(144, 4, 0), /found sectorsize 0/],
  ["sectorsize 512", sb(144, 4, 512), /found sectorsize 512/],
  ["sectorsize 2^31", sb(144, 4, 2 ** 31), /found sectorsize 2147483648/],
  ["nodesize 0", sb(148, 4, 0), /found nodesize 0/],
  ["nodesize 6000", sb(148, 4, 6000), /found nodesize 6000/],
  ["nodesize 128 KiB", sb(148, 4, 131_072), /found nodesize 131072/],
  ["nodesize 64 KiB", sb(148, 4, 65_536), /chunk tree > block 1048576: found crc32c checksum/],
  ["num_devices 0", sb(136, 8, 0), /found num_devices 0/],
  [
    "a device beyond its end",
    sb(209, 8, DEVICE_BYTES + 1),
    /found 4194305 bytes of the device in use/,
  ],
  ["a device of no size", sb(209, 8, 0), /found a device of 0 bytes/],
  ["2^63 bytes", sb(209, 8, 2n ** 63n), /superblock: found 64-bit value 0x8000000000000000/],
  [
    "another filesystem's device",
    (i) => (i.bytes.fill(9, SUPERBLOCK + 283, SUPERBLOCK + 299), i.seal(SUPERBLOCK)),
    /found a device of filesystem 09090909-/,
  ],
  [
    "another device",
    (i) => (i.bytes.fill(9, SUPERBLOCK + 267, SUPERBLOCK + 283), i.seal(SUPERBLOCK)),
    /^unsupported: .*data on another device/,
  ],
  ["root_level 8", sb(198, 2, 8), /found level 8 of tree 1/],
  ["root_level 7", sb(198, 2, 7), /root tree > block \d+: found level 0, expected 7/],
  [
    "root not aligned",
    sb(80, 8, BLOCKS.root + 1),
    /found tree 1 at \d+, expected a multiple of 4096/,
  ],
  ["root outside", sb(80, 8, 0), /root tree > block 0: found a reference to 4096 bytes at 0/],
  ["root far outside", sb(80, 8, 2n ** 52n), /found a reference to 4096 bytes at 4503599627370496/],
  [
    "chunk root in free space",
    sb(88, 8, FREE_BLOCK),
    /chunk tree > block \d+: found crc32c checksum 0x00000000/,
  ],
  ["sys_chunk_array_size 2049", sb(160, 4, 2049), /found sys_chunk_array_size 2049/],
  ["sys_chunk_array_size 0", sb(160, 4, 0), /sys_chunk_array: found no chunk/],
  ["sys_chunk_array_size 60", sb(160, 4, 60), /sys_chunk_array: found btrfs_chunk at byte 0 of 43/],
  ["sys_chunk_array_size 2^32-1", sb(160, 4, -1), /found sys_chunk_array_size 4294967295/],
  ["rest of a key in it", sb(160, 4, 100), /sys_chunk_array: found 3 bytes at its end/],
  ["num_stripes 0 in it", sb(811 + 17 + 44, 2, 0), /found 0 stripes of a single chunk/],
  [
    "num_stripes 65535 in it",
    sb(811 + 17 + 44, 2, 65_535),
    /found 65535 stripes of a single chunk/,
  ],
  [
    "65535 RAID0 stripes in it",
    (i) => (sb(811 + 17 + 24, 8, 15)(i), sb(811 + 17 + 44, 2, 65_535)(i)),
    /found btrfs_stripe at byte 80 of 80/,
  ],
  [
    "another key in it",
    sb(811, 8, 257),
    /sys_chunk_array: found an item of type 228, expected a chunk/,
  ],
  ["a chunk of no length in it", sb(811 + 17, 8, 0), /found a chunk of 0 bytes/],
  ["a chunk up to 2^53", sb(811 + 17, 8, 2n ** 53n - 4096n), /expected an end below 2\^53/],
  ["stripe_len", sb(811 + 17 + 16, 8, 0), /found stripes of 0 bytes/],
  [
    "a place outside of the device",
    sb(811 + 17 + 48 + 8, 8, DEVICE_BYTES),
    /chunk 1048576 with 2097152 bytes at byte 4194304/,
  ],
];

const chunks =
  (...items: RawItem[]) =>
  (image: Image): void => {
    image.trees.chunk = items;
    image.write();
  };
const chunk = (at: number, fields: Parameters<typeof chunkItem>[0] = {}): RawItem => ({
  key: [256n, 228, BigInt(at)],
  data: chunkItem(fields),
});

const CHUNKS: readonly Case[] = [
  ["no chunk", chunks(), /root tree > block \d+: found a reference to 4096 bytes/],
  [
    "the same place twice",
    chunks(chunk(CHUNK), chunk(2 ** 30)),
    /chunk tree: found chunk 1073741824 with 2097152 bytes at byte 1048576, expected a place between 3145728/,
  ],
  [
    "the same address twice",
    chunks(chunk(CHUNK), chunk(CHUNK + BLOCK, { stripes: [[2n, 0]] })),
    /chunk tree: found a chunk at 1052672, expected none before 3145728/,
  ],
  ["two profiles", chunks(chunk(CHUNK, { type: 0x31n })), /found chunk type 0x31/],
  ["no kind", chunks(chunk(CHUNK, { type: 0n })), /found chunk type 0x0/],
  ["an unknown profile", chunks(chunk(CHUNK, { type: 0x801n })), /found chunk type 0x801/],
  [
    "RAID1 with one stripe",
    chunks(chunk(CHUNK, { type: 0x11n })),
    /found 1 stripes of a RAID1 chunk/,
  ],
  [
    "RAID10 with three",
    chunks(
      chunk(CHUNK, {
        type: 0x41n,
        stripes: [
          [1n, CHUNK],
          [2n, 0],
          [3n, 0],
        ],
      }),
    ),
    /found 3 stripes of a RAID10 chunk, expected an even/,
  ],
  [
    "fewer stripes than said",
    chunks(chunk(CHUNK, { type: 0x11n, count: 2 })),
    /found btrfs_stripe at byte 80 of 80/,
  ],
  [
    "more stripes than said",
    chunks(
      chunk(CHUNK, {
        stripes: [
          [1n, CHUNK],
          [2n, 0],
        ],
        count: 1,
      }),
    ),
    /found an item of 112 bytes/,
  ],
  [
    "DUP over itself",
    chunks(
      chunk(CHUNK, {
        type: 0x27n,
        stripes: [
          [1n, CHUNK],
          [1n, CHUNK],
        ],
      }),
    ),
    /chunk tree: found chunk 1048576 with/,
  ],
  [
    "RAID6",
    chunks(
      chunk(CHUNK, {
        type: 0x107n,
        stripes: [
          [1n, CHUNK],
          [2n, 0],
          [3n, 0],
        ],
      }),
    ),
    /^unsupported: .*spread over devices \(chunk 1048576, RAID6\)/,
  ],
  [
    "another device",
    chunks(chunk(CHUNK, { stripes: [[2n, CHUNK]] })),
    /^unsupported: .*data on another device .*\(device 2, chunk 1048576\)/,
  ],
  [
    "too short for what is in it",
    chunks(chunk(CHUNK, { length: 3 * BLOCK })),
    /checksum tree|subvolume|reference to 4096 bytes at/,
  ],
];

const fsBlock = BLOCKS.fs;
const byte = (at: number, value: number) => (image: Image) => {
  image.bytes[fsBlock + at] = value;
  image.seal(fsBlock);
};
const word = (at: number, value: number) => (image: Image) => {
  image.view.setUint32(fsBlock + at, value, true);
  image.seal(fsBlock);
};
const slot = (number: number) => 101 + 25 * number;

/** Makes the block of the subvolume an inner node. */
function nodeOver(image: Image, pointers: readonly (readonly [RawKey, number])[], level = 1): void {
  image.item("root", 5n, 132).data = rootItem(fsBlock, { level });
  image.write();
  writeNode(image, fsBlock, { owner: 5n, level, pointers });
}
const FIRST: RawKey = [256n, 1, 0n];
const leafAt = (image: Image, at: number, from = 0, to?: number) =>
  writeLeaf(image, at, { owner: 5n, items: image.trees.fs!.slice(from, to) });

const TREES: readonly Case[] = [
  [
    "a bit flipped",
    (i) => void (i.bytes[fsBlock + 3000] = 1),
    /subvolume 5 > block 1056768: found crc32c checksum/,
  ],
  [
    "another place",
    byte(49, 0x30),
    /subvolume 5 > block 1056768: found block 1060864, expected 1056768/,
  ],
  ["another filesystem", byte(32, 0), /found a block of filesystem 00111111-/],
  ["another generation", byte(80, 9), /found generation 9, expected 10, as its parent says/],
  ["another tree", byte(88, 7), /found a block of the checksum tree, expected subvolume 5/],
  ["level 1 of a leaf", byte(100, 1), /subvolume 5 > block/],
  ["level 255", byte(100, 255), /found level 255, expected below 8/],
  ["nritems 2^32-1", word(96, -1), /found 4294967295 items, expected at most 159/],
  [
    "nritems one more than there are",
    (i) => word(96, i.trees.fs!.length + 1)(i),
    /found (key|item)/,
  ],
  ["keys out of order", byte(slot(3) + 8, 0), /found key \(256 0 \d+\) in slot 3/],
  [
    "the same key twice",
    (i) => (
      i.bytes.copyWithin(fsBlock + slot(1), fsBlock + slot(0), fsBlock + slot(0) + 17),
      i.seal(fsBlock)
    ),
    /found key \(256 1 0\) in slot 1, expected one above \(256 1 0\)/,
  ],
  [
    "an item beyond the end",
    word(slot(0) + 17, 4000),
    /found item 0 of 160 bytes at 4000, expected one that ends at 3995/,
  ],
  ["an item of 2^32-1 bytes", word(slot(0) + 21, -1), /found item 0 of 4294967295 bytes/],
  [
    "an item over the keys",
    (i) => (word(slot(0) + 21, 3995)(i), word(slot(0) + 17, 0)(i)),
    /found item 0 of 3995 bytes at 0/,
  ],
  ["a gap between items", word(slot(1) + 21, 3), /found item 1 of 3 bytes/],
  [
    "a node that points at itself",
    (i) => nodeOver(i, [[FIRST, fsBlock]]),
    /block 1056768: found level 1, expected 0/,
  ],
  [
    "a node over itself at every level",
    (i) => nodeOver(i, [[FIRST, fsBlock]], 7),
    /block 1056768: found level 7, expected 6/,
  ],
  [
    "the same leaf twice",
    (i) => (
      leafAt(i, FREE_BLOCK),
      nodeOver(i, [
        [FIRST, FREE_BLOCK],
        [i.trees.fs![5]!.key, FREE_BLOCK],
      ])
    ),
    /block 1089536: found last key \(260 108 0\), expected below \(256 84 /,
  ],
  [
    "a leaf that reaches into the next",
    (i) => (
      leafAt(i, FREE_BLOCK),
      leafAt(i, FREE_BLOCK + BLOCK, 3),
      nodeOver(i, [
        [FIRST, FREE_BLOCK],
        [i.trees.fs![3]!.key, FREE_BLOCK + BLOCK],
      ])
    ),
    /block 1089536: found last key .*, expected below \(256 84 /,
  ],
  [
    "another first key",
    (i) => (leafAt(i, FREE_BLOCK), nodeOver(i, [[[256n, 0, 0n], FREE_BLOCK]])),
    /found first key \(256 1 0\), expected \(256 0 0\)/,
  ],
  [
    "an empty leaf below a node",
    (i) => (leafAt(i, FREE_BLOCK, 0, 0), nodeOver(i, [[FIRST, FREE_BLOCK]])),
    /found a leaf without items/,
  ],
  ["an empty node", (i) => nodeOver(i, []), /found a node without pointers/],
  [
    "a pointer to data",
    (i) => nodeOver(i, [[FIRST, BIG_DATA]]),
    /block 1179648: found crc32c checksum/,
  ],
  [
    "a pointer out of all chunks",
    (i) => nodeOver(i, [[FIRST, CHUNK + CHUNK_BYTES]]),
    /block 3145728: found a reference to 4096 bytes at 3145728/,
  ],
  [
    "a pointer to the end of a chunk",
    (i) => nodeOver(i, [[FIRST, CHUNK + CHUNK_BYTES - 1024]]),
    /expected a range inside a chunk/,
  ],
  [
    "an empty root",
    (i) => ((i.trees.fs = []), i.write()),
    /subvolume 5 > inode 256: found a reference to it/,
  ],
];

/** Changes the data of one item. */
const item =
  (objectid: bigint, type: number, data: Uint8Array, offset?: bigint) =>
  (image: Image): void => {
    image.item("fs", objectid, type, offset).data = data;
    image.write();
  };
const root =
  (objectid: bigint, type: number, data: Uint8Array) =>
  (image: Image): void => {
    image.item("root", objectid, type).data = data;
    image.write();
  };
const without =
  (tree: "root" | "fs" | "csum", objectid: bigint, type: number) =>
  (image: Image): void => {
    image.trees[tree] = image.trees[tree]!.filter(
      ({ key }) => key[0] !== objectid || key[1] !== type,
    );
    image.write();
  };

const ROOTS: readonly Case[] = [
  ["no checksum tree", without("root", 7n, 132), /root tree: found no checksum tree/],
  ["no extent tree", without("root", 2n, 132), /root tree: found no extent tree/],
  ["no top level", without("root", 5n, 132), /^missing: image > btrfs: no subvolume 5/],
  [
    "a short root item",
    root(5n, 132, new Uint8Array(200)),
    /item \(5 132 0\): found btrfs_root_item at byte 0 of 200/,
  ],
  [
    "level 8 in it",
    root(5n, 132, rootItem(fsBlock, { level: 8 })),
    /item \(5 132 0\): found level 8/,
  ],
  [
    "2^63 in it",
    root(5n, 132, rootItem(fsBlock).fill(0xff, 176, 184)),
    /item \(5 132 0\): found 64-bit value 0xffff/,
  ],
  [
    "a deleted top level",
    root(5n, 132, rootItem(fsBlock, { refs: 0 })),
    /^missing: .*no subvolume 5/,
  ],
  [
    "an inode for a default",
    root(6n, 84, dirItem("default", [257n, 1, 0n], 1)),
    /found a default of type 1, id 257/,
  ],
  [
    "the root tree for a default",
    root(6n, 84, dirItem("default", [1n, 132, 0n], 2)),
    /found a default of type 132, id 1/,
  ],
  [
    "a default that is not there",
    root(6n, 84, dirItem("default", [400n, 132, 0n], 2)),
    /^missing: .*no subvolume 400/,
  ],
  [
    "a reference without its name",
    root(5n, 156, rootRef(256n, "sub").subarray(0, 19)),
    /found a name of 3 bytes/,
  ],
];

const name = (entry: string, data: Uint8Array) => (image: Image) => {
  for (const type of [84, 96]) {
    const old = image.trees.fs!.find(
      ({ key, data: bytes }) =>
        key[0] === 256n && key[1] === type && Buffer.from(bytes.subarray(30)).toString() === entry,
    );
    old!.data = data;
  }
  image.write();
};
const renamed = (to: string) => name("file", dirItem(to, [FILE, 1, 0n], 1));
function patched(data: Uint8Array, at: number, value: number): Uint8Array {
  data[at] = value;
  return data;
}

const FILES: readonly Case[] = [
  [
    "the top is a file",
    item(256n, 1, inodeItem({ mode: 0o100644, size: 0 })),
    /subvolume 5 > inode 256: found file, expected the top directory/,
  ],
  ["no top", without("fs", 256n, 1), /inode 256: found a reference to it/],
  [
    "a short inode",
    item(FILE, 1, new Uint8Array(100)),
    /inode 257: found btrfs_inode_item at byte 0 of 100/,
  ],
  [
    "no kind",
    item(FILE, 1, inodeItem({ mode: 0o644, size: 0 })),
    /inode 257: found mode 0644 and 1 links/,
  ],
  [
    "no links",
    item(FILE, 1, inodeItem({ mode: 0o100644, size: 0, links: 0 })),
    /inode 257: found mode 0100644 and 0 links/,
  ],
  [
    "2^63 bytes",
    item(FILE, 1, inodeItem({ mode: 0o100644, size: 2n ** 63n })),
    /inode 257: found a size of 9223372036854775808/,
  ],
  [
    "2^60 bytes",
    item(FILE, 1, inodeItem({ mode: 0o100644, size: 2n ** 60n })),
    /^limit: .*inode 257: the size of a file/,
  ],
  ["a slash in a name", renamed("a/b"), /inode 256: found the name "a\/b"/],
  ["a NUL in a name", renamed("a\0b"), /found the name "a\\u0000b"/],
  ["no name", renamed(""), /found the name ""/],
  ["a name of dots", renamed(".."), /found a file named ".."/],
  ["a name of 256", renamed("x".repeat(256)), /found a name of 256 bytes/],
  [
    "a name beyond the item",
    name("file", patched(dirItem("file", [FILE, 1, 0n], 1), 27, 200)),
    /found a name of 200 bytes and 0 bytes of data/,
  ],
  [
    "data behind a name",
    name("file", patched(dirItem("file", [FILE, 1, 0n], 1), 25, 1)),
    /and 1 bytes of data/,
  ],
  [
    "half an entry",
    name("file", dirItem("file", [FILE, 1, 0n], 1).subarray(0, 20)),
    /found btrfs_dir_item at byte 0 of 20/,
  ],
  [
    "an empty item",
    name("file", new Uint8Array(0)),
    /found 0 entries, expected one for each index/,
  ],
  [
    "two names at an index",
    name(
      "file",
      Uint8Array.from([...dirItem("file", [FILE, 1, 0n], 1), ...dirItem("two", [FILE, 1, 0n], 1)]),
    ),
    /found 2 entries/,
  ],
  [
    "an encrypted name",
    name("file", dirItem("file", [FILE, 1, 0n], 0x81)),
    /^unsupported: .*encryption of names/,
  ],
  [
    "an entry of no inode",
    name("file", dirItem("file", [999n, 1, 0n], 1)),
    /inode 999: found a reference to it/,
  ],
  [
    "an entry of inode 2^60",
    name("file", dirItem("file", [2n ** 60n, 1, 0n], 1)),
    /^limit: .*the number 1152921504606846976 of an inode/,
  ],
  [
    "an entry of an extent",
    name("file", dirItem("file", [FILE, 108, 0n], 1)),
    /found "file" leading to item \(257 108 0\)/,
  ],
  [
    "a directory that is in itself",
    name("file", dirItem("file", [256n, 1, 0n], 2)),
    /found directory 256 for the second time/,
  ],
  [
    "an endless symlink",
    item(LINK, 1, inodeItem({ mode: 0o120777, size: 4096 })),
    /inode 259: found a symlink of 4096 bytes/,
  ],
  [
    "an empty symlink",
    item(LINK, 1, inodeItem({ mode: 0o120777, size: 0 })),
    /found a symlink of 0 bytes/,
  ],
];

const big = (fields: Partial<Parameters<typeof regularExtent>[0]>) =>
  item(BIG, 108, regularExtent({ bytenr: BIG_DATA, length: 2 * BLOCK, ...fields }));
const extents =
  (inode: bigint, ...list: readonly (readonly [number, Uint8Array])[]) =>
  (image: Image): void => {
    without("fs", inode, 108)(image);
    for (const [at, data] of list) image.trees.fs!.push({ key: [inode, 108, BigInt(at)], data });
    image.write();
  };
const one = (bytenr: number) => regularExtent({ bytenr, length: BLOCK });

/** A compressed extent with these bytes on disk, and right checksums for them. */
const packed =
  (compression: number, data: Uint8Array, ram = 25 * BLOCK) =>
  (image: Image): void => {
    image.bytes.fill(0, PACKED_DATA, PACKED_DATA + BLOCK);
    image.bytes.set(data.subarray(0, BLOCK), PACKED_DATA);
    image.trees.csum![1] = csumItem(image, PACKED_DATA, 1);
    const fields = { bytenr: PACKED_DATA, disk: BLOCK, length: 25 * BLOCK };
    item(PACKED, 108, regularExtent({ ...fields, compression, ram }))(image);
  };
const lengths = (...values: number[]) =>
  Uint8Array.from(Buffer.from(Uint32Array.from(values).buffer));

const EXTENTS: readonly Case[] = [
  ["type 3", big({ type: 3 }), /inode 258: found an extent of type 3/],
  ["compression 4", big({ compression: 4 }), /^unsupported: .*inode 258: compression type 4/],
  [
    "encryption",
    item(BIG, 108, patched(regularExtent({ bytenr: BIG_DATA, length: BLOCK }), 17, 1)),
    /^unsupported: .*encryption of file contents/,
  ],
  [
    "another encoding",
    item(BIG, 108, patched(regularExtent({ bytenr: BIG_DATA, length: BLOCK }), 18, 1)),
    /^unsupported: .*encoding 1/,
  ],
  [
    "a short item",
    item(BIG, 108, new Uint8Array(10)),
    /found btrfs_file_extent_item \(common\) at byte 0 of 10/,
  ],
  [
    "a long item",
    item(BIG, 108, patched(new Uint8Array(60), 20, 1)),
    /found an item of 60 bytes, expected 53/,
  ],
  ["no length", big({ length: 0, disk: BLOCK, ram: BLOCK }), /found 0 bytes at byte 0/],
  [
    "2^52 bytes",
    big({ length: 2 ** 52, disk: BLOCK, ram: BLOCK }),
    /found 4503599627370496 bytes from 0 on, expected no more than there are/,
  ],
  ["not aligned", big({ bytenr: BIG_DATA + 1 }), /found 1179649, expected a multiple of 4096/],
  [
    "beyond its allocation",
    big({ offset: BLOCK }),
    /found 8192 bytes from 4096 on, expected no more than there are: 8192/,
  ],
  [
    "out of all chunks",
    big({ bytenr: 2 ** 40 }),
    /inode 258: found a reference to 8192 bytes at 1099511627776/,
  ],
  [
    "over the end of a chunk",
    big({ bytenr: CHUNK + CHUNK_BYTES - BLOCK }),
    /expected a range inside a chunk/,
  ],
  [
    "no checksum",
    without("csum", 2n ** 64n - 10n, 128),
    /inode 258: found no checksum for the data at 1179648/,
  ],
  [
    "half of the checksums",
    (i) => ((i.trees.csum![0]!.data = i.trees.csum![0]!.data.subarray(0, 4)), i.write()),
    /found no checksum for the data at 1183744/,
  ],
  [
    "checksums of odd length",
    (i) => ((i.trees.csum![0]!.data = new Uint8Array(7)), i.write()),
    /checksum tree > .*found 7 bytes of checksums/,
  ],
  [
    "a checksum at an odd place",
    (i) => ((i.trees.csum![0]!.key = [2n ** 64n - 10n, 128, BigInt(BIG_DATA + 1)]), i.write()),
    /found (8 bytes of checksums from 1179649|no checksum)/,
  ],
  [
    "wrong data",
    (i) => void (i.bytes[BIG_DATA + 5000] = 0),
    /inode 258 > data at 1183744: found crc32c checksum 0x[0-9a-f]{8}, computed from the bytes, expected 0x[0-9a-f]{8}, as recorded/,
  ],
  [
    "overlapping",
    (i) => {
      item(BIG, 1, inodeItem({ mode: 0o100644, size: 12_000 }))(i);
      extents(
        BIG,
        [0, regularExtent({ bytenr: BIG_DATA, length: 2 * BLOCK })],
        [BLOCK, one(BIG_DATA)],
      )(i);
    },
    /found an extent from byte 4096 on, expected one from 8192 on/,
  ],
  ["an odd start", extents(BIG, [5, one(BIG_DATA)]), /found an extent from byte 5 on/],
  [
    "inline data in the middle",
    extents(BIG, [BLOCK, inlineExtent(new Uint8Array(9))]),
    /found inline data at byte 4096/,
  ],
  [
    "inline data of another length",
    extents(BIG, [0, inlineExtent(new Uint8Array(9), 0, 10)]),
    /found 9 bytes of inline data, expected 10/,
  ],
  [
    "2^40 inline bytes, packed",
    extents(BIG, [0, inlineExtent(new Uint8Array(9), 1, 2 ** 40)]),
    /found 1099511627776 compressed bytes, expected at most 131072/,
  ],
  ["garbage, packed", packed(1, new Uint8Array(BLOCK).fill(7)), /inode 260: found damaged data/],
  [
    "garbage, zstd",
    packed(3, new Uint8Array(BLOCK).fill(7)),
    /inode 260: found another magic, expected a zstd frame/,
  ],
  [
    "garbage, lzo",
    packed(2, new Uint8Array(BLOCK).fill(7)),
    /inode 260: found 117901063 bytes of lzo data, expected 4 to 4096/,
  ],
  [
    "an lzo block too long",
    packed(2, lengths(100, 97)),
    /found an lzo block of 97 bytes, expected at most 92/,
  ],
  [
    "an lzo block of nonsense",
    packed(2, Uint8Array.from([...lengths(100, 50), ...new Uint8Array(90).fill(0xff)])),
    /found an impossible lzo block at byte 8/,
  ],
  [
    "a zlib bomb",
    packed(1, deflateSync(new Uint8Array(3_000_000))),
    /^limit: .*inode 260: the unpacked size is over the limit of 100 KiB/,
  ],
  [
    "a zstd bomb",
    packed(3, Uint8Array.from(zstdCompressSync(new Uint8Array(100_000_000)))),
    /^limit: .*inode 260: /,
  ],
  [
    "128 KiB and more, packed",
    packed(1, deflateSync(new Uint8Array(10)), 131_072 + BLOCK),
    /found 135168 compressed bytes/,
  ],
];

describe("hostile images", () => {
  test("the image itself is right", async () => {
    expect(await failureOf(makeImage().source())).toBe("no failure");
    expect(await useEverything(makeImage().source())).toBe(6);
  });

  test.each([...SUPERBLOCKS, ...CHUNKS, ...TREES, ...ROOTS, ...FILES, ...EXTENTS])(
    "%s",
    async (_, spoil, expected) => {
      const image = makeImage();
      spoil(image);
      const took = cpuTime();
      expect(await failureOf(image.source())).toMatch(expected);
      expect(took()).toBeLessThan(1000);
    },
  );

  test("a subvolume that is in itself is met twice", async () => {
    const image = makeImage();
    const loop = dirItem("loop", [5n, 132, 2n ** 64n - 1n], 2);
    image.trees.sub!.push(
      { key: [256n, 84, nameHash("loop")], data: loop },
      { key: [256n, 96, 9n], data: loop },
    );
    image.trees.root!.push({ key: [300n, 156, 5n], data: rootRef(256n, "loop") });
    image.write();
    expect(await failureOf(image.source())).toMatch(/found directory 256 for the second time/);
  });

  test("shorter than a superblock", async () => {
    const source = memorySource(makeImage().bytes.subarray(0, 66_000), ["image"]);
    await expect(openBtrfs(source)).rejects.toThrow(/a device of 66000 bytes/);
  });

  test("a read of more than is sane is a limit, not an allocation", async () => {
    const image = makeImage();
    item(FILE, 1, inodeItem({ mode: 0o100644, size: 2 ** 50 }))(image);
    const fs = await openBtrfs(image.source());
    const inode = await fs.inode((await fs.lookup(await fs.root(), "file"))!);
    await expect(fs.read(inode, 0, 2 ** 49)).rejects.toThrow(/over the limit of 1 GiB/);
    expect(await fs.read(inode, 2 ** 50 - 10, 100)).toEqual(new Uint8Array(10));
  });

  test("numbers that were never given out", async () => {
    const fs = await openBtrfs(makeImage().source());
    for (const number of [-1, 0.5, Number.NaN, 2 ** 53, 9 * 2 ** 37]) {
      await expect(fs.inode({ name: "x", number })).rejects.toThrow(/inode/);
    }
  });
});

describe("mutations of all structures", () => {
  const clean = makeImage();
  const blocks = [SUPERBLOCK, ...Object.values(BLOCKS)];
  const places = blocks.flatMap((at) => usedPlaces(clean, at));
  const input = Uint8Array.from(places, (at) => clean.bytes[at]!);

  test.each([
    ["with checksums made again", true, 1500],
    ["as they are", false, 300],
  ] as const)("%s", async (_, seal, count) => {
    const run = await survivesMutation(
      [input],
      (damaged) => {
        for (const [i, at] of places.entries()) clean.bytes[at] = damaged[i] ?? 0;
        if (seal) for (const at of blocks) clean.seal(at);
        return useEverything(clean.source());
      },
      { count, seed: 5 },
    );
    expect(run.failures).toBeGreaterThan(100);
    if (seal) expect(run.values).toBeGreaterThan(100);
  });
});

/** The bytes of a block that are not just room: around each that is not zero. */
function usedPlaces({ bytes }: Image, block: number): number[] {
  const near = (at: number) => bytes.subarray(at - 4, at + 5).some((value) => value !== 0);
  return Array.from({ length: BLOCK - 8 }, (_, i) => block + 4 + i).filter(near);
}
