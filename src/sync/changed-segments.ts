import type { Extent } from "../disk/source.ts";
import { SEGMENT_BYTES } from "./geometry.ts";
import type { SegmentRun } from "./segment-runs.ts";

/** 2 MiB of memory or so, and as many frames. */
const MAX_RUNS = 65_536;

/**
 * The segments that have a byte of `extents`, which ascend: what `send` takes as `looks`. Of more than 65,536 runs those
 * with the smallest gaps between them are joined.
 */
export function changedSegments(
  extents: Iterable<Extent>,
  maxRuns = MAX_RUNS,
): readonly SegmentRun[] {
  let runs: SegmentRun[] = [];
  for (const { offset, length } of extents) {
    if (length === 0) continue;
    const first = Math.floor(offset / SEGMENT_BYTES);
    const end = Math.ceil((offset + length) / SEGMENT_BYTES);
    addRun(runs, { first, count: end - first }, 0);
  }
  for (let gap = 1; runs.length > maxRuns; gap *= 2) {
    const joined: SegmentRun[] = [];
    for (const run of runs) addRun(joined, run, gap);
    runs = joined;
  }
  return runs;
}

/** Joins `run` to the last one when at most `gap` segments lie between them. */
function addRun(runs: SegmentRun[], run: SegmentRun, gap: number): void {
  const last = runs.at(-1);
  const end = run.first + run.count;
  if (last && run.first <= last.first + last.count + gap) {
    const joinedEnd = Math.max(end, last.first + last.count);
    runs[runs.length - 1] = { first: last.first, count: joinedEnd - last.first };
  } else runs.push(run);
}
