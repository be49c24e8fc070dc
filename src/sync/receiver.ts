/**
 * The destination side of a run: says what its device holds, writes what the source sends, reads it back, and lets nothing
 * be written that the protocol does not allow (docs/design/sync-protocol.md, "What a side must refuse").
 */
import { corrupt, overLimit } from "../base/failure.ts";
import type { Channel } from "./channel.ts";
import { newCounters } from "./counters.ts";
import type { SyncCounters } from "./counters.ts";
import type { AboutRun, CopyRecord, SyncTarget } from "./device.ts";
import { Digester, newKey, RunDigest, sameBytes } from "./digests.ts";
import type { Frame, Patch } from "./frames.ts";
import { SEGMENT_BYTES, segmentCount } from "./geometry.ts";
import { OpenSegments } from "./open-segments.ts";
import type { OpenSegment } from "./open-segments.ts";
import { Unpacker } from "./packing.ts";
import { piecesOf } from "./patch.ts";
import { Peer } from "./peer.ts";
import { Progress, Tasks } from "./progress.ts";
import { bytesOfRun, SegmentQueue } from "./segment-runs.ts";
import { Tagger } from "./tagger.ts";
import { MAX_BAD, MAX_LOOKS_WAITING } from "./windows.ts";

/** Patches and questions that are worked on at a time; each has a segment in memory. */
const WIDTH = 4;

export type ReceiveOptions = {
  readonly target: SyncTarget;
  /** `limitedChannel` makes one that stays under a rate. It is closed when `receive` ends. */
  readonly channel: Channel;
  /** Name and version of the program, for the other side's messages. */
  readonly program: string;
  readonly record?: CopyRecord;
  /** 48 bytes; a new one by default. */
  readonly key?: Uint8Array;
  /** Counted up while it runs, for who draws its progress: see `newCounters`. */
  readonly counters?: SyncCounters;
  /** As of `send`: milliseconds of silence after which the source is taken for dead; 60,000 by default. */
  readonly timeoutMs?: number;
};

export type Received = {
  readonly digest: Uint8Array;
  readonly lookedSegments: number;
  readonly writtenBytes: number;
  readonly zeroedBytes: number;
};

/** Makes `target` what the source says. Fails with what either side has met; nothing writes when it has ended. */
export async function receive(options: ReceiveOptions): Promise<Received> {
  const { counters = newCounters() } = options;
  const peer = new Peer(options.channel, ["the source"], { ...options, counters });
  const progress = new Progress();
  const tasks = new Tasks(progress, WIDTH);
  const { target, record } = options;
  const tagger = new Tagger({ target, peer, progress, counters, ...(record && { record }) });
  let run: ReceiveRun | undefined;
  try {
    const key = options.key ?? newKey();
    await peer.greet("destination", options.program);
    const offer = await peer.receive();
    if (offer.type !== "offer") throw peer.unexpected(offer, "offer");
    const { size } = options.target;
    if (offer.sizeBytes > size)
      throw overLimit(
        options.target.where,
        `a source of ${offer.sizeBytes} bytes`,
        `${size} bytes`,
      );
    await peer.send({ type: "accept", sizeBytes: size, key });
    const sizeBytes = offer.sizeBytes;
    counters.deviceBytes = sizeBytes;
    const about = { sizeBytes, identity: offer.identity, key };
    run = new ReceiveRun({ options, peer, progress, tasks, tagger, about, counters });
    return await run.run();
  } catch (error) {
    progress.fail(error);
    peer.giveUp(error);
    throw error;
  } finally {
    await tasks.idle();
    run?.close();
    await tagger.idle();
    peer.close();
  }
}

type RunParts = {
  readonly options: ReceiveOptions;
  readonly peer: Peer;
  readonly progress: Progress;
  readonly tasks: Tasks;
  readonly tagger: Tagger;
  readonly about: AboutRun;
  readonly counters: SyncCounters;
};

class ReceiveRun {
  readonly #target: SyncTarget;
  readonly #record: CopyRecord | undefined;
  readonly #peer: Peer;
  readonly #progress: Progress;
  readonly #tasks: Tasks;
  readonly #tagger: Tagger;
  readonly #about: AboutRun;
  readonly #counters: SyncCounters;
  readonly #digester: Digester;
  readonly #digest = new RunDigest();
  readonly #looks: SegmentQueue;
  readonly #open: OpenSegments;
  /** Each of a segment, when nobody uses them. */
  readonly #buffers: Uint8Array[] = [];
  readonly #unpackers: Unpacker[] = [];
  #begun: Promise<void> | undefined;
  #told = 0;
  #writtenBytes = 0;
  #zeroedBytes = 0;

  constructor({ options, peer, progress, tasks, tagger, about, counters }: RunParts) {
    this.#counters = counters;
    this.#about = about;
    this.#target = options.target;
    this.#record = options.record;
    this.#peer = peer;
    this.#progress = progress;
    this.#tasks = tasks;
    this.#tagger = tagger;
    this.#digester = new Digester(about.key);
    this.#looks = new SegmentQueue(segmentCount(about.sizeBytes), peer.where);
    this.#open = new OpenSegments(about.sizeBytes, peer.where);
  }

  async run(): Promise<Received> {
    this.#tagger.start({ looks: this.#looks, open: this.#open, digester: this.#digester });
    const listening = this.#listen();
    listening.catch((error: unknown) => this.#progress.fail(error));
    return this.#finish(await Promise.race([listening, this.#progress.failure()]));
  }

  /** When nothing is worked on any more. */
  close(): void {
    for (const unpacker of this.#unpackers) unpacker.close();
  }

  async #listen(): Promise<Extract<Frame, { type: "end" }>> {
    for (;;) {
      const frame = await this.#peer.receive();
      if (frame.type === "end") return frame;
      await this.#take(frame);
      this.#progress.changed();
    }
  }

  async #take(frame: Frame): Promise<void> {
    switch (frame.type) {
      case "look":
        this.#looks.add(frame);
        this.#counters.lookBytes += bytesOfRun(frame, this.#about.sizeBytes);
        if (this.#looks.length > MAX_LOOKS_WAITING)
          throw overLimit(this.#peer.where, "the runs that wait", String(MAX_LOOKS_WAITING));
        return;
      case "ask": {
        const open = this.#open.ask(frame.segment);
        return this.#tasks.begin(() => this.#answer(open));
      }
      case "patch": {
        const open = this.#open.write(frame.segment, "patch");
        return this.#tasks.begin(() => this.#patch(open, frame));
      }
      case "zero": {
        // The window bounds how many can be open.
        for (let i = 0; i < frame.count; i++) {
          const open = this.#open.write(frame.first + i, "zero");
          await this.#tasks.begin(() => this.#zero(open));
        }
        return;
      }
      case "settled":
        this.#open.settle(frame.segment);
        return this.#advance();
      case "hello":
      case "offer":
      case "accept":
      case "tags":
      case "blocks":
      case "verified":
      case "bad":
      case "end":
      case "done":
      case "error":
      case "alive":
        throw this.#peer.unexpected(frame, "a frame of the source side");
    }
  }

  async #answer(open: OpenSegment): Promise<void> {
    await this.#withSegment(open, async (bytes) => {
      const digests = this.#digester.blockDigests(bytes);
      this.#open.answered(open);
      await this.#peer.send({ type: "blocks", segment: open.segment, digests });
    });
  }

  async #patch(open: OpenSegment, patch: Patch): Promise<void> {
    const { where } = this.#peer;
    const buffer = this.#buffers.pop() ?? new Uint8Array(SEGMENT_BYTES);
    const blocks =
      patch.packing === "zstd"
        ? await this.#unpack(patch.blocks, buffer.subarray(0, patch.rawBytes))
        : patch.blocks;
    const pieces = piecesOf(patch.runs, blocks, { segmentBytes: open.length, where });
    await this.#beforeWriting();
    for (const { offset, length, bytes } of pieces) {
      if (bytes) {
        await this.#target.write(open.offset + offset, bytes);
        this.#writtenBytes += length;
      } else {
        await this.#target.zero(open.offset + offset, length);
        this.#zeroedBytes += length;
      }
    }
    this.#counters.blockBytes += blocks.length;
    this.#buffers.push(buffer);
    // The tag lies in the same array.
    const tag = patch.tag.slice();
    this.#peer.recycle(patch.blocks);
    await this.#judge(open, tag);
  }

  async #unpack(packed: Uint8Array, into: Uint8Array): Promise<Uint8Array> {
    const unpacker = this.#unpackers.pop() ?? new Unpacker();
    const blocks = await unpacker.unpack(packed, into, this.#peer.where);
    this.#unpackers.push(unpacker);
    return blocks;
  }

  async #zero(open: OpenSegment): Promise<void> {
    await this.#beforeWriting();
    await this.#target.zero(open.offset, open.length);
    this.#zeroedBytes += open.length;
    await this.#judge(open, this.#digester.zeroTag(open.length));
  }

  /** What is there now is what counts, not what was written. */
  async #judge(open: OpenSegment, tag: Uint8Array): Promise<void> {
    const found = await this.#tagger.readBack(open);
    if (sameBytes(found, tag)) this.#open.written(open, tag);
    else {
      this.#open.bad(open);
      if (open.bad > MAX_BAD)
        throw corrupt(
          [...this.#target.where, `byte ${open.offset}`],
          `other bytes than were written, ${open.bad} times`,
          "a device that keeps what is written to it",
        );
      await this.#peer.send({ type: "bad", segment: open.segment });
    }
    await this.#advance();
  }

  async #withSegment<T>(
    { offset, length }: OpenSegment,
    work: (bytes: Uint8Array) => Promise<T>,
  ): Promise<T> {
    const buffer = this.#buffers.pop() ?? new Uint8Array(SEGMENT_BYTES);
    try {
      const into = buffer.subarray(0, length);
      return await work(await this.#target.read(offset, length, undefined, into));
    } finally {
      this.#buffers.push(buffer);
    }
  }

  #beforeWriting(): Promise<void> {
    this.#begun ??= this.#record?.begin(this.#about) ?? Promise.resolve();
    return this.#begun;
  }

  /** Says how far everything holds what was wanted, as soon as that is farther than was said. */
  async #advance(): Promise<void> {
    const verified = this.#open.takeVerified();
    for (const open of verified) this.#count(open);
    if (verified.length > 0) this.#record?.verified?.(verified);
    const upTo = this.#open.verifiedUpTo;
    if (upTo === this.#told) return;
    this.#told = upTo;
    this.#progress.changed();
    await this.#peer.send({ type: "verified", segment: upTo });
  }

  #count({ segment, tag, length, change }: OpenSegment): void {
    this.#digest.add(segment, tag);
    this.#counters.verifiedBytes += length;
    if (change === "patch") this.#counters.patchedBytes += length;
    else if (change === "zero") this.#counters.zeroedBytes += length;
    else this.#counters.equalBytes += length;
  }

  async #finish(end: Extract<Frame, { type: "end" }>): Promise<Received> {
    const left = this.#open.size;
    if (left > 0) throw corrupt(this.#peer.where, `the end with ${left} segments open`, "none");
    const { total } = this.#looks;
    if (end.looked !== total || this.#digest.count !== total) {
      const found = `the end of ${end.looked} segments`;
      throw corrupt(this.#peer.where, found, `${total}, with all of them compared`);
    }
    const digest = this.#digest.end();
    if (!sameBytes(digest, end.digest))
      throw corrupt(this.#target.where, "another digest than the source's", "the same device");
    // Also when this run wrote nothing: an earlier one that was cut off may not have flushed.
    await this.#target.flush();
    await this.#record?.finish(digest);
    const writtenBytes = this.#writtenBytes;
    const zeroedBytes = this.#zeroedBytes;
    await this.#peer.send({ type: "done", digest, writtenBytes, zeroedBytes });
    return { digest, lookedSegments: end.looked, writtenBytes, zeroedBytes };
  }
}
