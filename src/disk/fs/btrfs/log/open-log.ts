/** The log of a filesystem that was not unmounted, if there is one, ready to be looked at. */
import { attempt } from "../../../../base/failure.ts";
import type { Failure } from "../../../../base/failure.ts";
import type { LogicalRange } from "../chunk-map.ts";
import { checksumsIn } from "../data-checksum.ts";
import type { ChecksumSource } from "../data-checksum.ts";
import { allocationOf } from "../file-extent.ts";
import { ITEM } from "../key.ts";
import { findRoot } from "../root-item.ts";
import type { TreeRoot } from "../superblock.ts";
import { blocksOf, itemTree } from "../tree.ts";
import type { ItemTree } from "../tree.ts";
import type { BtrfsVolume } from "../volume.ts";
import { readLogs } from "./log-tree.ts";
import { replayLog } from "./replay.ts";

/** A log that was replayed in memory, or the reason why it was not. */
export type OpenedLog =
  | {
      readonly ok: true;
      /** Changed trees, by subvolume. */
      readonly trees: ReadonlyMap<bigint, ItemTree>;
      readonly checksums: readonly ChecksumSource[];
      /** How many inodes are in it. */
      readonly inodes: number;
      /** What the log itself takes, and the data that only it knows of. */
      used(signal?: AbortSignal): Promise<LogicalRange[]>;
    }
  | { readonly ok: false; readonly failure: Failure };

/** Reads and replays the log. What is wrong with it does not fail: files that were committed can be read without it. */
export async function openLog(
  volume: BtrfsVolume,
  signal?: AbortSignal,
): Promise<OpenedLog | undefined> {
  const { logTree } = volume.superblock;
  if (!logTree) return undefined;
  const opened = await attempt(() => replayAll(volume, logTree, signal));
  if (!opened.ok) return { ok: false, failure: opened.failure };
  const { roots, data, ...log } = opened.value;
  return {
    ok: true,
    ...log,
    checksums: roots.map((root) => checksumsIn(volume, itemTree(volume, root))),
    async used(stop) {
      const blocks = await blocksOfAll(volume, [logTree, ...roots], stop);
      return [...blocks, ...data].sort((a, b) => a.bytenr - b.bytenr);
    },
  };
}

/** What is kept of the logs: not their items, what of them is still needed is in the trees. */
async function replayAll(volume: BtrfsVolume, logTree: TreeRoot, signal?: AbortSignal) {
  const logs = await readLogs(volume, logTree, signal);
  const trees = new Map<bigint, ItemTree>();
  for (const log of logs) {
    signal?.throwIfAborted();
    const root = await findRoot(volume, log.subvolume);
    // A subvolume that was deleted after files in it were synced.
    if (!root) continue;
    trees.set(log.subvolume, await replayLog(volume, itemTree(volume, root), log));
  }
  const items = logs.flatMap((log) => log.items);
  const extents = items.filter(({ key }) => key.type === ITEM.EXTENT_DATA);
  return {
    trees,
    roots: logs.map(({ root }) => root),
    data: extents.map(allocationOf).filter((range) => range !== undefined),
    inodes: items.filter(({ key }) => key.type === ITEM.INODE_ITEM).length,
  };
}

async function blocksOfAll(
  volume: BtrfsVolume,
  roots: readonly TreeRoot[],
  signal?: AbortSignal,
): Promise<LogicalRange[]> {
  const length = volume.superblock.nodeSizeBytes;
  const ranges: LogicalRange[] = [];
  for (const root of roots) {
    for await (const { bytenr } of blocksOf(volume, root, signal)) ranges.push({ bytenr, length });
  }
  return ranges;
}
