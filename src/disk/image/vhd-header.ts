/**
 * Footer and header of VHD images: "Virtual Hard Disk Image Format Specification" 1.0 of Microsoft. Big endian. Where
 * programs disagree about a disk's size, it is what QEMU takes, since that serves such disks to guests.
 */
import { corrupt, overLimit, unsupported } from "../../base/failure.ts";
import { hex, MIB } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";
import { bytesField, u8, u16be, u32be, u64be, u64beRaw } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import { latin1 } from "../../bytes/text.ts";

export const VHD_COOKIE = "conectix";
const SPARSE_COOKIE = "cxsparse";
export const SECTOR_BYTES = 512;
export const VHD_FOOTER_BYTES = 512;
export const VHD_HEADER_BYTES = 1024;

export const vhdFooter = struct("vhd_footer", VHD_FOOTER_BYTES, {
  cookie: [0, bytesField(8)],
  file_format_version: [12, u32be],
  /** All ones in fixed disks. */
  data_offset: [16, u64beRaw],
  creator_application: [28, bytesField(4)],
  current_size: [48, u64be],
  cylinders: [56, u16be],
  heads: [58, u8],
  sectors_per_track: [59, u8],
  disk_type: [60, u32be],
  checksum: [64, u32be],
});

export const vhdDynamicHeader = struct("vhd_dynamic_header", VHD_HEADER_BYTES, {
  cookie: [0, bytesField(8)],
  table_offset: [16, u64be],
  max_table_entries: [28, u32be],
  block_size: [32, u32be],
  checksum: [36, u32be],
  parent_unicode_name: [64, bytesField(512)],
});

/** The largest geometry: then the disk may be larger. */
const MAX_GEOMETRY_SECTORS = 65535 * 16 * 255;
/** These programs keep another size in `current_size` than the guest sees; all others mean what they write. */
const BY_GEOMETRY = ["vpc ", "vs  ", "qemu"];
/** 2040 GiB, the format's own limit, in blocks of 2 MiB are a million entries. */
const MAX_TABLE_ENTRIES = 8 * MIB;

export type VhdFooter = {
  readonly type: "fixed" | "dynamic" | "differencing";
  /** Of the disk. */
  readonly sizeBytes: number;
  /** Of the header; in fixed disks there is none. */
  readonly headerOffset: number;
};

/** `undefined` when there is no footer. */
export function parseVhdFooter(bytes: Uint8Array, where: Where): VhdFooter | undefined {
  const footer = vhdFooter.read(bytes, 0, where);
  if (latin1(footer.cookie) !== VHD_COOKIE) return undefined;
  checkSum(bytes.subarray(0, VHD_FOOTER_BYTES), 64, where);
  if (footer.file_format_version >>> 16 !== 1) {
    throw unsupported(where, `VHD version ${hex(footer.file_format_version, 8)}`);
  }
  const { cylinders, heads, sectors_per_track: perTrack } = footer;
  const geometry = cylinders * heads * perTrack;
  const byGeometry =
    BY_GEOMETRY.includes(latin1(footer.creator_application)) && geometry !== MAX_GEOMETRY_SECTORS;
  const sectors = byGeometry ? geometry : Math.floor(footer.current_size / SECTOR_BYTES);
  const sizeBytes = sectors * SECTOR_BYTES;
  const type = ([undefined, undefined, "fixed", "dynamic", "differencing"] as const)[
    footer.disk_type
  ];
  if (!type) throw corrupt(where, `disk type ${footer.disk_type}`, "2 (fixed), 3 or 4");
  if (type === "fixed") return { type, sizeBytes, headerOffset: 0 };
  if (footer.data_offset >= 2n ** 53n) {
    throw corrupt(where, `a header at byte ${footer.data_offset}`, "one in the file");
  }
  return { type, sizeBytes, headerOffset: Number(footer.data_offset) };
}

export type VhdHeader = {
  /** Of the block allocation table. */
  readonly tableOffset: number;
  readonly blockBytes: number;
  /** Of the bitmap before each block. */
  readonly bitmapBytes: number;
  readonly parentName: string;
};

/** `bytes` has the header of a dynamic or differencing disk of that size. */
export function parseVhdHeader(bytes: Uint8Array, sizeBytes: number, where: Where): VhdHeader {
  const header = vhdDynamicHeader.read(bytes, 0, where);
  if (latin1(header.cookie) !== SPARSE_COOKIE) {
    throw corrupt(where, "another cookie", `"${SPARSE_COOKIE}"`);
  }
  checkSum(bytes.subarray(0, VHD_HEADER_BYTES), 36, where);
  const { block_size: blockBytes, max_table_entries: entries } = header;
  if (blockBytes < SECTOR_BYTES || (blockBytes & (blockBytes - 1)) !== 0) {
    throw corrupt(where, `blocks of ${blockBytes} bytes`, "a power of two from 512 on");
  }
  if (entries > MAX_TABLE_ENTRIES) {
    throw overLimit(where, `a table of ${entries} blocks`, String(MAX_TABLE_ENTRIES));
  }
  if (entries < Math.ceil(sizeBytes / blockBytes)) {
    const needed = Math.ceil(sizeBytes / blockBytes);
    throw corrupt(where, `a table of ${entries} blocks`, `${needed} for a disk of ${sizeBytes}`);
  }
  const bitmap = Math.ceil(blockBytes / SECTOR_BYTES / 8);
  return {
    tableOffset: header.table_offset,
    blockBytes,
    bitmapBytes: Math.ceil(bitmap / SECTOR_BYTES) * SECTOR_BYTES,
    parentName: utf16(header.parent_unicode_name),
  };
}

/** Up to the first NUL. */
function utf16(bytes: Uint8Array): string {
  const text = new TextDecoder("utf-16be").decode(bytes);
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

/** The complement of the sum of all bytes, the checksum's own left out. */
function checkSum(bytes: Uint8Array, own: number, where: Where): void {
  let sum = 0;
  for (const [at, byte] of bytes.entries()) if (at < own || at >= own + 4) sum += byte;
  const found = new DataView(bytes.buffer, bytes.byteOffset).getUint32(own);
  const expected = ~sum >>> 0;
  if (found !== expected) throw corrupt(where, `checksum ${hex(found, 8)}`, hex(expected, 8));
}
