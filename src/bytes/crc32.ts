/**
 * CRC-32 of IEEE 802.3 (zlib's `crc32`), as GPT headers carry it (UEFI spec 2.10, section 5.3.2).
 * `crc32Update` is the bare register update, for formats with a start value of their own (LVM2 labels).
 */
import { crcTables, crcUpdate } from "./crc.ts";

const tables = crcTables(0xedb88320);

/** The bare update: nothing inverted, pieces chain. Result unsigned. */
export function crc32Update(crc: number, bytes: Uint8Array): number {
  return crcUpdate(tables, crc, bytes);
}

/** The CRC-32 of `bytes`, unsigned; "123456789" gives 0xcbf43926. */
export function crc32(bytes: Uint8Array): number {
  return ~crcUpdate(tables, ~0, bytes) >>> 0;
}
