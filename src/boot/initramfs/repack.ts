/**
 * An initramfs file in another packing: the same images in the same order, what was compressed packed anew. Walks the
 * file as the kernel does (see segments.ts), but in one pass and without looking into the archives.
 */
import { Budget } from "../../base/budget.ts";
import { corrupt, overLimit } from "../../base/failure.ts";
import { within } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import { packGzip } from "../../bytes/compress.ts";
import { unpack } from "../../bytes/decompress/decompress.ts";
import { sniffCompression } from "../../bytes/decompress/format.ts";
import { CpioReader } from "./cpio.ts";
import type { CpioSink } from "./cpio.ts";

export type RepackOptions = {
  /** What compressed images become: a gzip member each, or a plain archive. */
  readonly as: "gzip" | "plain";
  readonly where: Where;
  /** The most that all images may unpack to, in bytes. */
  readonly limitBytes: number;
  readonly signal?: AbortSignal;
};

const NOWHERE: CpioSink = { entry: () => false, content: () => {} };
const MAX_IMAGES = 64;
const MAX_ENTRIES = 300_000;
/** The kernel asks for plain archives at multiples of this (init/initramfs.c). */
const ALIGNMENT = 4;

/**
 * The new file, in chunks. What follows the last image and is none is left out: the kernel only complains about it.
 * `corrupt` when an image is damaged, `limit`, `unsupported`: the consumer then has half a file.
 */
export async function* repackInitramfs(
  bytes: Uint8Array,
  options: RepackOptions,
): AsyncGenerator<Uint8Array, void> {
  const { where } = options;
  const budget = new Budget(MAX_ENTRIES, where, "the number of entries in the archive");
  const progress: Progress = { out: 0, unpacked: 0 };
  let images = 0;
  for (let at = skipNuls(bytes, 0); at < bytes.length; at = skipNuls(bytes, at)) {
    images += 1;
    if (images > MAX_IMAGES) throw overLimit(where, "the number of images", String(MAX_IMAGES));
    if (bytes[at] === 0x30) {
      const end = plainEnd(bytes, at, within(where, `image ${images}`), budget);
      yield* aligned(progress, [bytes.subarray(at, end)]);
      at = end;
      continue;
    }
    const image = { bytes, at, number: images };
    const taken = yield* repackImage(image, progress, options);
    if (taken === undefined) return;
    at += taken;
  }
}

type Progress = {
  /** Bytes written. */
  out: number;
  unpacked: number;
};

type Image = { readonly bytes: Uint8Array; readonly at: number; readonly number: number };

/** Returns how many bytes of the file it took; undefined where no image begins. */
async function* repackImage(
  { bytes, at, number }: Image,
  progress: Progress,
  options: RepackOptions,
): AsyncGenerator<Uint8Array, number | undefined> {
  const { where, limitBytes, signal } = options;
  const compression = sniffCompression(bytes.subarray(at, at + 8));
  if (compression === undefined) {
    if (number > 1) return undefined;
    throw corrupt(where, "neither a cpio archive nor a compressed one", "an initramfs");
  }
  let consumed = 0;
  const stream = unpack(compression, bytes.subarray(at), {
    limit: limitBytes - progress.unpacked,
    where: within(where, `image ${number} (${compression})`),
    ...(signal && { signal }),
  });
  const content = (async function* () {
    try {
      for (;;) {
        const step = await stream.next();
        if (step.done) {
          consumed = step.value;
          return;
        }
        progress.unpacked += step.value.length;
        yield step.value;
      }
    } finally {
      await stream.return(0);
    }
  })();
  if (options.as === "plain") yield* aligned(progress, content);
  else {
    for await (const chunk of packGzip(content)) {
      progress.out += chunk.length;
      yield chunk;
    }
  }
  return consumed;
}

/** Behind the archive's trailer. */
function plainEnd(bytes: Uint8Array, at: number, where: Where, budget: Budget): number {
  const reader = new CpioReader(NOWHERE, where, { budget, position: at });
  return reader.push(bytes, at, true);
}

async function* aligned(
  progress: Progress,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  const gap = padding(progress.out);
  if (gap.length > 0) {
    progress.out += gap.length;
    yield gap;
  }
  for await (const chunk of chunks) {
    progress.out += chunk.length;
    yield chunk;
  }
}

/** NULs up to the next place where a plain archive may begin. */
export function padding(position: number): Uint8Array {
  return new Uint8Array((ALIGNMENT - (position % ALIGNMENT)) % ALIGNMENT);
}

function skipNuls(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] === 0) at += 1;
  return at;
}
