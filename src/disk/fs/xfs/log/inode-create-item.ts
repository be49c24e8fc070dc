/**
 * Inode-create items: a run of blocks that was made into fresh inodes.
 *
 * Source: Linux fs/xfs/libxfs/xfs_log_format.h `struct xfs_icreate_log`, fs/xfs/xfs_icreate_item.c,
 * fs/xfs/libxfs/xfs_ialloc.c (`xfs_ialloc_inode_init`). Version 5 only; all fields are big endian.
 */
import { corrupt } from "../../../../base/failure.ts";
import type { Where } from "../../../../base/where.ts";
import { u32be } from "../../../../bytes/fields.ts";
import { struct } from "../../../../bytes/struct.ts";
import type { Superblock } from "../superblock.ts";
import { groupHeaderBlocks, groupLength } from "../volume.ts";
import type { LogItem } from "./region-store.ts";

/** The only region. */
export const xfsIcreateLog = struct("xfs_icreate_log", 28, {
  icl_ag: [4, u32be],
  icl_agbno: [8, u32be],
  icl_count: [12, u32be],
  icl_isize: [16, u32be],
  icl_length: [20, u32be],
  icl_gen: [24, u32be],
});

/** XFS_INODES_PER_CHUNK; with large blocks a chunk is a block. */
const MAX_INODES = 64;

/** Fresh inodes, and where they go. */
export type CreatedInodes = {
  /** In bytes from the start of the filesystem. */
  readonly offset: number;
  /** Whole blocks. */
  readonly bytes: Uint8Array;
};

/** Checks and translates an item of type XFS_LI_ICREATE. */
export function parseInodeCreateItem(
  superblock: Superblock,
  { regions }: LogItem,
  where: Where,
): CreatedInodes {
  const raw = xfsIcreateLog.read(regions[0]!, 0, where);
  const { icl_ag: group, icl_agbno: block, icl_length: length } = raw;
  const { agBlocks, agblklog, agCount, blockSizeBytes, inodeSizeBytes, inopblog } = superblock;
  const perBlock = 2 ** inopblog;
  const most = Math.max(MAX_INODES, perBlock);
  const isPlace =
    group < agCount &&
    block >= groupHeaderBlocks(superblock) &&
    block + length <= groupLength(superblock, group);
  const isSize =
    superblock.version === 5 &&
    raw.icl_isize === inodeSizeBytes &&
    raw.icl_count === length * perBlock &&
    raw.icl_count <= most;
  if (!isPlace || !isSize) {
    const found = `${raw.icl_count} fresh inodes in ${length} blocks from ${block} of group ${group}`;
    throw corrupt(where, found, `at most ${most} inodes inside a group`);
  }
  const bytes = new Uint8Array(length * blockSizeBytes);
  const first = (group * 2 ** agblklog + block) * perBlock;
  for (let i = 0; i < raw.icl_count; i++) {
    const inode = bytes.subarray(i * inodeSizeBytes, (i + 1) * inodeSizeBytes);
    fillInode(inode, { number: first + i, generation: raw.icl_gen, superblock });
  }
  return { offset: (group * agBlocks + block) * blockSizeBytes, bytes };
}

function fillInode(
  inode: Uint8Array,
  what: { number: number; generation: number; superblock: Superblock },
): void {
  const view = new DataView(inode.buffer, inode.byteOffset, inode.byteLength);
  view.setUint16(0, 0x494e, false); // di_magic
  view.setUint8(4, 3); // di_version
  view.setUint32(92, what.generation, false);
  view.setUint32(96, 0xffff_ffff, false); // di_next_unlinked
  view.setBigUint64(152, BigInt(what.number), false); // di_ino
  inode.set(what.superblock.metaUuidBytes, 160);
}
