/**
 * Volume descriptors: from sector 16 on, one a sector, up to a terminator.
 *
 * Source: ECMA-119 section 8; Linux fs/isofs/inode.c (`isofs_fill_super`); Joliet Specification 1.0 for the escape
 * sequences; util-linux libblkid/src/superblocks/iso9660.c for the id. Numbers are stored in both byte orders; as in
 * Linux, the little-endian half counts.
 */
import { corrupt } from "../../../base/failure.ts";
import type { Where } from "../../../base/where.ts";
import { bytesField, u16le, u32le, u8 } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import { latin1 } from "../../../bytes/text.ts";
import type { ByteSource } from "../../source.ts";
import { parseDirectoryRecord, ROOT_RECORD_BYTES } from "./directory-record.ts";
import type { DirectoryRecord } from "./directory-record.ts";

/** ISOFS_BLOCK_SIZE: the logical sector, whatever the size of blocks. */
export const SECTOR_BYTES = 2048;

const FIRST_SECTOR = 16;
/** Where Linux stops to look for more. */
const END_SECTOR = 100;

export const isoVolumeDescriptor = struct("iso_volume_descriptor", SECTOR_BYTES, {
  type: [0, u8],
  id: [1, bytesField(5)],
});

/** Primary; the supplementary one of Joliet has the same layout, and `escape`. */
export const isoPrimaryDescriptor = struct("iso_primary_descriptor", SECTOR_BYTES, {
  volume_id: [40, bytesField(32)],
  volume_space_size: [80, u32le],
  escape: [88, bytesField(3)],
  logical_block_size: [128, u16le],
  root_directory_record: [156, bytesField(ROOT_RECORD_BYTES)],
  creation_date: [813, bytesField(16)],
  creation_date_offset: [829, u8],
  modification_date: [830, bytesField(16)],
  modification_date_offset: [846, u8],
});

const ISO_VD_PRIMARY = 1;
const ISO_VD_SUPPLEMENTARY = 2;
const ISO_VD_END = 255;

/** UCS-2 level 1, 2 and 3: `%/@`, `%/C`, `%/E`. */
const JOLIET_ESCAPES = ["%/@", "%/C", "%/E"];

/** A directory tree and what is said about it. */
export type Descriptor = {
  readonly blockSizeBytes: number;
  /** What the whole volume has, in bytes. */
  readonly sizeBytes: number;
  readonly volumeId: Uint8Array;
  readonly root: DirectoryRecord;
  /** As `blkid` prints it: the time of modification or, without one, of creation; ISO 9660 has no id. */
  readonly uuid: string;
};

/** The trees of a volume: the primary one, and with Joliet another with Unicode names. */
export type Descriptors = { readonly primary: Descriptor; readonly joliet?: Descriptor };

/** Reads up to 84 descriptors. `corrupt` when none of them is a primary one. */
export async function readDescriptors(
  source: ByteSource,
  where: Where,
  signal?: AbortSignal,
): Promise<Descriptors> {
  let primary: Descriptor | undefined;
  for (let sector = FIRST_SECTOR; sector < END_SECTOR; sector++) {
    const at = sector * SECTOR_BYTES;
    if (at + SECTOR_BYTES > source.size) break;
    const bytes = await source.read(at, SECTOR_BYTES, signal);
    const { type, id } = isoVolumeDescriptor.read(bytes, 0, where);
    if (latin1(id) !== "CD001") continue;
    if (type === ISO_VD_END) break;
    if (type === ISO_VD_PRIMARY) primary ??= parseDescriptor(bytes, where);
    if (type !== ISO_VD_SUPPLEMENTARY || !isJoliet(bytes)) continue;
    if (!primary) break;
    // Linux looks no further than the first Joliet tree.
    return { primary, joliet: parseDescriptor(bytes, where) };
  }
  if (!primary) throw corrupt(where, "no primary volume descriptor", "one from sector 16 on");
  return { primary };
}

function isJoliet(bytes: Uint8Array): boolean {
  return JOLIET_ESCAPES.includes(latin1(isoPrimaryDescriptor.read(bytes).escape));
}

/** Checks and translates a primary or supplementary descriptor. */
export function parseDescriptor(bytes: Uint8Array, where: Where): Descriptor {
  const raw = isoPrimaryDescriptor.read(bytes, 0, where);
  const blockSizeBytes = raw.logical_block_size;
  if (![512, 1024, 2048].includes(blockSizeBytes)) {
    throw corrupt(where, `blocks of ${blockSizeBytes} bytes`, "512, 1024 or 2048");
  }
  return {
    blockSizeBytes,
    // Below 2^32 * 2^11.
    sizeBytes: raw.volume_space_size * blockSizeBytes,
    volumeId: raw.volume_id,
    root: parseDirectoryRecord(raw.root_directory_record, where),
    uuid:
      dateId(raw.modification_date, raw.modification_date_offset) ||
      dateId(raw.creation_date, raw.creation_date_offset),
  };
}

/** Sixteen digits as `2024-05-01-10-20-30-00`. All zero means that the time is not known. */
function dateId(date: Uint8Array, offset: number): string {
  const digits = latin1(date);
  if (!/^[0-9]{16}$/.test(digits) || (/^0+$/.test(digits) && offset === 0)) return "";
  return digits.replace(/^(....)(..)(..)(..)(..)(..)(..)$/, "$1-$2-$3-$4-$5-$6-$7");
}
