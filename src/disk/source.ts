/**
 * The one noun for bytes: a source has a size and gives exact ranges. Everything else (a partition, a logical
 * volume, a cache, a replayed journal) is a function from source to source.
 */
import { assertInside } from "../base/range.ts";
import type { Where } from "../base/where.ts";

export type ByteSource = {
  /** In bytes. */
  readonly size: number;
  readonly where: Where;
  /**
   * Exactly `length` bytes from `offset`, or a failure: `io` when the machine could not, `corrupt` when the range
   * lies outside the source. The result may be shared with a cache: the caller must not write into it.
   *
   * `into`, of `length` bytes, spares the making of a new array where much is read and soon forgotten. A source may
   * use it or not: what it returns counts.
   */
  read(
    offset: number,
    length: number,
    signal?: AbortSignal,
    into?: Uint8Array,
  ): Promise<Uint8Array>;
};

/** A run of bytes in a source. */
export type Extent = { readonly offset: number; readonly length: number };

/** A source that holds a resource of the operating system. */
export type BlockDevice = ByteSource &
  AsyncDisposable & {
    /** The logical sector size in bytes: 512, or 4096 on 4Kn disks. Regular files say 512. */
    readonly blockSize: number;
    /** The kernel lets nobody write to it. Absent: not known, or it can be written. */
    readonly readOnly?: boolean;
    /** Of a regular file: when it was last written, in milliseconds since 1970. */
    readonly modifiedMs?: number;
    /** The ranges that hold data; what lies between reads as zeroes. */
    extents(): AsyncIterable<Extent>;
  };

/** Fails when the range is not inside the source. Every source calls it first. */
export function assertRange(source: ByteSource, offset: number, length: number): void {
  assertInside(source.where, source.size, { offset, length });
}

/** Bytes in memory as a source; tests and decompressed data use it. */
export function memorySource(bytes: Uint8Array, where: Where = ["memory"]): ByteSource {
  const source: ByteSource = {
    size: bytes.length,
    where,
    async read(offset, length) {
      assertRange(source, offset, length);
      return bytes.subarray(offset, offset + length);
    },
  };
  return source;
}

/** The bytes of `source` from `offset` on, as a source of its own. `step` is added to the where-path. */
export function windowSource(
  source: ByteSource,
  offset: number,
  size: number,
  step?: string,
): ByteSource {
  assertRange(source, offset, size);
  const window: ByteSource = {
    size,
    where: step === undefined ? source.where : [...source.where, step],
    async read(at, length, signal, into) {
      assertRange(window, at, length);
      return source.read(offset + at, length, signal, into);
    },
  };
  return window;
}

export type Segment = {
  /** Where the segment begins in the new source. */
  readonly offset: number;
  readonly length: number;
  readonly source: ByteSource;
  readonly sourceOffset: number;
};

/** A source laid out from pieces of others, sorted by offset; gaps read as zeroes. */
export function linearSource(size: number, segments: readonly Segment[], where: Where): ByteSource {
  const linear: ByteSource = {
    size,
    where,
    async read(offset, length, signal, into) {
      assertRange(linear, offset, length);
      let at = firstAfter(segments, offset);
      const only = segments[at];
      if (only && only.offset <= offset && offset + length <= only.offset + only.length) {
        return only.source.read(only.sourceOffset + offset - only.offset, length, signal, into);
      }
      const out = new Uint8Array(length);
      for (; at < segments.length; at++) {
        const segment = segments[at]!;
        if (segment.offset >= offset + length) break;
        const from = Math.max(offset, segment.offset);
        const to = Math.min(offset + length, segment.offset + segment.length);
        const part = await segment.source.read(
          segment.sourceOffset + from - segment.offset,
          to - from,
          signal,
        );
        out.set(part, from - offset);
      }
      return out;
    },
  };
  return linear;
}

/** Index of the first segment that ends after `offset`. */
function firstAfter(segments: readonly Segment[], offset: number): number {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const segment = segments[middle]!;
    if (segment.offset + segment.length > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
