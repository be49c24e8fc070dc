/**
 * One stream of any compression that kernels and initramfs images come in: all at once, or chunk by chunk.
 *
 * One stream, because such files are concatenations: a kernel's payload has its unpacked size behind the stream, an
 * initramfs has further segments and padding. What the stream took is part of the result; what follows is the
 * caller's to judge.
 */
import { overLimit } from "../../base/failure.ts";
import { MIB, sizeText } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";
import { unpackBzip2 } from "./bzip2.ts";
import type { Compression } from "./format.ts";
import { unpackGzip } from "./gzip.ts";
import { unpackLz4Frame } from "./lz4-frame.ts";
import { unpackLz4 } from "./lz4.ts";
import { unpackLzma } from "./lzma.ts";
import { unpackLzo } from "./lzo.ts";
import { Reader } from "./reader.ts";
import { unpackXz } from "./xz.ts";
import { unpackZstd } from "./zstd.ts";

export type DecompressOptions = {
  /** The most bytes that may come out; more is a `limit` failure. */
  readonly limit: number;
  readonly where: Where;
  /** Checked at least once every 4 MiB of output. */
  readonly signal?: AbortSignal;
};

export type Decompressed = {
  readonly bytes: Uint8Array;
  /** How many bytes of the input the stream took, its trailer included: what follows is not part of it. */
  readonly consumed: number;
};
export type { Compression };

/** After this much output of a decoder of ours, which never waits, others get their turn. */
const BREATH_BYTES = 4 * MIB;

/**
 * Unpacks one stream (a gzip member, a zstd frame, an xz stream, ...) that `bytes` begin with. Yields its output in
 * chunks that are the consumer's to keep, and returns how many bytes of input the stream took. Memory is bounded by
 * the window of the format, however much comes out. The consumer may stop early.
 *
 * Failures: `corrupt` when the stream is damaged (a wrong checksum is seen only at the end, after the data) or ends
 * early (see `isTruncated`), `unsupported`, `limit`. `bytes` must not change meanwhile.
 */
export async function* unpack(
  format: Compression,
  bytes: Uint8Array,
  options: DecompressOptions,
): AsyncGenerator<Uint8Array, number> {
  const { limit, where, signal } = options;
  const reader = new Reader(bytes, where);
  let total = 0;
  let breath = BREATH_BYTES;
  signal?.throwIfAborted();
  for await (const chunk of decoder(format, reader)) {
    signal?.throwIfAborted();
    total += chunk.length;
    if (total > limit) throw overLimit(where, "the unpacked size", sizeText(limit));
    yield chunk;
    if (total < breath) continue;
    breath = total + BREATH_BYTES;
    await new Promise(setImmediate);
  }
  return reader.at;
}

function decoder(
  format: Compression,
  reader: Reader,
): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  switch (format) {
    case "gzip":
      return unpackGzip(reader);
    case "bzip2":
      return unpackBzip2(reader);
    case "lzma":
      return unpackLzma(reader);
    case "xz":
      return unpackXz(reader);
    case "lzo":
      return unpackLzo(reader);
    case "lz4":
      return unpackLz4(reader);
    case "zstd":
      return unpackZstd(reader);
    case "lz4-frame":
      return unpackLz4Frame(reader);
  }
}

/** All of one stream at once; `unpack` says how it fails. */
export async function decompress(
  format: Compression,
  bytes: Uint8Array,
  options: DecompressOptions,
): Promise<Decompressed> {
  const stream = unpack(format, bytes, options);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const step = await stream.next();
    if (step.done) return { bytes: concat(chunks, length), consumed: step.value };
    chunks.push(step.value);
    length += step.value.length;
  }
}

function concat(chunks: readonly Uint8Array[], length: number): Uint8Array {
  if (chunks.length === 1) return chunks[0]!;
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
