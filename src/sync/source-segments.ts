/**
 * What the source side knows of segments that are not verified yet, and what the destination may say of them: tags in the
 * order of what is looked at, `verified` as far as it was told `settled`, `bad` of what was sent.
 */
import { corrupt, overLimit } from "../base/failure.ts";
import type { Where } from "../base/where.ts";
import type { SyncCounters } from "./counters.ts";
import { RunDigest } from "./digests.ts";
import { TAG_BYTES } from "./frames.ts";
import { segmentCount, segmentExtent } from "./geometry.ts";
import { SegmentQueue } from "./segment-runs.ts";
import type { SegmentRun } from "./segment-runs.ts";
import { MAX_BAD, WINDOW_SEGMENTS } from "./windows.ts";

export type SourceSegment = {
  readonly segment: number;
  /** Of what the destination has when all goes well; known when the segment has been read. */
  tag: Uint8Array;
  settled: boolean;
  sent: boolean;
  /** How often it was read back wrong. */
  bad: number;
};

type Parts = {
  readonly sizeBytes: number;
  readonly where: Where;
  readonly counters: SyncCounters;
};

export class SourceSegments {
  readonly #sizeBytes: number;
  readonly #where: Where;
  readonly #counters: SyncCounters;
  readonly #digest = new RunDigest();
  /** Of segments whose tags are still to come. */
  readonly #expected: SegmentQueue;
  /** The destination's tags that nobody has looked at. */
  readonly #theirs = new Map<number, Uint8Array>();
  /** Begun and not verified, ascending. */
  readonly #open = new Map<number, SourceSegment>();
  #tagged = 0;
  /** Everything below has been sent; and how far the other side was told so. */
  #settledUpTo = 0;
  readonly #unsettled: SourceSegment[] = [];
  #announcedUpTo = 0;
  #sinceAnnounced = 0;

  constructor({ sizeBytes, where, counters }: Parts) {
    this.#sizeBytes = sizeBytes;
    this.#where = where;
    this.#counters = counters;
    this.#expected = new SegmentQueue(segmentCount(sizeBytes), where);
  }

  /** Begun and not verified. */
  get size(): number {
    return this.#open.size;
  }

  /** Runs that the destination has not answered: an upper bound of what waits there. */
  get looksWaiting(): number {
    return this.#expected.length;
  }

  /** Verified. */
  get digested(): number {
    return this.#digest.count;
  }

  /** Of all segments, when all are verified. */
  digest(): Uint8Array {
    return this.#digest.end();
  }

  /** The destination is going to be told to look there. A `corrupt` failure when runs do not ascend. */
  look(run: SegmentRun): void {
    this.#expected.add(run);
  }

  /** Segments are begun in ascending order. */
  begin(segment: number): SourceSegment {
    const open = { segment, tag: EMPTY, settled: false, sent: false, bad: 0 };
    this.#open.set(segment, open);
    this.#unsettled.push(open);
    return open;
  }

  /** The destination's tag, if it has come and was not dropped. */
  theirs(segment: number): Uint8Array | undefined {
    return this.#theirs.get(segment);
  }

  dropTheirs(segment: number): void {
    this.#theirs.delete(segment);
  }

  /** How many segments more are settled than the destination was told. */
  advance(): number {
    let first = 0;
    for (; this.#unsettled[first]?.settled; first++)
      this.#settledUpTo = this.#unsettled[first]!.segment + 1;
    this.#unsettled.splice(0, first);
    this.#sinceAnnounced += first;
    return this.#sinceAnnounced;
  }

  /** What the destination is to be told now, if there is something new; from here on it counts as told. */
  announce(): number | undefined {
    if (this.#settledUpTo === this.#announcedUpTo) return undefined;
    this.#announcedUpTo = this.#settledUpTo;
    this.#sinceAnnounced = 0;
    return this.#announcedUpTo;
  }

  /** A `corrupt` failure when they are not the next ones, `limit` when they are too far ahead. */
  takeTags(first: number, tags: Uint8Array): void {
    const count = tags.length / TAG_BYTES;
    const head = this.#expected.head;
    if (head?.first !== first || count > head.count) {
      throw corrupt(
        this.#where,
        `${count} tags from segment ${first}`,
        head ? `at most ${head.count} from segment ${head.first}` : "none",
      );
    }
    this.#tagged += count;
    if (this.#tagged - this.#digest.count > WINDOW_SEGMENTS)
      throw overLimit(this.#where, "the number of tags", `${WINDOW_SEGMENTS} in advance`);
    this.#expected.take(count);
    for (let i = 0; i < count; i++)
      this.#theirs.set(first + i, tags.subarray(i * TAG_BYTES, (i + 1) * TAG_BYTES));
  }

  /** A `corrupt` failure when it is beyond what was announced. */
  takeVerified(upTo: number): void {
    if (upTo > this.#announcedUpTo)
      throw corrupt(this.#where, `verified ${upTo}`, `at most ${this.#announcedUpTo}`);
    for (const [segment, { tag }] of this.#open) {
      if (segment >= upTo) break;
      this.#digest.add(segment, tag);
      this.#open.delete(segment);
      this.#counters.verifiedBytes += segmentExtent(this.#sizeBytes, segment).length;
    }
  }

  /** The segment, which is to be sent again. `corrupt` when it was not sent, `limit` when it was too often. */
  takeBad(segment: number): SourceSegment {
    const open = this.#open.get(segment);
    if (!open?.sent) throw corrupt(this.#where, `segment ${segment} as bad`, "one that was sent");
    open.sent = false;
    open.bad += 1;
    if (open.bad > MAX_BAD)
      throw overLimit(this.#where, `how often segment ${segment} was bad`, String(MAX_BAD));
    return open;
  }
}

const EMPTY = new Uint8Array(0);
