/**
 * What the readers of single structures share: the bytes, the superblock, and what numbers mean.
 *
 * A filesystem block number has the allocation group in its upper bits and the block in the group in the lower `agblklog`;
 * groups need not be a power of two long, so such numbers have gaps. Behind `deviceBlock` blocks are counted without gaps.
 * An inode number is a filesystem block number with the slot in that block below it.
 *
 * Source: Linux fs/xfs/libxfs/xfs_format.h (XFS_FSB_TO_*, XFS_INO_TO_*), fs/xfs/libxfs/xfs_types.c (`xfs_verify_fsbno`).
 */
import { corrupt } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import type { ByteSource } from "../../source.ts";
import { assertChecksum, assertUuid } from "./checksum.ts";
import type { Superblock } from "./superblock.ts";

/** A filesystem being read. */
export type XfsVolume = {
  /** The filesystem's bytes with its log applied, behind a cache. */
  readonly source: ByteSource;
  readonly where: Where;
  readonly superblock: Superblock;
  /**
   * Whether some of these bytes come from the log. Its records have their own checksum; the one in the block is computed
   * when the block itself is written, so in the log it is out of date.
   */
  replayed(offset: number, length: number): boolean;
  /** Inodes whose map's blocks the log gives to them, without changing the owner that is written in those blocks. */
  readonly ownerChanged: ReadonlySet<number>;
};

/** Blocks of a group; the last one can be shorter. `group` is below the group count. */
export function groupLength(superblock: Superblock, group: number): number {
  const { agBlocks, agCount, blockCount } = superblock;
  return group === agCount - 1 ? blockCount - group * agBlocks : agBlocks;
}

/** Blocks at the start of each group that hold its headers: superblock, AGF, AGI and AGFL, a sector each. */
export function groupHeaderBlocks({ sectorSizeBytes, blockSizeBytes }: Superblock): number {
  return Math.ceil((4 * sectorSizeBytes) / blockSizeBytes);
}

/**
 * The place on the device of `count` blocks from a filesystem block number on, in blocks. They must lie in one group and
 * not on its headers. `where` is what refers to them.
 */
export function deviceBlock(
  { superblock }: XfsVolume,
  fsBlock: number,
  count: number,
  where: Where,
): number {
  const group = Math.floor(fsBlock / 2 ** superblock.agblklog);
  const block = fsBlock - group * 2 ** superblock.agblklog;
  const first = groupHeaderBlocks(superblock);
  if (group < superblock.agCount) {
    const length = groupLength(superblock, group);
    if (block >= first && block + count <= length) return group * superblock.agBlocks + block;
  }
  const found = count === 1 ? `a reference to block ${block}` : `${count} blocks from ${block} on`;
  throw corrupt(where, `${found} of group ${group}`, "blocks inside a group, after its headers");
}

/** The place of inode `number` on the device, in bytes; `undefined` when it cannot be one's number. */
export function inodeOffset(superblock: Superblock, number: number): number | undefined {
  const { agblklog, inopblog, agBlocks, agCount, blockSizeBytes, inodeSizeBytes } = superblock;
  if (!(number >= 0 && number <= Number.MAX_SAFE_INTEGER)) return undefined;
  const fsBlock = Math.floor(number / 2 ** inopblog);
  const slot = number - fsBlock * 2 ** inopblog;
  const group = Math.floor(fsBlock / 2 ** agblklog);
  const block = fsBlock - group * 2 ** agblklog;
  if (group >= agCount || block < groupHeaderBlocks(superblock)) return undefined;
  if (block >= groupLength(superblock, group)) return undefined;
  return (group * agBlocks + block) * blockSizeBytes + slot * inodeSizeBytes;
}

/** The place of an inode, for failures. */
export function inodeWhere(volume: XfsVolume, number: number): Where {
  return within(volume.where, `inode ${number}`);
}

/** A block of metadata as it was read. */
export type MetadataBlock = {
  readonly bytes: Uint8Array;
  /** Where it lies on the device, in bytes. */
  readonly offset: number;
  readonly where: Where;
};

/** What the header of a version 5 block says about itself. */
export type SelfDescription = {
  /** Where in the block its checksum is. */
  readonly crcAt: number;
  /** In units of 512 bytes. */
  readonly blkno: bigint;
  readonly uuid: Uint8Array;
  /** An inode, or an allocation group. */
  readonly owner: bigint;
};

/** Fails with `corrupt` unless a version 5 block is intact and is what its reader takes it for. */
export function assertSelfDescription(
  volume: XfsVolume,
  { bytes, offset, where }: MetadataBlock,
  header: SelfDescription,
  owner: number,
): void {
  if (!volume.replayed(offset, bytes.length)) assertChecksum(bytes, header.crcAt, where);
  assertUuid(header.uuid, volume.superblock.metaUuidBytes, where);
  const blkno = BigInt(offset / 512);
  if (header.blkno !== blkno) throw corrupt(where, `blkno ${header.blkno}`, String(blkno));
  if (header.owner !== BigInt(owner)) {
    throw corrupt(where, `owner ${header.owner}`, String(owner));
  }
}
