/**
 * The four kinds of checksum that metadata and data can carry, chosen when the filesystem is made.
 *
 * Source: Linux include/uapi/linux/btrfs_tree.h `enum btrfs_csum_type`, fs/btrfs/fs.c.
 */
import { corrupt, unsupported } from "../../../base/failure.ts";
import { hex } from "../../../base/units.ts";
import type { Where } from "../../../base/where.ts";
import { blake2b256 } from "../../../bytes/blake2b.ts";
import { crc32c } from "../../../bytes/crc32c.ts";
import { sha256 } from "../../../bytes/sha256.ts";
import { xxhash64 } from "../../../bytes/xxhash64.ts";

export type ChecksumKind = {
  readonly name: string;
  /** In bytes, 4 to 32. */
  readonly size: number;
  readonly compute: (bytes: Uint8Array) => Uint8Array;
};

function crc32cBytes(bytes: Uint8Array): Uint8Array {
  const digest = new Uint8Array(4);
  new DataView(digest.buffer).setUint32(0, crc32c(bytes), true);
  return digest;
}

/** By the number in the superblock. */
const KINDS: readonly ChecksumKind[] = [
  { name: "crc32c", size: 4, compute: crc32cBytes },
  { name: "xxhash64", size: 8, compute: xxhash64 },
  { name: "sha256", size: 32, compute: sha256 },
  { name: "blake2b", size: 32, compute: blake2b256 },
];

/** At the start of every block of metadata; what the kind does not use is zero. */
export const CHECKSUM_FIELD_SIZE = 32;

export function checksumKind(number: number, where: Where): ChecksumKind {
  const kind = KINDS[number];
  if (!kind) throw unsupported(where, `checksum type ${number}`);
  return kind;
}

/** Fails unless the checksum that `block` begins with is that of everything after the field for it. */
export function assertBlockChecksum(kind: ChecksumKind, block: Uint8Array, where: Where): void {
  const stored = block.subarray(0, kind.size);
  const computed = kind.compute(block.subarray(CHECKSUM_FIELD_SIZE));
  if (sameBytes(stored, computed)) return;
  const expected = `${digestText(computed)}, computed from the bytes`;
  throw corrupt(where, `${kind.name} checksum ${digestText(stored)}`, expected);
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** A number for the short ones, as the kernel's log shows them; the first bytes of the others. */
export function digestText(digest: Uint8Array): string {
  if (digest.length > 4) return `${Buffer.from(digest.subarray(0, 8)).toString("hex")}...`;
  return hex(new DataView(digest.buffer, digest.byteOffset, 4).getUint32(0, true), 8);
}
