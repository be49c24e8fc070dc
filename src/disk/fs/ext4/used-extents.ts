/**
 * Which bytes of the device the filesystem uses: the block bitmaps, and on top of them all metadata whose place is known
 * from the descriptors, so that a group without a bitmap, or a bitmap that forgot its own metadata, loses nothing.
 *
 * Source: Linux Documentation/filesystems/ext4/bitmaps.rst, fs/ext4/balloc.c (`ext4_init_block_bitmap`),
 * fs/ext4/super.c.
 */
import { corrupt, overLimit } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Extent } from "../../source.ts";
import { readBlockBitmap, setRuns } from "./bitmap.ts";
import {
  groupEndBlock,
  groupFirstBlock,
  groupHeadBlocks,
  inodeTableBlocks,
} from "./group-descriptor.ts";
import { SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE } from "./superblock.ts";
import type { Superblock } from "./superblock.ts";
import type { Ext4Volume } from "./volume.ts";

/** Blocks from the first to the second number, the latter not included. */
type BlockRange = readonly [number, number];

/** 512 TiB in groups of 128 MiB; the ranges of all of them are sorted in memory. */
const MAX_GROUPS = 2 ** 22;

/**
 * The used ranges in bytes, rising, merged. The bytes before the superblock are among them: the filesystem does not use
 * them, but a boot loader may.
 */
export async function* usedExtents(
  volume: Ext4Volume,
  signal?: AbortSignal,
): AsyncGenerator<Extent> {
  const size = volume.superblock.blockSizeBytes;
  const head = { offset: 0, length: SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE };
  let open: { offset: number; length: number } = head;
  for await (const [start, end] of usedRanges(volume, signal)) {
    const openEnd = open.offset + open.length;
    if (start * size <= openEnd) {
      open.length = Math.max(openEnd, end * size) - open.offset;
    } else {
      yield open;
      open = { offset: start * size, length: (end - start) * size };
    }
  }
  yield open;
}

/** Ranges by rising start; they may overlap. */
async function* usedRanges(volume: Ext4Volume, signal?: AbortSignal): AsyncGenerator<BlockRange> {
  const { superblock } = volume;
  if (superblock.groupCount > MAX_GROUPS) {
    throw overLimit(volume.where, "number of block groups", String(MAX_GROUPS));
  }
  const metadata = await metadataRanges(volume, signal);
  let next = 0;
  for (let group = 0; group < superblock.groupCount; group++) {
    signal?.throwIfAborted();
    for (const range of await bitmapRanges(volume, group)) {
      for (; next < metadata.length && metadata[next]![0] <= range[0]; next++)
        yield metadata[next]!;
      yield range;
    }
  }
  yield* metadata.slice(next);
}

async function bitmapRanges(volume: Ext4Volume, group: number): Promise<BlockRange[]> {
  const { superblock } = volume;
  const descriptor = await volume.descriptor(group);
  if (descriptor.blockUninit) return [];
  const bitmap = await readBlockBitmap(volume, descriptor);
  const first = groupFirstBlock(superblock, group);
  const end = groupEndBlock(superblock, group);
  const ratio = superblock.blocksPerCluster;
  // At most as many bits as the bitmap has: blocks per group were checked against its size.
  const clusters = Math.ceil((end - first) / ratio);
  const ranges: BlockRange[] = [];
  let free = clusters;
  for (const [from, to] of setRuns(bitmap, clusters)) {
    ranges.push([first + from * ratio, Math.min(first + to * ratio, end)]);
    free -= to - from;
  }
  // For filesystems without checksums nothing else tells a bitmap from what may have taken its place.
  if (free === descriptor.freeClusters) return ranges;
  const where = within(volume.where, `group ${group}`, "block bitmap");
  throw corrupt(where, `${free} free clusters`, `${descriptor.freeClusters} as in the descriptor`);
}

/** Superblocks, descriptor tables with room to grow, bitmaps and inode tables of all groups, by rising start, merged. */
async function metadataRanges(volume: Ext4Volume, signal?: AbortSignal): Promise<BlockRange[]> {
  const { superblock } = volume;
  const tableBlocks = inodeTableBlocks(superblock);
  // The bitmaps do not know yet of blocks that a fast commit gave to a file.
  const ranges: BlockRange[] = [...(volume.fastCommits?.blocks ?? [])];
  // With flex_bg those of 16 groups lie side by side: a list for each kind has one range for all of them.
  const kinds: [number, number][][] = [[], [], []];
  for (let group = 0; group < superblock.groupCount; group++) {
    signal?.throwIfAborted();
    const { blockBitmap, inodeBitmap, inodeTable } = await volume.descriptor(group);
    ranges.push(...headRange(superblock, group));
    append(kinds[0]!, blockBitmap, 1);
    append(kinds[1]!, inodeBitmap, 1);
    append(kinds[2]!, inodeTable, tableBlocks);
  }
  for (const kind of kinds) for (const range of kind) ranges.push(range);
  return ranges.sort((a, b) => a[0] - b[0]);
}

function append(ranges: [number, number][], start: number, blocks: number): void {
  const last = ranges.at(-1);
  if (last && last[1] === start) last[1] += blocks;
  else ranges.push([start, start + blocks]);
}

function headRange(superblock: Superblock, group: number): BlockRange[] {
  const first = groupFirstBlock(superblock, group);
  const blocks = groupHeadBlocks(superblock, group);
  return blocks === 0 ? [] : [[first, Math.min(first + blocks, groupEndBlock(superblock, group))]];
}
