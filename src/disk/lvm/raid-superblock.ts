/**
 * The superblock that dm-raid keeps at the start of each leg's metadata volume (Linux drivers/md/dm-raid.c, struct
 * dm_raid_superblock). It is read to tell a leg that has been away from one that has all that was written.
 */
import { u32le, u64leRaw } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import type { Read } from "../../bytes/struct.ts";

/** "DmRd" */
const DM_RAID_MAGIC = 0x64526d44;
/** `disk_recovery_offset` of a leg that has everything. */
const MAX_SECTOR = 0xffff_ffff_ffff_ffffn;

export const RAID_SUPERBLOCK_BYTES = 512;

export const dmRaidSuperblock = struct("dm_raid_superblock", RAID_SUPERBLOCK_BYTES, {
  magic: [0, u32le],
  num_devices: [8, u32le],
  array_position: [12, u32le],
  events: [16, u64leRaw],
  failed_devices: [24, u64leRaw],
  disk_recovery_offset: [32, u64leRaw],
});

export type RaidSuperblock = Read<typeof dmRaidSuperblock>;

/** `undefined` where there is none, as before the volume's first activation. */
export function parseRaidSuperblock(bytes: Uint8Array): RaidSuperblock | undefined {
  const superblock = dmRaidSuperblock.read(bytes);
  return superblock.magic === DM_RAID_MAGIC ? superblock : undefined;
}

/**
 * The index of the first leg that has all that was written: it has seen the last event, nobody saw it fail, and it is
 * not being filled. Where no leg is so, or none has a superblock, the first of those that saw most. `legs` has an
 * `undefined` for a leg whose superblock could not be read; it must not be empty.
 */
export function currentLeg(legs: readonly (RaidSuperblock | undefined)[]): number {
  const newest = legs.reduce((most, leg) => (leg && leg.events > most ? leg.events : most), -1n);
  const sawAll = legs.map((leg) => (leg?.events ?? -1n) === newest);
  const failed = legs.find((_, index) => sawAll[index])?.failed_devices ?? 0n;
  const sound = legs.findIndex(
    (leg, index) =>
      sawAll[index] === true &&
      (leg === undefined || leg.disk_recovery_offset === MAX_SECTOR) &&
      ((failed >> BigInt(leg?.array_position ?? index)) & 1n) === 0n,
  );
  return sound >= 0 ? sound : sawAll.indexOf(true);
}
