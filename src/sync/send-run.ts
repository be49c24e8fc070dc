/**
 * The source side of a run after the greeting: tags of both sides are compared batch by batch, segments that differ are
 * worked on beside that, and everything that the destination says is taken at once.
 */
import { corrupt } from "../base/failure.ts";
import { batchLength } from "./batch-tags.ts";
import type { BatchTagger } from "./batch-tags.ts";
import type { SyncCounters } from "./counters.ts";
import type { SyncSource } from "./device.ts";
import { sameBytes } from "./digests.ts";
import type { Digester } from "./digests.ts";
import { TAG_BYTES } from "./frames.ts";
import type { Frame } from "./frames.ts";
import { segmentExtent } from "./geometry.ts";
import type { Peer } from "./peer.ts";
import type { Progress, Tasks } from "./progress.ts";
import { SegmentSender } from "./segment-sender.ts";
import type { SegmentRun } from "./segment-runs.ts";
import { SourceSegments } from "./source-segments.ts";
import type { SourceSegment } from "./source-segments.ts";
import { MAX_LOOKS_WAITING, SETTLE_EVERY, WINDOW_SEGMENTS } from "./windows.ts";

export type Sent = {
  /** Of all segments looked at; both sides have agreed on it. */
  readonly digest: Uint8Array;
  readonly lookedSegments: number;
  readonly equalSegments: number;
  readonly zeroedSegments: number;
  readonly patchedSegments: number;
  /** Of blocks that were sent, before packing. */
  readonly blockBytes: number;
  /** On the wire, of frames. */
  readonly sentBytes: number;
};

type RunParts = {
  readonly source: SyncSource;
  readonly peer: Peer;
  readonly progress: Progress;
  /** Work on segments that differ, each with one in memory. */
  readonly patches: Tasks;
  /** Batches whose tags are made or compared: how far the source is ahead of the destination. */
  readonly batches: Tasks;
  readonly digester: Digester;
  readonly tagger: BatchTagger;
  readonly counters: SyncCounters;
};

export class SendRun {
  readonly #source: SyncSource;
  readonly #peer: Peer;
  readonly #progress: Progress;
  readonly #patches: Tasks;
  readonly #batches: Tasks;
  readonly #digester: Digester;
  readonly #tagger: BatchTagger;
  readonly #counters: SyncCounters;
  readonly #segments: SourceSegments;
  readonly #sender: SegmentSender;
  #finished: Uint8Array | undefined;
  #ending = false;

  constructor(parts: RunParts) {
    this.#source = parts.source;
    this.#peer = parts.peer;
    this.#progress = parts.progress;
    this.#patches = parts.patches;
    this.#batches = parts.batches;
    this.#digester = parts.digester;
    this.#tagger = parts.tagger;
    this.#counters = parts.counters;
    const { counters, source, peer } = parts;
    this.#segments = new SourceSegments({ sizeBytes: source.size, where: peer.where, counters });
    this.#sender = new SegmentSender(parts);
  }

  async run(looks: readonly SegmentRun[]): Promise<Sent> {
    const listening = this.#listen();
    listening.catch((error: unknown) => this.#progress.fail(error));
    const looking = this.#sendLooks(looks);
    looking.catch((error: unknown) => this.#progress.fail(error));
    for (const { first, count } of looks) {
      for (let at = first, left = count; left > 0;) {
        const batch = batchLength(this.#source, at, left);
        await this.#begin({ first: at, count: batch });
        at += batch;
        left -= batch;
      }
    }
    await looking;
    await this.#batches.idle();
    await this.#patches.idle();
    await this.#announce();
    await this.#progress.until(() => this.#segments.size === 0);
    await this.#source.confirm?.();
    const looked = this.#segments.digested;
    const digest = this.#segments.digest();
    this.#ending = true;
    await this.#peer.send({ type: "end", digest, looked });
    await this.#progress.until(() => this.#finished !== undefined);
    if (!sameBytes(digest, this.#finished!))
      throw corrupt(this.#peer.where, "another digest of the device", "the digest of the source");
    await listening;
    const { equal, zeroed, patched } = this.#sender.segments;
    return {
      digest,
      lookedSegments: looked,
      equalSegments: equal,
      zeroedSegments: zeroed,
      patchedSegments: patched,
      blockBytes: this.#counters.blockBytes,
      sentBytes: this.#counters.sentBytes,
    };
  }

  /** When nothing is worked on any more. */
  close(): void {
    this.#sender.close();
  }

  /** The destination is told early what to look at, but not more than it has room for. */
  async #sendLooks(looks: readonly SegmentRun[]): Promise<void> {
    for (const run of looks) {
      await this.#progress.until(() => this.#segments.looksWaiting < MAX_LOOKS_WAITING);
      this.#segments.look(run);
      await this.#peer.send({ type: "look", ...run });
    }
  }

  async #begin({ first, count }: SegmentRun): Promise<void> {
    await this.#progress.until(() => this.#segments.size + count <= WINDOW_SEGMENTS);
    const batch = Array.from({ length: count }, (_, i) => this.#segments.begin(first + i));
    await this.#batches.begin(() => this.#compare(batch));
  }

  /** Finds the segments of a batch that differ, and begins to send them. */
  async #compare(batch: readonly SourceSegment[]): Promise<void> {
    const blank = this.#allBlank(batch);
    const tags = blank ? undefined : await this.#tags(batch);
    if (blank)
      this.#counters.taggedBytes += batch.reduce((sum, open) => sum + this.#bytes(open), 0);
    const last = batch.at(-1)!.segment;
    await this.#progress.until(() => this.#segments.theirs(last) !== undefined);
    const differ: { readonly open: SourceSegment; readonly theirs: Uint8Array }[] = [];
    for (const [index, open] of batch.entries()) {
      const theirs = this.#segments.theirs(open.segment)!;
      this.#segments.dropTheirs(open.segment);
      open.tag = tags?.subarray(index * TAG_BYTES, (index + 1) * TAG_BYTES) ?? EMPTY;
      if (sameBytes(open.tag, theirs)) this.#sender.equal(open);
      else differ.push({ open, theirs });
    }
    await this.#settle();
    if (tags) for (const { open, theirs } of differ) await this.#sender.askAhead(open, theirs);
    for (const { open, theirs } of differ)
      await this.#patches.begin(() => this.#update(open, theirs));
  }

  #bytes({ segment }: SourceSegment): number {
    return segmentExtent(this.#source.size, segment).length;
  }

  #tags(batch: readonly SourceSegment[]): Promise<Uint8Array> {
    return this.#tagger.tags(batch.map(({ segment }) => segmentExtent(this.#source.size, segment)));
  }

  /** Whether the destination has nothing there: then all is sent that is not zero, and need be read only once. */
  #allBlank(batch: readonly SourceSegment[]): boolean {
    return batch.every(({ segment }) => {
      const theirs = this.#segments.theirs(segment);
      const { offset, length } = segmentExtent(this.#source.size, segment);
      if (!theirs || this.#source.readsAsZero?.(offset, length)) return false;
      return sameBytes(theirs, this.#digester.zeroTag(length));
    });
  }

  async #update(open: SourceSegment, theirs: Uint8Array): Promise<void> {
    await this.#sender.update(open, theirs);
    await this.#settle();
  }

  async #settle(): Promise<void> {
    if (this.#segments.advance() >= SETTLE_EVERY) await this.#announce();
  }

  async #announce(): Promise<void> {
    const segment = this.#segments.announce();
    if (segment !== undefined) await this.#peer.send({ type: "settled", segment });
  }

  /** Takes all that the destination says, until it is done. It never waits for our own writing. */
  async #listen(): Promise<void> {
    while (this.#finished === undefined) {
      const frame = await this.#peer.receive();
      this.#take(frame);
      this.#progress.changed();
    }
  }

  #take(frame: Frame): void {
    switch (frame.type) {
      case "tags":
        return this.#segments.takeTags(frame.first, frame.tags);
      case "blocks":
        return this.#sender.takeBlocks(frame);
      case "verified":
        return this.#segments.takeVerified(frame.segment);
      case "bad":
        return this.#sendAgain(this.#segments.takeBad(frame.segment));
      case "done":
        if (!this.#ending) throw this.#peer.unexpected(frame, "done after end");
        this.#finished = frame.digest;
        return;
      case "hello":
      case "offer":
      case "accept":
      case "look":
      case "ask":
      case "patch":
      case "zero":
      case "settled":
      case "end":
      case "error":
      case "alive":
        throw this.#peer.unexpected(frame, "a frame of the destination side");
    }
  }

  /** Not waited for where reading must go on. */
  #sendAgain(open: SourceSegment): void {
    const begun = this.#patches.begin(() => this.#sender.again(open));
    begun.catch((error: unknown) => this.#progress.fail(error));
  }
}

const EMPTY = new Uint8Array(0);
