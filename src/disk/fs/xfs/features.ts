/**
 * The feature bits of XFS, under the names that `xfs_info` prints where it has one.
 *
 * Source: Linux fs/xfs/libxfs/xfs_format.h (XFS_SB_VERSION_*, XFS_SB_VERSION2_*, XFS_SB_FEAT_*).
 *
 * - `known`: domus reads filesystems with it.
 * - `required`: dirv2 for version 4. Version 5 implies all that version 4 had to say.
 * - `refused`: the bit has a name, but what it changes on disk is not read here.
 *
 * The kernel's rules for a bit that nobody knows hold: incompat means "do not read", ro_compat "do not write",
 * log_incompat "do not replay the log", compat nothing.
 */
import { unsupported } from "../../../base/failure.ts";
import { hex } from "../../../base/units.ts";
import type { Where } from "../../../base/where.ts";

type Bits = Readonly<Record<string, number>>;

/** sb_versionnum above its low four bits; version 4 only. */
export const VERSION = {
  attr: 0x10,
  nlink: 0x20,
  quota: 0x40,
  align: 0x80,
  dalign: 0x100,
  logv2: 0x400,
  sector: 0x800,
  extflg: 0x1000,
  dirv2: 0x2000,
  "ascii-ci": 0x4000,
  morebits: 0x8000,
} as const satisfies Bits;

const VERSION_REFUSED: Bits = {
  /** Never in Linux. */
  shared: 0x200,
};

/** sb_features2, meant only with `morebits`; version 4 only. */
export const FEATURES2 = {
  "lazy-count": 0x2,
  attr2: 0x8,
  projid32bit: 0x80,
  ftype: 0x200,
} as const satisfies Bits;

const FEATURES2_REFUSED: Bits = {
  /** Parent pointers as IRIX had them, never in Linux. */
  parent: 0x10,
  /** Says version 5, which the version number denies. */
  crc: 0x100,
};

/** Features that a writer has to know. */
const RO_COMPAT = {
  finobt: 0x1,
  rmapbt: 0x2,
  reflink: 0x4,
  inobtcount: 0x8,
} as const satisfies Bits;

/** Features that a reader has to know. */
export const INCOMPAT = {
  ftype: 0x1,
  sparse: 0x2,
  meta_uuid: 0x4,
  bigtime: 0x8,
  needsrepair: 0x10,
  nrext64: 0x20,
  /** Changes only what the log can contain. */
  exchange: 0x40,
  /** Parent pointers are extended attributes, which are not read here. */
  parent: 0x80,
  /** Moves the inodes of quotas and of the realtime device, which are not read here either. */
  metadir: 0x100,
} as const satisfies Bits;

const INCOMPAT_REFUSED: Bits = {
  zoned: 0x200,
  zone_gaps: 0x400,
};

/** Features that whoever replays the log has to know. */
const LOG_INCOMPAT = {
  /** Intents for extended attributes. */
  xattrs: 0x1,
} as const satisfies Bits;

/** The feature words of a superblock; those of the other version are 0. */
export type Features = {
  /** 4 or 5 */
  readonly version: number;
  readonly versionBits: number;
  readonly features2: number;
  readonly compat: number;
  readonly roCompat: number;
  readonly incompat: number;
  readonly logIncompat: number;
};

/** Whether the directory entries have a byte for the kind of file. */
export function hasFileTypes({ version, features2, incompat }: Features): boolean {
  return version === 5 ? (incompat & INCOMPAT.ftype) !== 0 : (features2 & FEATURES2.ftype) !== 0;
}

/** Whether an incompat feature is on. */
export function hasIncompat(features: Features, name: keyof typeof INCOMPAT): boolean {
  return (features.incompat & INCOMPAT[name]) !== 0;
}

/** Fails with `unsupported`, naming the features, when there is one that a reader would have to know. */
export function refuseUnknown(features: Features, where: Where): void {
  if (features.version === 4 && !(features.versionBits & VERSION.dirv2)) {
    throw unsupported(where, "directories of version 1 (before 2002)");
  }
  const names = [
    ...namesOf("version bit", features.versionBits, VERSION, VERSION_REFUSED),
    ...namesOf("features2 bit", features.features2, FEATURES2, FEATURES2_REFUSED),
    ...namesOf("incompat feature", features.incompat, INCOMPAT, INCOMPAT_REFUSED),
  ];
  if (names.length > 0) throw unsupported(where, names.join(", "));
}

/** The bits that nobody here knows and that a reader may ignore, as text: `ro_compat feature 0x40`. */
export function unknownFeatures({ compat, roCompat }: Features): string[] {
  return [
    ...namesOf("compat feature", compat, {}),
    ...namesOf("ro_compat feature", roCompat, RO_COMPAT),
  ];
}

/** The bits that forbid to replay the log, as text. */
export function unknownLogFeatures({ logIncompat }: Features): string[] {
  return namesOf("log_incompat feature", logIncompat, LOG_INCOMPAT);
}

function namesOf(word: string, mask: number, known: Bits, refused: Bits = {}): string[] {
  let rest = mask >>> 0;
  for (const bit of Object.values(known)) rest = (rest & ~bit) >>> 0;
  return Array.from({ length: 32 }, (_, i) => (1 << i) >>> 0)
    .filter((bit) => (rest & bit) >>> 0 === bit)
    .map((bit) => {
      const named = Object.entries(refused).find(([, value]) => value === bit);
      return named ? `the feature ${named[0]}` : `${word} ${hex(bit)}`;
    });
}
