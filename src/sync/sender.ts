/**
 * The source side of a run: reads, compares with what the destination says it has, and sends what differs
 * (docs/design/sync-protocol.md). One run per `send`; nothing is kept between runs.
 */
import { corrupt, overLimit } from "../base/failure.ts";
import { BatchTagger } from "./batch-tags.ts";
import type { Channel } from "./channel.ts";
import type { SyncSource } from "./device.ts";
import { Digester, RunDigest, sameBytes } from "./digests.ts";
import { BLOCK_DIGEST_BYTES, TAG_BYTES } from "./frames.ts";
import type { BlockRun, Frame } from "./frames.ts";
import { SEGMENT_BYTES, segmentCount, segmentExtent } from "./geometry.ts";
import { PackingChoice } from "./packing-choice.ts";
import { packBlocks } from "./packing.ts";
import { allRuns, changedRuns, gatherBlocks, nonZeroRuns } from "./patch.ts";
import { Peer } from "./peer.ts";
import { Progress, Tasks } from "./progress.ts";
import { SegmentQueue } from "./segment-runs.ts";
import type { SegmentRun } from "./segment-runs.ts";
import {
  BATCH_SEGMENTS,
  MAX_BAD,
  MAX_LOOKS_WAITING,
  SETTLE_EVERY,
  WINDOW_SEGMENTS,
} from "./windows.ts";

/** Segments that differ and are worked on, each in memory. */
const PATCHES_AT_ONCE = 8;
/** Batches whose tags are made or compared: how far the source is ahead of the destination. */
const BATCHES_AT_ONCE = 8;

export type SendOptions = {
  readonly source: SyncSource;
  readonly channel: Channel;
  /** 32 bytes that stand for the device; see the design page. */
  readonly identity: Uint8Array;
  /** Name and version of the program, for the other side's messages. */
  readonly program: string;
  /** What to look at, ascending; all by default. */
  readonly looks?: readonly SegmentRun[];
};

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

type Open = {
  readonly segment: number;
  /** Of what the destination has when all goes well; known when the segment has been read. */
  tag: Uint8Array;
  settled: boolean;
  sent: boolean;
  /** How often it was read back wrong. */
  bad: number;
};

/** Makes the device at the other end equal to `source`. Fails with what either side has met; nothing is left running. */
export async function send(options: SendOptions): Promise<Sent> {
  const peer = new Peer(options.channel, ["the destination"]);
  const progress = new Progress();
  const patches = new Tasks(progress, PATCHES_AT_ONCE);
  const batches = new Tasks(progress, BATCHES_AT_ONCE);
  let tagger: BatchTagger | undefined;
  try {
    const { size } = options.source;
    await peer.greet("source", options.program);
    await peer.send({ type: "offer", sizeBytes: size, identity: options.identity });
    const accept = await peer.receive();
    if (accept.type !== "accept") throw peer.unexpected(accept, "accept");
    if (accept.sizeBytes < size)
      throw corrupt(peer.where, `a device of ${accept.sizeBytes} bytes`, `at least ${size} bytes`);
    const looks = options.looks ?? wholeDevice(size);
    const digester = new Digester(accept.key);
    tagger = new BatchTagger(options.source, digester);
    const { source } = options;
    const run = new SendRun({ source, peer, progress, patches, batches, digester, tagger });
    return await run.run(looks);
  } catch (error) {
    progress.fail(error);
    peer.giveUp(error);
    throw error;
  } finally {
    await batches.idle();
    await patches.idle();
    await tagger?.close();
    peer.close();
  }
}

function wholeDevice(sizeBytes: number): readonly SegmentRun[] {
  return sizeBytes === 0 ? [] : [{ first: 0, count: segmentCount(sizeBytes) }];
}

type RunParts = {
  readonly source: SyncSource;
  readonly peer: Peer;
  readonly progress: Progress;
  readonly patches: Tasks;
  readonly batches: Tasks;
  readonly digester: Digester;
  readonly tagger: BatchTagger;
};

class SendRun {
  readonly #source: SyncSource;
  readonly #peer: Peer;
  readonly #progress: Progress;
  readonly #patches: Tasks;
  readonly #batches: Tasks;
  readonly #digester: Digester;
  readonly #tagger: BatchTagger;
  readonly #packing = new PackingChoice();
  readonly #digest = new RunDigest();
  /** Of segments whose tags are still to come. */
  readonly #expected: SegmentQueue;
  /** The destination's tags that nobody has looked at. */
  readonly #theirs = new Map<number, Uint8Array>();
  /** The destination's block digests, for who has asked for them. */
  readonly #answers = new Map<number, Uint8Array | undefined>();
  /** Read and not verified, ascending. */
  readonly #open = new Map<number, Open>();
  readonly #buffers: Uint8Array[] = [];
  #tagged = 0;
  /** Everything below has been sent; and how far the other side was told so. */
  #settled = 0;
  #unsettled: Open[] = [];
  #announced = 0;
  #sinceAnnounced = 0;
  #finished: Uint8Array | undefined;
  #ending = false;
  readonly #counts = { equal: 0, zeroed: 0, patched: 0, blockBytes: 0 };

  constructor({ source, peer, progress, patches, batches, digester, tagger }: RunParts) {
    this.#source = source;
    this.#peer = peer;
    this.#progress = progress;
    this.#patches = patches;
    this.#batches = batches;
    this.#digester = digester;
    this.#tagger = tagger;
    this.#expected = new SegmentQueue(segmentCount(source.size), peer.where);
  }

  async run(looks: readonly SegmentRun[]): Promise<Sent> {
    const listening = this.#listen();
    listening.catch((error: unknown) => this.#progress.fail(error));
    const looking = this.#sendLooks(looks);
    looking.catch((error: unknown) => this.#progress.fail(error));
    for (const { first, count } of looks) {
      for (let at = first; at < first + count; at += BATCH_SEGMENTS)
        await this.#begin({ first: at, count: Math.min(BATCH_SEGMENTS, first + count - at) });
    }
    await looking;
    await this.#batches.idle();
    await this.#patches.idle();
    await this.#announce();
    await this.#progress.until(() => this.#open.size === 0);
    const digest = this.#digest.end();
    this.#ending = true;
    await this.#peer.send({ type: "end", digest, looked: this.#digest.count });
    await this.#progress.until(() => this.#finished !== undefined);
    if (!sameBytes(digest, this.#finished!))
      throw corrupt(this.#peer.where, "another digest of the device", "the digest of the source");
    await listening;
    return {
      digest,
      lookedSegments: this.#digest.count,
      equalSegments: this.#counts.equal,
      zeroedSegments: this.#counts.zeroed,
      patchedSegments: this.#counts.patched,
      blockBytes: this.#counts.blockBytes,
      sentBytes: this.#peer.sentBytes,
    };
  }

  /** The destination is told early what to look at, but not more than it has room for. */
  async #sendLooks(looks: readonly SegmentRun[]): Promise<void> {
    for (const run of looks) {
      // What is expected is what the destination has not answered: an upper bound of what waits there.
      await this.#progress.until(() => this.#expected.length < MAX_LOOKS_WAITING);
      this.#expected.add(run);
      await this.#peer.send({ type: "look", ...run });
    }
  }

  async #begin({ first, count }: SegmentRun): Promise<void> {
    await this.#progress.until(() => this.#open.size + count <= WINDOW_SEGMENTS);
    const batch: Open[] = [];
    for (let segment = first; segment < first + count; segment++) {
      const open: Open = { segment, tag: EMPTY, settled: false, sent: false, bad: 0 };
      this.#open.set(segment, open);
      this.#unsettled.push(open);
      batch.push(open);
    }
    await this.#batches.begin(() => this.#compare(batch));
  }

  /** Finds the segments of a batch that differ, and begins to send them. */
  async #compare(batch: readonly Open[]): Promise<void> {
    const tags = this.#allBlank(batch) ? undefined : await this.#tags(batch);
    const last = batch.at(-1)!.segment;
    await this.#progress.until(() => this.#theirs.has(last));
    const differ: (() => Promise<void>)[] = [];
    for (const [index, open] of batch.entries()) {
      const theirs = this.#theirs.get(open.segment)!;
      this.#theirs.delete(open.segment);
      open.tag = tags?.subarray(index * TAG_BYTES, (index + 1) * TAG_BYTES) ?? EMPTY;
      if (sameBytes(open.tag, theirs)) {
        this.#counts.equal += 1;
        open.settled = true;
      } else differ.push(() => this.#update(open, theirs));
    }
    await this.#settle();
    for (const work of differ) await this.#patches.begin(work);
  }

  #tags(batch: readonly Open[]): Promise<Uint8Array> {
    return this.#tagger.tags(batch.map(({ segment }) => segmentExtent(this.#source.size, segment)));
  }

  /** Whether the destination has nothing there: then all is sent that is not zero, and need be read only once. */
  #allBlank(batch: readonly Open[]): boolean {
    return batch.every(({ segment }) => {
      const theirs = this.#theirs.get(segment);
      const { offset, length } = segmentExtent(this.#source.size, segment);
      if (!theirs || this.#source.readsAsZero?.(offset, length)) return false;
      return sameBytes(theirs, this.#digester.zeroTag(length));
    });
  }

  /** Sends what differs of a segment, by what it is now. */
  async #update(open: Open, theirs: Uint8Array): Promise<void> {
    const { offset, length } = segmentExtent(this.#source.size, open.segment);
    const buffer = this.#buffers.pop() ?? new Uint8Array(SEGMENT_BYTES);
    const into = buffer.subarray(0, length);
    const bytes = this.#source.readsAsZero?.(offset, length)
      ? into.fill(0)
      : await this.#source.read(offset, length, undefined, into);
    open.tag = this.#digester.tag(bytes);
    const zeroTag = this.#digester.zeroTag(length);
    if (sameBytes(open.tag, theirs)) this.#counts.equal += 1;
    else if (sameBytes(open.tag, zeroTag)) {
      this.#counts.zeroed += 1;
      open.sent = true;
      await this.#peer.send({ type: "zero", first: open.segment, count: 1 });
    } else if (sameBytes(theirs, zeroTag)) await this.#patch(open, bytes, nonZeroRuns(bytes));
    else await this.#patch(open, bytes, await this.#ask(open, bytes));
    this.#buffers.push(buffer);
    open.settled = true;
    await this.#settle();
  }

  /** What differs, by the destination's digests of the blocks. */
  async #ask(open: Open, bytes: Uint8Array): Promise<readonly BlockRun[]> {
    const { segment } = open;
    this.#answers.set(segment, undefined);
    await this.#peer.send({ type: "ask", segment });
    const ours = this.#digester.blockDigests(bytes);
    await this.#progress.until(() => this.#answers.get(segment) !== undefined);
    const theirs = this.#answers.get(segment)!;
    this.#answers.delete(segment);
    if (theirs.length !== ours.length) {
      const [found, expected] = [theirs, ours].map((all) => all.length / BLOCK_DIGEST_BYTES);
      throw corrupt(this.#peer.where, `digests of ${found} blocks`, `of ${expected} blocks`);
    }
    return changedRuns(bytes, ours, theirs);
  }

  async #patch(open: Open, bytes: Uint8Array, runs: readonly BlockRun[]): Promise<void> {
    const raw = gatherBlocks(bytes, runs);
    const packed = await this.#pack(raw);
    this.#counts.patched += 1;
    this.#counts.blockBytes += raw.length;
    open.sent = true;
    const before = this.#peer.sendingMs;
    await this.#peer.send({
      type: "patch",
      segment: open.segment,
      tag: open.tag,
      packing: packed ? "zstd" : "none",
      rawBytes: raw.length,
      runs,
      blocks: packed ?? raw,
    });
    if (raw.length > 0) this.#packing.sent((packed ?? raw).length, this.#peer.sendingMs - before);
  }

  /** Absent: to be sent as they are. */
  async #pack(raw: Uint8Array): Promise<Uint8Array | undefined> {
    if (raw.length === 0 || !this.#packing.next()) return undefined;
    const start = performance.now();
    const packed = await packBlocks(raw);
    const tookMs = performance.now() - start;
    return this.#packing.packed(raw.length, packed.length, tookMs) ? packed : undefined;
  }

  /** Read again and sent whole, with the tag of what it is now. */
  async #again(open: Open): Promise<void> {
    const { offset, length } = segmentExtent(this.#source.size, open.segment);
    const bytes = await this.#source.read(offset, length);
    open.tag = this.#digester.tag(bytes);
    await this.#patch(open, bytes, allRuns(bytes));
  }

  async #settle(): Promise<void> {
    while (this.#unsettled[0]?.settled) {
      this.#settled = this.#unsettled.shift()!.segment + 1;
      this.#sinceAnnounced += 1;
    }
    if (this.#sinceAnnounced >= SETTLE_EVERY) await this.#announce();
  }

  async #announce(): Promise<void> {
    if (this.#settled === this.#announced) return;
    this.#announced = this.#settled;
    this.#sinceAnnounced = 0;
    await this.#peer.send({ type: "settled", segment: this.#announced });
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
        return this.#takeTags(frame.first, frame.tags);
      case "blocks": {
        if (!this.#answers.has(frame.segment) || this.#answers.get(frame.segment) !== undefined)
          throw this.#peer.unexpected(frame, "digests of blocks that were asked for");
        this.#answers.set(frame.segment, frame.digests);
        return;
      }
      case "verified":
        return this.#takeVerified(frame.segment);
      case "bad":
        return this.#takeBad(frame.segment);
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

  #takeTags(first: number, tags: Uint8Array): void {
    const count = tags.length / TAG_BYTES;
    const head = this.#expected.head;
    if (head?.first !== first || count > head.count) {
      throw corrupt(
        this.#peer.where,
        `${count} tags from segment ${first}`,
        head ? `at most ${head.count} from segment ${head.first}` : "none",
      );
    }
    this.#tagged += count;
    if (this.#tagged - this.#digest.count > WINDOW_SEGMENTS)
      throw overLimit(this.#peer.where, "the number of tags", `${WINDOW_SEGMENTS} in advance`);
    this.#expected.take(count);
    for (let i = 0; i < count; i++)
      this.#theirs.set(first + i, tags.subarray(i * TAG_BYTES, (i + 1) * TAG_BYTES));
  }

  #takeVerified(upTo: number): void {
    if (upTo > this.#announced)
      throw corrupt(this.#peer.where, `verified ${upTo}`, `at most ${this.#announced}`);
    for (const [segment, open] of this.#open) {
      if (segment >= upTo) break;
      this.#digest.add(segment, open.tag);
      this.#open.delete(segment);
    }
  }

  #takeBad(segment: number): void {
    const open = this.#open.get(segment);
    if (!open?.sent)
      throw corrupt(this.#peer.where, `segment ${segment} as bad`, "one that was sent");
    open.sent = false;
    open.bad += 1;
    if (open.bad > MAX_BAD)
      throw overLimit(this.#peer.where, `how often segment ${segment} was bad`, String(MAX_BAD));
    // Not waited for here, where reading must go on.
    this.#patches.begin(() => this.#again(open)).catch((error) => this.#progress.fail(error));
  }
}

const EMPTY = new Uint8Array(0);
