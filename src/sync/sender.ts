/**
 * The source side of a run: reads, compares with what the destination says it has, and sends what differs
 * (docs/design/sync-protocol.md). One run per `send`; nothing is kept between runs.
 */
import { corrupt } from "../base/failure.ts";
import { BatchTagger } from "./batch-tags.ts";
import type { Channel } from "./channel.ts";
import { newCounters } from "./counters.ts";
import type { SyncCounters } from "./counters.ts";
import type { SyncSource } from "./device.ts";
import { Digester } from "./digests.ts";
import { segmentCount } from "./geometry.ts";
import { Peer } from "./peer.ts";
import { Progress, Tasks } from "./progress.ts";
import { SendRun } from "./send-run.ts";
import type { Sent } from "./send-run.ts";
import { bytesOfRun } from "./segment-runs.ts";
import type { SegmentRun } from "./segment-runs.ts";

/** Segments that differ and are worked on, each in memory. */
const PATCHES_AT_ONCE = 4;
/** Batches whose tags are made or compared: how far the source is ahead of the destination. */
const BATCHES_AT_ONCE = 8;

export type SendOptions = {
  readonly source: SyncSource;
  /** `limitedChannel` makes one that stays under a rate. It is closed when `send` ends. */
  readonly channel: Channel;
  /** 32 bytes that stand for the device; see the design page. */
  readonly identity: Uint8Array;
  /** Name and version of the program, for the other side's messages. */
  readonly program: string;
  /** What to look at, ascending; all by default. */
  readonly looks?: readonly SegmentRun[];
  /** Counted up while it runs, for who draws its progress: see `newCounters`. */
  readonly counters?: SyncCounters;
  /**
   * Milliseconds of silence after which the destination is taken for dead, an `io` failure; 60,000 by default. Give both
   * sides about the same: a side says at least every sixth of its own that it is alive.
   */
  readonly timeoutMs?: number;
};

export type { Sent } from "./send-run.ts";

/** Makes the device at the other end equal to `source`. Fails with what either side has met; nothing is left running. */
export async function send(options: SendOptions): Promise<Sent> {
  const { source, counters = newCounters() } = options;
  const peer = new Peer(options.channel, ["the destination"], { ...options, counters });
  const progress = new Progress();
  const patches = new Tasks(progress, PATCHES_AT_ONCE);
  const batches = new Tasks(progress, BATCHES_AT_ONCE);
  let tagger: BatchTagger | undefined;
  let run: SendRun | undefined;
  try {
    const { size } = source;
    await peer.greet("source", options.program);
    await peer.send({ type: "offer", sizeBytes: size, identity: options.identity });
    const accept = await peer.receive();
    if (accept.type !== "accept") throw peer.unexpected(accept, "accept");
    if (accept.sizeBytes < size)
      throw corrupt(peer.where, `a device of ${accept.sizeBytes} bytes`, `at least ${size} bytes`);
    const looks = options.looks ?? wholeDevice(size);
    counters.deviceBytes = size;
    counters.lookBytes = looks.reduce((sum, look) => sum + bytesOfRun(look, size), 0);
    const digester = new Digester(accept.key);
    tagger = new BatchTagger(source, digester, counters);
    const parts = { source, peer, progress, patches, batches, digester, tagger, counters };
    run = new SendRun(parts);
    // What is worked on may wait for a wire that takes nothing: a failure ends it by closing that.
    return await Promise.race([run.run(looks), progress.failure()]);
  } catch (error) {
    progress.fail(error);
    peer.giveUp(error);
    throw error;
  } finally {
    await batches.idle();
    await patches.idle();
    run?.close();
    await tagger?.close();
    peer.close();
  }
}

function wholeDevice(sizeBytes: number): readonly SegmentRun[] {
  return sizeBytes === 0 ? [] : [{ first: 0, count: segmentCount(sizeBytes) }];
}
