/**
 * From logical addresses to places on this device, over all chunks.
 *
 * Source: Linux fs/btrfs/volumes.c (`btrfs_read_sys_array`, `btrfs_read_chunk_tree`, `btrfs_map_block`,
 * `btrfs_verify_dev_extents`).
 */
import { corrupt, overLimit, unsupported } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import { parseChunk } from "./chunk.ts";
import type { Chunk } from "./chunk.ts";
import { ITEM, KEY_SIZE, makeKey, MAX_OFFSET, OBJECTID, readKey, toNumber } from "./key.ts";
import type { Key } from "./key.ts";
import type { Superblock } from "./superblock.ts";
import { itemsBetween } from "./tree.ts";
import type { BtrfsVolume } from "./volume.ts";

/** Bytes at a logical address, the kind that everything but the superblock and the chunks uses. */
export type LogicalRange = { readonly bytenr: number; readonly length: number };

/** By rising logical address, without overlaps. */
export type ChunkMap = readonly Chunk[];

/** 256 TiB in the chunks of 1 GiB that data usually has. */
const MAX_CHUNKS = 2 ** 18;

/** The chunks that hold the chunk tree: they come with the superblock. */
export function parseSystemChunks(superblock: Superblock, outer: Where): ChunkMap {
  const where = within(outer, "superblock", "sys_chunk_array");
  const bytes = superblock.systemChunks;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Chunk[] = [];
  // Every turn takes at least a key and a stripe, so there are at most 2048 / 97 turns.
  for (let at = 0; at < bytes.length;) {
    if (at + KEY_SIZE > bytes.length) {
      throw corrupt(where, `${bytes.length - at} bytes at its end`, "a key or nothing");
    }
    const logical = chunkAddress(readKey(view, at), where);
    at += KEY_SIZE;
    const { chunk, itemBytes } = parseChunk(superblock, bytes.subarray(at), logical, where);
    chunks.push(chunk);
    at += itemBytes;
  }
  if (chunks.length === 0) throw corrupt(where, "no chunk", "those of the chunk tree");
  return checkedMap(superblock, chunks, where);
}

/** All chunks, from the chunk tree. `volume` has the system chunks for its map. */
export async function readChunkTree(volume: BtrfsVolume, signal?: AbortSignal): Promise<ChunkMap> {
  const { superblock } = volume;
  const where = within(volume.where, "chunk tree");
  const first = makeKey(OBJECTID.FIRST_CHUNK_TREE, ITEM.CHUNK_ITEM);
  const last = { ...first, offset: MAX_OFFSET };
  const chunks: Chunk[] = [];
  for await (const item of itemsBetween(volume, superblock.chunkTree, { first, last }, signal)) {
    const logical = chunkAddress(item.key, item.where);
    const { chunk, itemBytes } = parseChunk(superblock, item.bytes, logical, item.where);
    if (itemBytes !== item.bytes.length) {
      throw corrupt(item.where, `an item of ${item.bytes.length} bytes`, `${itemBytes}`);
    }
    chunks.push(chunk);
    if (chunks.length > MAX_CHUNKS) throw overLimit(where, "number of chunks", `${MAX_CHUNKS}`);
  }
  return checkedMap(superblock, chunks, where);
}

function chunkAddress(key: Key, where: Where): number {
  if (key.objectid !== OBJECTID.FIRST_CHUNK_TREE || key.type !== ITEM.CHUNK_ITEM) {
    throw corrupt(where, `an item of type ${key.type}`, "a chunk");
  }
  return toNumber(key.offset, "address", where);
}

/** Fails when two chunks share an address, or two parts a place on this device. */
function checkedMap(superblock: Superblock, chunks: Chunk[], where: Where): ChunkMap {
  chunks.sort((a, b) => a.logical - b.logical);
  for (const [i, { logical }] of chunks.entries()) {
    const before = chunks[i - 1];
    if (!before || before.logical + before.length <= logical) continue;
    throw corrupt(where, `a chunk at ${logical}`, `none before ${before.logical + before.length}`);
  }
  const parts = partsByPlace(chunks);
  for (const [i, { offset, chunk }] of parts.entries()) {
    const before = parts[i - 1];
    const free = before ? before.offset + before.chunk.partBytes : 0;
    if (offset < free || offset + chunk.partBytes > superblock.deviceBytes) {
      const found = `chunk ${chunk.logical} with ${chunk.partBytes} bytes at byte ${offset}`;
      throw corrupt(where, found, `a place between ${free} and ${superblock.deviceBytes}`);
    }
  }
  return chunks;
}

/** A part of a chunk on this device. */
export type Part = { readonly offset: number; readonly chunk: Chunk };

/** All parts on this device, by rising place. */
export function partsByPlace(chunks: ChunkMap): Part[] {
  return chunks
    .flatMap((chunk) => chunk.parts.map((offset) => ({ offset, chunk })))
    .sort((a, b) => a.offset - b.offset);
}

/**
 * Where the copies of a range of logical addresses are on this device, one at least. `where` is what refers to the range.
 * `corrupt` when no chunk has all of it, `unsupported` when other devices are needed to read it.
 */
export function placesOf(
  chunks: ChunkMap,
  { bytenr, length }: LogicalRange,
  where: Where,
): number[] {
  const chunk = chunkAt(chunks, bytenr);
  if (!chunk || bytenr + length > chunk.logical + chunk.length) {
    throw corrupt(where, `a reference to ${length} bytes at ${bytenr}`, "a range inside a chunk");
  }
  if (!chunk.copies) {
    throw unsupported(where, `data spread over devices (chunk ${chunk.logical}, ${chunk.profile})`);
  }
  if (chunk.parts.length === 0) {
    const devices = chunk.devices.join(", ");
    const what = `data on another device of a filesystem over several (device ${devices}, chunk ${chunk.logical})`;
    throw unsupported(where, what);
  }
  return chunk.parts.map((offset) => offset + bytenr - chunk.logical);
}

/** The chunk that has the address. */
export function chunkAt(chunks: ChunkMap, bytenr: number): Chunk | undefined {
  let low = 0;
  let high = chunks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (chunks[middle]!.logical <= bytenr) low = middle + 1;
    else high = middle;
  }
  const chunk = chunks[low - 1];
  return chunk && bytenr < chunk.logical + chunk.length ? chunk : undefined;
}
