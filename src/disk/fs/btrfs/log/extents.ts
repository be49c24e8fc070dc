/**
 * File extents in a tree that is being changed.
 *
 * Source: Linux fs/btrfs/file.c (`btrfs_drop_extents`), fs/btrfs/tree-log.c (`replay_one_extent`).
 */
import type { Budget } from "../../../../base/budget.ts";
import { hasIncompat } from "../features.ts";
import {
  allocationOf,
  btrfsFileExtentDisk,
  btrfsFileExtentItem,
  parseFileExtent,
} from "../file-extent.ts";
import { sameBytes } from "../checksum.ts";
import { ITEM, makeKey, MAX_OFFSET } from "../key.ts";
import type { Item } from "../tree-block.ts";
import type { BtrfsVolume } from "../volume.ts";
import type { OverlayTree } from "./overlay.ts";

/** Offsets in a regular `btrfs_file_extent_item`. */
const OFFSET_AT = btrfsFileExtentItem.size + btrfsFileExtentDisk.fields.offset[0];
const NUM_BYTES_AT = btrfsFileExtentItem.size + btrfsFileExtentDisk.fields.num_bytes[0];

/** What is being changed. */
export type Target = {
  readonly volume: BtrfsVolume;
  readonly tree: OverlayTree;
  /** One for each item of the subvolume that is taken into memory. */
  readonly budget: Budget;
};

/** Puts an extent of the log into its file, in place of what the file had there. */
export async function replayExtent(target: Target, item: Item): Promise<void> {
  const { volume, tree } = target;
  const extent = parseFileExtent(volume, item);
  const { key, bytes } = item;
  const present = await tree.find(key);
  if (extent.kind !== "inline" && present && sameBytes(present.bytes, bytes)) return;
  const end = alignUp(volume, extent.end);
  await dropExtents(target, { inode: key.objectid, from: extent.start, to: end });
  // With no_holes a hole is where nothing is.
  const isHole = extent.kind !== "inline" && !allocationOf(item);
  if (!isHole || !hasIncompat(volume.superblock, "no_holes")) tree.put(key, bytes);
}

/** Takes the bytes `from` to `to` (not included) of a file away; an extent that reaches over an end is cut there. */
export async function dropExtents(
  { volume, tree, budget }: Target,
  { inode, from, to }: { readonly inode: bigint; readonly from: number; readonly to: number },
): Promise<void> {
  const at = (offset: number) => makeKey(inode, ITEM.EXTENT_DATA, BigInt(offset));
  const before = await tree.floor(at(from));
  const range = { first: before?.key ?? at(from), last: { ...at(from), offset: MAX_OFFSET } };
  // Collected first: the tree changes below.
  const items: Item[] = [];
  for await (const item of tree.between(range)) {
    if (item.key.offset >= BigInt(to)) break;
    budget.spend();
    items.push(item);
  }
  for (const item of items) {
    const extent = parseFileExtent(volume, item);
    const end = alignUp(volume, extent.end);
    if (end <= from) continue;
    tree.remove(item.key);
    if (extent.kind === "inline") continue;
    if (extent.start < from) tree.put(item.key, cut(item.bytes, 0, from - extent.start));
    if (end > to) tree.put(at(to), cut(item.bytes, to - extent.start, end - to));
  }
}

/** The same allocation, `length` bytes from `skip` on. */
function cut(bytes: Uint8Array, skip: number, length: number): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  view.setBigUint64(OFFSET_AT, view.getBigUint64(OFFSET_AT, true) + BigInt(skip), true);
  view.setBigUint64(NUM_BYTES_AT, BigInt(length), true);
  return copy;
}

/** Inline extents end where their data does, and still have the sector to themselves. */
export function alignUp({ superblock }: BtrfsVolume, bytes: number): number {
  return Math.ceil(bytes / superblock.sectorSizeBytes) * superblock.sectorSizeBytes;
}
