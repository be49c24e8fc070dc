/** Whether tags of an earlier run still say what is on the disk, by a random sample (docs/design/copy-record.md). */
import { randomInt } from "node:crypto";
import { mapParallel } from "../base/parallel.ts";
import type { Extent } from "../disk/source.ts";
import type { SyncSource } from "./device.ts";
import { Digester, sameBytes } from "./digests.ts";
import { TAG_BYTES } from "./frames.ts";
import { segmentCount, segmentExtent } from "./geometry.ts";
import { BATCH_SEGMENTS } from "./windows.ts";

/** Segments of a sample, and one of a hundred where that is more. */
export const LEAST_SAMPLE = 64;
const BATCHES_AT_ONCE = 4;

export type SampledCheck = {
  readonly device: SyncSource;
  readonly key: Uint8Array;
  /** Of the source of that run. */
  readonly sizeBytes: number;
  /** As the record says; undefined when it does not know. */
  readonly tagOf: (segment: number) => Uint8Array | undefined;
  /** Segments of the sample; `LEAST_SAMPLE` by default. */
  readonly least?: number;
};

/** The first segment that is not what its tag says, or undefined when all of the sample are. */
export async function findChangedInSample(check: SampledCheck): Promise<number | undefined> {
  const digester = new Digester(check.key);
  const tagger = check.device.openTagger?.(digester.tagKey);
  try {
    const chosen = chooseSegments(segmentCount(check.sizeBytes), check.least).flatMap((segment) => {
      const tag = check.tagOf(segment)?.slice();
      return tag ? [{ segment, tag }] : [];
    });
    const batches = Array.from({ length: Math.ceil(chosen.length / BATCH_SEGMENTS) }, (_, i) =>
      chosen.slice(i * BATCH_SEGMENTS, (i + 1) * BATCH_SEGMENTS),
    );
    const changed = await mapParallel(batches, BATCHES_AT_ONCE, async (batch) => {
      const extents = batch.map(({ segment }) => segmentExtent(check.sizeBytes, segment));
      const tags = await (tagger?.tags(extents) ?? readTags(check.device, digester, extents));
      return batch.find(
        ({ tag }, i) => !sameBytes(tag, tags.subarray(i * TAG_BYTES, (i + 1) * TAG_BYTES)),
      );
    });
    return changed.find((one) => one !== undefined)?.segment;
  } finally {
    await tagger?.close();
  }
}

async function readTags(
  device: SyncSource,
  digester: Digester,
  extents: readonly Extent[],
): Promise<Uint8Array> {
  const tags: Uint8Array[] = [];
  for (const { offset, length } of extents)
    tags.push(digester.tag(await device.read(offset, length)));
  return Buffer.concat(tags);
}

/** Ascending, each at most once; all when there are few. Nobody can know them beforehand. */
export function chooseSegments(count: number, least = LEAST_SAMPLE): readonly number[] {
  const wanted = Math.min(count, Math.max(least, Math.ceil(count / 100)));
  if (wanted === count) return Array.from({ length: count }, (_, i) => i);
  const chosen = new Set<number>();
  while (chosen.size < wanted) chosen.add(randomInt(count));
  return [...chosen].toSorted((a, b) => a - b);
}
