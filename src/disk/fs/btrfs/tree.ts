/**
 * Searching trees. The way down is a stack of at most eight blocks, each one level below the one before it, and keys
 * rise along every walk: none visits a block twice, so it ends after as many blocks as the device has room for.
 *
 * Source: Linux fs/btrfs/ctree.c (`btrfs_search_slot`, `btrfs_next_leaf`).
 */
import { compareKeys } from "./key.ts";
import type { Key } from "./key.ts";
import type { TreeRoot } from "./superblock.ts";
import { childAt, floorSlot, itemAt, keyAt, lowerBound } from "./tree-block.ts";
import type { Expected, Item, TreeBlock } from "./tree-block.ts";
import type { BtrfsVolume } from "./volume.ts";

/** Items by key: a tree on disk, or one with a log applied to it. */
export type ItemTree = {
  /** The item of exactly this key. */
  find(key: Key): Promise<Item | undefined>;
  /** The last item of the key's object and type at or before the key. */
  floor(key: Key): Promise<Item | undefined>;
  /** By rising key, both ends included. */
  between(range: KeyRange, signal?: AbortSignal): AsyncIterable<Item>;
};

/** Both ends are included. */
export type KeyRange = { readonly first: Key; readonly last: Key };

/** A tree on disk. */
export function itemTree(volume: BtrfsVolume, root: TreeRoot): ItemTree {
  return {
    async find(key) {
      const found = await floorItem(volume, root, key);
      return found && compareKeys(found.key, key) === 0 ? found : undefined;
    },
    async floor(key) {
      const found = await floorItem(volume, root, key);
      return found && found.key.objectid === key.objectid && found.key.type === key.type
        ? found
        : undefined;
    },
    between: (range, signal) => itemsBetween(volume, root, range, signal),
  };
}

/** The last item at or before `key`, of whatever object and type. */
export async function floorItem(
  volume: BtrfsVolume,
  root: TreeRoot,
  key: Key,
): Promise<Item | undefined> {
  let expected: Expected = root;
  let block = await volume.readBlock(expected);
  while (block.level > 0) {
    const slot = floorSlot(block, key);
    if (slot < 0) return undefined;
    expected = childAt(block, slot, expected);
    block = await volume.readBlock(expected);
  }
  // The first key below a pointer is the pointer's own, which is not above `key`: only a root can be all above.
  const slot = floorSlot(block, key);
  return slot < 0 ? undefined : itemAt(block, slot);
}

/** The items from `first` to `last`, by rising key. */
export async function* itemsBetween(
  volume: BtrfsVolume,
  root: TreeRoot,
  { first, last }: KeyRange,
  signal?: AbortSignal,
): AsyncGenerator<Item> {
  for await (const leaf of leavesFrom(volume, root, first, signal)) {
    for (let slot = lowerBound(leaf, first); slot < leaf.count; slot++) {
      const item = itemAt(leaf, slot);
      if (compareKeys(item.key, last) > 0) return;
      yield item;
    }
  }
}

/** Every block of a tree, parents before children. */
export async function* blocksOf(
  volume: BtrfsVolume,
  root: TreeRoot,
  signal?: AbortSignal,
): AsyncGenerator<TreeBlock> {
  const stack: Expected[] = [root];
  for (let expected = stack.pop(); expected; expected = stack.pop()) {
    signal?.throwIfAborted();
    const block = await volume.readBlock(expected);
    yield block;
    // At most one node's pointers for each of the eight levels are on the stack.
    if (block.level === 0) continue;
    for (let slot = block.count - 1; slot >= 0; slot--) stack.push(childAt(block, slot, expected));
  }
}

/** The leaf that `key` belongs into, and all after it. */
async function* leavesFrom(
  volume: BtrfsVolume,
  root: TreeRoot,
  key: Key,
  signal?: AbortSignal,
): AsyncGenerator<TreeBlock> {
  const stack = [await frame(volume, root, key)];
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const { block, expected } = top;
    if (block.level > 0 && top.next < block.count) {
      signal?.throwIfAborted();
      stack.push(await frame(volume, childAt(block, top.next++, expected), key));
      continue;
    }
    stack.pop();
    if (block.level === 0) yield block;
  }
}

type Frame = { readonly block: TreeBlock; readonly expected: Expected; next: number };

/** A block on the way down, at the child that `key` belongs below: the first one when all its keys are later. */
async function frame(volume: BtrfsVolume, expected: Expected, key: Key): Promise<Frame> {
  const block = await volume.readBlock(expected);
  const later = expected.first !== undefined && compareKeys(keyAt(block, 0), key) > 0;
  return { block, expected, next: later ? 0 : Math.max(0, floorSlot(block, key)) };
}
