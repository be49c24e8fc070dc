/**
 * Replays the log of a subvolume in memory, as the kernel does on disk when it mounts: deletions and inodes first, then
 * names of directories, then names of inodes and extents, at last the numbers of links.
 *
 * Source: Linux fs/btrfs/tree-log.c (`replay_one_buffer` and what it calls). As Linux 5.19 and later do, only the
 * names by index are replayed from directories. Extended attributes are not: nothing here reads them.
 */
import { Budget } from "../../../../base/budget.ts";
import { corrupt } from "../../../../base/failure.ts";
import { within } from "../../../../base/where.ts";
import { u64leRaw } from "../../../../bytes/fields.ts";
import { struct } from "../../../../bytes/struct.ts";
import { sameBytes } from "../checksum.ts";
import { dirEntriesOf } from "../dir-item.ts";
import type { DirEntry } from "../dir-item.ts";
import { btrfsInodeItem } from "../inode.ts";
import { ITEM, keyText, makeKey, MAX_OFFSET } from "../key.ts";
import type { Key } from "../key.ts";
import type { Item } from "../tree-block.ts";
import { treeName } from "../tree-block.ts";
import type { ItemTree } from "../tree.ts";
import type { BtrfsVolume } from "../volume.ts";
import { alignUp, dropExtents, replayExtent } from "./extents.ts";
import type { Target } from "./extents.ts";
import { inodeRefsOf } from "./inode-ref.ts";
import type { InodeRef } from "./inode-ref.ts";
import type { SubvolumeLog } from "./log-tree.ts";
import {
  addEntry,
  addRef,
  entryByIndex,
  entryByName,
  hasRef,
  removeName,
  setLinks,
  setSize,
} from "./names.ts";
import { overlayTree } from "./overlay.ts";

/** Says up to which index (included) the log knows all names of a directory; the key's offset is the first. */
export const btrfsDirLogItem = struct("btrfs_dir_log_item", 8, { end: [0, u64leRaw] });

const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
/** `fs_umode_to_ftype` for the upper four bits of a mode. */
const FILE_TYPES: Readonly<Record<number, number>> = { 8: 1, 4: 2, 2: 3, 6: 4, 1: 5, 12: 6, 10: 7 };

/**
 * Items of the subvolume that are looked at together, in all: names in the ranges that the log knows, extents that it
 * replaces. Most of them are in the log as well, which has at most 2^17 items.
 */
const MAX_COLLECTED = 2 ** 18;

type Replay = Target & {
  /** By `keyText`. */
  readonly log: ReadonlyMap<string, Item>;
  /** Without those of inodes that have no name any more. */
  readonly items: readonly Item[];
  /** What the log knows all names of, by directory. */
  readonly ranges: ReadonlyMap<bigint, readonly Item[]>;
  /** Inodes whose links are counted at the end. */
  readonly recount: Set<bigint>;
};

/** The subvolume's tree as it will be after the replay. `corrupt` when the log contradicts the tree or itself. */
export async function replayLog(
  volume: BtrfsVolume,
  base: ItemTree,
  log: SubvolumeLog,
): Promise<ItemTree> {
  const where = within(volume.where, "log tree", treeName(log.subvolume));
  const items = [...linkedItems(log.items)];
  const replay: Replay = {
    volume,
    tree: overlayTree(base),
    log: new Map(log.items.map((item) => [keyText(item.key), item])),
    items,
    ranges: Map.groupBy(
      items.filter(({ key }) => key.type === ITEM.DIR_LOG_INDEX),
      ({ key }) => key.objectid,
    ),
    recount: new Set(),
    budget: new Budget(MAX_COLLECTED, where, "number of items to change"),
  };
  for (const item of items) {
    if (item.key.type === ITEM.INODE_ITEM) await replayInode(replay, item);
  }
  for (const item of items) {
    if (item.key.type === ITEM.DIR_INDEX) await replayName(replay, item);
  }
  for (const item of items) {
    const { type } = item.key;
    if (type === ITEM.INODE_REF || type === ITEM.INODE_EXTREF) await replayRefs(replay, item);
    if (type === ITEM.EXTENT_DATA) {
      await needInode(replay, item);
      await replayExtent(replay, item);
    }
  }
  await recountLinks(replay);
  return replay.tree;
}

/** An inode without links was deleted while it was open; its directory knows. */
function* linkedItems(items: readonly Item[]): Generator<Item> {
  let gone: bigint | undefined;
  for (const item of items) {
    const { objectid, type } = item.key;
    if (type === ITEM.INODE_ITEM) {
      gone = btrfsInodeItem.read(item.bytes, 0, item.where).nlink === 0 ? objectid : undefined;
    }
    if (gone !== objectid) yield item;
  }
}

async function needInode({ tree }: Replay, { key, where }: Item): Promise<Item> {
  const item = await tree.find(makeKey(key.objectid, ITEM.INODE_ITEM));
  if (!item) throw corrupt(where, "an item of the log for it", "an inode that is there");
  return item;
}

async function replayInode(replay: Replay, item: Item): Promise<void> {
  const { volume, tree, recount } = replay;
  const { key, bytes, where } = item;
  const logged = btrfsInodeItem.read(bytes, 0, where);
  const isDirectory = (logged.mode & S_IFMT) === S_IFDIR;
  const present = await tree.find(key);
  if (isDirectory && present) await replayDeletes(replay, key.objectid);
  // Again: deletions have changed its size.
  const old = await tree.find(key);
  const before = old && btrfsInodeItem.read(old.bytes, 0, where);
  if (before && logged.generation === 0n) {
    // Only to say that it exists; the size of a file that was never synced is not known either.
    const isFile = (logged.mode & before.mode & S_IFMT) === S_IFREG;
    if (isFile && logged.size !== 0n) await setSize(tree, key.objectid, logged.size);
  } else {
    tree.put(key, bytes);
    // The size of a directory goes with its names as they are put in and taken out.
    const known = before && (before.mode & S_IFMT) === S_IFDIR ? before.size : 0n;
    if (isDirectory) await setSize(tree, key.objectid, known);
  }
  if ((logged.mode & S_IFMT) === S_IFREG) {
    const { size } = btrfsInodeItem.read((await needInode(replay, item)).bytes, 0, where);
    const range = { inode: key.objectid, to: Number.MAX_SAFE_INTEGER };
    // Sizes above 2^53 are refused when the file is read.
    if (size < 2n ** 52n)
      await dropExtents(replay, { ...range, from: alignUp(volume, Number(size)) });
  }
  recount.add(key.objectid);
}

/** Takes out the names that the log would have if they still were. */
async function replayDeletes(replay: Replay, directory: bigint): Promise<void> {
  const { log, ranges } = replay;
  for (const { key, bytes, where } of ranges.get(directory) ?? []) {
    const { end } = btrfsDirLogItem.read(bytes, 0, where);
    const first = makeKey(directory, ITEM.DIR_INDEX, key.offset);
    for (const item of await collect(replay, first, { ...first, offset: end })) {
      const [entry] = dirEntriesOf(item);
      const logged = log.get(keyText(item.key));
      const isKept =
        logged && entry && dirEntriesOf(logged).some(({ name }) => sameBytes(name, entry.name));
      if (entry && !isKept) await dropEntry(replay, directory, entry);
    }
  }
}

/** All items of a range at once: what follows changes the tree. A directory without end is a limit, not an allocation. */
async function collect({ tree, budget }: Replay, first: Key, last: Key): Promise<Item[]> {
  const items: Item[] = [];
  if (first.offset > last.offset) return items;
  for await (const item of tree.between({ first, last })) {
    budget.spend();
    items.push(item);
  }
  return items;
}

/** Unlinks what an entry leads to. */
async function dropEntry(replay: Replay, directory: bigint, entry: DirEntry): Promise<void> {
  const { tree, recount } = replay;
  const inode = entry.location.objectid;
  if (entry.location.type === ITEM.INODE_ITEM) recount.add(inode);
  await removeName(tree, directory, inode, entry.name);
}

/** Puts a name of a synced directory in, unless the inode's own names will: they know more. */
async function replayName(replay: Replay, item: Item): Promise<void> {
  const { tree, log, recount } = replay;
  const { objectid: directory, offset: index } = item.key;
  const [entry] = dirEntriesOf(item);
  if (!entry) return;
  await needInode(replay, item);
  const { location, name, type } = entry;
  const inode = location.objectid;
  const exists = (await tree.find(makeKey(inode, ITEM.INODE_ITEM))) !== undefined;
  let matches = 0;
  for (const find of [
    () => entryByName(tree, directory, name),
    () => entryByIndex(tree, directory, { index, name }),
  ]) {
    const present = await find();
    if (!present) continue;
    const same = present.location.objectid === inode && present.location.type === location.type;
    if (same && present.type === type) matches += 1;
    else if (exists) await dropEntry(replay, directory, present);
  }
  if (matches === 2 || !exists || location.type !== ITEM.INODE_ITEM) return;
  const refs = log.get(keyText(makeKey(inode, ITEM.INODE_REF, directory)));
  if (refs && inodeRefsOf(refs).some((ref) => sameBytes(ref.name, name))) return;
  if (await hasRef(tree, inode, directory, name)) return;
  if (!(await addEntry(tree, directory, index, entry))) return;
  await addRef(tree, inode, { parent: directory, index, name });
  recount.add(inode);
}

/** Makes the names of an inode in one directory those that the log has. */
async function replayRefs(replay: Replay, item: Item): Promise<void> {
  const { tree } = replay;
  const { objectid: inode } = item.key;
  const refs = inodeRefsOf(item);
  const { mode } = btrfsInodeItem.read((await needInode(replay, item)).bytes, 0, item.where);
  for (const { parent } of refs) {
    // The top directory is its own parent, and has no entry.
    if (parent === inode) return;
    // Not all directories above an inode are in the log: its names then stay as they were.
    if (!(await tree.find(makeKey(parent, ITEM.INODE_ITEM)))) return;
  }
  const old = await tree.find(item.key);
  for (const ref of old ? inodeRefsOf(old) : []) {
    const isKept = refs.some((one) => one.parent === ref.parent && sameBytes(one.name, ref.name));
    if (!isKept) await removeName(tree, ref.parent, inode, ref.name);
  }
  for (const ref of refs) {
    await replayRef(replay, inode, ref, FILE_TYPES[(mode & S_IFMT) >>> 12] ?? 0);
  }
  tree.put(item.key, item.bytes);
}

async function replayRef(
  replay: Replay,
  inode: bigint,
  { parent, index, name }: InodeRef,
  type: number,
): Promise<void> {
  const { tree } = replay;
  const isOurs = (entry: DirEntry | undefined) =>
    entry?.location.objectid === inode && entry.location.type === ITEM.INODE_ITEM;
  const byIndex = await entryByIndex(tree, parent, { index, name });
  const byName = await entryByName(tree, parent, name);
  if (isOurs(byIndex) && isOurs(byName)) return;
  if (byIndex) await dropEntry(replay, parent, byIndex);
  if (byName) await dropEntry(replay, parent, byName);
  // The same name under another index.
  await removeName(tree, parent, inode, name);
  const location = makeKey(inode, ITEM.INODE_ITEM);
  await addEntry(tree, parent, index, { location, name, type, kind: undefined });
}

/** Counts the names of every inode that was touched; a directory without one takes its names with it. */
async function recountLinks(replay: Replay): Promise<void> {
  const { tree, recount } = replay;
  // A set gives what is added to it while it is gone through, and each once.
  for (const inode of recount) {
    const item = await tree.find(makeKey(inode, ITEM.INODE_ITEM));
    if (!item) continue;
    const first = makeKey(inode, ITEM.INODE_REF);
    const refs = await collect(replay, first, makeKey(inode, ITEM.INODE_EXTREF, MAX_OFFSET));
    const links = refs.reduce((sum, one) => sum + inodeRefsOf(one).length, 0);
    await setLinks(tree, inode, links);
    const { mode } = btrfsInodeItem.read(item.bytes, 0, item.where);
    if (links > 0 || (mode & S_IFMT) !== S_IFDIR) continue;
    const names = makeKey(inode, ITEM.DIR_INDEX);
    for (const one of await collect(replay, names, { ...names, offset: MAX_OFFSET })) {
      for (const entry of dirEntriesOf(one)) await dropEntry(replay, inode, entry);
    }
  }
}
