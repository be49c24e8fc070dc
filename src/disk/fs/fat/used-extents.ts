/**
 * Which bytes of the device the filesystem uses: everything before the clusters (boot sector, its copy, FSInfo, tables, the
 * root of FAT12 and FAT16), and the clusters that the tables do not mark as free.
 *
 * A cluster is free when all copies of the table agree: Linux reads the first one, others the one that `ext_flags` name.
 */
import type { Extent } from "../../source.ts";
import { FIRST_CLUSTER } from "./boot-sector.ts";
import { fatTable, isBad } from "./fat.ts";
import type { FatTable } from "./fat.ts";
import { clusterOffset } from "./volume.ts";
import type { FatVolume } from "./volume.ts";

/** In bytes, rising, merged. Bad clusters are left out: they hold nothing, and reading them may fail. */
export async function* usedExtents(
  volume: FatVolume,
  signal?: AbortSignal,
): AsyncGenerator<Extent> {
  const { geometry, source } = volume;
  let open = { offset: 0, end: geometry.dataOffset };
  for await (const [first, end] of usedClusters(volume, signal)) {
    const offset = clusterOffset(geometry, first);
    // A device can be smaller than its filesystem claims.
    if (offset >= source.size) break;
    if (offset > open.end) {
      yield { offset: open.offset, length: open.end - open.offset };
      open = { offset, end: offset };
    }
    open.end = clusterOffset(geometry, end);
  }
  yield { offset: open.offset, length: Math.min(open.end, source.size) - open.offset };
}

/** Runs of clusters, from the first to the second number, the latter not included. */
async function* usedClusters(
  volume: FatVolume,
  signal?: AbortSignal,
): AsyncGenerator<[number, number]> {
  const { bits, clusterEnd } = volume.geometry;
  const tables = allCopies(volume);
  let start = 0;
  for (let cluster = FIRST_CLUSTER; cluster < clusterEnd;) {
    signal?.throwIfAborted();
    const pieces = [];
    for (const table of tables) pieces.push(await table.piece(cluster, signal));
    const end = pieces[0]!.end; // of all: they are cut alike
    for (; cluster < end; cluster++) {
      const used = pieces.some((piece) => {
        const entry = piece.entry(cluster);
        return entry !== 0 && !isBad(bits, entry);
      });
      if (used && start === 0) start = cluster;
      if (!used && start !== 0) {
        yield [start, cluster];
        start = 0;
      }
    }
  }
  if (start !== 0) yield [start, clusterEnd];
}

function allCopies({ source, where, geometry, table }: FatVolume): FatTable[] {
  const { fatOffset, fatSizeBytes, fatCount } = geometry;
  const others = Array.from({ length: fatCount - 1 }, (_, i) => {
    const copy = { ...geometry, fatOffset: fatOffset + (i + 1) * fatSizeBytes, fatCount: 1 };
    return fatTable(source, copy, where);
  });
  return [table, ...others];
}
