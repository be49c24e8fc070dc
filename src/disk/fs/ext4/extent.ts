/**
 * Extent trees: which blocks of a file are where.
 *
 * Source: Linux Documentation/filesystems/ext4/ifork.rst, fs/ext4/ext4_extents.h, fs/ext4/extents.c
 * (`__ext4_ext_check`). Unwritten extents (from fallocate) are left out: they read as zeroes, like holes.
 */
import { corrupt } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import { crc32cUpdate } from "../../../bytes/crc32c.ts";
import { u16le, u32le } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import { assertChecksum } from "./checksum.ts";
import type { InodeDetail } from "./inode.ts";
import { assertBlocks, readBlock } from "./volume.ts";
import type { Ext4Volume } from "./volume.ts";

/** At the start of every node. */
export const ext4ExtentHeader = struct("ext4_extent_header", 12, {
  eh_magic: [0x0, u16le],
  eh_entries: [0x2, u16le],
  eh_max: [0x4, u16le],
  eh_depth: [0x6, u16le],
});

/** An entry of a leaf. */
export const ext4Extent = struct("ext4_extent", 12, {
  ee_block: [0x0, u32le],
  ee_len: [0x4, u16le],
  ee_start_hi: [0x6, u16le],
  ee_start_lo: [0x8, u32le],
});

/** An entry of an inner node. */
export const ext4ExtentIdx = struct("ext4_extent_idx", 12, {
  ei_block: [0x0, u32le],
  ei_leaf_lo: [0x4, u32le],
  ei_leaf_hi: [0x8, u16le],
});

/** After the last possible entry of a node in a block of its own. */
export const ext4ExtentTail = struct("ext4_extent_tail", 4, { et_checksum: [0x0, u32le] });

export const EXT4_EXT_MAGIC = 0xf30a;
const ENTRY_SIZE = 12;
/** EXT4_MAX_EXTENT_DEPTH: five levels of 340 entries are more than 2^32 blocks need. */
const MAX_DEPTH = 5;
/** `ee_len` above this is an unwritten extent of that much less. */
export const EXT_INIT_MAX_LEN = 32_768;

/** Blocks of a file that follow each other on disk. */
export type Run = {
  /** The first block, counted in the file. */
  readonly logical: number;
  /** The first block, counted in the filesystem. */
  readonly physical: number;
  /** In blocks, not 0. */
  readonly length: number;
};

type Node = {
  readonly bytes: Uint8Array;
  readonly depth: number;
  readonly count: number;
  readonly where: Where;
};

/**
 * The runs that hold data among the blocks `from` to `to` (not included) of a file, in rising order, clipped to that range.
 * What no run covers is a hole or unwritten. Every extent must begin after the one before it ended and no node but the
 * root may be empty, so no block of the tree is visited twice, however the tree is linked.
 */
export async function* extentRuns(
  volume: Ext4Volume,
  file: InodeDetail,
  from: number,
  to: number,
): AsyncGenerator<Run> {
  const root = parseNode(file.iBlock, within(file.where, "extent tree root"));
  const stack = [{ node: root, next: entryFor(root, from) }];
  let free = 0; // the first block of the file that an extent may still claim
  while (stack.length > 0) {
    const top = stack[stack.length - 1]!;
    if (top.next >= top.node.count) {
      stack.pop();
      continue;
    }
    const { node } = top;
    const at = ENTRY_SIZE * (1 + top.next++);
    const first = ext4Extent.read(node.bytes, at, node.where).ee_block;
    if (first >= to) return;
    if (first < free) {
      throw corrupt(node.where, `an extent from block ${first} on`, `one from ${free} on`);
    }
    if (node.depth > 0) {
      const child = await readChild(volume, file, node, at);
      stack.push({ node: child, next: entryFor(child, from) });
      continue;
    }
    const extent = parseExtent(volume, node, at);
    free = first + extent.length;
    const start = Math.max(first, from);
    const length = Math.min(free, to) - start;
    if (length > 0 && !extent.unwritten) {
      yield { logical: start, physical: extent.physical + start - first, length };
    }
  }
}

/** Index of the last entry that begins at or before `block`; 0 when all begin later. */
function entryFor(node: Node, block: number): number {
  let low = 0;
  let high = node.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const first = ext4Extent.read(node.bytes, ENTRY_SIZE * (1 + middle), node.where).ee_block;
    if (first > block) high = middle;
    else low = middle + 1;
  }
  return Math.max(0, low - 1);
}

function parseNode(bytes: Uint8Array, where: Where): Node {
  const header = ext4ExtentHeader.read(bytes, 0, where);
  const { eh_magic, eh_entries: count, eh_max: max, eh_depth: depth } = header;
  if (eh_magic !== EXT4_EXT_MAGIC) {
    throw corrupt(where, `extent header magic 0x${eh_magic.toString(16)}`, "0xf30a");
  }
  const room = Math.floor(bytes.length / ENTRY_SIZE) - 1;
  if (max > room || count > max) {
    throw corrupt(where, `${count} extents of at most ${max}`, `at most ${room}`);
  }
  if (depth > MAX_DEPTH) throw corrupt(where, `extent depth ${depth}`, `at most ${MAX_DEPTH}`);
  if (depth > 0 && count === 0) throw corrupt(where, "an inner node without entries", "at least 1");
  return { bytes, depth, count, where };
}

async function readChild(
  volume: Ext4Volume,
  file: InodeDetail,
  parent: Node,
  at: number,
): Promise<Node> {
  const entry = ext4ExtentIdx.read(parent.bytes, at, parent.where);
  const block = entry.ei_leaf_hi * 2 ** 32 + entry.ei_leaf_lo;
  const where = within(file.where, `extent block ${block}`);
  const node = parseNode(await readBlock(volume, block, parent.where), where);
  if (node.depth !== parent.depth - 1) {
    throw corrupt(where, `extent depth ${node.depth}`, `${parent.depth - 1}, below its parent`);
  }
  if (volume.superblock.checksums === "metadata_csum") {
    // The tail follows the last possible entry; a block is a power of two, 12 bytes never divide it without rest.
    const max = ext4ExtentHeader.read(node.bytes).eh_max;
    const end = ENTRY_SIZE * (1 + max);
    const { et_checksum } = ext4ExtentTail.read(node.bytes, end, where);
    assertChecksum(
      where,
      et_checksum,
      crc32cUpdate(file.checksumSeed, node.bytes.subarray(0, end)),
    );
  }
  if (node.count === 0) throw corrupt(where, "a node without entries", "at least 1");
  const first = ext4Extent.read(node.bytes, ENTRY_SIZE, where).ee_block;
  if (first < entry.ei_block) {
    throw corrupt(where, `block ${first} first`, `${entry.ei_block} or later, as its parent says`);
  }
  return node;
}

function parseExtent(volume: Ext4Volume, node: Node, at: number) {
  const entry = ext4Extent.read(node.bytes, at, node.where);
  const unwritten = entry.ee_len > EXT_INIT_MAX_LEN;
  const length = unwritten ? entry.ee_len - EXT_INIT_MAX_LEN : entry.ee_len;
  if (length === 0) throw corrupt(node.where, `an empty extent at ${entry.ee_block}`, "a length");
  if (entry.ee_block + length > 2 ** 32) {
    throw corrupt(node.where, `${length} blocks from ${entry.ee_block} on`, "below block 2^32");
  }
  const physical = entry.ee_start_hi * 2 ** 32 + entry.ee_start_lo;
  assertBlocks(volume, physical, length, node.where);
  return { physical, length, unwritten };
}
