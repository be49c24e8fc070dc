/**
 * The tree of a group's free extents by block number (bnobt).
 *
 * Source: Linux fs/xfs/libxfs/xfs_format.h `struct xfs_btree_block` (short form), `xfs_alloc_rec`,
 * fs/xfs/libxfs/xfs_alloc_btree.c.
 */
import { corrupt } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import { bytesField, u16be, u32be, u64beRaw } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import { groupWhere } from "./allocation-group.ts";
import type { Agf } from "./allocation-group.ts";
import { assertSelfDescription, groupHeaderBlocks, groupLength } from "./volume.ts";
import type { MetadataBlock, XfsVolume } from "./volume.ts";

/** At the start of every node. */
export const xfsBtreeSblock = struct("xfs_btree_block (short)", 16, {
  bb_magic: [0, u32be],
  bb_level: [4, u16be],
  bb_numrecs: [6, u16be],
});

/** What version 5 adds. */
export const xfsBtreeSblockV5 = struct("xfs_btree_block (short, version 5)", 56, {
  bb_blkno: [16, u64beRaw],
  bb_uuid: [32, bytesField(16)],
  bb_owner: [48, u32be],
});
const CRC_AT = 52;

/** An extent; inner nodes have the first one of each child as its key. */
export const xfsAllocRec = struct("xfs_alloc_rec", 8, {
  ar_startblock: [0, u32be],
  ar_blockcount: [4, u32be],
});

/** A pointer of an inner node, behind all keys that would fit. */
export const xfsAllocPtr = struct("xfs_alloc_ptr", 4, { block: [0, u32be] });

/** `ABTB`, and `AB3B` of version 5. */
const XFS_ABTB_MAGIC = 0x41425442;
const XFS_ABTB_CRC_MAGIC = 0x41423342;

/** Free blocks, counted from the start of their group. */
export type FreeExtent = {
  readonly start: number;
  readonly length: number;
  readonly where: Where;
};

type Node = {
  readonly bytes: Uint8Array;
  /** 0 for leaves. */
  readonly level: number;
  readonly count: number;
  readonly at: number;
  readonly pointersAt: number;
  readonly where: Where;
};

/**
 * The extents in the order of the tree, unchecked but for that: each key must be above the one before it and no node may be
 * empty, so no block of the tree is visited twice, however the tree is linked.
 */
export async function* freeExtents(volume: XfsVolume, agf: Agf): AsyncGenerator<FreeExtent> {
  const where = within(groupWhere(volume, agf.group), "free-space tree");
  const place = { group: agf.group, where };
  const root = await readNode(volume, { ...place, block: agf.freeRoot }, agf.freeLevels - 1);
  const stack = [{ node: root, next: 0 }];
  let above = -1; // what the next extent must begin after
  while (stack.length > 0) {
    const top = stack[stack.length - 1]!;
    const { node } = top;
    if (top.next >= node.count) {
      stack.pop();
      continue;
    }
    const index = top.next++;
    const entry = xfsAllocRec.read(node.bytes, node.at + index * xfsAllocRec.size, node.where);
    const { ar_startblock: start, ar_blockcount: length } = entry;
    if (start <= above) {
      throw corrupt(node.where, `an extent from block ${start} on`, `one after ${above}`);
    }
    if (node.level === 0) {
      above = start;
      yield { start, length, where: node.where };
      continue;
    }
    const pointerAt = node.pointersAt + index * xfsAllocPtr.size;
    const { block } = xfsAllocPtr.read(node.bytes, pointerAt, node.where);
    const child = await readNode(volume, { ...place, block }, node.level - 1);
    if (child.count === 0) throw corrupt(child.where, "a node without entries", "at least 1");
    const first = xfsAllocRec.read(child.bytes, child.at, child.where).ar_startblock;
    if (first < start) {
      throw corrupt(child.where, `block ${first} first`, `${start} or later, as its parent says`);
    }
    stack.push({ node: child, next: 0 });
  }
}

type NodePlace = { readonly group: number; readonly block: number; readonly where: Where };

async function readNode(
  volume: XfsVolume,
  { group, block, where: tree }: NodePlace,
  expectedLevel: number,
): Promise<Node> {
  const { superblock } = volume;
  const { agBlocks, blockSizeBytes, version } = superblock;
  if (block < groupHeaderBlocks(superblock) || block >= groupLength(superblock, group)) {
    throw corrupt(tree, `a reference to block ${block}`, "a block of the group");
  }
  const where = within(tree, `block ${block}`);
  const offset = (group * agBlocks + block) * blockSizeBytes;
  const bytes = await volume.source.read(offset, blockSizeBytes);
  const { bb_magic, bb_level: level, bb_numrecs: count } = xfsBtreeSblock.read(bytes, 0, where);
  const magic = version === 5 ? XFS_ABTB_CRC_MAGIC : XFS_ABTB_MAGIC;
  if (bb_magic !== magic) {
    throw corrupt(where, `magic 0x${bb_magic.toString(16)}`, `0x${magic.toString(16)}`);
  }
  if (version === 5) assertNode(volume, { bytes, offset, where }, group);
  if (level !== expectedLevel) throw corrupt(where, `bb_level ${level}`, String(expectedLevel));
  const at = version === 5 ? xfsBtreeSblockV5.size : xfsBtreeSblock.size;
  const entrySize = xfsAllocRec.size + (level > 0 ? xfsAllocPtr.size : 0);
  const room = Math.floor((blockSizeBytes - at) / entrySize);
  // The root of a full group is an empty leaf.
  if (count > room || (level > 0 && count === 0)) {
    throw corrupt(where, `bb_numrecs ${count}`, `${level > 0 ? 1 : 0} to ${room}`);
  }
  return { bytes, level, count, at, pointersAt: at + room * xfsAllocRec.size, where };
}

function assertNode(volume: XfsVolume, block: MetadataBlock, group: number): void {
  const {
    bb_blkno: blkno,
    bb_uuid: uuid,
    bb_owner,
  } = xfsBtreeSblockV5.read(block.bytes, 0, block.where);
  const header = { crcAt: CRC_AT, blkno, uuid, owner: BigInt(bb_owner) };
  assertSelfDescription(volume, block, header, group);
}
