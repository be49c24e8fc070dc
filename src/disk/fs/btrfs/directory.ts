/**
 * Directories. A name is found by its hash, as the kernel finds it; lists are in the order of creation. An entry
 * can lead into another subvolume.
 *
 * Source: Linux fs/btrfs/inode.c (`btrfs_lookup_dentry`, `btrfs_real_readdir`, `new_simple_dir`).
 */
import { corrupt } from "../../../base/failure.ts";
import { decodeText, encodeText } from "../../../bytes/text.ts";
import type { Entry } from "../filesystem.ts";
import { sameBytes } from "./checksum.ts";
import { dirEntriesOf, nameHash } from "./dir-item.ts";
import type { DirEntry } from "./dir-item.ts";
import type { InodeDetail } from "./inode.ts";
import { ITEM, keyText, makeKey, MAX_OFFSET } from "./key.ts";
import { isSubvolumeThere } from "./root-item.ts";
import { inodeNumber, TOP_INODE } from "./subvolume.ts";
import type { Subvolumes } from "./subvolume.ts";
import type { BtrfsVolume } from "./volume.ts";

/** A filesystem seen from one of its subvolumes. */
export type View = { readonly volume: BtrfsVolume; readonly subvolumes: Subvolumes };

/** Every entry, in the order of creation. */
export async function* listDirectory(
  view: View,
  directory: InodeDetail,
  signal?: AbortSignal,
): AsyncGenerator<Entry> {
  assertDirectory(directory);
  const { subvolume, objectid } = directory;
  const first = makeKey(objectid, ITEM.DIR_INDEX);
  const range = { first, last: { ...first, offset: MAX_OFFSET } };
  for await (const item of subvolume.tree.between(range, signal)) {
    const [entry, ...more] = dirEntriesOf(item);
    if (!entry || more.length > 0) {
      throw corrupt(item.where, `${more.length && more.length + 1} entries`, "one for each index");
    }
    yield toEntry(view, directory, entry);
  }
}

/** The entry of that name, `undefined` when there is none. */
export async function lookupName(
  view: View,
  directory: InodeDetail,
  name: string,
): Promise<Entry | undefined> {
  assertDirectory(directory);
  const wanted = encodeText(name);
  const { subvolume, objectid } = directory;
  const item = await subvolume.tree.find(makeKey(objectid, ITEM.DIR_ITEM, nameHash(wanted)));
  const entry = item && dirEntriesOf(item).find((one) => sameBytes(one.name, wanted));
  return entry && toEntry(view, directory, entry);
}

function assertDirectory({ inode, where }: InodeDetail): void {
  if (inode.kind !== "directory") throw corrupt(where, inode.kind, "directory");
}

async function toEntry(view: View, directory: InodeDetail, entry: DirEntry): Promise<Entry> {
  const name = decodeText(entry.name);
  const { location, kind } = entry;
  if (location.type === ITEM.INODE_ITEM) {
    const number = inodeNumber(directory.subvolume, location.objectid, directory.where);
    return kind ? { name, number, kind } : { name, number };
  }
  if (location.type === ITEM.ROOT_ITEM) {
    const number = await subvolumeNumber(view, directory, entry);
    return { name, number, kind: "directory" };
  }
  const found = `${JSON.stringify(name)} leading to item ${keyText(location)}`;
  throw corrupt(directory.where, found, "an inode or a subvolume");
}

async function subvolumeNumber(
  { volume, subvolumes }: View,
  { inode, subvolume, objectid, where }: InodeDetail,
  { location, name }: DirEntry,
): Promise<number> {
  const child = location.objectid;
  const there = { parent: subvolume.id, child, directory: objectid, name };
  const found = (await isSubvolumeThere(volume, there)) && (await subvolumes.open(child));
  return found ? inodeNumber(found, TOP_INODE, where) : subvolumes.emptyNumber(inode, child);
}
