/**
 * The log: a tree of trees, one for each subvolume with files that were synced (fsync, O_SYNC) after the last commit. It
 * has copies of items, to be put into the subvolume when it is mounted, and the checksums of new data.
 *
 * Source: Linux fs/btrfs/tree-log.c (`btrfs_recover_log_trees`), fs/btrfs/disk-io.c (`btrfs_replay_log`).
 */
import { overLimit } from "../../../../base/failure.ts";
import { KIB, MIB, sizeText } from "../../../../base/units.ts";
import { within } from "../../../../base/where.ts";
import { ITEM, makeKey, MAX_OFFSET, OBJECTID } from "../key.ts";
import { parseRootItem } from "../root-item.ts";
import type { TreeRoot } from "../superblock.ts";
import type { Item } from "../tree-block.ts";
import { itemsBetween } from "../tree.ts";
import type { BtrfsVolume } from "../volume.ts";

/** A log of one subvolume. */
export type SubvolumeLog = {
  readonly subvolume: bigint;
  readonly root: TreeRoot;
  /** By rising key. */
  readonly items: readonly Item[];
};

/**
 * Thirty seconds' worth of synced files, 30,000 of them: all logs together are held in memory, and each item costs about
 * 20 microseconds to replay (measured).
 */
const MAX_ITEMS = 2 ** 17;
const MAX_BYTES = 32 * MIB;
/** Items are kept together: most have less bytes than an ArrayBuffer of their own would cost. */
const SLAB_BYTES = 64 * KIB;

/** The logs of all subvolumes; `limit` when there is more in them than is held in memory. */
export async function readLogs(
  volume: BtrfsVolume,
  logTree: TreeRoot,
  signal?: AbortSignal,
): Promise<SubvolumeLog[]> {
  const logs: SubvolumeLog[] = [];
  const where = within(volume.where, "log tree");
  const keep = slabs();
  const room = { items: MAX_ITEMS, bytes: MAX_BYTES };
  const first = makeKey(OBJECTID.TREE_LOG, ITEM.ROOT_ITEM);
  const trees = { first, last: { ...first, offset: MAX_OFFSET } };
  const spend = (bytes: number) => {
    room.items -= 1;
    room.bytes -= bytes;
    if (room.items < 0) throw overLimit(where, "number of items", `${MAX_ITEMS}`);
    if (room.bytes < 0) throw overLimit(where, "size", sizeText(MAX_BYTES));
  };
  for await (const entry of itemsBetween(volume, logTree, trees, signal)) {
    spend(entry.bytes.length);
    const root = parseRootItem(entry, OBJECTID.TREE_LOG);
    const items: Item[] = [];
    const all = { first: makeKey(0n, 0), last: makeKey(MAX_OFFSET, 255, MAX_OFFSET) };
    for await (const item of itemsBetween(volume, root, all, signal)) {
      spend(item.bytes.length);
      // A copy: a view would hold on to the block, and to whatever the cache read with it.
      items.push({ ...item, bytes: keep(item.bytes) });
    }
    logs.push({ subvolume: entry.key.offset, root, items });
  }
  return logs;
}

/** Copies bytes, many to one buffer. */
function slabs(): (bytes: Uint8Array) => Uint8Array {
  let slab = new Uint8Array(0);
  let used = 0;
  return (bytes) => {
    if (used + bytes.length > slab.length) {
      slab = new Uint8Array(Math.max(SLAB_BYTES, bytes.length));
      used = 0;
    }
    const copy = slab.subarray(used, used + bytes.length);
    copy.set(bytes);
    used += bytes.length;
    return copy;
  };
}
