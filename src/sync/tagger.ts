/** Reads what the destination is told to look at, several segments ahead, and sends their tags in order. */
import { mapParallel } from "../base/parallel.ts";
import type { SyncTarget } from "./device.ts";
import type { Digester } from "./digests.ts";
import { TAG_BYTES } from "./frames.ts";
import { SEGMENT_BYTES, segmentExtent } from "./geometry.ts";
import type { OpenSegments } from "./open-segments.ts";
import type { Peer } from "./peer.ts";
import type { Progress } from "./progress.ts";
import type { SegmentQueue, SegmentRun } from "./segment-runs.ts";
import { TAGS_AT_ONCE, WINDOW_SEGMENTS } from "./windows.ts";

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

export class Tagger {
  readonly #target: SyncTarget;
  readonly #peer: Peer;
  readonly #progress: Progress;
  #running: Promise<void> = Promise.resolve();
  /** One for each read that is under way at a time. */
  readonly #buffers: Uint8Array[] = [];

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

  async #loop(work: Work): Promise<void> {
    const { looks, open } = work;
    for (;;) {
      await this.#progress.until(() => looks.length > 0 && open.size < WINDOW_SEGMENTS);
      const room = WINDOW_SEGMENTS - open.size;
      const { first, count } = looks.head!;
      const run = { first, count: Math.min(count, room, TAGS_AT_ONCE) };
      const tags = await this.#tags(run, work);
      looks.take(run.count);
      for (let i = 0; i < run.count; i++)
        open.add(first + i, tags.subarray(i * TAG_BYTES, (i + 1) * TAG_BYTES));
      await this.#peer.send({ type: "tags", first, tags });
    }
  }

  async #tags({ first, count }: SegmentRun, { open, digester }: Work): Promise<Uint8Array> {
    const tags = new Uint8Array(count * TAG_BYTES);
    const segments = Array.from({ length: count }, (_, i) => first + i);
    await mapParallel(segments, count, async (segment, i) => {
      const { offset, length } = segmentExtent(open.sizeBytes, segment);
      if (this.#target.readsAsZero?.(offset, length)) {
        tags.set(digester.zeroTag(length), i * TAG_BYTES);
        return;
      }
      const buffer = (this.#buffers[i] ??= new Uint8Array(SEGMENT_BYTES));
      const into = buffer.subarray(0, length);
      const bytes = await this.#target.read(offset, length, undefined, into);
      tags.set(digester.tag(bytes), i * TAG_BYTES);
    });
    return tags;
  }
}

/** Ends the waiting for more to do. */
const ENDED = Symbol("the run has ended");
