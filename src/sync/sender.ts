/**
 * The source side of a run: reads, compares with what the destination says it has, and sends what differs
 * (docs/design/sync-protocol.md). One run per `send`; nothing is kept between runs.
 */
import { corrupt, overLimit } from "../base/failure.ts";
import type { Extent } from "../disk/source.ts";
import type { Channel } from "./channel.ts";
import type { SyncSource } from "./device.ts";
import { Digester, isZero, RunDigest, sameBytes } from "./digests.ts";
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
import { MAX_BAD, MAX_LOOKS_WAITING, SETTLE_EVERY, WINDOW_SEGMENTS } from "./windows.ts";

/** Segments in memory: what the reader may be ahead of the destination's tags. */
const SEGMENTS_IN_MEMORY = 32;
/** As many as Node's pool has threads: more would only take arrays that are no longer in the processor's cache. */
const READS_AT_ONCE = 4;

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
  const tasks = new Tasks(progress, SEGMENTS_IN_MEMORY);
  try {
    const { size } = options.source;
    await peer.greet("source", options.program);
    await peer.send({ type: "offer", sizeBytes: size, identity: options.identity });
    const accept = await peer.receive();
    if (accept.type !== "accept") throw peer.unexpected(accept, "accept");
    if (accept.sizeBytes < size)
      throw corrupt(peer.where, `a device of ${accept.sizeBytes} bytes`, `at least ${size} bytes`);
    const looks = options.looks ?? wholeDevice(size);
    const run = new SendRun({ source: options.source, peer, progress, tasks, key: accept.key });
    return await run.run(looks);
  } catch (error) {
    progress.fail(error);
    peer.giveUp(error);
    throw error;
  } finally {
    await tasks.idle();
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
  readonly tasks: Tasks;
  readonly key: Uint8Array;
};

class SendRun {
  readonly #source: SyncSource;
  readonly #peer: Peer;
  readonly #progress: Progress;
  readonly #tasks: Tasks;
  readonly #digester: Digester;
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
  #reading = 0;
  #tagged = 0;
  /** Everything below has been sent; and how far the other side was told so. */
  #settled = 0;
  #unsettled: Open[] = [];
  #announced = 0;
  #sinceAnnounced = 0;
  #finished: Uint8Array | undefined;
  #ending = false;
  readonly #counts = { equal: 0, zeroed: 0, patched: 0, blockBytes: 0 };

  constructor({ source, peer, progress, tasks, key }: RunParts) {
    this.#source = source;
    this.#peer = peer;
    this.#progress = progress;
    this.#tasks = tasks;
    this.#digester = new Digester(key);
    this.#expected = new SegmentQueue(segmentCount(source.size), peer.where);
  }

  async run(looks: readonly SegmentRun[]): Promise<Sent> {
    const listening = this.#listen();
    listening.catch((error: unknown) => this.#progress.fail(error));
    const looking = this.#sendLooks(looks);
    looking.catch((error: unknown) => this.#progress.fail(error));
    for (const { first, count } of looks) {
      for (let segment = first; segment < first + count; segment++) await this.#begin(segment);
    }
    await looking;
    await this.#tasks.idle();
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

  async #begin(segment: number): Promise<void> {
    await this.#progress.until(() => this.#open.size < WINDOW_SEGMENTS);
    const open: Open = { segment, tag: EMPTY, settled: false, sent: false, bad: 0 };
    this.#open.set(segment, open);
    this.#unsettled.push(open);
    await this.#tasks.begin(async () => {
      await this.#compare(open);
      await this.#settle(open);
    });
  }

  /** One segment, from reading it to having sent what differs. */
  async #compare(open: Open): Promise<void> {
    const { offset, length } = segmentExtent(this.#source.size, open.segment);
    const known = this.#source.readsAsZero?.(offset, length) ?? false;
    if (!known) await this.#progress.until(() => this.#reading < READS_AT_ONCE);
    const buffer = known ? EMPTY : (this.#buffers.pop() ?? new Uint8Array(SEGMENT_BYTES));
    try {
      const bytes = known ? EMPTY : await this.#read({ offset, length }, buffer);
      const zero = known || isZero(bytes);
      open.tag = zero ? this.#digester.zeroTag(length) : this.#digester.tag(bytes);
      await this.#progress.until(() => this.#theirs.has(open.segment));
      const theirs = this.#theirs.get(open.segment)!;
      this.#theirs.delete(open.segment);
      if (sameBytes(open.tag, theirs)) {
        this.#counts.equal += 1;
        return;
      }
      if (zero) {
        this.#counts.zeroed += 1;
        open.sent = true;
        await this.#peer.send({ type: "zero", first: open.segment, count: 1 });
        return;
      }
      const blank = sameBytes(theirs, this.#digester.zeroTag(length));
      await this.#patch(open, bytes, blank ? nonZeroRuns(bytes) : await this.#ask(open, bytes));
    } finally {
      if (buffer !== EMPTY) this.#buffers.push(buffer);
    }
  }

  async #read({ offset, length }: Extent, buffer: Uint8Array): Promise<Uint8Array> {
    this.#reading += 1;
    try {
      return await this.#source.read(offset, length, undefined, buffer.subarray(0, length));
    } finally {
      this.#reading -= 1;
      this.#progress.changed();
    }
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

  async #settle(open: Open): Promise<void> {
    open.settled = true;
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
    this.#tasks.begin(() => this.#again(open)).catch((error) => this.#progress.fail(error));
  }
}

const EMPTY = new Uint8Array(0);
