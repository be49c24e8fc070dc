/** The log of a filesystem that was not unmounted, if there is one, ready to be looked at. */
import { attempt } from "../../../../base/failure.ts";
import type { Failure } from "../../../../base/failure.ts";
import type { LogicalRange } from "../chunk-map.ts";
import { checksumsIn } from "../data-checksum.ts";
import type { ChecksumSource } from "../data-checksum.ts";
import { allocationOf } from "../file-extent.ts";
import { ITEM } from "../key.ts";
import { findRoot } from "../root-item.ts";
import { blocksOf, itemTree } from "../tree.ts";
import type { ItemTree } from "../tree.ts";
import type { BtrfsVolume } from "../volume.ts";
import { readLogs } from "./log-tree.ts";
import type { SubvolumeLog } from "./log-tree.ts";
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
  const opened = await attempt(async () => {
    const logs = await readLogs(volume, logTree, signal);
    const trees = new Map<bigint, ItemTree>();
    for (const log of logs) {
      signal?.throwIfAborted();
      const root = await findRoot(volume, log.subvolume);
      // A subvolume that was deleted after files in it were synced.
      if (!root) continue;
      trees.set(log.subvolume, await replayLog(volume, itemTree(volume, root), log));
    }
    return { logs, trees };
  });
  if (!opened.ok) return { ok: false, failure: opened.failure };
  const { logs, trees } = opened.value;
  const inodes = logs.flatMap(({ items }) =>
    items.filter(({ key }) => key.type === ITEM.INODE_ITEM),
  );
  return {
    ok: true,
    trees,
    checksums: logs.map(({ root }) => checksumsIn(volume, itemTree(volume, root))),
    inodes: inodes.length,
    used: (stop) => usedByLogs(volume, logs, stop),
  };
}

/** By rising address. Bounded like the logs themselves. */
async function usedByLogs(
  volume: BtrfsVolume,
  logs: readonly SubvolumeLog[],
  signal?: AbortSignal,
): Promise<LogicalRange[]> {
  const { logTree, nodeSizeBytes } = volume.superblock;
  const ranges: LogicalRange[] = [];
  for (const root of [logTree!, ...logs.map((log) => log.root)]) {
    for await (const { bytenr } of blocksOf(volume, root, signal)) {
      ranges.push({ bytenr, length: nodeSizeBytes });
    }
  }
  for (const item of logs.flatMap(({ items }) => items)) {
    if (item.key.type !== ITEM.EXTENT_DATA) continue;
    const allocation = allocationOf(item);
    if (allocation) ranges.push(allocation);
  }
  return ranges.sort((a, b) => a.bytenr - b.bytenr);
}
