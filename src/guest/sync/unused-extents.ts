/** Runs of bytes by rising place, packed: 16 bytes a run, and never more runs than a bound. */
import type { Extent } from "../../disk/source.ts";

/** Neither empty nor overlapping nor adjacent. Ends are exclusive. */
export type ExtentList = {
  readonly count: number;
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  /** Of all together. */
  readonly bytes: number;
};

/** 16 MiB. */
const MAX_EXTENTS = 2 ** 20;
/** The engine's block: what is shorter costs more to remember than to copy. */
const MIN_BYTES = 4096;

export type ExtentListOptions = {
  /** For tests. */
  readonly maxExtents?: number;
  /** Shorter runs are left out. */
  readonly minBytes?: number;
};

/**
 * Takes runs by rising place. Short ones are left out, and when there are too many, the shortest of all: what is in the list was
 * added, what was added need not be in the list.
 */
export class ExtentListBuilder {
  readonly #maxExtents: number;
  #minBytes: number;
  #starts = new Float64Array(64);
  #ends = new Float64Array(64);
  #count = 0;

  constructor({ maxExtents = MAX_EXTENTS, minBytes = MIN_BYTES }: ExtentListOptions = {}) {
    this.#maxExtents = maxExtents;
    this.#minBytes = minBytes;
  }

  /** `offset` is not before the end of the last one. */
  add(offset: number, length: number): void {
    if (length < this.#minBytes) return;
    if (this.#count > 0 && this.#ends[this.#count - 1] === offset) {
      this.#ends[this.#count - 1] = offset + length;
      return;
    }
    if (this.#count >= this.#maxExtents) this.#dropShortest();
    if (length < this.#minBytes) return;
    if (this.#count === this.#starts.length) this.#grow();
    this.#starts[this.#count] = offset;
    this.#ends[this.#count] = offset + length;
    this.#count += 1;
  }

  /** All of another list, which lies behind what was added. */
  addList({ count, starts, ends }: ExtentList): void {
    for (let i = 0; i < count; i++) this.add(starts[i]!, ends[i]! - starts[i]!);
  }

  list(): ExtentList {
    const starts = this.#starts.slice(0, this.#count);
    const ends = this.#ends.slice(0, this.#count);
    let bytes = 0;
    for (let i = 0; i < starts.length; i++) bytes += ends[i]! - starts[i]!;
    return { count: this.#count, starts, ends, bytes };
  }

  /** A quarter of the list goes, and what comes must be longer than that: so it ends, whatever the lengths are. */
  #dropShortest(): void {
    const lengths = new Float64Array(this.#count);
    for (let i = 0; i < this.#count; i++) lengths[i] = this.#ends[i]! - this.#starts[i]!;
    const limit = lengths.toSorted()[this.#count >>> 2]!;
    let toDrop = Math.ceil(this.#count / 4);
    let kept = 0;
    for (const [i, length] of lengths.entries()) {
      if (length <= limit && toDrop > 0) {
        toDrop -= 1;
        continue;
      }
      this.#starts[kept] = this.#starts[i]!;
      this.#ends[kept] = this.#ends[i]!;
      kept += 1;
    }
    this.#count = kept;
    this.#minBytes = limit + 1;
  }

  #grow(): void {
    const capacity = Math.min(this.#starts.length * 2, this.#maxExtents);
    const [starts, ends] = [new Float64Array(capacity), new Float64Array(capacity)];
    starts.set(this.#starts);
    ends.set(this.#ends);
    this.#starts = starts;
    this.#ends = ends;
  }
}

/** What of the range is in the list, by rising place. */
export function partsInside(list: ExtentList, offset: number, length: number): Extent[] {
  const end = offset + length;
  const parts: Extent[] = [];
  for (let i = firstEndingAfter(list, offset); i < list.count && list.starts[i]! < end; i++) {
    const from = Math.max(offset, list.starts[i]!);
    parts.push({ offset: from, length: Math.min(end, list.ends[i]!) - from });
  }
  return parts;
}

/** What of the range is not in the list, by rising place. */
export function partsOutside(list: ExtentList, offset: number, length: number): Extent[] {
  const parts: Extent[] = [];
  let at = offset;
  for (const inside of partsInside(list, offset, length)) {
    if (inside.offset > at) parts.push({ offset: at, length: inside.offset - at });
    at = inside.offset + inside.length;
  }
  if (at < offset + length) parts.push({ offset: at, length: offset + length - at });
  return parts;
}

export function sameExtents(a: ExtentList, b: ExtentList): boolean {
  if (a.count !== b.count) return false;
  for (let i = 0; i < a.count; i++) {
    if (a.starts[i] !== b.starts[i] || a.ends[i] !== b.ends[i]) return false;
  }
  return true;
}

/** For those who want to see them; there may be a million. */
export function* extentsOf({ count, starts, ends }: ExtentList): Generator<Extent> {
  for (let i = 0; i < count; i++) yield { offset: starts[i]!, length: ends[i]! - starts[i]! };
}

function firstEndingAfter({ count, ends }: ExtentList, offset: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ends[middle]! > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
