/** What the readers of single structures share: the bytes, the superblock, the chunks, and checked blocks of metadata. */
import { attempt, FailureError } from "../../../base/failure.ts";
import type { Failure } from "../../../base/failure.ts";
import { MIB } from "../../../base/units.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import type { ByteSource } from "../../source.ts";
import { parseSystemChunks, placesOf, readChunkTree } from "./chunk-map.ts";
import type { ChunkMap } from "./chunk-map.ts";
import type { Superblock } from "./superblock.ts";
import { assertExpected, parseTreeBlock, treeName } from "./tree-block.ts";
import type { Expected, TreeBlock } from "./tree-block.ts";

/** A filesystem being read. */
export type BtrfsVolume = {
  /** This device's bytes, behind a cache. */
  readonly source: ByteSource;
  readonly where: Where;
  readonly superblock: Superblock;
  readonly chunks: ChunkMap;
  /** A block of metadata that is what `expected` says; the first copy on this device that is. */
  readBlock(expected: Expected): Promise<TreeBlock>;
};

/** What checked blocks may take: enough for the upper levels of every tree in use. */
const KEPT_BYTES = 16 * MIB;

/** `source` should have a cache: blocks lie together. */
export async function openVolume(
  source: ByteSource,
  superblock: Superblock,
  where: Where,
  signal?: AbortSignal,
): Promise<BtrfsVolume> {
  const first = volumeOver(source, superblock, where, parseSystemChunks(superblock, where));
  return volumeOver(source, superblock, where, await readChunkTree(first, signal));
}

function volumeOver(
  source: ByteSource,
  superblock: Superblock,
  where: Where,
  chunks: ChunkMap,
): BtrfsVolume {
  const size = superblock.nodeSizeBytes;
  const capacity = KEPT_BYTES / size;
  const kept = new Map<number, TreeBlock>();

  async function readCopies(expected: Expected): Promise<TreeBlock> {
    const { id, bytenr } = expected;
    const place = within(where, treeName(id), `block ${bytenr}`);
    let failed: Failure | undefined;
    for (const at of placesOf(chunks, { bytenr, length: size }, place)) {
      const copy = await attempt(async () => {
        const block = parseTreeBlock(superblock, await source.read(at, size), expected, where);
        assertExpected(block, expected);
        return block;
      });
      if (copy.ok) return copy.value;
      failed ??= copy.failure;
    }
    // There is one copy at least, or `placesOf` would have failed.
    throw new FailureError(failed!);
  }

  return {
    source,
    where,
    superblock,
    chunks,
    async readBlock(expected) {
      const hit = kept.get(expected.bytenr);
      if (hit) {
        assertExpected(hit, expected);
        return hit;
      }
      const block = await readCopies(expected);
      if (kept.size >= capacity) kept.delete(kept.keys().next().value as number);
      kept.set(expected.bytenr, block);
      return block;
    },
  };
}
