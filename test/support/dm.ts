/** Exception stores of dm-snapshot and metadata of dm-thin pools, written from the kernel's description of the formats. */
import {
  BTREE_CSUM_XOR,
  METADATA_BLOCK_BYTES,
  metadataChecksum,
  SUPERBLOCK_CSUM_XOR,
} from "../../src/disk/dm/metadata-block.ts";

export type StoreBytes = {
  readonly chunkSectors: number;
  readonly exceptions: readonly (readonly [oldChunk: number, newChunk: number])[];
  /** Default: an area more than the exceptions need. */
  readonly chunkCount?: number;
  readonly valid?: number;
  readonly version?: number;
  readonly magic?: number;
};

/** As the kernel leaves it; what the data chunks hold is noise. */
export function exceptionStore(store: StoreBytes): Uint8Array {
  const chunkBytes = store.chunkSectors * 512;
  const perArea = chunkBytes / 16;
  const areas = Math.floor(store.exceptions.length / perArea) + 1;
  const bytes = new Uint8Array((store.chunkCount ?? 1 + areas * (perArea + 1)) * chunkBytes);
  bytes.fill(0xa5);
  bytes.fill(0, 0, chunkBytes);
  const view = new DataView(bytes.buffer);
  const header = [store.magic ?? 0x70416e53, store.valid ?? 1, store.version ?? 1];
  for (const [at, value] of [...header, store.chunkSectors].entries()) {
    view.setUint32(at * 4, value, true);
  }
  for (let area = 0; area < areas; area++) {
    const at = (1 + area * (perArea + 1)) * chunkBytes;
    if (at >= bytes.length) break;
    bytes.fill(0, at, at + chunkBytes);
    const own = store.exceptions.slice(area * perArea, (area + 1) * perArea);
    for (const [index, [oldChunk, newChunk]] of own.entries()) {
      view.setBigUint64(at + index * 16, BigInt(oldChunk), true);
      view.setBigUint64(at + index * 16 + 8, BigInt(newChunk), true);
    }
  }
  return bytes;
}

/** The chunk of the store that the kernel takes for exception `index`: none of a header or an area. */
export function storeChunk(index: number, chunkSectors: number): number {
  const perArea = (chunkSectors * 512) / 16;
  return 2 + Math.floor(index / perArea) * (perArea + 1) + (index % perArea);
}

/** A tree as the kernel makes them: never changed, a change makes new nodes from the root to the leaf. */
export type Node =
  | { readonly leaf: true; readonly keys: readonly number[]; readonly values: readonly bigint[] }
  | { readonly leaf: false; readonly keys: readonly number[]; readonly children: readonly Node[] };

export const EMPTY: Node = { leaf: true, keys: [], values: [] };

/** `fanout`: how many entries a node may have before it is split; the kernel's limit is 252. */
export function insert(root: Node, key: number, value: bigint, fanout = 252): Node {
  const parts = put(root, { key, value, fanout });
  if (parts.length === 1) return parts[0]!;
  return { leaf: false, keys: parts.map((part) => part.keys[0]!), children: parts };
}

type Put = { readonly key: number; readonly value: bigint; readonly fanout: number };

function put(node: Node, { key, value, fanout }: Put): Node[] {
  if (node.leaf) {
    const at = node.keys.findIndex((known) => known >= key);
    const index = at < 0 ? node.keys.length : at;
    const replaces = node.keys[index] === key ? 1 : 0;
    const keys = node.keys.toSpliced(index, replaces, key);
    const values = node.values.toSpliced(index, replaces, value);
    if (keys.length <= fanout) return [{ leaf: true, keys, values }];
    const half = keys.length >> 1;
    return [
      { leaf: true, keys: keys.slice(0, half), values: values.slice(0, half) },
      { leaf: true, keys: keys.slice(half), values: values.slice(half) },
    ];
  }
  const index = Math.max(
    0,
    node.keys.findLastIndex((known) => known <= key),
  );
  const parts = put(node.children[index]!, { key, value, fanout });
  const children = node.children.toSpliced(index, 1, ...parts);
  // The first key of a child may only go down.
  const low = Math.min(node.keys[index]!, key);
  const keys = node.keys.toSpliced(index, 1, low, ...parts.slice(1).map((part) => part.keys[0]!));
  if (keys.length <= fanout) return [{ leaf: false, keys, children }];
  const half = keys.length >> 1;
  return [
    { leaf: false, keys: keys.slice(0, half), children: children.slice(0, half) },
    { leaf: false, keys: keys.slice(half), children: children.slice(half) },
  ];
}

/** Leaves keys of parents as they are, and drops empty nodes. */
export function remove(node: Node, key: number): Node {
  if (node.leaf) {
    const index = node.keys.indexOf(key);
    if (index < 0) return node;
    const values = node.values.toSpliced(index, 1);
    return { leaf: true, keys: node.keys.toSpliced(index, 1), values };
  }
  const index = node.keys.findLastIndex((known) => known <= key);
  const child = node.children[index];
  const left = child && remove(child, key);
  if (!left || left === child) return node;
  if (left.keys.length > 0) return { ...node, children: node.children.with(index, left) };
  if (node.children.length === 1) return EMPTY;
  const children = node.children.toSpliced(index, 1);
  return { leaf: false, keys: node.keys.toSpliced(index, 1), children };
}

export function mapping(dataBlock: number, time: number): bigint {
  return (BigInt(dataBlock) << 24n) | BigInt(time);
}

export type VolumeBytes = {
  readonly thinId: number;
  readonly mappings: Node;
  readonly mappedBlocks?: number;
  readonly creationTime?: number;
};

export type PoolBytes = {
  readonly volumes: readonly VolumeBytes[];
  readonly dataBlockSectors?: number;
  /** Whether a metadata snapshot is reserved; then the live trees are empty. Default: true. */
  readonly held?: boolean;
  readonly metadataBlocks?: number;
  /** For entries of a node; a multiple of 3. Other readers want a third of them taken. Default: as many as fit. */
  readonly places?: number;
  /** Changes the superblock that counts before it is sealed. */
  readonly edit?: (superblock: DataView) => void;
};

/** The metadata of a pool. Nodes that volumes share are there once. */
export class PoolWriter {
  readonly bytes: Uint8Array;
  readonly #pool: PoolBytes;
  readonly #places = new Map<Node, number>();
  #next = 1;

  constructor(pool: PoolBytes) {
    this.#pool = pool;
    this.bytes = new Uint8Array((pool.metadataBlocks ?? 2048) * METADATA_BLOCK_BYTES);
    const held = pool.held ?? true;
    let mappings = EMPTY;
    let details = EMPTY;
    for (const volume of pool.volumes) {
      mappings = insert(mappings, volume.thinId, BigInt(this.place(volume.mappings)));
      details = insert(details, volume.thinId, BigInt(volume.thinId));
    }
    const roots = { mappings: this.place(mappings), details: this.#placeDetails(details) };
    const heldAt = held ? this.#next++ : 0;
    if (held) {
      const empty = this.place(EMPTY);
      this.#superblock(heldAt, roots, 0);
      this.#superblock(0, { mappings: empty, details: empty }, heldAt);
    } else this.#superblock(0, roots, 0);
  }

  /** The block of a node. */
  place(node: Node): number {
    const known = this.#places.get(node);
    if (known !== undefined) return known;
    const values = node.leaf
      ? node.values
      : node.children.map((child) => BigInt(this.place(child)));
    const block = this.#next++;
    this.#places.set(node, block);
    this.#node(block, node, (view, at, index) => view.setBigUint64(at, values[index]!, true));
    return block;
  }

  /** Makes the checksum right again after a change of `block`. */
  seal(block: number, xor = BTREE_CSUM_XOR): void {
    const own = this.bytes.subarray(
      block * METADATA_BLOCK_BYTES,
      (block + 1) * METADATA_BLOCK_BYTES,
    );
    this.view(block).setUint32(0, metadataChecksum(own, xor), true);
  }

  view(block: number): DataView {
    return new DataView(this.bytes.buffer, block * METADATA_BLOCK_BYTES, METADATA_BLOCK_BYTES);
  }

  #node(
    block: number,
    node: Node,
    putValue: (view: DataView, at: number, index: number) => void,
    valueBytes = 8,
  ): void {
    const view = this.view(block);
    const room = Math.floor((METADATA_BLOCK_BYTES - 32) / (8 + valueBytes) / 3) * 3;
    const places = this.#pool.places ?? room;
    view.setUint32(4, node.leaf ? 2 : 1, true);
    view.setBigUint64(8, BigInt(block), true);
    view.setUint32(16, node.keys.length, true);
    view.setUint32(20, places, true);
    view.setUint32(24, valueBytes, true);
    for (const [index, key] of node.keys.entries()) {
      view.setBigUint64(32 + index * 8, BigInt(key), true);
      putValue(view, 32 + places * 8 + index * valueBytes, index);
    }
    this.seal(block);
  }

  #placeDetails(tree: Node): number {
    const block = this.#next++;
    this.#node(
      block,
      tree,
      (view, at, index) => {
        const volume = this.#pool.volumes.find(({ thinId }) => thinId === tree.keys[index])!;
        view.setBigUint64(at, BigInt(volume.mappedBlocks ?? 0), true);
        view.setUint32(at + 16, volume.creationTime ?? 0, true);
        view.setUint32(at + 20, volume.creationTime ?? 0, true);
      },
      24,
    );
    return block;
  }

  #superblock(
    block: number,
    roots: { readonly mappings: number; readonly details: number },
    heldRoot: number,
  ): void {
    const view = this.view(block);
    view.setBigUint64(8, BigInt(block), true);
    view.setBigUint64(32, 27_022_010n, true);
    view.setUint32(40, 2, true);
    view.setBigUint64(56, BigInt(heldRoot), true);
    view.setBigUint64(320, BigInt(roots.mappings), true);
    view.setBigUint64(328, BigInt(roots.details), true);
    view.setUint32(336, this.#pool.dataBlockSectors ?? 128, true);
    view.setUint32(340, 8, true);
    view.setBigUint64(344, BigInt(this.bytes.length / METADATA_BLOCK_BYTES), true);
    if (heldRoot === 0) this.#pool.edit?.(view);
    this.seal(block, SUPERBLOCK_CSUM_XOR);
  }
}
