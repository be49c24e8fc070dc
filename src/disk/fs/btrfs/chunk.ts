/**
 * Chunks: which devices hold a range of the logical addresses that everything else in btrfs uses.
 *
 * Source: Linux include/uapi/linux/btrfs_tree.h `struct btrfs_chunk`, fs/btrfs/tree-checker.c
 * (`btrfs_check_chunk_valid`), fs/btrfs/volumes.c (`btrfs_raid_array`). Read are the profiles that keep whole copies.
 * Those that spread a chunk over devices (RAID0, RAID10, RAID5, RAID6) are known by name, unless they have one
 * device to spread over, as Linux 5.15 and later allow.
 */
import { corrupt } from "../../../base/failure.ts";
import type { Where } from "../../../base/where.ts";
import { hex } from "../../../base/units.ts";
import { u16le, u32le, u64le, u64leRaw, uuid } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import type { Superblock } from "./superblock.ts";

/** The stripes follow it. */
export const btrfsChunk = struct("btrfs_chunk", 48, {
  length: [0, u64le],
  stripe_len: [16, u64le],
  type: [24, u64leRaw],
  sector_size: [40, u32le],
  num_stripes: [44, u16le],
  sub_stripes: [46, u16le],
});

export const btrfsStripe = struct("btrfs_stripe", 32, {
  devid: [0, u64leRaw],
  offset: [8, u64le],
  dev_uuid: [16, uuid],
});

/** BTRFS_BLOCK_GROUP_*: data 1, system 2, metadata 4. */
const TYPE_MASK = 0x7n;

type Profile = {
  readonly name: string;
  /** Stripes that hold the same bytes; 0 for parity, where no two do. */
  readonly copies: number;
  /** Stripes that hold no data of their own. */
  readonly parity: number;
  /** How many stripes there are; at least that many when the profile spreads. */
  readonly stripes: number;
  readonly spreads: boolean;
};

const SINGLE: Profile = { name: "single", copies: 1, parity: 0, stripes: 1, spreads: false };
const PROFILES: readonly (readonly [bigint, Profile])[] = [
  [0x8n, { name: "RAID0", copies: 1, parity: 0, stripes: 1, spreads: true }],
  [0x10n, { name: "RAID1", copies: 2, parity: 0, stripes: 2, spreads: false }],
  [0x20n, { name: "DUP", copies: 2, parity: 0, stripes: 2, spreads: false }],
  [0x40n, { name: "RAID10", copies: 2, parity: 0, stripes: 2, spreads: true }],
  [0x80n, { name: "RAID5", copies: 0, parity: 1, stripes: 2, spreads: true }],
  [0x100n, { name: "RAID6", copies: 0, parity: 2, stripes: 3, spreads: true }],
  [0x200n, { name: "RAID1C3", copies: 3, parity: 0, stripes: 3, spreads: false }],
  [0x400n, { name: "RAID1C4", copies: 4, parity: 0, stripes: 4, spreads: false }],
];

/** BTRFS_STRIPE_LEN */
const STRIPE_LENGTH = 65_536;

export type Chunk = {
  /** The first logical address. */
  readonly logical: number;
  readonly length: number;
  /** `single`, `DUP`, `RAID1`: as `btrfs filesystem df` names it. */
  readonly profile: string;
  /** The devices that have a part of it, this one or others. */
  readonly devices: readonly bigint[];
  /** The bytes that each of its parts takes on a device. */
  readonly partBytes: number;
  /** Where the parts on this device begin, in bytes from its start. */
  readonly parts: readonly number[];
  /** Whether each part is a whole copy of the chunk. */
  readonly copies: boolean;
};

/** One chunk, and how many bytes its item takes: the system chunks in the superblock have no other length. */
export function parseChunk(
  superblock: Superblock,
  bytes: Uint8Array,
  logical: number,
  where: Where,
): { readonly chunk: Chunk; readonly itemBytes: number } {
  const raw = btrfsChunk.read(bytes, 0, where);
  const { length, num_stripes: count } = raw;
  const { sectorSizeBytes: sector } = superblock;
  if (length === 0 || length % sector !== 0 || logical % sector !== 0) {
    throw corrupt(where, `a chunk of ${length} bytes at ${logical}`, `multiples of ${sector}`);
  }
  if (!Number.isSafeInteger(logical + length)) {
    throw corrupt(where, `a chunk of ${length} bytes at ${logical}`, "an end below 2^53");
  }
  if (raw.stripe_len !== STRIPE_LENGTH) {
    throw corrupt(where, `stripes of ${raw.stripe_len} bytes`, `${STRIPE_LENGTH}`);
  }
  if (raw.sector_size !== sector) {
    throw corrupt(where, `sectors of ${raw.sector_size} bytes`, `${sector}`);
  }
  const profile = profileOf(raw.type, where);
  if (profile.spreads ? count < profile.stripes : count !== profile.stripes) {
    throw corrupt(where, `${count} stripes of a ${profile.name} chunk`, `${profile.stripes}`);
  }
  // Every stripe is read from the item, so their number is bounded by its size.
  const stripes = Array.from({ length: count }, (_, i) =>
    btrfsStripe.read(bytes, btrfsChunk.size + i * btrfsStripe.size, where),
  );
  const spread = profile.copies > 0 ? count / profile.copies : count - profile.parity;
  if (!Number.isInteger(spread)) {
    throw corrupt(where, `${count} stripes of a ${profile.name} chunk`, "an even number");
  }
  const here = stripes.filter(
    ({ devid, dev_uuid }) => devid === superblock.deviceId && dev_uuid === superblock.deviceUuid,
  );
  const chunk: Chunk = {
    logical,
    length,
    profile: profile.name,
    devices: [...new Set(stripes.map(({ devid }) => devid))],
    partBytes: Math.ceil(length / spread),
    parts: here.map(({ offset }) => offset),
    copies: spread === 1 && profile.parity === 0,
  };
  return { chunk, itemBytes: btrfsChunk.size + count * btrfsStripe.size };
}

function profileOf(type: bigint, where: Where): Profile {
  const bits = type & ~TYPE_MASK;
  const found = bits === 0n ? SINGLE : PROFILES.find(([bit]) => bit === bits)?.[1];
  if (found && (type & TYPE_MASK) !== 0n) return found;
  throw corrupt(where, `chunk type ${hex(type)}`, "a kind and at most one profile");
}
