/** Whether a device still gives what a run has agreed on, by reading it once more (`--verify`). */
import { corrupt } from "../base/failure.ts";
import { newCounters } from "./counters.ts";
import type { SyncCounters } from "./counters.ts";
import type { SyncSource } from "./device.ts";
import { Digester, RunDigest, sameBytes } from "./digests.ts";
import { TAG_BYTES } from "./frames.ts";
import { segmentCount } from "./geometry.ts";
import type { SegmentRun } from "./segment-runs.ts";
import { tagsInOrder } from "./segment-tags.ts";

export type Reread = {
  readonly device: SyncSource;
  /** Of the run. */
  readonly key: Uint8Array;
  readonly sizeBytes: number;
  /** What the run looked at; all by default. */
  readonly looks?: readonly SegmentRun[];
  /** Of the run. */
  readonly digest: Uint8Array;
  readonly counters?: SyncCounters;
};

/**
 * A `corrupt` failure when it gives something else. All of it is read, also what is known to be a hole: what is there is what counts. That it
 * comes from the disk and not from memory is for the caller: see host/local/drop-cache.ts.
 */
export async function assertReread(reread: Reread): Promise<void> {
  const { device, key, sizeBytes, counters = newCounters() } = reread;
  const read: SyncSource = {
    size: device.size,
    where: device.where,
    read: (offset, length, signal, into) => device.read(offset, length, signal, into),
    ...(device.openTagger && { openTagger: (tagKey) => device.openTagger!(tagKey) }),
  };
  const looks = reread.looks ?? [{ first: 0, count: segmentCount(sizeBytes) }];
  const digest = new RunDigest();
  const digester = new Digester(key);
  for await (const batch of tagsInOrder({ device: read, digester, sizeBytes, looks, counters }))
    for (let i = 0; i < batch.count; i++)
      digest.add(batch.first + i, batch.tags.subarray(i * TAG_BYTES, (i + 1) * TAG_BYTES));
  if (!sameBytes(digest.end(), reread.digest))
    throw corrupt(
      device.where,
      "other bytes than were written, when it was read again",
      "the same",
    );
}
