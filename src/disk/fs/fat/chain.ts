/**
 * Cluster chains. A chain has no length of its own: whoever follows one says how far, so a loop ends there.
 *
 * Source: Linux fs/fat/cache.c (`fat_get_cluster`).
 */
import { corrupt, overLimit } from "../../../base/failure.ts";
import type { Where } from "../../../base/where.ts";
import { isChainEnd } from "./fat.ts";
import type { FatPiece } from "./fat.ts";
import { assertCluster } from "./volume.ts";
import type { FatVolume } from "./volume.ts";

/** A mark every so many clusters, so that reading on does not begin at the front again. */
const MARK_STRIDE = 1024;

/** A chain and what is remembered of it. */
export type Chain = {
  /** The first cluster, as the directory entry has it: 0 for none. */
  readonly start: number;
  readonly where: Where;
  /** The clusters number 0, 1024, 2048 and so on, as far as the chain was followed. At most 8192, for 4 GiB. */
  readonly marks: number[];
};

export function chainFrom(start: number, where: Where): Chain {
  return { start, where, marks: [] };
}

/** Clusters that follow one another on disk, too. */
export type Run = {
  /** The number of the first one in the chain. */
  readonly index: number;
  readonly cluster: number;
  readonly length: number;
};

/** The clusters number `from` to `to` (not included) of a chain, as runs. Fewer when the chain ends before. */
export async function* chainRuns(
  volume: FatVolume,
  chain: Chain,
  { from, to }: { readonly from: number; readonly to: number },
  signal?: AbortSignal,
): AsyncGenerator<Run> {
  const { geometry, table } = volume;
  if (chain.start === 0 || from >= to) return;
  assertCluster(geometry, chain.start, chain.where);
  if (chain.marks.length === 0) chain.marks.push(chain.start);
  const mark = Math.min(Math.floor(from / MARK_STRIDE), chain.marks.length - 1);
  let index = mark * MARK_STRIDE;
  let cluster = chain.marks[mark]!;
  let piece: FatPiece | undefined;
  let run: { index: number; cluster: number; length: number } | undefined;
  for (;;) {
    if (index >= from) {
      if (run && run.cluster + run.length === cluster) {
        run.length += 1;
      } else {
        if (run) yield run;
        run = { index, cluster, length: 1 };
      }
    }
    index += 1;
    if (index >= to) break;
    if (!piece || cluster < piece.first || cluster >= piece.end) {
      piece = await table.piece(cluster, signal);
    }
    const next = piece.entry(cluster);
    if (isChainEnd(geometry.bits, next)) break;
    if (next === 0) throw corrupt(chain.where, `cluster ${cluster} marked free`, "the next one");
    assertCluster(geometry, next, chain.where);
    cluster = next;
    if (index === chain.marks.length * MARK_STRIDE) chain.marks.push(cluster);
  }
  if (run) yield run;
}

/** All clusters of a chain that may have at most `limit`. `corrupt` when it meets itself, `limit` when it is longer. */
export async function readChain(
  volume: FatVolume,
  chain: Chain,
  limit: number,
): Promise<Set<number>> {
  const clusters = new Set<number>();
  for await (const run of chainRuns(volume, chain, { from: 0, to: limit + 1 })) {
    for (let i = 0; i < run.length; i++) {
      const cluster = run.cluster + i;
      if (clusters.has(cluster)) {
        const found = `a chain that comes back to cluster ${cluster}`;
        throw corrupt(chain.where, found, "an end");
      }
      clusters.add(cluster);
    }
  }
  if (clusters.size > limit) throw overLimit(chain.where, "its length", `${limit} clusters`);
  return clusters;
}
