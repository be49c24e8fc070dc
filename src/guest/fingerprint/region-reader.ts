/** Digests of ranges of a source, in bounded pieces. What cannot be read has no digest. */
import { attempt, overLimit } from "../../base/failure.ts";
import { KIB, MIB } from "../../base/units.ts";
import type { ByteSource, Extent } from "../../disk/source.ts";
import { streamDigest } from "../../sync/stream-digest.ts";
import type { RegionFingerprint } from "./types.ts";

/** Read to find out where something is, of a volume: what is damaged must not use up what is there for the digests. */
export const SEARCH_BYTES = 128 * MIB;
const CHUNK_BYTES = MIB;
/** Of a digest, half of SHA-256: nobody but chance has to be kept from making two contents with one. */
const DIGEST_BYTES = 16;
const SAMPLES = 64;
const SAMPLE_BYTES = 64 * KIB;

/** A region to be digested: ranges of `source` in this order, which all lie inside of it. */
export type Region = {
  readonly name: string;
  readonly source: ByteSource;
  readonly ranges: readonly Extent[];
};

/** `source` that fails with `limit` once `limitBytes` were read from it. `read` counts. */
export function countedSource(source: ByteSource, limitBytes: number) {
  const counted = {
    size: source.size,
    where: source.where,
    readBytes: 0,
    async read(
      offset: number,
      length: number,
      signal?: AbortSignal,
      into?: Uint8Array,
    ): Promise<Uint8Array> {
      if (length > limitBytes - counted.readBytes)
        throw overLimit(source.where, "what is read for a fingerprint", `${limitBytes} bytes`);
      counted.readBytes += length;
      return source.read(offset, length, signal, into);
    },
  };
  return counted;
}

/** An abort passes through; every other reason not to have a digest does not. */
export async function digestRegion(
  { name, source, ranges }: Region,
  signal?: AbortSignal,
): Promise<RegionFingerprint> {
  const bytes = ranges.reduce((sum, { length }) => sum + length, 0);
  const digest = streamDigest();
  const buffers = [new Uint8Array(0), new Uint8Array(0)];
  const read = await attempt(async () => {
    let turn = 0;
    let next: Promise<Uint8Array> | undefined;
    // One piece is read while the one before it is digested.
    for (const { offset, length } of chunksOf(ranges)) {
      turn = 1 - turn;
      if (buffers[turn]!.length !== length) buffers[turn] = new Uint8Array(length);
      const current = next;
      next = source.read(offset, length, signal, buffers[turn]);
      // It is awaited further down, or not at all when the one before it fails.
      next.catch(() => {});
      if (current) digest.update(await current);
    }
    if (next) digest.update(await next);
  });
  return { name, bytes, ...(read.ok && { digest: digest.hex(DIGEST_BYTES) }) };
}

function* chunksOf(ranges: readonly Extent[]): Generator<Extent> {
  for (const { offset, length } of ranges) {
    for (let done = 0; done < length; done += CHUNK_BYTES) {
      yield { offset: offset + done, length: Math.min(CHUNK_BYTES, length - done) };
    }
  }
}

/** The whole of a source, or `SAMPLES` pieces at even distances, always the same, where it is longer than `limitBytes`. */
export function wholeOrSamples(sizeBytes: number, limitBytes: number): Extent[] {
  if (sizeBytes <= limitBytes) return sizeBytes > 0 ? [{ offset: 0, length: sizeBytes }] : [];
  return samples(sizeBytes, limitBytes);
}

/** Never more than `limitBytes`, each at a multiple of its length. */
export function samples(sizeBytes: number, limitBytes: number): Extent[] {
  const most = Math.min(SAMPLES, Math.floor(limitBytes / SAMPLE_BYTES));
  const places = Math.floor(sizeBytes / SAMPLE_BYTES);
  const count = Math.min(most, places);
  return Array.from({ length: count }, (_, i) => {
    // The middle of each part: the ends are digested by themselves.
    const place = Math.floor(((2 * i + 1) * places) / (2 * count));
    return { offset: place * SAMPLE_BYTES, length: SAMPLE_BYTES };
  });
}

/** What of a range lies in `sizeBytes`; nothing for an empty one. */
export function clip(offset: number, length: number, sizeBytes: number): Extent[] {
  const from = Math.max(0, Math.min(offset, sizeBytes));
  const to = Math.max(from, Math.min(offset + length, sizeBytes));
  return to > from ? [{ offset: from, length: to - from }] : [];
}

/** `bytes` on each side of `at` in a ring from `first` to `last`, as one or two ranges; all of it when it is shorter. */
export function ringWindow(
  { first, last }: { readonly first: number; readonly last: number },
  at: number,
  bytes: number,
): Extent[] {
  const length = last - first;
  if (length <= 2 * bytes) return length > 0 ? [{ offset: first, length }] : [];
  const start = first + ((at - first - bytes + length) % length);
  const before = Math.min(2 * bytes, last - start);
  const behind = 2 * bytes - before;
  return [
    { offset: start, length: before },
    ...(behind > 0 ? [{ offset: first, length: behind }] : []),
  ];
}
