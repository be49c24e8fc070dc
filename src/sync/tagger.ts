/** Goes through what the destination is told to look at, and sends the tags in order. */
import { BatchTagger } from "./batch-tags.ts";
import type { SyncTarget } from "./device.ts";
import type { Digester } from "./digests.ts";
import { TAG_BYTES } from "./frames.ts";
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
};

type Work = {
  readonly looks: SegmentQueue;
  readonly open: OpenSegments;
  readonly digester: Digester;
};

type Batch = {
  readonly first: number;
  readonly count: number;
  readonly tags: Promise<Uint8Array>;
};

export class Tagger {
  readonly #target: SyncTarget;
  readonly #peer: Peer;
  readonly #progress: Progress;
  #running: Promise<void> = Promise.resolve();

  constructor({ target, peer, progress }: TaggerParts) {
    this.#target = target;
    this.#peer = peer;
    this.#progress = progress;
  }

  /** Works until the run has failed or `idle` is waited for; a failure is the failure of `progress`. */
  start(work: Work): void {
    this.#running = this.#loop(work).catch((error: unknown) => this.#progress.fail(error));
  }

  /** Until nothing reads any more. The run has to have failed or ended. */
  idle(): Promise<void> {
    this.#progress.fail(ENDED);
    return this.#running;
  }

  async #loop({ looks, open, digester }: Work): Promise<void> {
    const tagger = new BatchTagger(this.#target, digester);
    /** A batch that was asked for while the one before is sent: reading goes on meanwhile. */
    let ahead: Batch | undefined;
    try {
      for (;;) {
        if (!ahead) {
          await this.#progress.until(() => looks.length > 0 && open.size < WINDOW_SEGMENTS);
          ahead = begin(looks, open, tagger);
        }
        const { first, count, tags } = ahead!;
        const made = await tags;
        for (let i = 0; i < count; i++)
          open.add(first + i, made.subarray(i * TAG_BYTES, (i + 1) * TAG_BYTES));
        ahead = begin(looks, open, tagger);
        await this.#peer.send({ type: "tags", first, tags: made });
      }
    } finally {
      await tagger.close();
    }
  }
}

/** Takes the next segments from `looks`, if there are some and there is room for them. */
function begin(looks: SegmentQueue, open: OpenSegments, tagger: BatchTagger): Batch | undefined {
  const room = WINDOW_SEGMENTS - open.size;
  if (!looks.head || room <= 0) return undefined;
  const { first, count: left } = looks.head;
  const count = Math.min(left, room, BATCH_SEGMENTS);
  const segments = Array.from({ length: count }, (_, i) =>
    segmentExtent(open.sizeBytes, first + i),
  );
  looks.take(count);
  const tags = tagger.tags(segments);
  // Who waits for it gets the failure; the run may have ended before.
  tags.catch(() => {});
  return { first, count, tags };
}

/** Ends the waiting for more to do. */
const ENDED = Symbol("the run has ended");
