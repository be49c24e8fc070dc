/**
 * The header of an allocation group that says where its free-space tree is (AGF), in the group's second sector. The ones
 * for inodes (AGI) and for blocks kept aside (AGFL) are not needed for reading: inodes are found by their number.
 *
 * Source: Linux fs/xfs/libxfs/xfs_format.h `struct xfs_agf`, fs/xfs/libxfs/xfs_alloc.c (`xfs_agf_verify`).
 */
import { corrupt } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import { bytesField, u32be } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import { assertChecksum, assertUuid } from "./checksum.ts";
import { groupLength } from "./volume.ts";
import type { XfsVolume } from "./volume.ts";

/** The fields that are looked at; the kernel has more. */
export const xfsAgf = struct("xfs_agf", 80, {
  agf_magicnum: [0, u32be],
  agf_versionnum: [4, u32be],
  agf_seqno: [8, u32be],
  agf_length: [12, u32be],
  agf_bno_root: [16, u32be],
  agf_bno_level: [28, u32be],
  agf_freeblks: [52, u32be],
  /** Version 5. */
  agf_uuid: [64, bytesField(16)],
});
const CRC_AT = 216;

/** `XAGF` */
const XFS_AGF_MAGIC = 0x58414746;
/** XFS_BTREE_MAXLEVELS */
const MAX_LEVELS = 9;

/** What a group knows of its free space. */
export type Agf = {
  readonly group: number;
  /** The root of the tree of free extents by block number, counted in the group. */
  readonly freeRoot: number;
  /** 1 when the root is a leaf. */
  readonly freeLevels: number;
  /** All blocks in that tree. */
  readonly freeBlocks: number;
};

/** The place of a group, for failures. */
export function groupWhere(volume: XfsVolume, group: number): Where {
  return within(volume.where, `group ${group}`);
}

/** Reads and checks the AGF of `group`, which is below the group count. */
export async function readAgf(volume: XfsVolume, group: number): Promise<Agf> {
  const { superblock } = volume;
  const { agBlocks, blockSizeBytes, sectorSizeBytes, metaUuidBytes, version } = superblock;
  const where = within(groupWhere(volume, group), "AGF");
  const offset = group * agBlocks * blockSizeBytes + sectorSizeBytes;
  const bytes = await volume.source.read(offset, sectorSizeBytes);
  const raw = xfsAgf.read(bytes, 0, where);
  if (raw.agf_magicnum !== XFS_AGF_MAGIC || raw.agf_versionnum !== 1) {
    const found = `magic 0x${raw.agf_magicnum.toString(16)}, version ${raw.agf_versionnum}`;
    throw corrupt(where, found, "0x58414746, version 1");
  }
  if (version === 5) {
    if (!volume.replayed(offset, sectorSizeBytes)) assertChecksum(bytes, CRC_AT, where);
    assertUuid(raw.agf_uuid, metaUuidBytes, where);
  }
  const length = groupLength(superblock, group);
  if (raw.agf_seqno !== group || raw.agf_length !== length) {
    const found = `group ${raw.agf_seqno} of ${raw.agf_length} blocks`;
    throw corrupt(where, found, `group ${group} of ${length} blocks`);
  }
  const { agf_bno_level: freeLevels, agf_bno_root: freeRoot, agf_freeblks: freeBlocks } = raw;
  if (freeLevels < 1 || freeLevels > MAX_LEVELS) {
    throw corrupt(where, `a free-space tree of ${freeLevels} levels`, `1 to ${MAX_LEVELS}`);
  }
  return { group, freeRoot, freeLevels, freeBlocks };
}
