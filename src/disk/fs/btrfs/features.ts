/**
 * The feature bits of btrfs, under the names that `btrfs inspect-internal dump-super` and mkfs use.
 *
 * Source: Linux include/uapi/linux/btrfs.h (BTRFS_FEATURE_*).
 *
 * - `known`: domus reads filesystems with it.
 * - `required`: none. Without any bit it is btrfs of 2009, which is read.
 * - `refused`: the bit has a name, but what it changes on disk is not read here.
 *
 * The kernel's rules for a bit that nobody knows hold: incompat means "do not read", compat_ro "do not write".
 */
import { unsupported } from "../../../base/failure.ts";
import { hex } from "../../../base/units.ts";
import type { Where } from "../../../base/where.ts";

type Bits = Readonly<Record<string, bigint>>;

/** Features that a reader has to know. */
export const INCOMPAT = {
  mixed_backref: 0x1n,
  default_subvol: 0x2n,
  mixed_groups: 0x4n,
  compress_lzo: 0x8n,
  compress_zstd: 0x10n,
  big_metadata: 0x20n,
  extended_iref: 0x40n,
  raid56: 0x80n,
  skinny_metadata: 0x100n,
  no_holes: 0x200n,
  metadata_uuid: 0x400n,
  raid1c34: 0x800n,
  simple_quota: 0x1_0000n,
} as const satisfies Bits;

const INCOMPAT_REFUSED: Bits = {
  /** Superblocks and blocks move from zone to zone. */
  zoned: 0x1000n,
  /** Several extent and checksum trees, and another way to find them. */
  extent_tree_v2: 0x2000n,
  /** Where data is says a tree of its own, not the chunks. */
  raid_stripe_tree: 0x4000n,
  encrypt: 0x8000n,
  remap_tree: 0x2_0000n,
};

/** Features that a writer has to know. */
export const COMPAT_RO = {
  free_space_tree: 0x1n,
  free_space_tree_valid: 0x2n,
  verity: 0x4n,
  block_group_tree: 0x8n,
} as const satisfies Bits;

/** The three masks of the superblock. */
export type Features = {
  readonly compat: bigint;
  readonly compatRo: bigint;
  readonly incompat: bigint;
};

/** Whether an incompat feature is on. */
export function hasIncompat({ incompat }: Features, name: keyof typeof INCOMPAT): boolean {
  return (incompat & INCOMPAT[name]) !== 0n;
}

/** Fails with `unsupported`, naming the features, when an incompat bit is not known. */
export function refuseUnknownIncompat(incompat: bigint, where: Where): void {
  const bits = unnamedBits(incompat, INCOMPAT);
  if (bits.length === 0) return;
  const names = bits.map((bit) => {
    const refused = Object.entries(INCOMPAT_REFUSED).find(([, value]) => value === bit);
    return refused ? `the feature ${refused[0]}` : `incompat feature ${hex(bit)}`;
  });
  throw unsupported(where, names.join(", "));
}

/** `compat_ro feature 0x10`: what an old reader may ignore and a kernel that writes may not. */
export function unknownFeatures({ compat, compatRo }: Features): string[] {
  return [
    ...unnamedBits(compatRo, COMPAT_RO).map((bit) => `compat_ro feature ${hex(bit)}`),
    ...unnamedBits(compat, {}).map((bit) => `compat feature ${hex(bit)}`),
  ];
}

function unnamedBits(mask: bigint, known: Bits): bigint[] {
  let rest = mask;
  for (const bit of Object.values(known)) rest &= ~bit;
  return Array.from({ length: 64 }, (_, i) => 1n << BigInt(i)).filter((bit) => (rest & bit) !== 0n);
}
