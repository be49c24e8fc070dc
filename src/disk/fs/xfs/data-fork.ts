/**
 * Which blocks of a file are where: a list of extents in the inode, or a tree of them (bmbt) whose root is there.
 *
 * Source: Linux fs/xfs/libxfs/xfs_format.h `struct xfs_btree_block`, `xfs_bmdr_block`, fs/xfs/libxfs/xfs_bmap_btree.c.
 * Unwritten extents are left out: they read as zeroes, like holes.
 */
import { corrupt, unsupported } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import { bytesField, u16be, u32be, u64beRaw } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import { parseExtent, xfsBmbtRec } from "./extent-record.ts";
import type { Extent } from "./extent-record.ts";
import type { InodeDetail } from "./inode.ts";
import { assertSelfDescription, deviceBlock } from "./volume.ts";
import type { MetadataBlock, XfsVolume } from "./volume.ts";

/** The root in the inode; keys and pointers follow. */
export const xfsBmdrBlock = struct("xfs_bmdr_block", 4, {
  bb_level: [0, u16be],
  bb_numrecs: [2, u16be],
});

/** At the start of every other node. */
export const xfsBtreeLblock = struct("xfs_btree_block (long)", 24, {
  bb_magic: [0, u32be],
  bb_level: [4, u16be],
  bb_numrecs: [6, u16be],
});

/** What version 5 adds. */
export const xfsBtreeLblockV5 = struct("xfs_btree_block (long, version 5)", 72, {
  bb_blkno: [24, u64beRaw],
  bb_uuid: [40, bytesField(16)],
  bb_owner: [56, u64beRaw],
});
const CRC_AT = 64;

/** A key of an inner node: the first block of the file that its child is about. */
export const xfsBmbtKey = struct("xfs_bmbt_key", 8, { br_startoff: [0, u64beRaw] });

/** A pointer of an inner node, behind all keys that would fit. */
export const xfsBmbtPtr = struct("xfs_bmbt_ptr", 8, { br_block: [0, u64beRaw] });

/** `BMAP`, and `BMA3` of version 5. */
const XFS_BMAP_MAGIC = 0x424d4150;
const XFS_BMAP_CRC_MAGIC = 0x424d4133;
const RECORD_SIZE = xfsBmbtRec.size;
const KEY_SIZE = xfsBmbtKey.size;
/** XFS_BTREE_MAXLEVELS. Five are enough for 2^54 blocks. */
const MAX_LEVELS = 9;

/** A node of the tree, or the list in an inode as the only leaf. */
type Node = {
  readonly bytes: Uint8Array;
  /** 0 for leaves. */
  readonly level: number;
  readonly count: number;
  /** Where its extents or keys begin. */
  readonly at: number;
  /** Where an inner node's pointers begin. */
  readonly pointersAt: number;
  readonly where: Where;
};

/**
 * The extents that hold data among the blocks `from` to `to` (not included) of a file, in rising order, clipped to that
 * range. Every extent must begin after the one before it ended and no node may be empty, so no block of the tree is
 * visited twice, however the tree is linked.
 */
export async function* fileExtents(
  volume: XfsVolume,
  file: InodeDetail,
  from: number,
  to: number,
): AsyncGenerator<Extent> {
  if (file.realtime) throw unsupported(file.where, "a file on the realtime device");
  const root = rootNode(file);
  const stack = [{ node: root, next: entryFor(root, from) }];
  let free = 0; // the first block of the file that an extent may still claim
  while (stack.length > 0) {
    const top = stack[stack.length - 1]!;
    if (top.next >= top.node.count) {
      stack.pop();
      continue;
    }
    const { node } = top;
    const index = top.next++;
    const first = firstBlock(node, index);
    if (first >= to) return;
    if (first < free) {
      throw corrupt(node.where, `an extent from block ${first} on`, `one from ${free} on`);
    }
    if (node.level > 0) {
      const child = await readChild(volume, file, node, index);
      stack.push({ node: child, next: entryFor(child, from) });
      continue;
    }
    const extent = parseExtent(volume, node.bytes, node.at + index * RECORD_SIZE, node.where);
    free = first + extent.length;
    const start = Math.max(first, from);
    const length = Math.min(free, to) - start;
    if (length > 0 && !extent.unwritten) {
      const physical = extent.physical + start - first;
      yield { logical: start, physical, length, unwritten: false };
    }
  }
}

/** The first block of the file that an entry of a node is about. */
function firstBlock(node: Node, index: number): number {
  if (node.level > 0) {
    const key = xfsBmbtKey.read(node.bytes, node.at + index * KEY_SIZE, node.where);
    // Rounded above 2^53, where no extent is either.
    return Number(key.br_startoff);
  }
  const raw = xfsBmbtRec.read(node.bytes, node.at + index * RECORD_SIZE, node.where);
  return (raw.l0_high & 0x7fff_ffff) * 2 ** 23 + (raw.l0_low >>> 9);
}

/** Index of the last entry that begins at or before `block`; 0 when all begin later. */
function entryFor(node: Node, block: number): number {
  let low = 0;
  let high = node.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (firstBlock(node, middle) > block) high = middle;
    else low = middle + 1;
  }
  return Math.max(0, low - 1);
}

function rootNode(file: InodeDetail): Node {
  const { dataFork, extentCount, format, where: place } = file;
  if (format === "btree") return parseBtreeRoot(dataFork, within(place, "extent tree root"));
  const where = within(place, "extents");
  if (format !== "extents") throw corrupt(place, `contents as ${format}`, "extents");
  const room = Math.floor(dataFork.length / RECORD_SIZE);
  if (extentCount > room) throw corrupt(where, `${extentCount} extents`, `at most ${room}`);
  return { bytes: dataFork, level: 0, count: extentCount, at: 0, pointersAt: 0, where };
}

function parseBtreeRoot(bytes: Uint8Array, where: Where): Node {
  const header = xfsBmdrBlock.read(bytes, 0, where);
  const { bb_level: level, bb_numrecs: count } = header;
  const room = Math.floor((bytes.length - xfsBmdrBlock.size) / (KEY_SIZE + xfsBmbtPtr.size));
  if (level < 1 || level >= MAX_LEVELS) {
    throw corrupt(where, `bb_level ${level}`, `1 to ${MAX_LEVELS - 1}`);
  }
  assertCount(count, room, where);
  const at = xfsBmdrBlock.size;
  return { bytes, level, count, at, pointersAt: at + room * KEY_SIZE, where };
}

async function readChild(
  volume: XfsVolume,
  file: InodeDetail,
  parent: Node,
  index: number,
): Promise<Node> {
  const { blockSizeBytes, version } = volume.superblock;
  const pointerAt = parent.pointersAt + index * xfsBmbtPtr.size;
  const pointer = Number(xfsBmbtPtr.read(parent.bytes, pointerAt, parent.where).br_block);
  const block = deviceBlock(volume, pointer, 1, parent.where);
  const where = within(file.where, `extent tree block ${block}`);
  const offset = block * blockSizeBytes;
  const bytes = await volume.source.read(offset, blockSizeBytes);
  const { bb_magic, bb_level: level, bb_numrecs: count } = xfsBtreeLblock.read(bytes, 0, where);
  const magic = version === 5 ? XFS_BMAP_CRC_MAGIC : XFS_BMAP_MAGIC;
  if (bb_magic !== magic) {
    throw corrupt(where, `magic 0x${bb_magic.toString(16)}`, `0x${magic.toString(16)}`);
  }
  if (version === 5) assertNode(volume, file, { bytes, offset, where });
  if (level !== parent.level - 1) {
    throw corrupt(where, `bb_level ${level}`, `${parent.level - 1}, below its parent`);
  }
  const at = version === 5 ? xfsBtreeLblockV5.size : xfsBtreeLblock.size;
  // A record is as long as a key and a pointer together.
  const room = Math.floor((blockSizeBytes - at) / RECORD_SIZE);
  assertCount(count, room, where);
  const node: Node = { bytes, level, count, at, pointersAt: at + room * KEY_SIZE, where };
  const [first, expected] = [firstBlock(node, 0), firstBlock(parent, index)];
  if (first < expected) {
    throw corrupt(where, `block ${first} first`, `${expected} or later, as its parent says`);
  }
  return node;
}

function assertNode(volume: XfsVolume, file: InodeDetail, block: MetadataBlock): void {
  const raw = xfsBtreeLblockV5.read(block.bytes, 0, block.where);
  const { number } = file.inode;
  const owner = volume.ownerChanged.has(number) ? Number(raw.bb_owner) : number;
  const { bb_blkno: blkno, bb_uuid: uuid, bb_owner } = raw;
  assertSelfDescription(volume, block, { crcAt: CRC_AT, blkno, uuid, owner: bb_owner }, owner);
}

function assertCount(count: number, room: number, where: Where): void {
  if (count >= 1 && count <= room) return;
  throw corrupt(where, `bb_numrecs ${count}`, `1 to ${room}`);
}
