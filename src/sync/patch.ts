/** Which blocks of a segment are sent, and what they become at the other end. Pure: bytes and digests to runs. */
import { corrupt } from "../base/failure.ts";
import type { Where } from "../base/where.ts";
import { isZero, sameBytes } from "./digests.ts";
import { BLOCK_DIGEST_BYTES } from "./frames.ts";
import type { BlockRun } from "./frames.ts";
import { BLOCK_BYTES, blockCount } from "./geometry.ts";

/** A run with its place in the segment and, when it is not zero, its bytes. */
export type Piece = {
  /** From the start of the segment. */
  readonly offset: number;
  readonly length: number;
  /** Absent: zeroes. */
  readonly bytes?: Uint8Array;
};

/**
 * The runs of `segment` that the other side lacks. `ours` and `theirs` are digests of all blocks. Blocks that are zero
 * here are runs of zeroes.
 */
export function changedRuns(
  segment: Uint8Array,
  ours: Uint8Array,
  theirs: Uint8Array,
): readonly BlockRun[] {
  return runsOf(segment, (block) => {
    const at = block * BLOCK_DIGEST_BYTES;
    return !sameBytes(
      ours.subarray(at, at + BLOCK_DIGEST_BYTES),
      theirs.subarray(at, at + BLOCK_DIGEST_BYTES),
    );
  });
}

/** The runs of `segment` for a side that has zeroes there: zero blocks need not be sent. */
export function nonZeroRuns(segment: Uint8Array): readonly BlockRun[] {
  return runsOf(segment, () => true).filter((run) => !run.zero);
}

/** Runs of all blocks of `segment`, whatever the other side has. */
export function allRuns(segment: Uint8Array): readonly BlockRun[] {
  return runsOf(segment, () => true);
}

function runsOf(segment: Uint8Array, wanted: (block: number) => boolean): BlockRun[] {
  const runs: BlockRun[] = [];
  const count = blockCount(segment.length);
  let open: { first: number; count: number; zero: boolean } | undefined;
  for (let block = 0; block < count; block++) {
    if (!wanted(block)) {
      open = undefined;
      continue;
    }
    const zero = isZero(segment.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES));
    if (open?.zero === zero) open.count += 1;
    else {
      open = { first: block, count: 1, zero };
      runs.push(open);
    }
  }
  return runs;
}

/** The blocks of the runs that are not zero, one after the other: in what `room` gives, or a view of the segment when that is enough. */
export function gatherBlocks(
  segment: Uint8Array,
  runs: readonly BlockRun[],
  room: () => Uint8Array,
): Uint8Array {
  const parts = runs
    .filter((run) => !run.zero)
    .map((run) => segment.subarray(run.first * BLOCK_BYTES, (run.first + run.count) * BLOCK_BYTES));
  if (parts.length === 1) return parts[0]!;
  const into = room();
  let length = 0;
  for (const part of parts) {
    into.set(part, length);
    length += part.length;
  }
  return into.subarray(0, length);
}

/**
 * What a peer's runs and unpacked blocks are in a segment of `segmentBytes`. A `corrupt` failure when the runs do not ascend,
 * overlap, are empty, leave the segment, or need more or fewer bytes than there are.
 */
export function piecesOf(
  runs: readonly BlockRun[],
  blocks: Uint8Array,
  { segmentBytes, where }: { readonly segmentBytes: number; readonly where: Where },
): readonly Piece[] {
  const pieces: Piece[] = [];
  const count = blockCount(segmentBytes);
  let free = 0;
  let used = 0;
  for (const run of runs) {
    if (run.count === 0 || run.first < free || run.first + run.count > count) {
      throw corrupt(
        where,
        `a run of ${run.count} blocks from block ${run.first}`,
        `ascending runs from block ${free} inside ${count} blocks`,
      );
    }
    free = run.first + run.count;
    const offset = run.first * BLOCK_BYTES;
    const length = Math.min(run.count * BLOCK_BYTES, segmentBytes - offset);
    if (run.zero) pieces.push({ offset, length });
    else {
      // Fewer bytes than it needs are noticed below, by the sum.
      pieces.push({ offset, length, bytes: blocks.subarray(used, used + length) });
      used += length;
    }
  }
  if (used !== blocks.length)
    throw corrupt(where, `${blocks.length} bytes of blocks`, `the ${used} bytes of its runs`);
  return pieces;
}
