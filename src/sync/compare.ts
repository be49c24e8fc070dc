/**
 * Compares two devices and changes nothing: both sides read and tag at the same time, the source side gets the tags of the
 * destination and says what differs (docs/design/sync-protocol.md, "Comparing only").
 */
import { corrupt } from "../base/failure.ts";
import type { Channel } from "./channel.ts";
import { newCounters } from "./counters.ts";
import type { SyncCounters } from "./counters.ts";
import type { SyncSource } from "./device.ts";
import { Digester, newKey, RunDigest, sameBytes } from "./digests.ts";
import { TAG_BYTES } from "./frames.ts";
import { segmentCount } from "./geometry.ts";
import { Peer } from "./peer.ts";
import { bytesOfRun } from "./segment-runs.ts";
import type { SegmentRun } from "./segment-runs.ts";
import { tagsInOrder } from "./segment-tags.ts";
import type { TagBatch } from "./segment-tags.ts";

export type CompareOptions = {
  readonly device: SyncSource;
  readonly channel: Channel;
  /** 32 bytes that stand for the device. */
  readonly identity: Uint8Array;
  readonly program: string;
  readonly counters?: SyncCounters;
  readonly timeoutMs?: number;
};

export type Compared = {
  /** Of the same size, and each segment is equal. */
  readonly equal: boolean;
  readonly sourceBytes: number;
  readonly destinationBytes: number;
  /** The size of the smaller one. */
  readonly comparedBytes: number;
  /** Of the segments that differ. */
  readonly differingBytes: number;
  /** The first of them, ascending; empty at the destination side. */
  readonly differing: readonly SegmentRun[];
  /** Over the tags of this side; the same on both when they are equal. */
  readonly digest: Uint8Array;
};

/** More is as good as all of it, for a person. */
const MAX_RUNS = 1000;

/** The source side. Fails with what either side has met; a difference is no failure. */
export async function compareSource(options: CompareOptions): Promise<Compared> {
  const { device, counters = newCounters() } = options;
  const peer = new Peer(options.channel, ["the destination"], { ...options, counters });
  return ending(peer, async () => {
    await peer.greet("source", options.program);
    await peer.send({ type: "offer", sizeBytes: device.size, identity: options.identity });
    const accept = await peer.receive();
    if (accept.type !== "accept") throw peer.unexpected(accept, "accept");
    const sizeBytes = Math.min(device.size, accept.sizeBytes);
    const theirs = new TheirTags(peer);
    const differences = new Differences(sizeBytes);
    const digest = new RunDigest();
    const digester = new Digester(accept.key);
    for await (const batch of ownTags({ device, digester, sizeBytes, counters })) {
      for (const { segment, tag } of segmentsOf(batch)) {
        digest.add(segment, tag);
        if (!sameBytes(tag, await theirs.next(segment))) differences.add(segment);
      }
      counters.verifiedBytes += bytesOfRun(batch, sizeBytes);
    }
    theirs.assertTaken();
    const ours = digest.end();
    await peer.send({ type: "end", digest: ours, looked: segmentCount(sizeBytes) });
    const done = await peer.receive();
    if (done.type !== "done") throw peer.unexpected(done, "done");
    const { bytes, runs } = differences;
    if (sameBytes(done.digest, ours) !== (bytes === 0))
      throw corrupt(peer.where, "a digest of other tags than it sent", "one of those tags");
    return {
      equal: bytes === 0 && device.size === accept.sizeBytes,
      sourceBytes: device.size,
      destinationBytes: accept.sizeBytes,
      comparedBytes: sizeBytes,
      differingBytes: bytes,
      differing: runs,
      digest: ours,
    };
  });
}

/** The destination side: its device is only read. */
export async function compareDestination(
  options: Omit<CompareOptions, "identity">,
): Promise<Compared> {
  const { device, counters = newCounters() } = options;
  const peer = new Peer(options.channel, ["the source"], { ...options, counters });
  return ending(peer, async () => {
    await peer.greet("destination", options.program);
    const offer = await peer.receive();
    if (offer.type !== "offer") throw peer.unexpected(offer, "offer");
    const key = newKey();
    await peer.send({ type: "accept", sizeBytes: device.size, key });
    const sizeBytes = Math.min(device.size, offer.sizeBytes);
    const digest = new RunDigest();
    const digester = new Digester(key);
    for await (const batch of ownTags({ device, digester, sizeBytes, counters })) {
      for (const { segment, tag } of segmentsOf(batch)) digest.add(segment, tag);
      await peer.send({ type: "tags", first: batch.first, tags: batch.tags });
      counters.verifiedBytes += bytesOfRun(batch, sizeBytes);
    }
    const ours = digest.end();
    const end = await peer.receive();
    if (end.type !== "end" || end.looked !== segmentCount(sizeBytes))
      throw peer.unexpected(end, "the end of all segments");
    await peer.send({ type: "done", digest: ours, writtenBytes: 0, zeroedBytes: 0 });
    return {
      equal: sameBytes(end.digest, ours) && device.size === offer.sizeBytes,
      sourceBytes: offer.sizeBytes,
      destinationBytes: device.size,
      comparedBytes: sizeBytes,
      differingBytes: 0,
      differing: [],
      digest: ours,
    };
  });
}

async function ending<T>(peer: Peer, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    peer.giveUp(error);
    throw error;
  } finally {
    peer.close();
  }
}

type OwnTags = {
  readonly device: SyncSource;
  readonly digester: Digester;
  readonly sizeBytes: number;
  readonly counters: SyncCounters;
};

function ownTags(options: OwnTags): AsyncGenerator<TagBatch> {
  const { sizeBytes, counters } = options;
  counters.deviceBytes = sizeBytes;
  counters.lookBytes = sizeBytes;
  const count = segmentCount(sizeBytes);
  return tagsInOrder({ ...options, looks: count > 0 ? [{ first: 0, count }] : [] });
}

function* segmentsOf({ first, count, tags }: TagBatch) {
  for (let i = 0; i < count; i++)
    yield { segment: first + i, tag: tags.subarray(i * TAG_BYTES, (i + 1) * TAG_BYTES) };
}

/** What the destination sends, a segment at a time; it is not read before it is wanted, so nothing piles up. */
class TheirTags {
  readonly #peer: Peer;
  #tags: Uint8Array = new Uint8Array(0);
  #at = 0;

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  async next(segment: number): Promise<Uint8Array> {
    if (this.#at === this.#tags.length) {
      const frame = await this.#peer.receive();
      if (frame.type !== "tags" || frame.first !== segment)
        throw this.#peer.unexpected(frame, `the tags from segment ${segment}`);
      this.#tags = frame.tags;
      this.#at = 0;
    }
    this.#at += TAG_BYTES;
    return this.#tags.subarray(this.#at - TAG_BYTES, this.#at);
  }

  assertTaken(): void {
    if (this.#at < this.#tags.length)
      throw corrupt(this.#peer.where, "tags behind the end of the device", "none");
  }
}

class Differences {
  readonly runs: SegmentRun[] = [];
  bytes = 0;
  readonly #sizeBytes: number;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
  }

  add(segment: number): void {
    this.bytes += bytesOfRun({ first: segment, count: 1 }, this.#sizeBytes);
    const last = this.runs.at(-1);
    if (last && last.first + last.count === segment)
      this.runs[this.runs.length - 1] = { first: last.first, count: last.count + 1 };
    else if (this.runs.length < MAX_RUNS) this.runs.push({ first: segment, count: 1 });
  }
}
