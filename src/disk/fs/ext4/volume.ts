/** What the readers of single structures share: the bytes, the superblock, and the way to a group's descriptor. */
import { corrupt } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import type { ByteSource } from "../../source.ts";
import type { FastCommitOverlay } from "./fast-commit-overlay.ts";
import { descriptorTableBlock, parseGroupDescriptor } from "./group-descriptor.ts";
import type { GroupDescriptor } from "./group-descriptor.ts";
import type { Superblock } from "./superblock.ts";

/** A filesystem being read. */
export type Ext4Volume = {
  /** The filesystem's bytes with its journal applied, behind a cache. */
  readonly source: ByteSource;
  readonly where: Where;
  readonly superblock: Superblock;
  /** A group's descriptor, its checksum verified; `group` is below the group count. */
  descriptor(group: number): Promise<GroupDescriptor>;
  /** What the journal's fast commits changed, where there are any. */
  readonly fastCommits?: FastCommitOverlay;
};

/** Descriptors kept in memory, about 200 bytes each: those of a filesystem of 8 TiB. */
const MAX_KEPT_DESCRIPTORS = 65_536;

/** `source` should have a cache: structures are read in small pieces. */
export function ext4Volume(source: ByteSource, superblock: Superblock, where: Where): Ext4Volume {
  const kept = new Map<number, GroupDescriptor>();
  const { blockSizeBytes, descriptorSizeBytes } = superblock;
  // Both are powers of two, and a descriptor has at most 1024 bytes.
  const perBlock = blockSizeBytes / descriptorSizeBytes;
  return {
    source,
    where,
    superblock,
    async descriptor(group) {
      const known = kept.get(group);
      if (known) return known;
      const block = descriptorTableBlock(superblock, Math.floor(group / perBlock));
      const at = block * blockSizeBytes + (group % perBlock) * descriptorSizeBytes;
      const bytes = await source.read(at, descriptorSizeBytes);
      const descriptor = parseGroupDescriptor(superblock, group, bytes, where);
      if (kept.size >= MAX_KEPT_DESCRIPTORS) kept.clear();
      kept.set(group, descriptor);
      return descriptor;
    },
  };
}

/** Fails when a reference leads out of the filesystem, or to its superblock. `where` is what holds the reference. */
export function assertBlocks(volume: Ext4Volume, block: number, count: number, where: Where): void {
  const { firstDataBlock, blockCount } = volume.superblock;
  if (block > firstDataBlock && block + count <= blockCount) return;
  const found = count === 1 ? `a reference to block ${block}` : `${count} blocks from ${block} on`;
  throw corrupt(where, found, `blocks between ${firstDataBlock + 1} and ${blockCount}`);
}

/** One block. `where` is what refers to it. */
export async function readBlock(
  volume: Ext4Volume,
  block: number,
  where: Where,
): Promise<Uint8Array> {
  assertBlocks(volume, block, 1, where);
  const size = volume.superblock.blockSizeBytes;
  return volume.source.read(block * size, size);
}

/** The place of an inode, for failures. */
export function inodeWhere(volume: Ext4Volume, number: number): Where {
  return within(volume.where, `inode ${number}`);
}
