/** The tags of some segments of a device: known to be zero, made by the device's own tagger, or read and hashed here. */
import { mapParallel } from "../base/parallel.ts";
import type { Extent } from "../disk/source.ts";
import type { SyncCounters } from "./counters.ts";
import type { SegmentTagger, SyncSource } from "./device.ts";
import type { Digester } from "./digests.ts";
import { TAG_BYTES } from "./frames.ts";
import { SEGMENT_BYTES, segmentExtent } from "./geometry.ts";
import { BATCH_SEGMENTS, MAX_BATCH_SEGMENTS } from "./windows.ts";

/** As many as Node's pool has threads: more would only take arrays that are no longer in the processor's cache. */
const READS_AT_ONCE = 4;

/** How many segments of `device` from `first` on, at most `most`, make a batch. */
export function batchLength(device: SyncSource, first: number, most: number): number {
  let count = 0;
  for (let unread = 0; count < Math.min(most, MAX_BATCH_SEGMENTS); count++) {
    const { offset, length } = segmentExtent(device.size, first + count);
    if (device.readsAsZero?.(offset, length)) continue;
    if (unread === BATCH_SEGMENTS) break;
    unread += 1;
  }
  return count;
}

export class BatchTagger {
  readonly #device: SyncSource;
  readonly #digester: Digester;
  readonly #tagger: SegmentTagger;
  readonly #counters: SyncCounters;

  constructor(device: SyncSource, digester: Digester, counters: SyncCounters) {
    this.#counters = counters;
    this.#device = device;
    this.#digester = digester;
    this.#tagger = device.openTagger?.(digester.tagKey) ?? readingTagger(device, digester);
  }

  /** 16 bytes for each segment. */
  async tags(segments: readonly Extent[]): Promise<Uint8Array> {
    const out = new Uint8Array(segments.length * TAG_BYTES);
    const toRead: number[] = [];
    for (const [index, { offset, length }] of segments.entries()) {
      if (this.#device.readsAsZero?.(offset, length))
        out.set(this.#zeroTag(length), index * TAG_BYTES);
      else toRead.push(index);
    }
    if (toRead.length === 0) return out;
    const tags = await this.#tagger.tags(toRead.map((index) => segments[index]!));
    for (const [i, index] of toRead.entries()) {
      out.set(tags.subarray(i * TAG_BYTES, (i + 1) * TAG_BYTES), index * TAG_BYTES);
      this.#counters.taggedBytes += segments[index]!.length;
    }
    return out;
  }

  /** The tag of a segment as it is on the device, whatever is known of it. */
  readBack(segment: Extent): Promise<Uint8Array> {
    return this.#tagger.tags([segment]);
  }

  #zeroTag(length: number): Uint8Array {
    this.#counters.taggedBytes += length;
    this.#counters.knownZeroBytes += length;
    return this.#digester.zeroTag(length);
  }

  close(): Promise<void> {
    return this.#tagger.close();
  }
}

function readingTagger(device: SyncSource, digester: Digester): SegmentTagger {
  const buffers: Uint8Array[] = [];
  let busy: Promise<unknown> = Promise.resolve();
  return {
    tags(segments) {
      const out = new Uint8Array(segments.length * TAG_BYTES);
      const reading = mapParallel(segments, READS_AT_ONCE, async ({ offset, length }, index) => {
        const buffer = buffers.pop() ?? new Uint8Array(SEGMENT_BYTES);
        const into = buffer.subarray(0, length);
        out.set(
          digester.tag(await device.read(offset, length, undefined, into)),
          index * TAG_BYTES,
        );
        buffers.push(buffer);
      });
      busy = Promise.allSettled([busy, reading]);
      return reading.then(() => out);
    },
    async close() {
      await busy;
    },
  };
}
