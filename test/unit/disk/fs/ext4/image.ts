/** A filesystem of 192 blocks of 1 KiB, put together by hand so that tests can make it as wrong as they like. */
import { crc32cUpdate } from "../../../../../src/bytes/crc32c.ts";
import { crc32beUpdate } from "../../../../../src/disk/fs/ext4/journal/crc32be.ts";
import { memorySource } from "../../../../../src/disk/source.ts";
import type { ByteSource } from "../../../../../src/disk/source.ts";

export const BLOCK = 1024;
export const BLOCKS = 192;
const INODE_TABLE = 5;
export const ROOT_BLOCK = 9;
export const FILE_BLOCK = 10;
export const FREE_BLOCK = 12;
export const JOURNAL_BLOCK = 40;
export const JOURNAL_BLOCKS = 64;
export const FILE_INODE = 12;

export type Image = {
  readonly bytes: Uint8Array;
  u16(at: number, value: number): void;
  u32(at: number, value: number): void;
  /** Byte offset of an inode. */
  inodeAt(number: number): number;
  block(number: number): Uint8Array;
  source(): ByteSource;
};

/** An image with a root directory that has one file, `file`, of 1500 bytes. */
export function makeImage(): Image {
  const bytes = new Uint8Array(BLOCKS * BLOCK);
  const view = new DataView(bytes.buffer);
  const image: Image = {
    bytes,
    u16: (at, value) => view.setUint16(at, value, true),
    u32: (at, value) => view.setUint32(at, value >>> 0, true),
    inodeAt: (number) => INODE_TABLE * BLOCK + (number - 1) * 128,
    block: (number) => bytes.subarray(number * BLOCK, (number + 1) * BLOCK),
    source: () => memorySource(bytes, ["image"]),
  };
  const fields: [number, number][] = [
    [0x0, 32], // s_inodes_count
    [0x4, BLOCKS],
    [0x14, 1], // s_first_data_block
    [0x20, 8192], // s_blocks_per_group
    [0x24, 8192],
    [0x28, 32], // s_inodes_per_group
    [0x4c, 1], // s_rev_level
    [0x54, 11], // s_first_ino
    [0x60, 0x42], // filetype, extent
  ];
  for (const [at, value] of fields) image.u32(1024 + at, value);
  image.u16(1024 + 0x38, 0xef53);
  image.u16(1024 + 0x3a, 1);
  image.u16(1024 + 0x58, 128);
  for (const [i, block] of [3, 4, INODE_TABLE].entries()) image.u32(2 * BLOCK + 4 * i, block);
  image.block(3).fill(0xff, 0, 2);
  image.u16(2 * BLOCK + 0xc, BLOCKS - 1 - 16); // bg_free_blocks_count: the first block is in no group
  setInode(image, 2, { mode: 0o40755, size: BLOCK, extents: [[0, 1, ROOT_BLOCK]] });
  setInode(image, FILE_INODE, { mode: 0o100644, size: 1500, extents: [[0, 2, FILE_BLOCK]] });
  setDirectory(image, ROOT_BLOCK, [["file", FILE_INODE, 1]]);
  image.bytes.fill(0x61, FILE_BLOCK * BLOCK, FILE_BLOCK * BLOCK + 1500);
  return image;
}

export type InodeFields = {
  readonly mode: number;
  readonly size: number;
  readonly extents?: readonly (readonly [logical: number, length: number, physical: number])[];
  readonly blocks?: readonly number[];
  readonly flags?: number;
};

export function setInode(image: Image, number: number, fields: InodeFields): void {
  const at = image.inodeAt(number);
  image.bytes.fill(0, at, at + 128);
  image.u16(at, fields.mode);
  image.u32(at + 4, fields.size);
  image.u32(at + 0x6c, Math.floor(fields.size / 2 ** 32));
  image.u16(at + 0x1a, 1);
  image.u32(at + 0x20, (fields.extents ? 0x80000 : 0) | (fields.flags ?? 0));
  for (const [i, block] of (fields.blocks ?? []).entries()) image.u32(at + 0x28 + 4 * i, block);
  if (fields.extents) setExtents(image, at + 0x28, fields.extents, 4);
}

/** A leaf of an extent tree. */
export function setExtents(
  image: Image,
  at: number,
  extents: NonNullable<InodeFields["extents"]>,
  max: number,
): void {
  image.u16(at, 0xf30a);
  image.u16(at + 2, extents.length);
  image.u16(at + 4, max);
  image.u16(at + 6, 0);
  for (const [i, [logical, length, physical]] of extents.entries()) {
    const entry = at + 12 * (i + 1);
    image.u32(entry, logical);
    image.u16(entry + 4, length);
    image.u16(entry + 6, Math.floor(physical / 2 ** 32));
    image.u32(entry + 8, physical);
  }
}

/** An inner node, each entry [first logical block, child]. */
export function setIndex(
  image: Image,
  at: number,
  depth: number,
  entries: readonly (readonly [number, number])[],
): void {
  image.u16(at, 0xf30a);
  image.u16(at + 2, entries.length);
  image.u16(at + 4, 4);
  image.u16(at + 6, depth);
  for (const [i, [logical, child]] of entries.entries()) {
    image.bytes.fill(0, at + 12 * (i + 1), at + 12 * (i + 2));
    image.u32(at + 12 * (i + 1), logical);
    image.u32(at + 12 * (i + 1) + 4, child);
  }
}

export function setDirectory(
  image: Image,
  block: number,
  entries: readonly (readonly [name: string, inode: number, type: number])[],
): void {
  const all = [[".", 2, 2], ["..", 2, 2], ...entries] as const;
  let at = block * BLOCK;
  for (const [i, [name, inode, type]] of all.entries()) {
    const length = i === all.length - 1 ? (block + 1) * BLOCK - at : (8 + name.length + 3) & ~3;
    image.u32(at, inode);
    image.u16(at + 4, length);
    image.bytes[at + 6] = name.length;
    image.bytes[at + 7] = type;
    image.bytes.set(Buffer.from(name, "latin1"), at + 8);
    at += length;
  }
}

export type LogOptions = {
  readonly checksums: "none" | "v1" | "v2" | "v3";
  readonly wide?: boolean;
  /** Where the log begins in the journal, in blocks; it goes round after the last block. */
  readonly start?: number;
};

type Copy = { readonly block: number; readonly contents: Uint8Array };

/** Gives the image a journal that has to be replayed, and writes transactions into it. */
export class Log {
  readonly image: Image;
  readonly #options: LogOptions;
  readonly #uuid = Uint8Array.from({ length: 16 }, (_, i) => 0x40 + i);
  #place: number;
  #sequence = 0xffff_fffe; // so that transaction numbers wrap, too
  #sum = ~0;
  #time = 1000;

  constructor(image: Image, options: LogOptions) {
    this.image = image;
    this.#options = options;
    this.#place = options.start ?? 1;
    image.u32(1024 + 0x5c, 0x4); // has_journal
    image.u32(1024 + 0x60, 0x46); // needs_recovery
    image.u32(1024 + 0xe0, 8);
    const size = JOURNAL_BLOCKS * BLOCK;
    setInode(image, 8, { mode: 0o100600, size, extents: [[0, JOURNAL_BLOCKS, JOURNAL_BLOCK]] });
    const bytes = this.block(0);
    const { checksums, wide } = options;
    const incompat =
      1 | (wide ? 2 : 0) | (checksums === "v2" ? 8 : 0) | (checksums === "v3" ? 0x10 : 0);
    const fields: [number, number][] = [
      [0x0, 0xc03b3998],
      [0x4, 4],
      [0xc, BLOCK],
      [0x10, JOURNAL_BLOCKS],
      [0x14, 1],
      [0x18, this.#sequence],
      [0x1c, this.#place],
      [0x24, checksums === "v1" ? 1 : 0],
      [0x28, incompat],
    ];
    for (const [at, value] of fields) put32(bytes, at, value);
    bytes.set(this.#uuid, 0x30);
    if (this.#each) bytes[0x50] = 4;
    put32(bytes, 0xfc, this.#each ? crc32cUpdate(~0, bytes) : 0);
  }

  get #each(): boolean {
    return this.#options.checksums === "v2" || this.#options.checksums === "v3";
  }

  get #seed(): number {
    return crc32cUpdate(~0, this.#uuid);
  }

  /** A block of the journal. */
  block(number: number): Uint8Array {
    return this.image.block(JOURNAL_BLOCK + number);
  }

  #next(): Uint8Array {
    const bytes = this.block(this.#place);
    bytes.fill(0);
    this.#place = this.#place + 1 < JOURNAL_BLOCKS ? this.#place + 1 : 1;
    return bytes;
  }

  #header(bytes: Uint8Array, type: number): void {
    put32(bytes, 0, 0xc03b3998);
    put32(bytes, 4, type);
    put32(bytes, 8, this.#sequence);
  }

  #tail(bytes: Uint8Array): void {
    if (this.#each) put32(bytes, BLOCK - 4, crc32cUpdate(this.#seed, bytes));
  }

  /** A descriptor and the copies it describes. */
  copies(copies: readonly Copy[]): this {
    const descriptor = this.#next();
    this.#header(descriptor, 1);
    let at = 12;
    const data: Uint8Array[] = [];
    for (const [i, { block, contents }] of copies.entries()) {
      const copy = Uint8Array.from(contents);
      const escape = new DataView(copy.buffer).getUint32(0) === 0xc03b3998;
      if (escape) put32(copy, 0, 0);
      data.push(copy);
      const last = i === copies.length - 1;
      at = this.#tag(descriptor, at, {
        block,
        copy,
        flags: (escape ? 1 : 0) | (i > 0 ? 2 : 0) | (last ? 8 : 0),
      });
    }
    this.#tail(descriptor);
    this.#sum = crc32beUpdate(this.#sum, descriptor);
    for (const copy of data) {
      this.#next().set(copy);
      this.#sum = crc32beUpdate(this.#sum, copy);
    }
    return this;
  }

  #tag(
    descriptor: Uint8Array,
    at: number,
    tag: { block: number; copy: Uint8Array; flags: number },
  ): number {
    const { checksums, wide } = this.#options;
    const number = new Uint8Array(4);
    put32(number, 0, this.#sequence);
    const checksum = crc32cUpdate(crc32cUpdate(this.#seed, number), tag.copy);
    put32(descriptor, at, tag.block);
    if (checksums === "v3") {
      put32(descriptor, at + 4, tag.flags);
      put32(descriptor, at + 12, checksum);
    } else {
      put32(
        descriptor,
        at + 4,
        ((checksums === "v2" ? checksum & 0xffff : 0) * 0x10000 + tag.flags) >>> 0,
      );
    }
    const size = checksums === "v3" ? 16 : 8 + (wide ? 4 : 0) + (checksums === "v2" ? 2 : 0);
    return at + size + (tag.flags & 2 ? 0 : 16);
  }

  revoke(blocks: readonly number[]): this {
    const bytes = this.#next();
    this.#header(bytes, 5);
    const size = this.#options.wide ? 8 : 4;
    put32(bytes, 12, 16 + size * blocks.length);
    for (const [i, block] of blocks.entries()) put32(bytes, 16 + size * i + size - 4, block);
    this.#tail(bytes);
    return this;
  }

  /** Ends a transaction. */
  commit(options: { time?: number; damaged?: boolean } = {}): this {
    const bytes = this.#next();
    this.#header(bytes, 2);
    this.#time = options.time ?? this.#time + 1;
    put32(bytes, 0x34, this.#time);
    if (this.#options.checksums === "v1") {
      bytes[0xc] = 1;
      bytes[0xd] = 4;
      put32(bytes, 0x10, this.#sum >>> 0);
    }
    if (this.#each) put32(bytes, 0x10, crc32cUpdate(this.#seed, bytes));
    if (options.damaged) put32(bytes, 0x10, 0x12345678);
    this.#sequence = (this.#sequence + 1) >>> 0;
    this.#sum = ~0;
    return this;
  }
}

function put32(bytes: Uint8Array, at: number, value: number): void {
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).setUint32(at, value >>> 0, false);
}

/** A block of one repeated letter. */
export function letters(letter: string): Uint8Array {
  return new Uint8Array(BLOCK).fill(letter.charCodeAt(0));
}
