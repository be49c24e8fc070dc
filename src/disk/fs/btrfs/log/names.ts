/**
 * Names in a tree that is being changed: a name is in the directory by hash and by index, with the inode, and counts
 * in the directory's size.
 *
 * Source: Linux fs/btrfs/inode.c (`btrfs_add_link`, `__btrfs_unlink_inode`), fs/btrfs/dir-item.c.
 */
import { overLimit } from "../../../../base/failure.ts";
import { KIB, sizeText } from "../../../../base/units.ts";
import { sameBytes } from "../checksum.ts";
import { dirEntriesOf, dirItemBytes, nameHash } from "../dir-item.ts";
import type { DirEntry } from "../dir-item.ts";
import { ITEM, makeKey } from "../key.ts";
import type { Key } from "../key.ts";
import { inodeRefBytes, inodeRefKeys, inodeRefsOf } from "./inode-ref.ts";
import type { InodeRef } from "./inode-ref.ts";
import type { OverlayTree } from "./overlay.ts";

const MAX_ITEM_BYTES = 64 * KIB;
/** Offsets in `btrfs_inode_item`. */
const SIZE_AT = 16;
const LINKS_AT = 40;

const isNamed = (name: Uint8Array) => (one: { readonly name: Uint8Array }) =>
  sameBytes(one.name, name);

/** The entry of a directory by name. */
export async function entryByName(
  tree: OverlayTree,
  directory: bigint,
  name: Uint8Array,
): Promise<DirEntry | undefined> {
  const item = await tree.find(makeKey(directory, ITEM.DIR_ITEM, nameHash(name)));
  return item && dirEntriesOf(item).find(isNamed(name));
}

/** The entry of a directory at an index, if it has that name. */
export async function entryByIndex(
  tree: OverlayTree,
  directory: bigint,
  { index, name }: { readonly index: bigint; readonly name: Uint8Array },
): Promise<DirEntry | undefined> {
  const item = await tree.find(makeKey(directory, ITEM.DIR_INDEX, index));
  return item && dirEntriesOf(item).find(isNamed(name));
}

/** The key of the item that has a name of an inode, and all names in it. */
async function refItem(
  tree: OverlayTree,
  inode: bigint,
  parent: bigint,
  name: Uint8Array,
): Promise<{ readonly key: Key; readonly refs: readonly InodeRef[] } | undefined> {
  for (const key of inodeRefKeys(inode, parent, name)) {
    const item = await tree.find(key);
    const refs = item ? inodeRefsOf(item) : [];
    if (refs.some((ref) => ref.parent === parent && sameBytes(ref.name, name)))
      return { key, refs };
  }
  return undefined;
}

/** Whether the inode knows that it has this name. */
export async function hasRef(
  tree: OverlayTree,
  inode: bigint,
  parent: bigint,
  name: Uint8Array,
): Promise<boolean> {
  return (await refItem(tree, inode, parent, name)) !== undefined;
}

/** Puts a name into a directory, not into the inode. False when there is one of that name or index. */
export async function addEntry(
  tree: OverlayTree,
  directory: bigint,
  index: bigint,
  entry: DirEntry,
): Promise<boolean> {
  const byName = makeKey(directory, ITEM.DIR_ITEM, nameHash(entry.name));
  const byIndex = makeKey(directory, ITEM.DIR_INDEX, index);
  const item = await tree.find(byName);
  const others = item ? dirEntriesOf(item) : [];
  if (others.some(isNamed(entry.name)) || (await tree.find(byIndex))) return false;
  tree.put(byName, fitting(dirItemBytes([...others, entry])));
  tree.put(byIndex, dirItemBytes([entry]));
  await changeSize(tree, directory, 2 * entry.name.length);
  return true;
}

/** Gives an inode a name. */
export async function addRef(tree: OverlayTree, inode: bigint, ref: InodeRef): Promise<void> {
  const [key] = inodeRefKeys(inode, ref.parent, ref.name);
  const item = await tree.find(key);
  const refs = item ? inodeRefsOf(item) : [];
  tree.put(key, fitting(inodeRefBytes(key.type, [...refs, ref])));
}

/** No item is larger than the largest block: names whose hashes collide cannot be put in without end. */
function fitting(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= MAX_ITEM_BYTES) return bytes;
  throw overLimit(["log tree"], "names in one item", sizeText(MAX_ITEM_BYTES));
}

/** Takes a name from a directory and from the inode; what is not there is not missed. */
export async function removeName(
  tree: OverlayTree,
  directory: bigint,
  inode: bigint,
  name: Uint8Array,
): Promise<void> {
  const found = await refItem(tree, inode, directory, name);
  if (found) {
    const gone = (ref: InodeRef) => ref.parent === directory && sameBytes(ref.name, name);
    const kept = found.refs.filter((ref) => !gone(ref));
    if (kept.length > 0) tree.put(found.key, inodeRefBytes(found.key.type, kept));
    else tree.remove(found.key);
    const index = found.refs.find(gone)!.index;
    if (await entryByIndex(tree, directory, { index, name })) {
      tree.remove(makeKey(directory, ITEM.DIR_INDEX, index));
    }
  }
  const byName = makeKey(directory, ITEM.DIR_ITEM, nameHash(name));
  const item = await tree.find(byName);
  const entries = item ? dirEntriesOf(item) : [];
  const others = entries.filter((one) => !sameBytes(one.name, name));
  if (others.length === entries.length) return;
  if (others.length > 0) tree.put(byName, dirItemBytes(others));
  else tree.remove(byName);
  await changeSize(tree, directory, -2 * name.length);
}

async function changeSize(tree: OverlayTree, directory: bigint, by: number): Promise<void> {
  await changeInode(tree, directory, (view) => {
    const size = view.getBigUint64(SIZE_AT, true) + BigInt(by);
    view.setBigUint64(SIZE_AT, size < 0n ? 0n : size, true);
  });
}

/** Sets the number of links of an inode. */
export async function setLinks(tree: OverlayTree, inode: bigint, links: number): Promise<void> {
  await changeInode(tree, inode, (view) => view.setUint32(LINKS_AT, links, true));
}

/** Sets the size of an inode, in bytes. */
export async function setSize(tree: OverlayTree, inode: bigint, size: bigint): Promise<void> {
  await changeInode(tree, inode, (view) => view.setBigUint64(SIZE_AT, size, true));
}

async function changeInode(
  tree: OverlayTree,
  inode: bigint,
  change: (view: DataView) => void,
): Promise<void> {
  const key = makeKey(inode, ITEM.INODE_ITEM);
  const item = await tree.find(key);
  // Shorter ones are refused when they are read.
  if (!item || item.bytes.length < LINKS_AT + 4) return;
  const bytes = item.bytes.slice();
  change(new DataView(bytes.buffer));
  tree.put(key, bytes);
}
