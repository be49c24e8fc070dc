/** Brings one segment of the destination up to date: what it has is asked for where that pays, what differs is sent. */
import { corrupt } from "../base/failure.ts";
import { KIB } from "../base/units.ts";
import type { SyncCounters } from "./counters.ts";
import type { SyncSource } from "./device.ts";
import { sameBytes } from "./digests.ts";
import type { Digester } from "./digests.ts";
import { BLOCK_DIGEST_BYTES } from "./frames.ts";
import type { BlockRun, Frame } from "./frames.ts";
import { SEGMENT_BYTES, segmentExtent } from "./geometry.ts";
import { PackingChoice } from "./packing-choice.ts";
import { Packer } from "./packing.ts";
import { allRuns, changedRuns, gatherBlocks, nonZeroRuns } from "./patch.ts";
import type { Peer } from "./peer.ts";
import type { Progress } from "./progress.ts";
import type { SourceSegment } from "./source-segments.ts";

/** Less tells more of the clock than of the wire. */
const LEAST_JUDGED_BYTES = 64 * KIB;

type Parts = {
  readonly source: SyncSource;
  readonly peer: Peer;
  readonly progress: Progress;
  readonly digester: Digester;
  readonly counters: SyncCounters;
};

export class SegmentSender {
  readonly #source: SyncSource;
  readonly #peer: Peer;
  readonly #progress: Progress;
  readonly #digester: Digester;
  readonly #counters: SyncCounters;
  readonly #packing = new PackingChoice();
  /** The destination's block digests, for who has asked for them. */
  readonly #answers = new Map<number, Uint8Array | undefined>();
  /** Each of a segment, when nobody uses them; as many as work goes on at a time, and what goes with it. */
  readonly #buffers: Uint8Array[] = [];
  readonly #packers: Packer[] = [];
  #packsRunning = 0;
  #packingSince = 0;
  #judged = { bytes: 0, ms: 0 };
  readonly segments = { equal: 0, zeroed: 0, patched: 0 };

  constructor({ source, peer, progress, digester, counters }: Parts) {
    this.#source = source;
    this.#peer = peer;
    this.#progress = progress;
    this.#digester = digester;
    this.#counters = counters;
  }

  /** Both sides have the same there. */
  equal(open: SourceSegment): void {
    this.segments.equal += 1;
    this.#counters.equalBytes += segmentExtent(this.#source.size, open.segment).length;
    open.settled = true;
  }

  /**
   * Asks early for what the destination has in a segment that will be updated, so that the way there and back is waited for once and
   * not for each few segments. An answer is 4 KiB, and as many are under way as batches are compared.
   */
  async askAhead(open: SourceSegment, theirs: Uint8Array): Promise<void> {
    const { segment } = open;
    const zeroTag = this.#digester.zeroTag(segmentExtent(this.#source.size, segment).length);
    if (sameBytes(theirs, zeroTag) || sameBytes(open.tag, zeroTag)) return;
    this.#answers.set(segment, undefined);
    await this.#peer.send({ type: "ask", segment });
  }

  /** Sends what differs of a segment, by what it is now. `theirs` is the destination's tag. */
  async update(open: SourceSegment, theirs: Uint8Array): Promise<void> {
    const { offset, length } = segmentExtent(this.#source.size, open.segment);
    const buffer = this.#buffers.pop() ?? new Uint8Array(SEGMENT_BYTES);
    const into = buffer.subarray(0, length);
    const bytes = this.#source.readsAsZero?.(offset, length)
      ? into.fill(0)
      : await this.#source.read(offset, length, undefined, into);
    open.tag = this.#digester.tag(bytes);
    const zeroTag = this.#digester.zeroTag(length);
    const asked = this.#answers.has(open.segment);
    const answer = asked ? await this.#answer(open.segment, bytes) : undefined;
    if (sameBytes(open.tag, theirs)) this.equal(open);
    else if (sameBytes(open.tag, zeroTag)) await this.#zero(open, length);
    else {
      const blank = sameBytes(theirs, zeroTag);
      const runs = blank ? nonZeroRuns(bytes) : (answer ?? (await this.#ask(open, bytes)));
      await this.#patch(open, bytes, runs);
      this.segments.patched += 1;
      this.#counters.patchedBytes += length;
    }
    this.#buffers.push(buffer);
    open.settled = true;
  }

  /** Read again and sent whole, with the tag of what it is now: after it was read back wrong. */
  async again(open: SourceSegment): Promise<void> {
    const { offset, length } = segmentExtent(this.#source.size, open.segment);
    const bytes = await this.#source.read(offset, length);
    open.tag = this.#digester.tag(bytes);
    await this.#patch(open, bytes, allRuns(bytes));
  }

  /** When nothing is worked on any more. */
  close(): void {
    for (const packer of this.#packers) packer.close();
  }

  /** A `corrupt` failure unless they were asked for. */
  takeBlocks(frame: Extract<Frame, { type: "blocks" }>): void {
    const { segment, digests } = frame;
    if (!this.#answers.has(segment) || this.#answers.get(segment) !== undefined)
      throw this.#peer.unexpected(frame, "digests of blocks that were asked for");
    this.#answers.set(segment, digests);
  }

  async #zero(open: SourceSegment, length: number): Promise<void> {
    this.segments.zeroed += 1;
    this.#counters.zeroedBytes += length;
    open.sent = true;
    await this.#peer.send({ type: "zero", first: open.segment, count: 1 });
  }

  /** What differs, by the destination's digests of the blocks. */
  async #ask(open: SourceSegment, bytes: Uint8Array): Promise<readonly BlockRun[]> {
    this.#answers.set(open.segment, undefined);
    await this.#peer.send({ type: "ask", segment: open.segment });
    return this.#answer(open.segment, bytes);
  }

  /** Nothing else may be sent for a segment until it has come. */
  async #answer(segment: number, bytes: Uint8Array): Promise<readonly BlockRun[]> {
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

  async #patch(open: SourceSegment, bytes: Uint8Array, runs: readonly BlockRun[]): Promise<void> {
    // As many arrays as are needed: mostly there is one run, and it is not packed.
    const used: Uint8Array[] = [];
    const room = () => {
      const buffer = this.#buffers.pop() ?? new Uint8Array(SEGMENT_BYTES);
      used.push(buffer);
      return buffer;
    };
    const raw = gatherBlocks(bytes, runs, room);
    const packed = await this.#pack(raw, room);
    this.#counters.blockBytes += raw.length;
    open.sent = true;
    await this.#peer.send({
      type: "patch",
      segment: open.segment,
      tag: open.tag,
      packing: packed ? "zstd" : "none",
      rawBytes: raw.length,
      runs,
      blocks: packed ?? raw,
    });
    this.#buffers.push(...used);
    this.#judgeWire();
  }

  /** All that was sent since the last time counts, and the time in which any of it waited: patches wait side by side. */
  #judgeWire(): void {
    const { takenBytes, busyMs } = this.#peer;
    const bytes = takenBytes - this.#judged.bytes;
    if (bytes < LEAST_JUDGED_BYTES) return;
    this.#packing.sent(bytes, busyMs - this.#judged.ms);
    this.#judged = { bytes: takenBytes, ms: busyMs };
  }

  /** Absent: to be sent as they are. */
  async #pack(raw: Uint8Array, room: () => Uint8Array): Promise<Uint8Array | undefined> {
    if (raw.length === 0 || !this.#packing.next()) return undefined;
    const packer = this.#packers.pop() ?? new Packer();
    if (this.#packsRunning === 0) this.#packingSince = performance.now();
    this.#packsRunning += 1;
    const packed = await packer.pack(raw, room().subarray(0, raw.length));
    this.#packsRunning -= 1;
    // Several go on side by side: each is charged with the time since the one before was done.
    const now = performance.now();
    const tookMs = now - this.#packingSince;
    this.#packingSince = now;
    this.#packers.push(packer);
    const helps = this.#packing.packed(raw.length, packed?.length ?? raw.length, tookMs);
    return helps ? packed : undefined;
  }
}
