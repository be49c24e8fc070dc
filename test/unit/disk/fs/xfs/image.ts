/**
 * A filesystem of 300 blocks of 1 KiB in two groups, put together by hand so that tests can make it as wrong as they like.
 * Groups have 200 blocks and numbers room for 256, so that block numbers have gaps.
 */
import { checksumOf } from "../../../../../src/disk/fs/xfs/checksum.ts";
import { memorySource } from "../../../../../src/disk/source.ts";
import type { ByteSource } from "../../../../../src/disk/source.ts";

export const BLOCK = 1024;
export const BLOCKS = 300;
export const AG_BLOCKS = 200;
const AGBLKLOG = 8;
export const INODE_SIZE = 512;
/** In the first group. */
export const FREE_TREE = 2;
export const ROOT_BLOCK = 8;
export const TREE_LEAF = 9;
export const DATA_BLOCK = 10;
export const LINK_BLOCK = 12;
export const TREE_NODE = 13;
export const LOG_BLOCK = 100;
export const LOG_BLOCKS = 64;
/** In the second group, counted on the device. */
export const FILE_BLOCK = 204;

/** Two inodes a block, from block 4 on. */
export const INODE = {
  root: 8,
  file: 9,
  tree: 10,
  short: 11,
  large: 12,
  link: 13,
  remote: 14,
  device: 15,
} as const;

export const UUID = Uint8Array.from({ length: 16 }, (_, i) => 0x10 + i);

/** A piece with a checksum. */
type Seal = { readonly at: number; readonly length: number; readonly crcAt: number };

export type Image = {
  readonly bytes: Uint8Array;
  readonly version: 4 | 5;
  /** Bytes before the data fork. */
  readonly core: number;
  u8(at: number, value: number): void;
  u16(at: number, value: number): void;
  u32(at: number, value: number): void;
  u64(at: number, value: number | bigint): void;
  /** Byte offset of an inode. */
  inodeAt(number: number): number;
  /** Computes all checksums anew. */
  seal(): void;
  source(): ByteSource;
};

/** A block of the device as a filesystem block number. */
export function fsBlock(block: number): number {
  const group = Math.floor(block / AG_BLOCKS);
  return group * 2 ** AGBLKLOG + (block % AG_BLOCKS);
}

function seals(): Seal[] {
  const inodes = Object.values(INODE).map((number) => {
    return { at: number * INODE_SIZE, length: INODE_SIZE, crcAt: 100 };
  });
  const group = (first: number) => [
    { at: first * BLOCK + 512, length: 512, crcAt: 216 },
    { at: (first + FREE_TREE) * BLOCK, length: BLOCK, crcAt: 52 },
  ];
  return [
    { at: 0, length: 512, crcAt: 224 },
    ...group(0),
    ...group(AG_BLOCKS),
    ...inodes,
    { at: ROOT_BLOCK * BLOCK, length: BLOCK, crcAt: 4 },
    { at: DATA_BLOCK * BLOCK, length: BLOCK, crcAt: 4 },
    { at: (DATA_BLOCK + 1) * BLOCK, length: BLOCK, crcAt: 4 },
    { at: TREE_LEAF * BLOCK, length: BLOCK, crcAt: 64 },
    { at: TREE_NODE * BLOCK, length: BLOCK, crcAt: 64 },
    { at: LINK_BLOCK * BLOCK, length: BLOCK, crcAt: 12 },
  ];
}

export function makeImage(version: 4 | 5 = 5): Image {
  const bytes = new Uint8Array(BLOCKS * BLOCK);
  const view = new DataView(bytes.buffer);
  const image: Image = {
    bytes,
    version,
    core: version === 5 ? 176 : 100,
    u8: (at, value) => view.setUint8(at, value),
    u16: (at, value) => view.setUint16(at, value, false),
    u32: (at, value) => view.setUint32(at, value >>> 0, false),
    u64: (at, value) => view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), false),
    inodeAt: (number) => number * INODE_SIZE,
    seal() {
      if (version === 4) return;
      for (const { at, length, crcAt } of seals()) {
        view.setUint32(at + crcAt, checksumOf(bytes.subarray(at, at + length), crcAt), true);
      }
    },
    source: () => memorySource(bytes, ["image"]),
  };
  fillSuperblock(image);
  fillGroup(image, 0, [
    [20, 80],
    [164, 36],
  ]);
  fillGroup(image, 1, [[10, 90]]);
  fillFiles(image);
  image.seal();
  return image;
}

function fillSuperblock(image: Image): void {
  image.u32(0, 0x58465342);
  image.u32(4, BLOCK);
  image.u64(8, BLOCKS);
  image.bytes.set(UUID, 32);
  image.u64(48, LOG_BLOCK);
  image.u64(56, INODE.root);
  image.u32(84, AG_BLOCKS);
  image.u32(88, 2);
  image.u32(96, LOG_BLOCKS);
  // logv2, extflg, dirv2, morebits; and ftype
  image.u16(100, image.version === 5 ? 0xb4b5 : 0xb4b4);
  image.u16(102, 512);
  image.u16(104, INODE_SIZE);
  image.u16(106, 2);
  image.bytes.set(Buffer.from("by hand"), 108);
  for (const [i, log] of [10, 9, 9, 1, AGBLKLOG].entries()) image.u8(120 + i, log);
  image.u32(200, 0x20a | (image.version === 5 ? 0x180 : 0));
  if (image.version === 5) image.u32(216, 0xb);
}

type Range = readonly [start: number, length: number];

function fillGroup(image: Image, group: number, free: readonly Range[]): void {
  const at = group * AG_BLOCKS * BLOCK + 512;
  image.u32(at, 0x58414746);
  image.u32(at + 4, 1);
  image.u32(at + 8, group);
  image.u32(at + 12, group === 0 ? AG_BLOCKS : BLOCKS - AG_BLOCKS);
  image.u32(at + 16, FREE_TREE);
  image.u32(at + 28, 1);
  image.u32(
    at + 52,
    free.reduce((sum, [, length]) => sum + length, 0),
  );
  image.bytes.set(UUID, at + 64);
  setFreeLeaf(image, group, free);
}

/** A leaf, and the root at the same time, of a group's tree of free extents. */
export function setFreeLeaf(image: Image, group: number, free: readonly Range[]): void {
  const block = group * AG_BLOCKS + FREE_TREE;
  const at = block * BLOCK;
  image.bytes.fill(0, at, at + BLOCK);
  image.u32(at, image.version === 5 ? 0x41423342 : 0x41425442);
  image.u16(at + 6, free.length);
  if (image.version === 5) {
    image.u64(at + 16, block * 2);
    image.bytes.set(UUID, at + 32);
    image.u32(at + 48, group);
  }
  const first = at + (image.version === 5 ? 56 : 16);
  for (const [i, [start, length]] of free.entries()) {
    image.u32(first + 8 * i, start);
    image.u32(first + 8 * i + 4, length);
  }
}

export type InodeFields = {
  readonly mode: number;
  readonly size: number;
  /** XFS_DINODE_FMT_* */
  readonly format: number;
  readonly extents?: number;
};

export function setInode(image: Image, number: number, fields: InodeFields): void {
  const at = image.inodeAt(number);
  image.bytes.fill(0, at, at + INODE_SIZE);
  image.u16(at, 0x494e);
  image.u16(at + 2, fields.mode);
  image.u8(at + 4, image.version === 5 ? 3 : 2);
  image.u8(at + 5, fields.format);
  image.u32(at + 16, 1);
  image.u64(at + 56, fields.size);
  image.u32(at + 76, fields.extents ?? 0);
  if (image.version === 5) {
    image.u64(at + 120, 0x8);
    image.u64(at + 152, number);
    image.bytes.set(UUID, at + 160);
  }
}

export type Mapping = readonly [
  logical: number,
  block: number,
  length: number,
  unwritten?: "unwritten",
];

/** Extents one after the other; `block` counts on the device. */
export function setExtents(image: Image, at: number, extents: readonly Mapping[]): void {
  for (const [i, [logical, block, length, unwritten]] of extents.entries()) {
    const start = BigInt(fsBlock(block));
    const flag = unwritten ? 2n ** 63n : 0n;
    image.u64(at + 16 * i, flag | (BigInt(logical) << 9n) | (start >> 43n));
    image.u64(at + 16 * i + 8, (start << 21n) | BigInt(length));
  }
}

/** A file's inode with its list of extents. */
export function setMapped(
  image: Image,
  number: number,
  { mode, size }: { mode: number; size: number },
  extents: readonly Mapping[],
): void {
  setInode(image, number, { mode, size, format: 2, extents: extents.length });
  setExtents(image, image.inodeAt(number) + image.core, extents);
}

/** The root, in an inode, of a tree of extents: the first block of each child, and where it is. */
export function setTreeRoot(
  image: Image,
  number: number,
  level: number,
  children: readonly (readonly [number, number])[],
): void {
  const at = image.inodeAt(number) + image.core;
  const room = Math.floor((INODE_SIZE - image.core - 4) / 16);
  image.u16(at, level);
  image.u16(at + 2, children.length);
  for (const [i, [first, block]] of children.entries()) {
    image.u64(at + 4 + 8 * i, first);
    image.u64(at + 4 + 8 * room + 8 * i, fsBlock(block));
  }
}

/** The header of another node of a tree of extents; gives where its entries begin. */
export function setTreeNode(
  image: Image,
  block: number,
  { level, count, owner }: { level: number; count: number; owner: number },
): number {
  const at = block * BLOCK;
  image.bytes.fill(0, at, at + BLOCK);
  image.u32(at, image.version === 5 ? 0x424d4133 : 0x424d4150);
  image.u16(at + 4, level);
  image.u16(at + 6, count);
  if (image.version === 4) return at + 24;
  image.u64(at + 24, block * 2);
  image.bytes.set(UUID, at + 40);
  image.u64(at + 56, owner);
  return at + 72;
}

export type Entry = readonly [name: string, inode: number, type: number];

/** A block of entries; "block" closes with a hash table of its own. */
export function setDirectory(
  image: Image,
  { block, owner, form }: { block: number; owner: number; form: "block" | "data" },
  entries: readonly Entry[],
): void {
  const start = block * BLOCK;
  image.bytes.fill(0, start, start + BLOCK);
  const v5 = image.version === 5;
  const magic = form === "block" ? (v5 ? "XDB3" : "XD2B") : v5 ? "XDD3" : "XD2D";
  image.bytes.set(Buffer.from(magic), start);
  if (v5) {
    image.u64(start + 8, block * 2);
    image.bytes.set(UUID, start + 24);
    image.u64(start + 40, owner);
  }
  let at = v5 ? 64 : 16;
  for (const [name, inode, type] of entries) {
    const length = (8 + 1 + name.length + 1 + 2 + 7) & ~7;
    image.u64(start + at, inode);
    image.u8(start + at + 8, name.length);
    image.bytes.set(Buffer.from(name), start + at + 9);
    image.u8(start + at + 9 + name.length, type);
    image.u16(start + at + length - 2, at);
    at += length;
  }
  const end = form === "block" ? BLOCK - 8 - 8 * entries.length : BLOCK;
  if (form === "block") image.u32(start + BLOCK - 8, entries.length);
  image.u16(start + at, 0xffff);
  image.u16(start + at + 2, end - at);
  image.u16(start + end - 2, at);
}

/** Entries in the inode. */
export function setShortform(image: Image, number: number, entries: readonly Entry[]): void {
  const start = image.inodeAt(number) + image.core;
  let at = 6;
  for (const [name, inode, type] of entries) {
    image.u8(start + at, name.length);
    image.bytes.set(Buffer.from(name), start + at + 3);
    image.u8(start + at + 3 + name.length, type);
    image.u32(start + at + 4 + name.length, inode);
    at += 8 + name.length;
  }
  setInodeKeepingFork(image, number, { mode: 0o40755, size: at, format: 1 });
  image.u8(start, entries.length);
}

function setInodeKeepingFork(image: Image, number: number, fields: InodeFields): void {
  const at = image.inodeAt(number);
  const fork = image.bytes.slice(at + image.core, at + INODE_SIZE);
  setInode(image, number, fields);
  image.bytes.set(fork, at + image.core);
}

function fillFiles(image: Image): void {
  setMapped(image, INODE.root, { mode: 0o40755, size: BLOCK }, [[0, ROOT_BLOCK, 1]]);
  setDirectory(image, { block: ROOT_BLOCK, owner: INODE.root, form: "block" }, [
    [".", INODE.root, 2],
    ["..", INODE.root, 2],
    ["file", INODE.file, 1],
    ["tree", INODE.tree, 1],
    ["short", INODE.short, 2],
    ["large", INODE.large, 2],
    ["link", INODE.link, 7],
    ["remote", INODE.remote, 7],
    ["device", INODE.device, 4],
  ]);
  setMapped(image, INODE.file, { mode: 0o100644, size: 1500 }, [[0, FILE_BLOCK, 2]]);
  image.bytes.fill(0x61, FILE_BLOCK * BLOCK, FILE_BLOCK * BLOCK + 1500);
  setInode(image, INODE.tree, { mode: 0o100644, size: 20_000, format: 3, extents: 4 });
  setTreeRoot(image, INODE.tree, 1, [[0, TREE_LEAF]]);
  const leaf = setTreeNode(image, TREE_LEAF, { level: 0, count: 4, owner: INODE.tree });
  setExtents(image, leaf, [
    [0, FILE_BLOCK + 2, 1],
    [5, FILE_BLOCK + 3, 1],
    [15, FILE_BLOCK + 4, 2],
    [17, FILE_BLOCK + 5, 1, "unwritten"],
  ]);
  for (let block = 2; block <= 5; block++) {
    const at = (FILE_BLOCK + block) * BLOCK;
    image.bytes.fill(0x62, at, at + BLOCK);
  }
  setShortform(image, INODE.short, [["inner", INODE.file, 1]]);
  setMapped(image, INODE.large, { mode: 0o40755, size: 2 * BLOCK }, [[0, DATA_BLOCK, 2]]);
  for (const i of [0, 1]) {
    const place = { block: DATA_BLOCK + i, owner: INODE.large, form: "data" } as const;
    setDirectory(image, place, [[`part-${i}`, INODE.file, 1]]);
  }
  fillSpecial(image);
}

function fillSpecial(image: Image): void {
  setInode(image, INODE.link, { mode: 0o120777, size: 6, format: 1 });
  image.bytes.set(Buffer.from("target"), image.inodeAt(INODE.link) + image.core);
  const target = Buffer.from("far/".repeat(150));
  setMapped(image, INODE.remote, { mode: 0o120777, size: target.length }, [[0, LINK_BLOCK, 1]]);
  const at = LINK_BLOCK * BLOCK;
  if (image.version === 5) {
    image.bytes.set(Buffer.from("XSLM"), at);
    image.u32(at + 8, target.length);
    image.bytes.set(UUID, at + 16);
    image.u64(at + 32, INODE.remote);
    image.u64(at + 40, LINK_BLOCK * 2);
  }
  image.bytes.set(target, at + (image.version === 5 ? 56 : 0));
  setInode(image, INODE.device, { mode: 0o60660, size: 0, format: 0 });
  image.u32(image.inodeAt(INODE.device) + image.core, 202 * 2 ** 18 + 70_000);
}
