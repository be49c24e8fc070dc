import { corrupt } from "../base/failure.ts";
import type { Where } from "../base/where.ts";
import { SEGMENT_BYTES } from "./geometry.ts";

/** Segments that follow each other. */
export type SegmentRun = { readonly first: number; readonly count: number };

/** How much of a device of `deviceBytes` lies in the run. */
export function bytesOfRun({ first, count }: SegmentRun, deviceBytes: number): number {
  const from = first * SEGMENT_BYTES;
  return Math.max(0, Math.min(from + count * SEGMENT_BYTES, deviceBytes) - from);
}

/**
 * Segments that are to be looked at, in order, as they become known: the source side knows all at the start, the
 * destination side is told.
 */
export class SegmentQueue {
  readonly #runs: SegmentRun[] = [];
  readonly #segmentCount: number;
  readonly #where: Where;
  #end = 0;
  #total = 0;

  constructor(segmentCount: number, where: Where) {
    this.#segmentCount = segmentCount;
    this.#where = where;
  }

  /** A `corrupt` failure when the run is not above all before, or leaves the device. */
  add(run: SegmentRun): void {
    if (!(run.count > 0 && run.first >= this.#end && run.first + run.count <= this.#segmentCount)) {
      throw corrupt(
        this.#where,
        `a run of ${run.count} segments from segment ${run.first}`,
        `ascending runs from segment ${this.#end} inside ${this.#segmentCount} segments`,
      );
    }
    this.#runs.push(run);
    this.#end = run.first + run.count;
    this.#total += run.count;
  }

  /** Runs that wait. */
  get length(): number {
    return this.#runs.length;
  }

  /** Segments of all runs, also of those that were taken. */
  get total(): number {
    return this.#total;
  }

  /** The first segment that waits, and how many follow it without a gap, itself included. */
  get head(): SegmentRun | undefined {
    return this.#runs[0];
  }

  /** Takes `count` segments of the first run. */
  take(count: number): void {
    const head = this.#runs[0]!;
    if (count >= head.count) this.#runs.shift();
    else this.#runs[0] = { first: head.first + count, count: head.count - count };
  }
}
