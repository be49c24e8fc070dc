/**
 * Subvolumes of one filesystem, and numbers for inodes that are unique over all of them.
 *
 * An inode's own number is unique in its subvolume only. The number that callers see has the subvolume in its upper
 * bits: not its id, but the order in which subvolumes were met. The one that a view begins at comes first, so its
 * inodes have the numbers that `ls -i` shows; those of others are good for one view only.
 */
import { corrupt, overLimit } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import type { Inode } from "../filesystem.ts";
import { findRoot } from "./root-item.ts";
import { isSubvolume, treeName } from "./tree-block.ts";
import { itemTree } from "./tree.ts";
import type { ItemTree } from "./tree.ts";
import type { BtrfsVolume } from "./volume.ts";

/** BTRFS_FIRST_FREE_OBJECTID: the top directory of every subvolume. */
export const TOP_INODE = 256n;
/** BTRFS_EMPTY_SUBVOL_DIR_OBJECTID: what the kernel shows in place of a subvolume that is not there. */
export const EMPTY_INODE = 2n;

/** 137 thousand million inodes were made before a number is above: a thousand each second for four years. */
const INODE_RANGE = 2 ** 37;
/** What is left of 2^53. */
const MAX_PLACES = 2 ** 16;

/** A subvolume that inodes are read from. */
export type Subvolume = {
  readonly id: bigint;
  /** The upper bits of its inodes' numbers. */
  readonly place: number;
  readonly tree: ItemTree;
  /** The unit in which contents take space. */
  readonly sectorSizeBytes: number;
  readonly where: Where;
};

/** A directory entry whose subvolume is not there; `directory` has the entry. */
export type EmptyPlace = { readonly place: number; readonly directory: Inode };

/** The subvolumes that one view has met. */
export type Subvolumes = {
  /** `undefined` when there is no such subvolume. */
  open(id: bigint): Promise<Subvolume | undefined>;
  /** The number of a directory that stands for a missing subvolume; the same for the same entry. */
  emptyNumber(directory: Inode, child: bigint): number;
  /** What a number belongs to, and the rest of it. */
  resolve(number: number): { readonly at: Subvolume | EmptyPlace; readonly objectid: bigint };
};

/** The log's changes to a subvolume's tree, over the tree that is given. */
export type Replayed = (id: bigint, tree: ItemTree) => ItemTree;

export function subvolumesOf(volume: BtrfsVolume, replayed: Replayed): Subvolumes {
  const places: (Subvolume | EmptyPlace)[] = [];
  const known = new Map<string, Subvolume | EmptyPlace>();

  function add<T extends Subvolume | EmptyPlace>(name: string, make: (place: number) => T): T {
    if (places.length >= MAX_PLACES) {
      throw overLimit(volume.where, "number of subvolumes looked into", `${MAX_PLACES}`);
    }
    const made = make(places.length);
    places.push(made);
    known.set(name, made);
    return made;
  }

  return {
    async open(id) {
      const name = `subvolume ${id}`;
      const isNew = isSubvolume(id) && !known.has(name);
      const root = isNew ? await findRoot(volume, id) : undefined;
      // Asked for again: somebody else may have opened it meanwhile.
      const hit = known.get(name);
      if (hit && "tree" in hit) return hit;
      if (!root) return undefined;
      const tree = replayed(id, itemTree(volume, root));
      const where = within(volume.where, treeName(id));
      const { sectorSizeBytes } = volume.superblock;
      return add(name, (place) => ({ id, place, tree, sectorSizeBytes, where }));
    },
    emptyNumber(directory, child) {
      const name = `empty ${directory.number} ${child}`;
      const { place } = known.get(name) ?? add(name, (at) => ({ place: at, directory }));
      return place * INODE_RANGE + Number(EMPTY_INODE);
    },
    resolve(number) {
      const at = places[Math.floor(number / INODE_RANGE)];
      if (!at || !Number.isSafeInteger(number) || number < 0) {
        throw corrupt(volume.where, `inode number ${number}`, "one that was given out before");
      }
      return { at, objectid: BigInt(number % INODE_RANGE) };
    },
  };
}

/** The number for callers. `where` is what refers to the inode. */
export function inodeNumber(subvolume: Subvolume, objectid: bigint, where: Where): number {
  if (objectid >= INODE_RANGE) {
    throw overLimit(where, `the number ${objectid} of an inode`, `${INODE_RANGE}`);
  }
  return subvolume.place * INODE_RANGE + Number(objectid);
}
