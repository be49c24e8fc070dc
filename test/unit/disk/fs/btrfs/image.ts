/** A filesystem of 4 MiB with blocks of 4 KiB, put together by hand so that tests can make it as wrong as they like. */
import { deflateSync } from "node:zlib";
import { crc32c, crc32cUpdate } from "../../../../../src/bytes/crc32c.ts";
import { memorySource } from "../../../../../src/disk/source.ts";
import type { ByteSource } from "../../../../../src/disk/source.ts";

export const BLOCK = 4096;
export const DEVICE_BYTES = 4 * 1024 * 1024;
export const SUPERBLOCK = 65_536;
/** Logical addresses are those of the device. */
export const CHUNK = 0x10_0000;
export const CHUNK_BYTES = 0x20_0000;
const HEADER = 101;

/** Where the root of each tree is. */
export const BLOCKS = {
  chunk: CHUNK,
  root: CHUNK + BLOCK,
  fs: CHUNK + 2 * BLOCK,
  csum: CHUNK + 3 * BLOCK,
  extent: CHUNK + 4 * BLOCK,
  sub: CHUNK + 5 * BLOCK,
} as const;
export type TreeName = keyof typeof BLOCKS;
const OWNERS: Record<TreeName, bigint> = {
  chunk: 3n,
  root: 1n,
  fs: 5n,
  csum: 7n,
  extent: 2n,
  sub: 300n,
};
/** Not used by any tree. */
export const FREE_BLOCK = CHUNK + 10 * BLOCK;
export const BIG_DATA = CHUNK + 32 * BLOCK;
export const PACKED_DATA = CHUNK + 40 * BLOCK;

export const GENERATION = 10n;
export const FILE = 257n;
export const BIG = 258n;
export const LINK = 259n;
export const PACKED = 260n;

export type RawKey = readonly [objectid: bigint, type: number, offset: bigint];
export type RawItem = { key: RawKey; data: Uint8Array };

export type Image = {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** What `write` makes leaves of; a tree that is not in here is left as it is. */
  readonly trees: Partial<Record<TreeName, RawItem[]>>;
  /** The item of a key; a failure of the test when there is none. */
  item(tree: TreeName, objectid: bigint, type: number, offset?: bigint): RawItem;
  /** Puts the leaves of all trees in their places. */
  write(): void;
  /** Makes the checksum of the block, or of the superblock, right again. */
  seal(at: number): void;
  source(): ByteSource;
};

/** An image with a subvolume and one of each kind of file. */
export function makeImage(): Image {
  const bytes = new Uint8Array(DEVICE_BYTES);
  const view = new DataView(bytes.buffer);
  const image: Image = {
    bytes,
    view,
    trees: {},
    item(tree, objectid, type, offset) {
      const found = image.trees[tree]?.find(
        ({ key }) =>
          key[0] === objectid && key[1] === type && (offset === undefined || key[2] === offset),
      );
      if (!found) throw new Error(`no item ${objectid} ${type} in ${tree}`);
      return found;
    },
    write() {
      for (const [name, items] of Object.entries(image.trees) as [TreeName, RawItem[]][]) {
        writeLeaf(image, BLOCKS[name], { owner: OWNERS[name], items });
      }
      writeSuperblock(image);
    },
    seal(at) {
      view.setUint32(at, crc32c(bytes.subarray(at + 32, at + BLOCK)), true);
    },
    source: () => memorySource(bytes, ["image"]),
  };
  image.trees.chunk = [{ key: [256n, 228, BigInt(CHUNK)], data: chunkItem() }];
  image.trees.root = rootItems();
  image.trees.fs = fileItems();
  image.trees.sub = [
    { key: [256n, 1, 0n], data: inodeItem({ mode: 0o40755, size: 8 }) },
    { key: [256n, 12, 256n], data: refItem(0n, "..") },
    ...nameItems(256n, 2n, { name: "leaf", inode: 257n, type: 1 }),
    { key: [257n, 1, 0n], data: inodeItem({ mode: 0o100600, size: 4 }) },
    { key: [257n, 12, 256n], data: refItem(2n, "leaf") },
    { key: [257n, 108, 0n], data: inlineExtent(text("leaf")) },
  ];
  image.trees.extent = [
    ...Object.values(BLOCKS).map((at): RawItem => ({
      key: [BigInt(at), 169, 0n],
      data: new Uint8Array(24),
    })),
    { key: [BigInt(BIG_DATA), 168, BigInt(2 * BLOCK)], data: new Uint8Array(24) },
    { key: [BigInt(PACKED_DATA), 168, BigInt(BLOCK)], data: new Uint8Array(24) },
  ];
  bytes.fill(0x61, BIG_DATA, BIG_DATA + 2 * BLOCK);
  bytes.set(deflateSync(new Uint8Array(100_000).fill(0x62)), PACKED_DATA);
  image.trees.csum = [csumItem(image, BIG_DATA, 2), csumItem(image, PACKED_DATA, 1)];
  image.write();
  return image;
}

export const text = (value: string): Uint8Array => Uint8Array.from(Buffer.from(value, "latin1"));

export const nameHash = (name: string): bigint => BigInt(crc32cUpdate(~1, text(name)));

function rootItems(): RawItem[] {
  const root = (id: bigint, block: number): RawItem => ({
    key: [id, 132, 0n],
    data: rootItem(block),
  });
  return [
    root(2n, BLOCKS.extent),
    root(5n, BLOCKS.fs),
    { key: [5n, 156, 300n], data: rootRef(256n, "sub") },
    { key: [6n, 84, nameHash("default")], data: dirItem("default", [5n, 132, 2n ** 64n - 1n], 2) },
    root(7n, BLOCKS.csum),
    root(300n, BLOCKS.sub),
  ];
}

function fileItems(): RawItem[] {
  const file = (inode: bigint, name: string, mode: number, size: number): RawItem[] => [
    { key: [inode, 1, 0n], data: inodeItem({ mode, size }) },
    { key: [inode, 12, 256n], data: refItem(inode, name) },
  ];
  return [
    { key: [256n, 1, 0n], data: inodeItem({ mode: 0o40755, size: 40 }) },
    { key: [256n, 12, 256n], data: refItem(0n, "..") },
    ...nameItems(256n, FILE, { name: "file", inode: FILE, type: 1 }),
    ...nameItems(256n, BIG, { name: "big", inode: BIG, type: 1 }),
    ...nameItems(256n, LINK, { name: "link", inode: LINK, type: 7 }),
    ...nameItems(256n, PACKED, { name: "packed", inode: PACKED, type: 1 }),
    { key: [256n, 84, nameHash("sub")], data: dirItem("sub", [300n, 132, 2n ** 64n - 1n], 2) },
    { key: [256n, 96, 300n], data: dirItem("sub", [300n, 132, 2n ** 64n - 1n], 2) },
    ...file(FILE, "file", 0o100644, 6),
    { key: [FILE, 108, 0n], data: inlineExtent(text("inline")) },
    ...file(BIG, "big", 0o100644, 8000),
    { key: [BIG, 108, 0n], data: regularExtent({ bytenr: BIG_DATA, length: 2 * BLOCK }) },
    ...file(LINK, "link", 0o120777, 4),
    { key: [LINK, 108, 0n], data: inlineExtent(text("file")) },
    ...file(PACKED, "packed", 0o100644, 100_000),
    {
      key: [PACKED, 108, 0n],
      data: regularExtent({ bytenr: PACKED_DATA, disk: BLOCK, length: 25 * BLOCK, compression: 1 }),
    },
  ];
}

export function nameItems(
  directory: bigint,
  index: bigint,
  { name, inode, type }: { name: string; inode: bigint; type: number },
): RawItem[] {
  const data = dirItem(name, [inode, 1, 0n], type);
  return [
    { key: [directory, 84, nameHash(name)], data },
    { key: [directory, 96, index], data },
  ];
}

function put(
  size: number,
  fields: readonly (readonly [at: number, bytes: 1 | 2 | 4 | 8, value: number | bigint])[],
) {
  const data = new Uint8Array(size);
  const view = new DataView(data.buffer);
  for (const [at, width, value] of fields) {
    if (width === 8) view.setBigUint64(at, BigInt(value), true);
    else if (width === 4) view.setUint32(at, Number(value), true);
    else if (width === 2) view.setUint16(at, Number(value), true);
    else view.setUint8(at, Number(value));
  }
  return data;
}

const joined = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));

export function chunkItem(
  fields: {
    length?: number;
    type?: bigint;
    stripes?: readonly (readonly [bigint, number])[];
    count?: number;
  } = {},
): Uint8Array {
  const {
    length = CHUNK_BYTES,
    type = 7n,
    stripes = [[1n, CHUNK]],
    count = stripes.length,
  } = fields;
  const head = put(48, [
    [0, 8, length],
    [8, 8, 2],
    [16, 8, 65_536],
    [24, 8, type],
    [40, 4, BLOCK],
    [44, 2, count],
    [46, 2, 1],
  ]);
  const parts = stripes.map(([device, offset]) => {
    const stripe = put(32, [
      [0, 8, device],
      [8, 8, offset],
    ]);
    stripe.fill(Number(device), 16);
    return stripe;
  });
  return joined(head, ...parts);
}

export function rootItem(
  bytenr: number,
  fields: { level?: number; refs?: number; generation?: bigint } = {},
) {
  return put(439, [
    [160, 8, fields.generation ?? GENERATION],
    [168, 8, 256],
    [176, 8, bytenr],
    [216, 4, fields.refs ?? 1],
    [238, 1, fields.level ?? 0],
  ]);
}

export function rootRef(directory: bigint, name: string): Uint8Array {
  const head = put(18, [
    [0, 8, directory],
    [8, 8, 300],
    [16, 2, name.length],
  ]);
  return joined(head, text(name));
}

export function inodeItem(fields: {
  mode: number;
  size: number | bigint;
  links?: number;
  flags?: number;
  generation?: number;
}) {
  return put(160, [
    [0, 8, fields.generation ?? 1],
    [16, 8, fields.size],
    [40, 4, fields.links ?? 1],
    [52, 4, fields.mode],
    [64, 8, fields.flags ?? 0],
    [136, 8, 1_600_000_000],
  ]);
}

export function refItem(index: bigint, name: string): Uint8Array {
  const head = put(10, [
    [0, 8, index],
    [8, 2, name.length],
  ]);
  return joined(head, text(name));
}

export function dirItem(name: string, [objectid, type, offset]: RawKey, kind: number): Uint8Array {
  const head = put(30, [
    [0, 8, objectid],
    [8, 1, type],
    [9, 8, offset],
    [27, 2, name.length],
    [29, 1, kind],
  ]);
  return joined(head, text(name));
}

export function inlineExtent(
  data: Uint8Array,
  compression = 0,
  ramBytes = data.length,
): Uint8Array {
  const head = put(21, [
    [8, 8, ramBytes],
    [16, 1, compression],
  ]);
  return joined(head, data);
}

export type ExtentFields = {
  bytenr: number;
  length: number;
  disk?: number;
  offset?: number;
  ram?: number;
  compression?: number;
  type?: number;
};

export function regularExtent({ bytenr, length, ...fields }: ExtentFields): Uint8Array {
  return put(53, [
    [8, 8, fields.ram ?? length],
    [16, 1, fields.compression ?? 0],
    [20, 1, fields.type ?? 1],
    [21, 8, bytenr],
    [29, 8, fields.disk ?? length],
    [37, 8, fields.offset ?? 0],
    [45, 8, length],
  ]);
}

/** The checksums of what lies at `at` now. */
export function csumItem(image: Image, at: number, sectors: number): RawItem {
  const data = new Uint8Array(4 * sectors);
  for (let i = 0; i < sectors; i++) {
    const sector = image.bytes.subarray(at + i * BLOCK, at + (i + 1) * BLOCK);
    new DataView(data.buffer).setUint32(4 * i, crc32c(sector), true);
  }
  return { key: [2n ** 64n - 10n, 128, BigInt(at)], data };
}

export type BlockFields = { owner: bigint; generation?: bigint; level?: number };

function writeHeader(image: Image, at: number, count: number, fields: BlockFields): void {
  const { bytes, view } = image;
  bytes.fill(0, at, at + BLOCK);
  bytes.fill(0x11, at + 32, at + 48);
  view.setBigUint64(at + 48, BigInt(at), true);
  view.setBigUint64(at + 80, fields.generation ?? GENERATION, true);
  view.setBigUint64(at + 88, fields.owner, true);
  view.setUint32(at + 96, count, true);
  bytes[at + 100] = fields.level ?? 0;
}

function writeKey({ view }: Image, at: number, [objectid, type, offset]: RawKey): void {
  view.setBigUint64(at, objectid, true);
  view.setUint8(at + 8, type);
  view.setBigUint64(at + 9, offset, true);
}

/** A leaf; its items are put in order first, unless `sorted` says that they are as they should be. */
export function writeLeaf(
  image: Image,
  at: number,
  { items, sorted, ...fields }: BlockFields & { items: RawItem[]; sorted?: boolean },
): void {
  if (!sorted) items.sort((a, b) => compareRaw(a.key, b.key));
  writeHeader(image, at, items.length, fields);
  let end = BLOCK - HEADER;
  for (const [i, { key, data }] of items.entries()) {
    end -= data.length;
    const slot = at + HEADER + 25 * i;
    writeKey(image, slot, key);
    image.view.setUint32(slot + 17, end, true);
    image.view.setUint32(slot + 21, data.length, true);
    image.bytes.set(data, at + HEADER + end);
  }
  image.seal(at);
}

/** An inner node, each pointer with the first key below it. */
export function writeNode(
  image: Image,
  at: number,
  fields: BlockFields & { level: number; pointers: readonly (readonly [RawKey, number])[] },
): void {
  writeHeader(image, at, fields.pointers.length, fields);
  for (const [i, [key, child]] of fields.pointers.entries()) {
    const slot = at + HEADER + 33 * i;
    writeKey(image, slot, key);
    image.view.setBigUint64(slot + 17, BigInt(child), true);
    image.view.setBigUint64(slot + 25, GENERATION, true);
  }
  image.seal(at);
}

function compareRaw(a: RawKey, b: RawKey): number {
  for (let i = 0; i < 3; i++) if (a[i] !== b[i]) return a[i]! < b[i]! ? -1 : 1;
  return 0;
}

function writeSuperblock(image: Image): void {
  const { bytes } = image;
  bytes.fill(0, SUPERBLOCK, SUPERBLOCK + BLOCK);
  const fields = put(BLOCK, [
    [48, 8, SUPERBLOCK],
    [56, 8, 1],
    [72, 8, GENERATION],
    [80, 8, BLOCKS.root],
    [88, 8, BLOCKS.chunk],
    [112, 8, DEVICE_BYTES],
    [120, 8, 9 * BLOCK], // what the extent tree has
    [128, 8, 6],
    [136, 8, 1],
    [144, 4, BLOCK],
    [148, 4, BLOCK],
    [152, 4, BLOCK],
    [156, 4, BLOCK],
    [164, 8, GENERATION],
    [188, 8, 0x341], // mixed_backref, extended_iref, skinny_metadata, no_holes
    [201, 8, 1],
    [209, 8, DEVICE_BYTES],
  ]);
  fields.set(text("_BHRfS_M"), 64);
  fields.set(text("by hand"), 299);
  fields.fill(0x11, 32, 48); // fsid
  fields.fill(1, 267, 283); // the device's uuid
  fields.fill(0x11, 283, 299);
  const chunk = chunkItem();
  new DataView(fields.buffer).setUint32(160, 17 + chunk.length, true);
  bytes.set(fields, SUPERBLOCK);
  writeKey(image, SUPERBLOCK + 811, [256n, 228, BigInt(CHUNK)]);
  bytes.set(chunk, SUPERBLOCK + 811 + 17);
  image.seal(SUPERBLOCK);
}
