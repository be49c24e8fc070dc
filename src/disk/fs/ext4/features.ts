/**
 * The feature bits of ext2, ext3 and ext4, under the names that `dumpe2fs` prints.
 *
 * Source: Linux fs/ext4/ext4.h (EXT4_FEATURE_*), e2fsprogs lib/e2p/feature.c.
 *
 * - `known`: domus reads filesystems with it.
 * - `required`: none. Without any bit it is ext2 of 1993, which is read.
 * - `refused`: the bit has a name, but what it changes on disk is not read here.
 *
 * The kernel's rules for a bit that nobody knows hold: incompat means "do not read", ro_compat "do not write",
 * compat "do not repair".
 */
import { unsupported } from "../../../base/failure.ts";
import type { Where } from "../../../base/where.ts";
import { hex } from "../../../base/units.ts";

type Bits = Readonly<Record<string, number>>;

/** Features that an unknowing kernel may ignore. */
export const COMPAT = {
  dir_prealloc: 0x1,
  imagic_inodes: 0x2,
  has_journal: 0x4,
  ext_attr: 0x8,
  resize_inode: 0x10,
  dir_index: 0x20,
  sparse_super2: 0x200,
  fast_commit: 0x400,
  stable_inodes: 0x800,
  orphan_file: 0x1000,
} as const satisfies Bits;

/** Features that a reader has to know. */
export const INCOMPAT = {
  filetype: 0x2,
  needs_recovery: 0x4,
  journal_dev: 0x8,
  meta_bg: 0x10,
  extent: 0x40,
  "64bit": 0x80,
  mmp: 0x100,
  flex_bg: 0x200,
  ea_inode: 0x400,
  metadata_csum_seed: 0x2000,
  large_dir: 0x4000,
  inline_data: 0x8000,
  encrypt: 0x1_0000,
  casefold: 0x2_0000,
} as const satisfies Bits;

const INCOMPAT_REFUSED: Bits = {
  /** e2compr, never in the kernel. */
  compression: 0x1,
  /** Lustre: data follows the name in a directory entry. */
  dirdata: 0x1000,
};

/** Features that a writer has to know. */
export const RO_COMPAT = {
  sparse_super: 0x1,
  large_file: 0x2,
  btree_dir: 0x4,
  huge_file: 0x8,
  uninit_bg: 0x10,
  dir_nlink: 0x20,
  extra_isize: 0x40,
  quota: 0x100,
  bigalloc: 0x200,
  metadata_csum: 0x400,
  read_only: 0x1000,
  project: 0x2000,
  shared_blocks: 0x4000,
  verity: 0x8000,
  orphan_present: 0x1_0000,
} as const satisfies Bits;

/** What ext3 could mount. Anything else among these two sets makes it ext4, as blkid decides it. */
const EXT3_INCOMPAT = INCOMPAT.filetype | INCOMPAT.needs_recovery | INCOMPAT.meta_bg;
const EXT3_RO_COMPAT = RO_COMPAT.sparse_super | RO_COMPAT.large_file | RO_COMPAT.btree_dir;

/** The three feature words of a superblock. */
export type Features = {
  readonly compat: number;
  readonly incompat: number;
  readonly roCompat: number;
};

/** The bits of `mask` that no table names, as text: `compat feature 0x4000`. */
export function unknownFeatures(features: Features): string[] {
  const compat = unnamedBits(features.compat, COMPAT);
  const roCompat = unnamedBits(features.roCompat, RO_COMPAT);
  return [
    ...compat.map((bit) => `compat feature ${hex(bit)}`),
    ...roCompat.map((bit) => `ro_compat feature ${hex(bit)}`),
  ];
}

/** Fails with `unsupported`, naming the features, when an incompat bit is not known. */
export function refuseUnknownIncompat(incompat: number, where: Where): void {
  const bits = unnamedBits(incompat, INCOMPAT);
  if (bits.length === 0) return;
  const names = bits.map((bit) => {
    const refused = Object.entries(INCOMPAT_REFUSED).find(([, value]) => value === bit);
    return refused ? `the feature ${refused[0]}` : `incompat feature ${hex(bit)}`;
  });
  throw unsupported(where, names.join(", "));
}

/** The kernel driver that the filesystem was made for. */
export function driverName(features: Features): "ext2" | "ext3" | "ext4" {
  const beyondExt3 =
    (features.incompat & ~EXT3_INCOMPAT) !== 0 || (features.roCompat & ~EXT3_RO_COMPAT) !== 0;
  if (beyondExt3) return "ext4";
  return features.compat & COMPAT.has_journal ? "ext3" : "ext2";
}

function unnamedBits(mask: number, known: Bits): number[] {
  let rest = mask >>> 0;
  for (const bit of Object.values(known)) rest = (rest & ~bit) >>> 0;
  return Array.from({ length: 32 }, (_, i) => (1 << i) >>> 0).filter(
    (bit) => (rest & bit) >>> 0 === bit,
  );
}
