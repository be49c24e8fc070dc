/** The tags of a stretch of a device in order, made ahead of whoever takes them. */
import { BatchTagger } from "./batch-tags.ts";
import type { SyncCounters } from "./counters.ts";
import type { SyncSource } from "./device.ts";
import type { Digester } from "./digests.ts";
import { segmentExtent } from "./geometry.ts";
import type { SegmentRun } from "./segment-runs.ts";
import { BATCH_SEGMENTS } from "./windows.ts";

/** Batches that are made while one is taken. */
const AHEAD = 4;

export type TagBatch = SegmentRun & {
  /** 16 bytes for each segment. */
  readonly tags: Uint8Array;
};

export type TagsOptions = {
  readonly device: SyncSource;
  readonly digester: Digester;
  /** What is tagged of the device: it may be longer. */
  readonly sizeBytes: number;
  readonly looks: readonly SegmentRun[];
  readonly counters: SyncCounters;
};

/** An `io` failure as of reading. Nothing reads any more when it has ended, also when who takes them ends early. */
export async function* tagsInOrder(options: TagsOptions): AsyncGenerator<TagBatch> {
  const { device, digester, sizeBytes, looks, counters } = options;
  const tagger = new BatchTagger(device, digester, counters);
  const ahead: { readonly run: SegmentRun; readonly tags: Promise<Uint8Array> }[] = [];
  try {
    for (const run of batchesOf(looks)) {
      const segments = Array.from({ length: run.count }, (_, i) =>
        segmentExtent(sizeBytes, run.first + i),
      );
      const tags = tagger.tags(segments);
      // Who takes it gets the failure; nobody may.
      tags.catch(() => {});
      ahead.push({ run, tags });
      if (ahead.length > AHEAD) yield await take(ahead);
    }
    while (ahead.length > 0) yield await take(ahead);
  } finally {
    await tagger.close();
  }
}

async function take(
  ahead: { readonly run: SegmentRun; readonly tags: Promise<Uint8Array> }[],
): Promise<TagBatch> {
  const { run, tags } = ahead.shift()!;
  return { ...run, tags: await tags };
}

function* batchesOf(looks: readonly SegmentRun[]): Generator<SegmentRun> {
  for (const { first, count } of looks)
    for (let at = first; at < first + count; at += BATCH_SEGMENTS)
      yield { first: at, count: Math.min(BATCH_SEGMENTS, first + count - at) };
}
