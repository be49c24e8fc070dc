/**
 * The GUID partition table: UEFI specification 2.10, section 5.3. A header at sector 1 and a copy of it in the last
 * sector, each with an array of entries of its own that it says the place of.
 *
 * Field names are those of Linux's block/partitions/efi.h.
 */
import { corrupt, overLimit } from "../../base/failure.ts";
import { hex, MIB } from "../../base/units.ts";
import { within } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import { crc32, crc32Update } from "../../bytes/crc32.ts";
import { bytesField, u32le, u64leRaw } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import type { Read } from "../../bytes/struct.ts";
import { guidText, isNilUuid } from "../../bytes/uuid.ts";
import type { ByteSource } from "../source.ts";

/** "EFI PART" */
const GPT_HEADER_SIGNATURE = 0x5452415020494645n;

/** 128 times a power of two by the specification; every program in use writes 128. */
const MIN_ENTRY_BYTES = 128;
const MAX_ENTRY_BYTES = 4096;

/** 32768 entries of 128 bytes: what Linux would take at most. Usual are 128. */
const MAX_ARRAY_BYTES = 4 * MIB;

export const gptHeader = struct("gpt_header", 92, {
  signature: [0, u64leRaw],
  revision: [8, u32le],
  header_size: [12, u32le],
  header_crc32: [16, u32le],
  my_lba: [24, u64leRaw],
  alternate_lba: [32, u64leRaw],
  first_usable_lba: [40, u64leRaw],
  last_usable_lba: [48, u64leRaw],
  disk_guid: [56, bytesField(16)],
  partition_entry_lba: [72, u64leRaw],
  num_partition_entries: [80, u32le],
  sizeof_partition_entry: [84, u32le],
  partition_entry_array_crc32: [88, u32le],
});

export const gptEntry = struct("gpt_entry", 128, {
  partition_type_guid: [0, bytesField(16)],
  unique_partition_guid: [16, bytesField(16)],
  starting_lba: [32, u64leRaw],
  ending_lba: [40, u64leRaw],
  attributes: [48, u64leRaw],
  partition_name: [56, bytesField(72)],
});

export type GptHeader = {
  /** The sector that it was read from. */
  readonly lba: number;
  /** Where it says that the other copy is; not checked. */
  readonly alternateLba: bigint;
  readonly firstUsableLba: bigint;
  readonly lastUsableLba: bigint;
  readonly diskGuid: string;
  /** Not checked against the disk: reading the array does it. */
  readonly entriesLba: bigint;
  readonly entryCount: number;
  readonly entrySizeBytes: number;
  readonly entriesCrc32: number;
};

export type GptEntry = {
  /** Index + 1. */
  readonly number: number;
  readonly typeGuid: string;
  readonly guid: string;
  readonly firstLba: bigint;
  /** Inclusive. */
  readonly lastLba: bigint;
  readonly attributes: bigint;
  readonly name: string;
};

export type GptCopy = { readonly header: GptHeader; readonly entries: readonly GptEntry[] };

export function hasGptSignature(sector: Uint8Array): boolean {
  return (
    sector.length >= gptHeader.size && gptHeader.read(sector).signature === GPT_HEADER_SIGNATURE
  );
}

/** `sector` is one whole logical sector. A `corrupt` or `limit` failure says which field is wrong. */
export function parseGptHeader(sector: Uint8Array, lba: number, where: Where): GptHeader {
  const header = gptHeader.read(sector, 0, where);
  const fail = (found: string, expected: string) => corrupt(where, found, expected);
  if (header.signature !== GPT_HEADER_SIGNATURE) {
    throw fail(`${hex(header.signature)} at sector ${lba}`, 'the signature "EFI PART"');
  }
  if (header.header_size < gptHeader.size || header.header_size > sector.length) {
    throw fail(`a header of ${header.header_size} bytes`, `${gptHeader.size} to ${sector.length}`);
  }
  const sum = headerCrc32(sector.subarray(0, header.header_size));
  if (sum !== header.header_crc32) {
    throw fail(`header CRC ${hex(header.header_crc32, 8)}`, hex(sum, 8));
  }
  if (header.my_lba !== BigInt(lba)) {
    throw fail(`a header that belongs to sector ${header.my_lba}`, `sector ${lba}`);
  }
  checkArray(header, where);
  return {
    lba,
    alternateLba: header.alternate_lba,
    firstUsableLba: header.first_usable_lba,
    lastUsableLba: header.last_usable_lba,
    diskGuid: guidText(header.disk_guid),
    entriesLba: header.partition_entry_lba,
    entryCount: header.num_partition_entries,
    entrySizeBytes: header.sizeof_partition_entry,
    entriesCrc32: header.partition_entry_array_crc32,
  };
}

/** The header's CRC is taken with its own field as zeroes. */
function headerCrc32(header: Uint8Array): number {
  const before = crc32Update(~0, header.subarray(0, 16));
  const field = crc32Update(before, new Uint8Array(4));
  return ~crc32Update(field, header.subarray(20)) >>> 0;
}

function checkArray(header: Read<typeof gptHeader>, where: Where): void {
  const size = header.sizeof_partition_entry;
  const powerOfTwo = (size & (size - 1)) === 0;
  if (size < MIN_ENTRY_BYTES || size > MAX_ENTRY_BYTES || !powerOfTwo) {
    throw corrupt(
      where,
      `entries of ${size} bytes`,
      `a power of two from ${MIN_ENTRY_BYTES} to ${MAX_ENTRY_BYTES}`,
    );
  }
  // Below 2^32 * 2^12: exact.
  if (header.num_partition_entries * size > MAX_ARRAY_BYTES) {
    const what = `the array of ${header.num_partition_entries} partition entries`;
    throw overLimit(where, what, `${MAX_ARRAY_BYTES} bytes`);
  }
}

/** The entries in use. The array has exactly the size that the header says. */
export function parseGptEntries(array: Uint8Array, header: GptHeader, where: Where): GptEntry[] {
  const sum = crc32(array);
  if (sum !== header.entriesCrc32) {
    throw corrupt(where, `entry array CRC ${hex(header.entriesCrc32, 8)}`, hex(sum, 8));
  }
  const entries: GptEntry[] = [];
  for (let index = 0; index < header.entryCount; index++) {
    const entry = gptEntry.read(array, index * header.entrySizeBytes, where);
    const typeGuid = guidText(entry.partition_type_guid);
    if (isNilUuid(typeGuid)) continue;
    entries.push({
      number: index + 1,
      typeGuid,
      guid: guidText(entry.unique_partition_guid),
      firstLba: entry.starting_lba,
      lastLba: entry.ending_lba,
      attributes: entry.attributes,
      name: partitionName(entry.partition_name),
    });
  }
  return entries;
}

/** UTF-16LE up to the first NUL. Half a surrogate pair becomes U+FFFD: alone it would mean a raw byte elsewhere. */
function partitionName(bytes: Uint8Array): string {
  let name = "";
  for (let at = 0; at + 1 < bytes.length; at += 2) {
    const unit = bytes[at]! | (bytes[at + 1]! << 8);
    if (unit === 0) break;
    name += String.fromCharCode(unit);
  }
  return name.toWellFormed();
}

export type GptPlace = {
  /** Of the header, in sectors of `sectorSizeBytes`. */
  readonly lba: number;
  readonly sectorSizeBytes: number;
  readonly signal?: AbortSignal | undefined;
};

/** One copy of the table: header and entries, both CRCs checked. Fails when anything is wrong with it. */
export async function readGptCopy(source: ByteSource, place: GptPlace): Promise<GptCopy> {
  const { lba, sectorSizeBytes, signal } = place;
  const where = within(source.where, "GPT", `header at sector ${lba}`);
  const diskSectors = Math.floor(source.size / sectorSizeBytes);
  if (lba >= diskSectors) {
    throw corrupt(where, `a disk of ${diskSectors} sectors`, `more than ${lba}`);
  }
  const sector = await source.read(lba * sectorSizeBytes, sectorSizeBytes, signal);
  const header = parseGptHeader(sector, lba, where);
  const arrayBytes = header.entryCount * header.entrySizeBytes;
  const arraySectors = BigInt(Math.ceil(arrayBytes / sectorSizeBytes));
  if (header.entriesLba + arraySectors > BigInt(diskSectors)) {
    const found = `an entry array at sector ${header.entriesLba}`;
    throw corrupt(where, found, `one inside the ${diskSectors} sectors of the disk`);
  }
  const array = await source.read(Number(header.entriesLba) * sectorSizeBytes, arrayBytes, signal);
  return { header, entries: parseGptEntries(array, header, where) };
}
