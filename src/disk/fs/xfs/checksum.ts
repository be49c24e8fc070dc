/**
 * How version 5 seals its metadata: CRC-32C of the whole block with the field itself read as zeroes, stored little endian
 * among fields that are all big endian; and next to it where the block belongs.
 *
 * Source: Linux fs/xfs/libxfs/xfs_cksum.h, Documentation/filesystems/xfs/xfs-self-describing-metadata.rst.
 */
import { corrupt } from "../../../base/failure.ts";
import { hex } from "../../../base/units.ts";
import type { Where } from "../../../base/where.ts";
import { crc32c, crc32cUpdate } from "../../../bytes/crc32c.ts";
import { uuidText } from "../../../bytes/uuid.ts";

const ZEROES = new Uint8Array(4);

/** The checksum of `bytes` with the four bytes at `crcAt` read as zeroes. */
export function checksumOf(bytes: Uint8Array, crcAt: number): number {
  const before = crc32cUpdate(~0, bytes.subarray(0, crcAt));
  return crc32c(bytes.subarray(crcAt + 4), crc32cUpdate(before, ZEROES));
}

/** Fails with `corrupt` when the checksum stored at `crcAt` is not that of the bytes. */
export function assertChecksum(bytes: Uint8Array, crcAt: number, where: Where): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stored = view.getUint32(crcAt, true);
  const computed = checksumOf(bytes, crcAt);
  if (stored === computed) return;
  throw corrupt(where, `checksum ${hex(stored)}`, `${hex(computed)}, computed from the bytes`);
}

/** Fails with `corrupt` when metadata carries the UUID of another filesystem. */
export function assertUuid(found: Uint8Array, expected: Uint8Array, where: Where): void {
  for (let i = 0; i < 16; i++) {
    if (found[i] === expected[i]) continue;
    throw corrupt(where, `UUID ${uuidText(found)}`, uuidText(expected));
  }
}
