/**
 * Which bytes of this device the filesystem uses: superblocks, and what the extent tree has of the chunks on it, every
 * copy of it. What is in no chunk is free.
 *
 * Source: Linux fs/btrfs/extent-tree.c, fs/btrfs/block-group.c (`exclude_super_stripes`), include/uapi/linux/btrfs_tree.h
 * (BTRFS_DEVICE_RANGE_RESERVED).
 */
import { corrupt } from "../../../base/failure.ts";
import { MIB } from "../../../base/units.ts";
import { within } from "../../../base/where.ts";
import type { Extent } from "../../source.ts";
import type { Chunk } from "./chunk.ts";
import { chunkAt, partsByPlace } from "./chunk-map.ts";
import type { LogicalRange } from "./chunk-map.ts";
import { ITEM, makeKey, MAX_OFFSET, OBJECTID, toNumber } from "./key.ts";
import { needRoot } from "./root-item.ts";
import { SUPERBLOCK_OFFSETS, SUPERBLOCK_SIZE } from "./superblock.ts";
import type { TreeRoot } from "./superblock.ts";
import type { Item } from "./tree-block.ts";
import { itemsBetween } from "./tree.ts";
import type { BtrfsVolume } from "./volume.ts";

/** No chunk is in here: the first superblock, and room for a boot loader on both sides of it. */
const RESERVED = MIB;

/**
 * In bytes of this device, rising, merged. `more` is what is used beyond the extent tree, by rising address: a log.
 * A chunk that is spread over devices counts as used whole: which of its bytes are here is not worked out.
 */
export async function* usedExtents(
  volume: BtrfsVolume,
  more: readonly LogicalRange[],
  signal?: AbortSignal,
): AsyncGenerator<Extent> {
  let open = { offset: 0, length: Math.min(RESERVED, volume.source.size) };
  for await (const { offset, length } of usedRanges(volume, more, signal)) {
    const openEnd = open.offset + open.length;
    if (offset <= openEnd) {
      open.length = Math.max(openEnd, offset + length) - open.offset;
    } else {
      yield open;
      open = { offset, length };
    }
  }
  yield open;
}

/** Ranges of this device by rising start; they may overlap. */
async function* usedRanges(
  volume: BtrfsVolume,
  more: readonly LogicalRange[],
  signal?: AbortSignal,
): AsyncGenerator<Extent> {
  const superblocks = SUPERBLOCK_OFFSETS.filter((at) => at + SUPERBLOCK_SIZE <= volume.source.size);
  for await (const range of partRanges(volume, more, signal)) {
    while (superblocks[0] !== undefined && superblocks[0] <= range.offset) {
      yield { offset: superblocks.shift()!, length: SUPERBLOCK_SIZE };
    }
    yield range;
  }
  for (const offset of superblocks) yield { offset, length: SUPERBLOCK_SIZE };
}

/** What is used of the parts of chunks on this device. */
async function* partRanges(
  volume: BtrfsVolume,
  more: readonly LogicalRange[],
  signal?: AbortSignal,
): AsyncGenerator<Extent> {
  const extra = Map.groupBy(more, ({ bytenr }) => chunkAt(volume.chunks, bytenr));
  const extentTree = await needRoot(volume, OBJECTID.EXTENT_TREE, "extent tree");
  let committedBytes = 0;
  for (const { offset: part, chunk } of partsByPlace(volume.chunks)) {
    signal?.throwIfAborted();
    if (!chunk.copies) {
      yield { offset: part, length: chunk.partBytes };
      continue;
    }
    // Of each chunk once, whatever copies it has.
    const count = chunk.parts[0] === part ? (bytes: number) => (committedBytes += bytes) : () => {};
    const committed = counted(chunkRanges(volume, extentTree, chunk, signal), count);
    for await (const { bytenr, length } of merged(committed, extra.get(chunk) ?? [])) {
      if (bytenr + length > chunk.logical + chunk.length) {
        const expected = `an end in the chunk at ${chunk.logical}`;
        throw corrupt(volume.where, `${length} bytes in use at ${bytenr}`, expected);
      }
      yield { offset: part + bytenr - chunk.logical, length };
    }
  }
  const { deviceCount, usedBytes } = volume.superblock;
  // With several devices, what is only on others was not looked at.
  if (deviceCount > 1 || committedBytes === usedBytes) return;
  const where = within(volume.where, "extent tree");
  throw corrupt(where, `extents of ${committedBytes} bytes`, `${usedBytes} as in the superblock`);
}

/** The same ranges; the length of each is told to `count`. */
async function* counted(
  ranges: AsyncIterable<LogicalRange>,
  count: (bytes: number) => void,
): AsyncGenerator<LogicalRange> {
  for await (const range of ranges) {
    count(range.length);
    yield range;
  }
}

/** Both are by rising address. */
async function* merged(
  ranges: AsyncIterable<LogicalRange>,
  more: readonly LogicalRange[],
): AsyncGenerator<LogicalRange> {
  let next = 0;
  for await (const range of ranges) {
    for (; next < more.length && more[next]!.bytenr <= range.bytenr; next++) yield more[next]!;
    yield range;
  }
  yield* more.slice(next);
}

/** What the extent tree has of one chunk, by rising address. */
async function* chunkRanges(
  volume: BtrfsVolume,
  extentTree: TreeRoot,
  { logical, length }: Chunk,
  signal?: AbortSignal,
): AsyncGenerator<LogicalRange> {
  const keys = {
    first: makeKey(BigInt(logical), 0),
    last: makeKey(BigInt(logical + length - 1), 255, MAX_OFFSET),
  };
  for await (const item of itemsBetween(volume, extentTree, keys, signal)) {
    const range = parseExtent(volume, item);
    if (range) yield range;
  }
}

/** The range of an item of the extent tree; block groups and references to extents have none. */
function parseExtent({ superblock }: BtrfsVolume, item: Item): LogicalRange | undefined {
  const { key, where } = item;
  if (key.type !== ITEM.EXTENT_ITEM && key.type !== ITEM.METADATA_ITEM) return undefined;
  const bytenr = toNumber(key.objectid, "address", where);
  // The offset of a METADATA_ITEM is the level of the block.
  const isBlock = key.type === ITEM.METADATA_ITEM;
  const length = isBlock ? superblock.nodeSizeBytes : toNumber(key.offset, "length", where);
  return { bytenr, length };
}
