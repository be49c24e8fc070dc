/**
 * An initramfs file is images back to back: plain cpio archives and compressed streams, NULs between them. This walks
 * them as Linux init/initramfs.c unpack_to_rootfs() does: NULs are passed over, a `0` begins a plain archive and must
 * lie at a multiple of 4, anything else is a compressed stream or junk; the first failure ends it.
 */
import type { Budget } from "../../base/budget.ts";
import { FailureError, attempt, corrupt, overLimit, unsupported } from "../../base/failure.ts";
import type { Failure, Result } from "../../base/failure.ts";
import { sizeText } from "../../base/units.ts";
import { within } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import { unpack } from "../../bytes/decompress/decompress.ts";
import { sniffCompression } from "../../bytes/decompress/format.ts";
import type { Compression } from "../../bytes/decompress/format.ts";
import { xzCheck } from "../../bytes/decompress/xz.ts";
import { zstdWindowBytes } from "../../bytes/decompress/zstd.ts";
import { CpioReader, cpioKind } from "./cpio.ts";
import type { CpioEntry, CpioSink } from "./cpio.ts";
import type { InitramfsSegment } from "./initramfs-facts.ts";
import { cleanPath } from "./tree.ts";

export type SegmentOptions = {
  readonly where: Where;
  readonly signal?: AbortSignal;
  /** The most that all segments may unpack to, in bytes. */
  readonly limitBytes: number;
  /** Spent by one for each entry. */
  readonly entries: Budget;
  /** Called after each segment that is whole, with its index. */
  readonly onWhole?: (index: number) => void;
};

export type Segments = {
  readonly segments: readonly InitramfsSegment[];
  readonly junkAt?: number;
  /** See `InitramfsFacts.failure`. */
  readonly failure?: Failure;
};

/** No image has more than a handful; a file of nothing but tiny ones must not cost a reader each. */
const MAX_SEGMENTS = 64;

/** Feeds every entry to `sink`. Failures are in the result; only `signal` throws. */
export async function readSegments(
  bytes: Uint8Array,
  sink: CpioSink,
  options: SegmentOptions,
): Promise<Segments> {
  const { where } = options;
  const segments: InitramfsSegment[] = [];
  let left = options.limitBytes;
  for (let at = skipNuls(bytes, 0); at < bytes.length; at = skipNuls(bytes, at)) {
    if (segments.length === MAX_SEGMENTS) {
      const { failure } = overLimit(where, "the number of images in the file", `${MAX_SEGMENTS}`);
      segments.push({ ...segments.pop()!, failure });
      return { segments };
    }
    const compression = bytes[at] === 0x30 ? "none" : sniffCompression(bytes.subarray(at, at + 8));
    if (compression === undefined) return junk(bytes, at, segments, where);
    const name = compression === "none" ? "cpio" : compression;
    const source: Source = {
      bytes,
      at,
      compression,
      where: within(where, `image ${segments.length + 1} (${name}) at byte ${at}`),
      left,
    };
    const mayBeEarly = compression === "none" && segments.every(({ early }) => early);
    const { segment, failure } = await readSegment(source, sink, { ...options, mayBeEarly });
    segments.push(segment);
    if (failure) return { segments, failure };
    if (segment.failure) return { segments };
    options.onWhole?.(segments.length - 1);
    left -= segment.cpioBytes;
    at += segment.compressedBytes;
  }
  if (segments.length > 0) return { segments };
  const { failure } = corrupt(where, "nothing but zeroes", "a cpio archive or a compressed one");
  return { segments, failure };
}

/** When nothing came before it, the file is no initramfs at all. */
function junk(
  bytes: Uint8Array,
  at: number,
  segments: readonly InitramfsSegment[],
  where: Where,
): Segments {
  if (segments.length > 0) return { segments, junkAt: at };
  const kind = cpioKind(bytes.subarray(at, at + 6));
  if (kind === "bin") {
    const error = unsupported(where, "the old binary cpio format (the kernel reads newc only)");
    const size = bytes.length - at;
    const segment: InitramfsSegment = {
      offset: at,
      compressedBytes: size,
      cpioBytes: size,
      compression: "none",
      cpio: kind,
      entries: 0,
      early: false,
      failure: error.failure,
    };
    return { segments: [segment], failure: error.failure };
  }
  const found = `bytes ${Buffer.from(bytes.subarray(at, at + 4)).toString("hex")} at byte ${at}`;
  const { failure } = corrupt(where, found, "a cpio archive or a compressed one");
  return { segments, junkAt: at, failure };
}

function skipNuls(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] === 0) at++;
  return at;
}

type Source = {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly compression: Compression | "none";
  readonly where: Where;
  /** How much may still be unpacked, in bytes. */
  readonly left: number;
};

async function readSegment(
  source: Source,
  sink: CpioSink,
  options: SegmentOptions & { readonly mayBeEarly: boolean },
): Promise<{ segment: InitramfsSegment; failure?: Failure }> {
  const { bytes, at, compression, where } = source;
  const watch = new EarlyWatch(sink);
  const cpio = new CpioReader(watch, where, {
    budget: options.entries,
    // Inside a stream the kernel counts from the stream's own beginning.
    position: compression === "none" ? at : 0,
  });
  const progress: Progress = { consumed: bytes.length - at, unpacked: 0, foreign: undefined };
  const read: Result<void> =
    compression === "none"
      ? await attempt(() => readPlain(source, cpio, progress))
      : await attempt(() => readStream({ ...source, compression }, cpio, progress, options.signal));
  const head = bytes.subarray(at);
  const check = compression === "xz" ? xzCheck(head) : undefined;
  const window = compression === "zstd" ? zstdWindowBytes(head) : undefined;
  const segment: InitramfsSegment = {
    offset: at,
    compressedBytes: progress.consumed,
    cpioBytes: progress.unpacked,
    compression,
    ...(check !== undefined && { xzCheck: check }),
    ...(window !== undefined && { zstdWindowBytes: window }),
    cpio: cpio.kind ?? progress.foreign ?? "not-cpio",
    entries: cpio.entries,
    early: options.mayBeEarly && cpio.entries > 0 && watch.onlyEarly,
    ...(!read.ok && { failure: read.failure }),
  };
  const silent = read.ok || read.failure.kind === "limit" || progress.cutOff === true;
  return { segment, ...(!silent && { failure: read.failure }) };
}

type Progress = {
  /** Bytes of the file, as far as known. */
  consumed: number;
  unpacked: number;
  /** What the stream holds instead of an archive. */
  foreign: ReturnType<typeof cpioKind> | undefined;
  /** A plain archive that the end of the file cuts short. */
  cutOff?: boolean;
};

function readPlain(source: Source, cpio: CpioReader, progress: Progress): void {
  const { bytes, at, where, left } = source;
  const limited = bytes.length - at > left ? bytes.subarray(0, at + left) : bytes;
  try {
    const end = cpio.push(limited, at, true);
    progress.unpacked = end - at;
    if (end === limited.length && limited.length < bytes.length) {
      throw overLimit(where, "the unpacked size", sizeText(left));
    }
    progress.cutOff = true;
    cpio.finish();
    progress.cutOff = false;
    progress.consumed = end - at;
  } catch (error) {
    progress.unpacked ||= bytes.length - at;
    throw error;
  }
}

async function readStream(
  source: Source & { readonly compression: Compression },
  cpio: CpioReader,
  progress: Progress,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { bytes, at, compression, where, left } = source;
  const stream = unpack(compression, bytes.subarray(at), {
    limit: left,
    where,
    ...(signal && { signal }),
  });
  try {
    for (;;) {
      const step = await stream.next();
      if (step.done) {
        progress.consumed = step.value;
        break;
      }
      const chunk = step.value;
      progress.unpacked += chunk.length;
      const taken = cpio.push(chunk);
      if (taken < chunk.length) throw foreignContent(chunk, taken, cpio, { where, progress });
    }
  } finally {
    // Ends the decoder when the archive in it is at fault.
    await stream.return(0);
  }
  cpio.finish();
}

function foreignContent(
  chunk: Uint8Array,
  at: number,
  cpio: CpioReader,
  { where, progress }: { where: Where; progress: Progress },
): FailureError {
  if (cpio.kind !== undefined) {
    return corrupt(where, "junk between the entries of the archive", "a cpio header");
  }
  progress.foreign = cpioKind(chunk.subarray(at, at + 6));
  return progress.foreign === "bin"
    ? unsupported(where, "the old binary cpio format (the kernel reads newc only)")
    : corrupt(where, "something else than a cpio archive inside", "a cpio archive");
}

const EARLY =
  /^(?:|early_cpio|kernel|kernel\/x86|kernel\/x86\/microcode(?:\/.*)?|kernel\/firmware|kernel\/firmware\/acpi(?:\/.*)?)$/;

/** Passes everything on, and notes whether an entry is none of those that the kernel wants before it unpacks. */
class EarlyWatch implements CpioSink {
  onlyEarly = true;
  readonly #sink: CpioSink;

  constructor(sink: CpioSink) {
    this.#sink = sink;
  }

  entry(entry: CpioEntry): boolean {
    this.onlyEarly &&= EARLY.test(cleanPath(entry.name));
    return this.#sink.entry(entry);
  }

  content(piece: Uint8Array): void {
    this.#sink.content(piece);
  }
}
