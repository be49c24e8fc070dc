/**
 * The B-trees of device-mapper's persistent data: 64-bit keys, values of a fixed size, in inner nodes the numbers of the
 * children's blocks.
 *
 * Source: Linux drivers/md/persistent-data/dm-btree-internal.h `struct node_header`, dm-btree-spine.c `node_check`.
 */
import { Budget } from "../../base/budget.ts";
import { corrupt } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import { u32le, u64le } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import type { ByteSource } from "../source.ts";
import { BTREE_CSUM_XOR, METADATA_BLOCK_BYTES, readMetadataBlock } from "./metadata-block.ts";

export const nodeHeader = struct("node_header", 32, {
  csum: [0, u32le],
  flags: [4, u32le],
  blocknr: [8, u64le],
  nr_entries: [16, u32le],
  /** Places for keys; the values begin behind them. */
  max_entries: [20, u32le],
  value_size: [24, u32le],
});

export const INTERNAL_NODE = 1;
export const LEAF_NODE = 2;

const KEY_BYTES = 8;
/** Of a child's block number. */
const POINTER_BYTES = 8;
/** A node has room for 252 pairs of 16 bytes: no tree of 64-bit keys that is at all balanced comes near. */
const MAX_LEVELS = 32;

const treeKey = struct("btree key", KEY_BYTES, { key: [0, u64le] });
const treePointer = struct("btree child", POINTER_BYTES, { block: [0, u64le] });

export type Tree = {
  readonly metadata: ByteSource;
  /** Block of the root. */
  readonly root: number;
  /** Size of a leaf's values. */
  readonly valueBytes: number;
};

export type TreeNode = {
  readonly isLeaf: boolean;
  readonly count: number;
  readonly where: Where;
  key(index: number): number;
  /** Of an inner node. */
  child(index: number): number;
  /** Of a leaf; a view. */
  value(index: number): DataView;
};

/** A node with its checksum right; `corrupt` when its parts do not fit into it. */
export async function readTreeNode(tree: Tree, block: number): Promise<TreeNode> {
  const asked = { block, xor: BTREE_CSUM_XOR, name: "tree node" };
  const { bytes, where } = await readMetadataBlock(tree.metadata, asked);
  const header = nodeHeader.read(bytes, 0, where);
  const { flags, nr_entries: count, max_entries: places, value_size } = header;
  if (flags !== INTERNAL_NODE && flags !== LEAF_NODE) {
    throw corrupt(where, `flags ${flags}`, "1 for an inner node or 2 for a leaf");
  }
  const isLeaf = flags === LEAF_NODE;
  const valueBytes = isLeaf ? tree.valueBytes : POINTER_BYTES;
  if (value_size !== valueBytes) {
    throw corrupt(where, `values of ${value_size} bytes`, `${valueBytes} bytes`);
  }
  if (count > places || nodeHeader.size + places * (KEY_BYTES + valueBytes) > bytes.length) {
    throw corrupt(where, `${count} entries in ${places} places`, "entries that fit into the node");
  }
  // Inside the block by the check above, for every index below `count`.
  const keyAt = (index: number) => nodeHeader.size + index * KEY_BYTES;
  const valueAt = (index: number) => keyAt(places) + index * valueBytes;
  return {
    isLeaf,
    count,
    where,
    key: (index) => treeKey.read(bytes, keyAt(index), where).key,
    child: (index) => treePointer.read(bytes, valueAt(index), where).block,
    value: (index) => new DataView(bytes.buffer, bytes.byteOffset + valueAt(index), valueBytes),
  };
}

/** What a cursor stands before: an entry of a leaf, or a subtree that was not opened yet. */
export type TreeHead = {
  /** Of the entry; of a subtree, a lower bound of its keys. */
  readonly key: number;
  /** The root of the subtree; absent for an entry. */
  readonly block?: number;
  /** Absent for a subtree. */
  readonly value?: DataView;
};

type Level = { readonly node: TreeNode; next: number };

/**
 * Goes through a tree from its lowest key on, and lets whoever goes skip subtrees without reading them. Every level is one
 * below its parent, keys ascend over all nodes, and there are no more nodes than blocks: so it ends, however the tree is linked.
 */
export class TreeCursor {
  readonly #tree: Tree;
  readonly #levels: Level[] = [];
  readonly #budget: Budget;
  #head: TreeHead | undefined;
  /** What the next key must be above; a subtree may begin with it. */
  #above = -1;

  constructor(tree: Tree) {
    this.#tree = tree;
    const blockCount = Math.floor(tree.metadata.size / METADATA_BLOCK_BYTES);
    this.#budget = new Budget(blockCount, tree.metadata.where, "the number of nodes of a tree");
    this.#head = { key: 0, block: tree.root };
  }

  /** `undefined` at the end. */
  get head(): TreeHead | undefined {
    return this.#head;
  }

  /** How deep the head is: 0 for the root. */
  get depth(): number {
    return this.#levels.length;
  }

  /** Goes on behind the head, whatever it is. */
  skip(): void {
    for (let top = this.#levels.at(-1); top; top = this.#levels.at(-1)) {
      if (top.next < top.node.count) {
        this.#head = this.#headOf(top);
        return;
      }
      this.#levels.pop();
    }
    this.#head = undefined;
  }

  /** Goes down into the head, which is a subtree. */
  async open(): Promise<void> {
    const { block, key } = this.#head!;
    this.#budget.spend();
    const node = await readTreeNode(this.#tree, block!);
    if (this.#levels.length >= MAX_LEVELS) {
      throw corrupt(node.where, `level ${this.#levels.length + 1}`, `at most ${MAX_LEVELS} levels`);
    }
    if (node.count > 0 && node.key(0) < key) {
      throw corrupt(node.where, `key ${node.key(0)} first`, `${key} or above, as its parent says`);
    }
    // What the subtree begins with may be what its parent said.
    this.#above = key - 1;
    this.#levels.push({ node, next: 0 });
    this.skip();
  }

  #headOf(top: Level): TreeHead {
    const { node } = top;
    const index = top.next++;
    const key = node.key(index);
    if (key <= this.#above) {
      throw corrupt(node.where, `key ${key}`, `a key above ${this.#above}`);
    }
    this.#above = key;
    return node.isLeaf ? { key, value: node.value(index) } : { key, block: node.child(index) };
  }
}

/** The value of a key; `undefined` when the tree has none. */
export async function lookUp(tree: Tree, wanted: number): Promise<DataView | undefined> {
  let block = tree.root;
  for (let level = 0; level < MAX_LEVELS; level++) {
    const node = await readTreeNode(tree, block);
    let at = -1;
    while (at + 1 < node.count && node.key(at + 1) <= wanted) at += 1;
    if (at < 0) return undefined;
    if (node.isLeaf) return node.key(at) === wanted ? node.value(at) : undefined;
    block = node.child(at);
  }
  throw corrupt(tree.metadata.where, "a tree that does not end", `at most ${MAX_LEVELS} levels`);
}
