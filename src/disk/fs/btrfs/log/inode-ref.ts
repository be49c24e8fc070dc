/**
 * The names of an inode, kept with it: INODE_REF by directory, INODE_EXTREF by hash for what that has no room for.
 *
 * Source: Linux include/uapi/linux/btrfs_tree.h `struct btrfs_inode_ref`, `btrfs_inode_extref`, fs/btrfs/inode-item.c.
 */
import { corrupt } from "../../../../base/failure.ts";
import { crc32cUpdate } from "../../../../bytes/crc32c.ts";
import { u16le, u64leRaw } from "../../../../bytes/fields.ts";
import { struct } from "../../../../bytes/struct.ts";
import { ITEM, makeKey } from "../key.ts";
import type { Key } from "../key.ts";
import type { Item } from "../tree-block.ts";

/** The name follows each. */
export const btrfsInodeRef = struct("btrfs_inode_ref", 10, {
  index: [0, u64leRaw],
  name_len: [8, u16le],
});
export const btrfsInodeExtref = struct("btrfs_inode_extref", 18, {
  parent_objectid: [0, u64leRaw],
  index: [8, u64leRaw],
  name_len: [16, u16le],
});

/** One name of an inode. */
export type InodeRef = {
  /** The directory. */
  readonly parent: bigint;
  /** The offset of its DIR_INDEX key. */
  readonly index: bigint;
  readonly name: Uint8Array;
};

/** The names in an INODE_REF or INODE_EXTREF item. */
export function inodeRefsOf({ key, bytes, where }: Item): InodeRef[] {
  const refs: InodeRef[] = [];
  const extended = key.type === ITEM.INODE_EXTREF;
  const size = extended ? btrfsInodeExtref.size : btrfsInodeRef.size;
  // Every turn takes the struct at least.
  for (let at = 0; at < bytes.length;) {
    const parent = extended ? btrfsInodeExtref.read(bytes, at, where).parent_objectid : key.offset;
    // The rest is the same behind the parent.
    const { index, name_len: length } = btrfsInodeRef.read(
      bytes,
      at + size - btrfsInodeRef.size,
      where,
    );
    const from = at + size;
    if (length === 0 || from + length > bytes.length) {
      throw corrupt(where, `a name of ${length} bytes`, `1 to ${bytes.length - from}`);
    }
    refs.push({ parent, index, name: bytes.subarray(from, from + length) });
    at = from + length;
  }
  return refs;
}

/** The bytes of an INODE_REF or INODE_EXTREF item with these names. */
export function inodeRefBytes(type: number, refs: readonly InodeRef[]): Uint8Array {
  const extended = type === ITEM.INODE_EXTREF;
  const size = extended ? btrfsInodeExtref.size : btrfsInodeRef.size;
  const bytes = new Uint8Array(refs.reduce((sum, { name }) => sum + size + name.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { parent, index, name } of refs) {
    if (extended) view.setBigUint64(at, parent, true);
    view.setBigUint64(at + size - 10, index, true);
    view.setUint16(at + size - 2, name.length, true);
    bytes.set(name, at + size);
    at += size + name.length;
  }
  return bytes;
}

/** The two keys under which an inode can have a name. */
export function inodeRefKeys(inode: bigint, parent: bigint, name: Uint8Array): [Key, Key] {
  const hash = BigInt(crc32cUpdate(Number(parent & 0xffff_ffffn), name));
  return [makeKey(inode, ITEM.INODE_REF, parent), makeKey(inode, ITEM.INODE_EXTREF, hash)];
}
