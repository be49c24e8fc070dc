/**
 * Directory records: where a file is, its name, and behind the name room for extensions (the "system use" part).
 *
 * Source: ECMA-119 section 9.1; Linux include/uapi/linux/iso_fs.h `struct iso_directory_record`.
 */
import { corrupt } from "../../../base/failure.ts";
import type { Where } from "../../../base/where.ts";
import { bytesField, u32le, u8 } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";

/** Up to the name. */
export const isoDirectoryRecord = struct("iso_directory_record", 33, {
  length: [0, u8],
  ext_attr_length: [1, u8],
  extent: [2, u32le],
  size: [10, u32le],
  date: [18, bytesField(7)],
  flags: [25, u8],
  file_unit_size: [26, u8],
  interleave: [27, u8],
  name_len: [32, u8],
});

/** The record of the root in a volume descriptor, which has a name of one byte and nothing behind. */
export const ROOT_RECORD_BYTES = 34;

/** Bits of `flags`. */
export const RECORD_FLAGS = { directory: 0x02, associated: 0x04, moreExtents: 0x80 } as const;

export type DirectoryRecord = {
  /** All of it, in bytes: 34 or more, so that whoever goes from one to the next moves on. */
  readonly length: number;
  /** The first block of the contents. */
  readonly extent: number;
  /** Of the contents, in bytes. */
  readonly size: number;
  readonly date: Uint8Array;
  readonly flags: number;
  /** The contents are spread out, with gaps. */
  readonly interleaved: boolean;
  /** Never empty. */
  readonly name: Uint8Array;
  readonly systemUse: Uint8Array;
};

/** The record at the beginning of `bytes`, which end where the record must have ended. */
export function parseDirectoryRecord(bytes: Uint8Array, where: Where): DirectoryRecord {
  const raw = isoDirectoryRecord.read(bytes, 0, where);
  const nameEnd = isoDirectoryRecord.size + raw.name_len;
  if (raw.name_len === 0 || nameEnd > raw.length || raw.length > bytes.length) {
    const found = `a record of ${raw.length} bytes with a name of ${raw.name_len}`;
    throw corrupt(where, found, `room for a name, inside the ${bytes.length} bytes left`);
  }
  // A name of even length is followed by a byte to fill up.
  const systemUse = nameEnd + (raw.name_len % 2 === 0 ? 1 : 0);
  return {
    length: raw.length,
    extent: raw.extent + raw.ext_attr_length,
    size: raw.size,
    date: raw.date,
    flags: raw.flags,
    interleaved: raw.file_unit_size !== 0 || raw.interleave !== 0,
    name: bytes.subarray(isoDirectoryRecord.size, nameEnd),
    systemUse: bytes.subarray(Math.min(systemUse, raw.length), raw.length),
  };
}

/** `.`: the name is a byte 0. */
export function isSelf({ name }: DirectoryRecord): boolean {
  return name.length === 1 && name[0] === 0;
}

/** `..`: the name is a byte 1. */
export function isParent({ name }: DirectoryRecord): boolean {
  return name.length === 1 && name[0] === 1;
}
