/**
 * Which bytes of the device the filesystem uses: all but what the free-space trees (bnobt) name. The log and the headers
 * of the groups are in no free-space tree, nor are the blocks that each group keeps aside for its trees (AGFL).
 *
 * Source: Linux Documentation of XFS (allocation groups), fs/xfs/libxfs/xfs_alloc.c.
 */
import { corrupt } from "../../../base/failure.ts";
import type { Extent } from "../../source.ts";
import { groupWhere, readAgf } from "./allocation-group.ts";
import { freeExtents } from "./free-space.ts";
import { groupHeaderBlocks, groupLength } from "./volume.ts";
import type { XfsVolume } from "./volume.ts";

/** The used ranges in bytes, rising, merged. */
export async function* usedExtents(
  volume: XfsVolume,
  signal?: AbortSignal,
): AsyncGenerator<Extent> {
  const { superblock } = volume;
  const size = superblock.blockSizeBytes;
  // The first block that is used and not yet part of what was given.
  let open = 0;
  for (let group = 0; group < superblock.agCount; group++) {
    const first = group * superblock.agBlocks;
    for await (const free of freeBlocks(volume, group, signal)) {
      const start = first + free.start;
      if (start > open) yield { offset: open * size, length: (start - open) * size };
      open = start + free.length;
    }
  }
  const end = superblock.blockCount;
  if (end > open) yield { offset: open * size, length: (end - open) * size };
}

/** The free extents of a group, in blocks from its start; all of them, or a failure at the end. */
async function* freeBlocks(volume: XfsVolume, group: number, signal?: AbortSignal) {
  const agf = await readAgf(volume, group);
  const header = groupHeaderBlocks(volume.superblock);
  const length = groupLength(volume.superblock, group);
  let total = 0;
  let end = header;
  for await (const free of freeExtents(volume, agf)) {
    signal?.throwIfAborted();
    if (free.start < end || free.length === 0 || free.start + free.length > length) {
      const found = `${free.length} free blocks from ${free.start} on`;
      throw corrupt(free.where, found, `blocks from ${end} to ${length}`);
    }
    end = free.start + free.length;
    total += free.length;
    yield free;
  }
  // What the tree does not name is taken for used, so only a count that is too high could lose something.
  if (total === agf.freeBlocks) return;
  throw corrupt(
    groupWhere(volume, group),
    `${total} free blocks`,
    `${agf.freeBlocks} as in its AGF`,
  );
}
