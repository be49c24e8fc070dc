/**
 * How ext4 uses CRC-32C (feature metadata_csum): the bare register, chained over pieces, the field that holds the
 * result replaced by zeroes or left out. Linux fs/ext4/ext4.h `ext4_chksum`.
 */
import { corrupt } from "../../../base/failure.ts";
import { hex } from "../../../base/units.ts";
import type { Where } from "../../../base/where.ts";
import { crc32cUpdate } from "../../../bytes/crc32c.ts";

const ZEROES = new Uint8Array(4);

/** The register after a 32-bit number, as inode and group numbers are mixed in. */
export function checksumOfNumber(seed: number, value: number): number {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return crc32cUpdate(seed, bytes);
}

/** The register after `bytes`, with the `length` (at most 4) bytes at `hole` read as zeroes. */
export function checksumWithHole(
  seed: number,
  bytes: Uint8Array,
  hole: number,
  length: number,
): number {
  const before = crc32cUpdate(seed, bytes.subarray(0, hole));
  const zeroes = crc32cUpdate(before, ZEROES.subarray(0, length));
  return crc32cUpdate(zeroes, bytes.subarray(hole + length));
}

/** Fails with `corrupt` when a stored checksum is not the computed one. */
export function assertChecksum(where: Where, stored: number, computed: number): void {
  if (stored === computed) return;
  throw corrupt(where, `checksum ${hex(stored)}`, `${hex(computed)}, computed from the bytes`);
}
