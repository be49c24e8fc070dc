/** Goes through what the destination is told to look at, and sends the tags in order. */
import { batchLength, BatchTagger } from "./batch-tags.ts";
import type { SyncCounters } from "./counters.ts";
import type { CopyRecord, SyncTarget } from "./device.ts";
import type { Digester } from "./digests.ts";
import { TAG_BYTES } from "./frames.ts";
import type { Extent } from "../disk/source.ts";
import { segmentExtent } from "./geometry.ts";
import type { OpenSegments } from "./open-segments.ts";
import type { Peer } from "./peer.ts";
import type { Progress } from "./progress.ts";
import type { SegmentQueue } from "./segment-runs.ts";
import { BATCH_SEGMENTS, WINDOW_SEGMENTS } from "./windows.ts";

type TaggerParts = {
  readonly target: SyncTarget;
  readonly peer: Peer;
  readonly progress: Progress;
  readonly counters: SyncCounters;
  readonly record?: CopyRecord;
};

type Work = {
  readonly looks: SegmentQueue;
  readonly open: OpenSegments;
  readonly digester: Digester;
};

type Sources = Pick<Work, "looks" | "open"> & { readonly tagger: BatchTagger };

type Batch = {
  readonly first: number;
  readonly count: number;
  readonly tags: Promise<Uint8Array>;
};

export class Tagger {
  readonly #target: SyncTarget;
  readonly #peer: Peer;
  readonly #progress: Progress;
  readonly #counters: SyncCounters;
  readonly #record: CopyRecord | undefined;
  #tagger: BatchTagger | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor({ target, peer, progress, counters, record }: TaggerParts) {
    this.#counters = counters;
    this.#record = record;
    this.#target = target;
    this.#peer = peer;
    this.#progress = progress;
  }

  /** Works until the run has failed or `idle` is waited for; a failure is the failure of `progress`. */
  start(work: Work): void {
    this.#running = this.#loop(work).catch((error: unknown) => this.#progress.fail(error));
  }

  /** The tag of what is on the device there, after `start`. */
  readBack(segment: Extent): Promise<Uint8Array> {
    return this.#tagger!.readBack(segment);
  }

  /** Until nothing reads any more. The run has to have failed or ended. */
  idle(): Promise<void> {
    this.#progress.fail(ENDED);
    return this.#running;
  }

  async #loop({ looks, open, digester }: Work): Promise<void> {
    const tagger = new BatchTagger(this.#target, digester, this.#counters);
    this.#tagger = tagger;
    /** A batch that was asked for while the one before is sent: reading goes on meanwhile. */
    let ahead: Batch | undefined;
    try {
      for (;;) {
        if (!ahead) {
          await this.#progress.until(() => looks.length > 0 && open.size < WINDOW_SEGMENTS);
          ahead = this.#begin({ looks, open, tagger });
        }
        const { first, count, tags } = ahead!;
        const made = await tags;
        for (let i = 0; i < count; i++)
          open.add(first + i, made.subarray(i * TAG_BYTES, (i + 1) * TAG_BYTES));
        ahead = this.#begin({ looks, open, tagger });
        await this.#peer.send({ type: "tags", first, tags: made });
      }
    } finally {
      await tagger.close();
    }
  }

  /** Takes the next segments from `looks`, if there are some and there is room for them. */
  #begin({ looks, open, tagger }: Sources): Batch | undefined {
    const room = WINDOW_SEGMENTS - open.size;
    if (!looks.head || room <= 0) return undefined;
    const { first, count: left } = looks.head;
    const known = this.#knownTags(first, Math.min(left, room, BATCH_SEGMENTS));
    const count = known.length > 0 ? known.length : this.#unknown(first, Math.min(left, room));
    const segments = Array.from({ length: count }, (_, i) =>
      segmentExtent(open.sizeBytes, first + i),
    );
    looks.take(count);
    if (known.length > 0) this.#countKnown(segments);
    const tags = known.length > 0 ? Promise.resolve(Buffer.concat(known)) : tagger.tags(segments);
    // Who waits for it gets the failure; the run may have ended before.
    tags.catch(() => {});
    return { first, count, tags };
  }

  #countKnown(segments: readonly Extent[]): void {
    const bytes = segments.reduce((sum, { length }) => sum + length, 0);
    this.#counters.knownTagBytes += bytes;
    this.#counters.taggedBytes += bytes;
  }

  /** The tags of segments from `first` on that the record knows, up to the first that it does not. */
  #knownTags(first: number, most: number): readonly Uint8Array[] {
    const known: Uint8Array[] = [];
    for (let i = 0; i < most; i++) {
      const tag = this.#record?.knownTag?.(first + i);
      if (!tag) break;
      known.push(tag);
    }
    return known;
  }

  /** How many segments from `first` on are to be read at once: up to one that the record knows. */
  #unknown(first: number, most: number): number {
    const atMost = batchLength(this.#target, first, most);
    let count = 1;
    while (count < atMost && !this.#record?.knownTag?.(first + count)) count++;
    return count;
  }
}

/** Ends the waiting for more to do. */
const ENDED = Symbol("the run has ended");
