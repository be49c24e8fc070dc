/**
 * Keys: every item of every tree has one, (objectid, type, offset), and trees are sorted by it.
 *
 * Source: Linux include/uapi/linux/btrfs_tree.h `struct btrfs_disk_key`. Ids and offsets use all 64 bits (the special
 * objects count down from 2^64 - 1), so they are bigints until a reader knows what they mean.
 */
import { corrupt } from "../../../base/failure.ts";
import type { Where } from "../../../base/where.ts";

export type Key = { readonly objectid: bigint; readonly type: number; readonly offset: bigint };

/** In bytes, on disk: little endian, packed. */
export const KEY_SIZE = 17;

export const MAX_OFFSET = 2n ** 64n - 1n;

/** BTRFS_*_KEY: the types of items that are looked at. */
export const ITEM = {
  INODE_ITEM: 1,
  INODE_REF: 12,
  INODE_EXTREF: 13,
  DIR_LOG_INDEX: 72,
  DIR_ITEM: 84,
  DIR_INDEX: 96,
  EXTENT_DATA: 108,
  EXTENT_CSUM: 128,
  ROOT_ITEM: 132,
  ROOT_REF: 156,
  EXTENT_ITEM: 168,
  METADATA_ITEM: 169,
  CHUNK_ITEM: 228,
} as const;

/** BTRFS_*_OBJECTID: trees, and the objects that are not inodes. */
export const OBJECTID = {
  ROOT_TREE: 1n,
  EXTENT_TREE: 2n,
  CHUNK_TREE: 3n,
  FS_TREE: 5n,
  CSUM_TREE: 7n,
  FIRST_FREE: 256n,
  FIRST_CHUNK_TREE: 256n,
  TREE_LOG: 2n ** 64n - 6n,
  EXTENT_CSUM: 2n ** 64n - 10n,
  LAST_FREE: 2n ** 64n - 256n,
} as const;

export function makeKey(objectid: bigint, type: number, offset: bigint = 0n): Key {
  return { objectid, type, offset };
}

/** The caller has checked that the key lies inside `view`. */
export function readKey(view: DataView, at: number): Key {
  return {
    objectid: view.getBigUint64(at, true),
    type: view.getUint8(at + 8),
    offset: view.getBigUint64(at + 9, true),
  };
}

/** Below 0 when `a` sorts before `b`. */
export function compareKeys(a: Key, b: Key): number {
  if (a.objectid !== b.objectid) return a.objectid < b.objectid ? -1 : 1;
  if (a.type !== b.type) return a.type - b.type;
  if (a.offset !== b.offset) return a.offset < b.offset ? -1 : 1;
  return 0;
}

/** `compareKeys` for two keys in the same bytes, without making them: every key of every block is compared once. */
export function compareKeysAt(view: DataView, a: number, b: number): number {
  return (
    compareWords(view, a, b) ||
    view.getUint8(a + 8) - view.getUint8(b + 8) ||
    compareWords(view, a + 9, b + 9)
  );
}

function compareWords(view: DataView, a: number, b: number): number {
  return (
    view.getUint32(a + 4, true) - view.getUint32(b + 4, true) ||
    view.getUint32(a, true) - view.getUint32(b, true)
  );
}

/** `(257 1 0)`, as `btrfs inspect-internal dump-tree` orders it. */
export function keyText({ objectid, type, offset }: Key): string {
  return `(${objectid} ${type} ${offset})`;
}

/** A byte count or address that a key or field holds: no device has 2^53 bytes. */
export function toNumber(value: bigint, what: string, where: Where): number {
  if (value > Number.MAX_SAFE_INTEGER) throw corrupt(where, `${what} ${value}`, "below 2^53");
  return Number(value);
}
