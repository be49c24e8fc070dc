/** A small FAT volume with one of everything, made byte by byte, and the means to make it wrong. */
import { memorySource } from "../../../../../src/disk/source.ts";
import type { ByteSource } from "../../../../../src/disk/source.ts";

export const SECTOR = 512;
/** Sectors before the tables. */
const RESERVED = 2;
const FAT_COUNT = 2;

export type Bits = 12 | 16 | 32;

export type EntryFields = {
  /** 11 characters, a byte each. */
  readonly name: string;
  readonly attr?: number;
  readonly lcase?: number;
  readonly start?: number;
  readonly size?: number;
  readonly date?: number;
  readonly time?: number;
};

export type Image = {
  readonly bytes: Uint8Array;
  readonly bits: Bits;
  source(): ByteSource;
  u8(at: number, value: number): void;
  u16(at: number, value: number): void;
  u32(at: number, value: number): void;
  /** Where a cluster is. */
  cluster(number: number): number;
  /** The root's place, or of FAT32 that of its first cluster. */
  readonly root: number;
  /** Sets a table entry in all copies. */
  link(cluster: number, next: number): void;
  /** An entry at a byte of the image. */
  entry(at: number, fields: EntryFields): void;
  /** A long name and the short entry behind it; gives how many bytes they take. */
  longEntry(at: number, name: string, fields: EntryFields): number;
};

/** The mark at the end of a chain. */
export const END = 0x0fff_ffff;
export const CLUSTERS = { 12: 100, 16: 5000, 32: 100 } as const;
const FAT_SECTORS = { 12: 1, 16: 40, 32: 1 } as const;
const ROOT_SECTORS = { 12: 2, 16: 2, 32: 0 } as const;

/** Clusters in use: 2 FAT32's root, 3 and 5 FILE.TXT, 6 the long name, 7 a directory, 8 a file in it. */
export function makeImage(bits: Bits): Image {
  const image = blankImage(bits);
  const { root } = image;
  image.entry(root, { name: "MY LABEL   ", attr: 0x08 });
  image.entry(root + 32, { name: "FILE    TXT", start: 3, size: 700, date: 0x5a21, time: 0x6b2c });
  const long = image.longEntry(root + 64, "A longer name.txt", {
    name: "ALONGE~1TXT",
    start: 6,
    size: 10,
  });
  image.entry(root + 64 + long, { name: "DIR        ", attr: 0x10, start: 7 });
  image.entry(image.cluster(7), { name: ".          ", attr: 0x10, start: 7 });
  image.entry(image.cluster(7) + 32, { name: "..         ", attr: 0x10 });
  image.entry(image.cluster(7) + 64, { name: "INNER      ", attr: 0x21, start: 8, size: 5 });
  for (const [cluster, next] of [
    [2, END],
    [3, 5],
    [5, END],
    [6, END],
    [7, END],
    [8, END],
  ] as const)
    image.link(cluster, next);
  for (let i = 0; i < 700; i++)
    image.u8(image.cluster(i < 512 ? 3 : 5) + (i % 512), 0x61 + (i % 26));
  image.bytes.set(Buffer.from("long name!"), image.cluster(6));
  image.bytes.set(Buffer.from("inner"), image.cluster(8));
  return image;
}

export function blankImage(bits: Bits): Image {
  const fatBytes = FAT_SECTORS[bits] * SECTOR;
  const fatAt = RESERVED * SECTOR;
  const rootAt = fatAt + FAT_COUNT * fatBytes;
  const dataAt = rootAt + ROOT_SECTORS[bits] * SECTOR;
  const sectors = dataAt / SECTOR + CLUSTERS[bits];
  const bytes = new Uint8Array(sectors * SECTOR);
  const view = new DataView(bytes.buffer);
  const image: Image = {
    bytes,
    bits,
    source: () => memorySource(bytes, ["image"]),
    u8: (at, value) => view.setUint8(at, value),
    u16: (at, value) => view.setUint16(at, value, true),
    u32: (at, value) => view.setUint32(at, value, true),
    cluster: (number) => dataAt + (number - 2) * SECTOR,
    root: bits === 32 ? dataAt : rootAt,
    link(cluster, next) {
      for (let copy = 0; copy < FAT_COUNT; copy++) {
        const at = fatAt + copy * fatBytes;
        if (bits === 32) view.setUint32(at + 4 * cluster, next, true);
        else if (bits === 16) view.setUint16(at + 2 * cluster, next & 0xffff, true);
        else setEntry12(view, at, cluster, next & 0xfff);
      }
    },
    entry: (at, fields) => putEntry(view, at, fields),
    longEntry(at, name, fields) {
      const slots = Math.ceil((name.length + 1) / 13);
      for (let i = 0; i < slots; i++)
        putSlot(view, at + 32 * i, { name, slots, i, short: fields.name });
      putEntry(view, at + 32 * slots, fields);
      return 32 * (slots + 1);
    },
  };
  putBootSector(image, sectors, fatBytes / SECTOR);
  image.link(0, 0x0fff_fff8);
  image.link(1, END);
  return image;
}

function putBootSector(image: Image, sectors: number, fatSectors: number): void {
  const { bits } = image;
  image.bytes.set([0xeb, 0x3c, 0x90], 0);
  image.u16(0x0b, SECTOR);
  image.u8(0x0d, 1);
  image.u16(0x0e, RESERVED);
  image.u8(0x10, FAT_COUNT);
  image.u16(0x11, (ROOT_SECTORS[bits] * SECTOR) / 32);
  image.u16(0x13, sectors);
  image.u8(0x15, 0xf8);
  image.u16(0x1fe, 0xaa55);
  if (bits === 32) {
    image.u32(0x24, fatSectors);
    image.u32(0x2c, 2);
    image.u32(0x43, 0x1234_abcd);
  } else {
    image.u16(0x16, fatSectors);
    image.u8(0x26, 0x29);
    image.u32(0x27, 0x1234_abcd);
  }
}

function setEntry12(view: DataView, fatAt: number, cluster: number, value: number): void {
  const at = fatAt + cluster + (cluster >>> 1);
  const old = view.getUint16(at, true);
  view.setUint16(at, cluster & 1 ? (old & 0x000f) | (value << 4) : (old & 0xf000) | value, true);
}

function putEntry(view: DataView, at: number, fields: EntryFields): void {
  for (let i = 0; i < 11; i++) view.setUint8(at + i, fields.name.charCodeAt(i));
  view.setUint8(at + 11, fields.attr ?? 0x20);
  view.setUint8(at + 12, fields.lcase ?? 0);
  view.setUint16(at + 20, (fields.start ?? 0) >>> 16, true);
  view.setUint16(at + 22, fields.time ?? 0, true);
  view.setUint16(at + 24, fields.date ?? 0x21, true);
  view.setUint16(at + 26, (fields.start ?? 0) & 0xffff, true);
  view.setUint32(at + 28, fields.size ?? 0, true);
}

/** Slot `i` of those before the short entry: the first one has the end of the name. */
function putSlot(
  view: DataView,
  at: number,
  { name, slots, i, short }: { name: string; slots: number; i: number; short: string },
): void {
  const part = slots - 1 - i;
  view.setUint8(at, (part + 1) | (i === 0 ? 0x40 : 0));
  view.setUint8(at + 11, 0x0f);
  view.setUint8(at + 13, checksum(short));
  const places = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
  for (const [j, place] of places.entries()) {
    const index = part * 13 + j;
    const unit = index < name.length ? name.charCodeAt(index) : index === name.length ? 0 : 0xffff;
    view.setUint16(at + place, unit, true);
  }
}

export function checksum(short: string): number {
  let sum = 0;
  for (let i = 0; i < 11; i++) sum = ((sum >>> 1) + ((sum & 1) << 7) + short.charCodeAt(i)) & 0xff;
  return sum;
}
