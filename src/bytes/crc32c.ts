/**
 * CRC-32C (Castagnoli), RFC 3720 appendix B.4. Two conventions are in use, and mixing them up is the usual mistake:
 *
 * - The published checksum (`crc32c`): register starts as all ones and is inverted at the end. xfs, btrfs and the
 *   check value 0xe3069283 of "123456789" follow it.
 * - The kernel's `crc32c(seed, data)` of include/linux/crc32c.h (`crc32cUpdate` here): the bare register update.
 *   ext4 starts it with ~0 or with a seed (the register after the filesystem's UUID), chains it over several pieces, and
 *   stores the register as it is, without the final inversion.
 */
import { crcTables, crcUpdate } from "./crc.ts";

const tables = crcTables(0x82f63b78);

/** The bare update: pieces chain, `crc32cUpdate(crc32cUpdate(c, a), b)` is that of `a` and `b` joined. Result unsigned. */
export function crc32cUpdate(crc: number, bytes: Uint8Array): number {
  return crcUpdate(tables, crc, bytes);
}

/** The published CRC-32C of `bytes`, unsigned. `seed` is the register to start with. */
export function crc32c(bytes: Uint8Array, seed = ~0): number {
  return ~crcUpdate(tables, seed, bytes) >>> 0;
}
