/**
 * The root tree: where the roots of all other trees are, which subvolumes there are, and which one is the default.
 *
 * Source: Linux include/uapi/linux/btrfs_tree.h `struct btrfs_root_item`, `btrfs_root_ref`, fs/btrfs/root-tree.c,
 * fs/btrfs/super.c (`get_default_subvol_objectid`), fs/btrfs/inode.c (`fixup_tree_root_location`).
 */
import { corrupt } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import { u16le, u32le, u64le, u64leRaw, u8 } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import { encodeText } from "../../../bytes/text.ts";
import { sameBytes } from "./checksum.ts";
import { dirEntriesOf, nameHash } from "./dir-item.ts";
import { ITEM, makeKey, MAX_OFFSET, OBJECTID } from "./key.ts";
import type { TreeRoot } from "./superblock.ts";
import { MAX_LEVEL } from "./superblock.ts";
import { isSubvolume } from "./tree-block.ts";
import type { Item } from "./tree-block.ts";
import { itemTree } from "./tree.ts";
import type { BtrfsVolume } from "./volume.ts";

/** What all versions of it have; an inode comes first, then the fields that are looked at. */
export const btrfsRootItem = struct("btrfs_root_item", 239, {
  generation: [160, u64leRaw],
  bytenr: [176, u64le],
  refs: [216, u32le],
  level: [238, u8],
});

/** The name follows it. */
export const btrfsRootRef = struct("btrfs_root_ref", 18, {
  dirid: [0, u64leRaw],
  name_len: [16, u16le],
});

/** The root of tree `id`; `undefined` when there is none, or it is a subvolume that is being deleted. */
export async function findRoot(volume: BtrfsVolume, id: bigint): Promise<TreeRoot | undefined> {
  const tree = itemTree(volume, volume.superblock.rootTree);
  // The offset is the transaction of a snapshot, 0 for the rest; there is one item for each id.
  const item = await tree.floor(makeKey(id, ITEM.ROOT_ITEM, MAX_OFFSET));
  if (!item) return undefined;
  const raw = btrfsRootItem.read(item.bytes, 0, item.where);
  return raw.refs === 0 ? undefined : parseRootItem(item, id);
}

/** `id` is the tree's id, which its blocks have as owner: for the trees of a log it is not that of the key. */
export function parseRootItem(item: Item, id: bigint): TreeRoot {
  const { bytenr, generation, level } = btrfsRootItem.read(item.bytes, 0, item.where);
  if (level >= MAX_LEVEL) throw corrupt(item.where, `level ${level}`, `below ${MAX_LEVEL}`);
  return { id, bytenr, generation, level };
}

/** The root of a tree that every filesystem has. */
export async function needRoot(volume: BtrfsVolume, id: bigint, name: string): Promise<TreeRoot> {
  const root = await findRoot(volume, id);
  if (!root) throw corrupt(within(volume.where, "root tree"), `no ${name}`, "one");
  return root;
}

/** The subvolume that is mounted when nothing else is asked for. */
export async function defaultSubvolume(volume: BtrfsVolume): Promise<bigint> {
  const { rootTree, rootDirectory } = volume.superblock;
  const name = encodeText("default");
  const item = await itemTree(volume, rootTree).find(
    makeKey(rootDirectory, ITEM.DIR_ITEM, nameHash(name)),
  );
  const entry = item && dirEntriesOf(item).find((one) => sameBytes(one.name, name));
  const id = entry?.location.objectid ?? OBJECTID.FS_TREE;
  if (entry && (entry.location.type !== ITEM.ROOT_ITEM || !isSubvolume(id))) {
    throw corrupt(item.where, `a default of type ${entry.location.type}, id ${id}`, "a subvolume");
  }
  return id;
}

/** What a directory entry says about the subvolume that it leads to. */
export type SubvolumeEntry = {
  /** The subvolume that has the directory. */
  readonly parent: bigint;
  readonly child: bigint;
  readonly directory: bigint;
  readonly name: Uint8Array;
};

/**
 * Whether the root tree agrees that this entry is where the subvolume is. It does not for the entries that a snapshot
 * has copied: the subvolumes below its origin are not in it.
 */
export async function isSubvolumeThere(
  volume: BtrfsVolume,
  { parent, child, directory, name }: SubvolumeEntry,
): Promise<boolean> {
  const tree = itemTree(volume, volume.superblock.rootTree);
  const item = await tree.find(makeKey(parent, ITEM.ROOT_REF, child));
  if (!item) return false;
  const { dirid, name_len: length } = btrfsRootRef.read(item.bytes, 0, item.where);
  if (btrfsRootRef.size + length > item.bytes.length) {
    throw corrupt(item.where, `a name of ${length} bytes`, `less than ${item.bytes.length}`);
  }
  const stored = item.bytes.subarray(btrfsRootRef.size, btrfsRootRef.size + length);
  return dirid === directory && sameBytes(stored, name);
}
