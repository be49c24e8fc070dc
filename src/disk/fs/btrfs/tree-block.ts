/**
 * Blocks of metadata: inner nodes with keys and pointers, leaves with keys and items.
 *
 * Source: Linux include/uapi/linux/btrfs_tree.h `struct btrfs_header`, `btrfs_node`, `btrfs_leaf`; fs/btrfs/disk-io.c
 * (`btrfs_validate_extent_buffer`), fs/btrfs/tree-checker.c (`__btrfs_check_leaf`, `__btrfs_check_node`,
 * `btrfs_check_eb_owner`): the same checks, made once for each block that is read.
 */
import { corrupt } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import { u32le, u64le, u64leRaw, u8, uuid } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import { assertBlockChecksum } from "./checksum.ts";
import { compareKeys, compareKeysAt, ITEM, KEY_SIZE, keyText, OBJECTID, readKey } from "./key.ts";
import type { Key } from "./key.ts";
import { MAX_LEVEL } from "./superblock.ts";
import type { Superblock, TreeRoot } from "./superblock.ts";

/** At the start of every block, behind the checksum. */
export const btrfsHeader = struct("btrfs_header", 101, {
  fsid: [32, uuid],
  bytenr: [48, u64le],
  generation: [80, u64leRaw],
  owner: [88, u64leRaw],
  nritems: [96, u32le],
  level: [100, u8],
});

const HEADER_SIZE = 101;
/** A key, then u32 offset and size of the item's data, counted from the end of the header. */
const ITEM_SIZE = KEY_SIZE + 8;
/** A key, then u64 address and generation of the child. */
const POINTER_SIZE = KEY_SIZE + 16;

/** A block whose keys rise and whose items lie inside it. */
export type TreeBlock = {
  readonly bytenr: number;
  readonly generation: bigint;
  readonly owner: bigint;
  /** 0 for a leaf. */
  readonly level: number;
  /** Keys in it. */
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly where: Where;
};

/** What whoever points at a block knows about it. */
export type Expected = TreeRoot & {
  /** The key of the pointer; the root of a tree has none. */
  readonly first?: Key;
  /** The key of the next pointer: all keys below the block come before it. */
  readonly before?: Key;
};

/** An item of a leaf; `bytes` is a view into it. */
export type Item = { readonly key: Key; readonly bytes: Uint8Array; readonly where: Where };

/** The kernel's name of a tree, for failures. */
export function treeName(id: bigint): string {
  switch (id) {
    case OBJECTID.ROOT_TREE:
      return "root tree";
    case OBJECTID.EXTENT_TREE:
      return "extent tree";
    case OBJECTID.CHUNK_TREE:
      return "chunk tree";
    case OBJECTID.CSUM_TREE:
      return "checksum tree";
    case OBJECTID.TREE_LOG:
      return "log tree";
    default:
      return isSubvolume(id) ? `subvolume ${id}` : `tree ${id}`;
  }
}

/** Whether the tree of that id holds files. */
export function isSubvolume(id: bigint): boolean {
  return id === OBJECTID.FS_TREE || (id >= OBJECTID.FIRST_FREE && id <= OBJECTID.LAST_FREE);
}

/** Checks one block by itself: checksum, identity, order of keys, room for items. */
export function parseTreeBlock(
  superblock: Superblock,
  bytes: Uint8Array,
  { id, bytenr }: TreeRoot,
  outer: Where,
): TreeBlock {
  const where = within(outer, treeName(id), `block ${bytenr}`);
  const header = btrfsHeader.read(bytes, 0, where);
  assertBlockChecksum(superblock.checksum, bytes, where);
  if (header.fsid !== superblock.metadataUuid) {
    throw corrupt(where, `a block of filesystem ${header.fsid}`, superblock.metadataUuid);
  }
  if (header.bytenr !== bytenr) throw corrupt(where, `block ${header.bytenr}`, `${bytenr}`);
  const block: TreeBlock = {
    bytenr,
    generation: header.generation,
    owner: header.owner,
    level: header.level,
    count: header.nritems,
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    where,
  };
  assertKeys(block);
  if (block.level === 0) assertItems(block);
  return block;
}

function slotAt(block: TreeBlock, slot: number): number {
  return HEADER_SIZE + slot * (block.level === 0 ? ITEM_SIZE : POINTER_SIZE);
}

/** Fewer keys than fit, each above the one before it: a walk that goes from key to key never comes back. */
function assertKeys(block: TreeBlock): void {
  const { level, count, bytes, view, where } = block;
  if (level >= MAX_LEVEL) throw corrupt(where, `level ${level}`, `below ${MAX_LEVEL}`);
  const room = Math.floor((bytes.length - HEADER_SIZE) / (level === 0 ? ITEM_SIZE : POINTER_SIZE));
  if (count > room) throw corrupt(where, `${count} items`, `at most ${room}`);
  if (level > 0 && count === 0) throw corrupt(where, "a node without pointers", "at least 1");
  for (let slot = 1; slot < count; slot++) {
    if (compareKeysAt(view, slotAt(block, slot - 1), slotAt(block, slot)) < 0) continue;
    const found = `key ${keyText(keyAt(block, slot))} in slot ${slot}`;
    throw corrupt(where, found, `one above ${keyText(keyAt(block, slot - 1))}`);
  }
}

/** Items fill a leaf from its end without gaps, and stay clear of the keys that fill it from its start. */
function assertItems(block: TreeBlock): void {
  const { bytes, view, count, where } = block;
  let end = bytes.length - HEADER_SIZE;
  const floor = slotAt(block, count) - HEADER_SIZE;
  for (let slot = 0; slot < count; slot++) {
    const at = slotAt(block, slot) + KEY_SIZE;
    const offset = view.getUint32(at, true);
    const size = view.getUint32(at + 4, true);
    if (offset + size !== end || offset < floor) {
      const found = `item ${slot} of ${size} bytes at ${offset}`;
      throw corrupt(where, found, `one that ends at ${end} and begins after ${floor}`);
    }
    end = offset;
  }
}

/**
 * Checks a block against what its parent, or whoever knows the root, says about it. With the order of keys in the
 * parent this means that no two pointers can lead to the same block, however the tree is linked.
 */
export function assertExpected(block: TreeBlock, expected: Expected): void {
  const { level, generation, owner, count, where } = block;
  if (level !== expected.level) throw corrupt(where, `level ${level}`, `${expected.level}`);
  if (generation !== expected.generation) {
    throw corrupt(where, `generation ${generation}`, `${expected.generation}, as its parent says`);
  }
  // Snapshots share blocks, so any subvolume may own the block of another.
  if (owner !== expected.id && !(isSubvolume(owner) && isSubvolume(expected.id))) {
    throw corrupt(where, `a block of the ${treeName(owner)}`, treeName(expected.id));
  }
  const { first, before } = expected;
  if (first === undefined) return;
  if (count === 0) throw corrupt(where, "a leaf without items", "at least 1");
  if (compareKeys(keyAt(block, 0), first) !== 0) {
    throw corrupt(where, `first key ${keyText(keyAt(block, 0))}`, keyText(first));
  }
  if (before && compareKeys(keyAt(block, count - 1), before) >= 0) {
    throw corrupt(
      where,
      `last key ${keyText(keyAt(block, count - 1))}`,
      `below ${keyText(before)}`,
    );
  }
}

/** The key in a slot below `count`. */
export function keyAt(block: TreeBlock, slot: number): Key {
  return readKey(block.view, slotAt(block, slot));
}

/** The child that a slot of an inner node points to. `before` is the bound of the node itself. */
export function childAt(block: TreeBlock, slot: number, { id, before }: Expected): Expected {
  const at = slotAt(block, slot) + KEY_SIZE;
  const next = slot + 1 < block.count ? keyAt(block, slot + 1) : before;
  const pointer = btrfsKeyPtr.read(block.bytes, at, block.where);
  return {
    id,
    bytenr: pointer.blockptr,
    generation: pointer.generation,
    level: block.level - 1,
    first: keyAt(block, slot),
    ...(next && { before: next }),
  };
}

/** Behind the key. */
export const btrfsKeyPtr = struct("btrfs_key_ptr", 16, {
  blockptr: [0, u64le],
  generation: [8, u64leRaw],
});

/** The item in a slot of a leaf. */
export function itemAt(block: TreeBlock, slot: number): Item {
  const at = slotAt(block, slot);
  // `assertItems` has checked the range.
  const from = HEADER_SIZE + block.view.getUint32(at + KEY_SIZE, true);
  const size = block.view.getUint32(at + KEY_SIZE + 4, true);
  const key = readKey(block.view, at);
  return {
    key,
    bytes: block.bytes.subarray(from, from + size),
    where: itemWhere(block.where, key),
  };
}

/** The place of an item: people know files by their inode, not by the block that describes them. */
function itemWhere(block: Where, key: Key): Where {
  if (key.type < ITEM.EXTENT_CSUM && isSubvolume(key.objectid)) {
    return within(block, `inode ${key.objectid}`);
  }
  return within(block, `item ${keyText(key)}`);
}

/** The first slot whose key is not below `key`; `count` when there is none. */
export function lowerBound(block: TreeBlock, key: Key): number {
  let low = 0;
  let high = block.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKeys(keyAt(block, middle), key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The last slot whose key is not above `key`; -1 when there is none. */
export function floorSlot(block: TreeBlock, key: Key): number {
  const slot = lowerBound(block, key);
  return slot < block.count && compareKeys(keyAt(block, slot), key) === 0 ? slot : slot - 1;
}
