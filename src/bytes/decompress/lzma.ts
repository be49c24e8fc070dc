/**
 * The .lzma file of LZMA Utils and `xz --format=lzma`: 13 bytes of header and one LZMA stream, no checksum.
 * Facts: lzma-file-format.txt of xz, linux: lib/decompress_unlzma.c. All properties are supported (lc 8, lp 4).
 *
 * Only the range coder's own redundancy shows damage, so much of it goes unseen.
 */
import { attemptSync } from "../../base/failure.ts";
import { LONGEST_SYMBOL_BYTES, LzmaDecoder, parseLzmaProperties } from "./lzma-decoder.ts";
import type { LzmaProperties } from "./lzma-decoder.ts";
import { CHUNK_BYTES, Reader } from "./reader.ts";
import { Window } from "./window.ts";

/** What the decoder gets at a time. */
const PIECE_BYTES = 0x10000;

/** The dictionary that the header asks for, in bytes; undefined when it is no .lzma header. */
export function lzmaDictionaryBytes(bytes: Uint8Array): number | undefined {
  const read = attemptSync(() => readHeader(new Reader(bytes.subarray(0, 13), [])));
  return read.ok ? read.value.dictionaryBytes : undefined;
}

export function* unpackLzma(reader: Reader): Generator<Uint8Array, void> {
  const { properties, dictionaryBytes, size } = readHeader(reader);
  const window = new Window(dictionaryBytes, reader.where);
  const lzma = new LzmaDecoder(window, PIECE_BYTES);
  lzma.setProperties(properties);
  if (reader.left < 5) throw reader.truncated();
  const input = new Pieces(reader, lzma);
  if (!lzma.startRangeCoder()) throw reader.corrupt("no range coder", ".lzma data");

  let left = size ?? Infinity;
  let ended = false;
  while (left > 0 && !ended) {
    // First: making room may slide the window, and the position with it.
    const room = window.reserve();
    const from = window.position;
    const outcome = lzma.decode(from + Math.min(left, room));
    input.checkOverrun();
    left -= window.position - from;
    ended = outcome === "ended";
    if (outcome === "starved") input.fill();
    if (outcome === "corrupt") throw reader.corrupt("an impossible match", ".lzma data");
    if (window.untakenBytes >= CHUNK_BYTES) yield window.take();
  }
  if (lzma.pending > 0 || (size !== undefined && left > 0)) {
    throw reader.corrupt("another size", `${size} bytes of .lzma data`);
  }
  // Where the size is known there may be an end marker all the same; xz takes that too
  let finished = lzma.finishRangeCoder();
  if (!finished && !ended) {
    input.fill();
    window.reserve();
    finished = lzma.decode(window.position + 1) === "ended" && lzma.finishRangeCoder();
  }
  input.checkOverrun();
  if (!finished) throw reader.corrupt("no end", "the end of the .lzma data");
  input.giveBack();
  if (window.untakenBytes > 0) yield window.take();
}

type Header = {
  readonly properties: LzmaProperties;
  readonly dictionaryBytes: number;
  /** Undefined when an end marker follows instead. */
  readonly size: number | undefined;
};

function readHeader(reader: Reader): Header {
  const properties = parseLzmaProperties(reader.u8());
  if (!properties) throw reader.corrupt("a bad properties byte", "an .lzma header");
  // Every decoder makes do with 4 KiB at least, whatever the header says
  const dictionaryBytes = Math.max(4096, reader.u32le());
  const low = reader.u32le();
  const high = reader.u32le();
  if (low === 0xffffffff && high === 0xffffffff) {
    return { properties, dictionaryBytes, size: undefined };
  }
  // Two bytes of magic let much pass that is not .lzma at all
  if (high > 0x1fffff) throw reader.corrupt("a size above 2^53 bytes", "an .lzma header");
  return { properties, dictionaryBytes, size: high * 2 ** 32 + low };
}

/** Hands the input to the decoder in pieces, so that it need not watch the end of the data at every bit. */
class Pieces {
  readonly #reader: Reader;
  readonly #lzma: LzmaDecoder;
  /** How much of `lzma.input` is input; zeroes follow. */
  #filled = 0;

  constructor(reader: Reader, lzma: LzmaDecoder) {
    this.#reader = reader;
    this.#lzma = lzma;
    this.fill();
  }

  /** Moves what is left to the front and adds the next piece. */
  fill(): void {
    const lzma = this.#lzma;
    lzma.input.copyWithin(0, lzma.inputPosition, this.#filled);
    this.#filled -= lzma.inputPosition;
    lzma.inputPosition = 0;
    const more = Math.min(PIECE_BYTES - this.#filled, this.#reader.left);
    lzma.input.set(this.#reader.take(more), this.#filled);
    this.#filled += more;
    lzma.input.fill(0, this.#filled);
    // At the end of the data a symbol may read zeroes that are not there: checkOverrun sees that
    lzma.inputLimit = this.#reader.left > 0 ? this.#filled - LONGEST_SYMBOL_BYTES : this.#filled;
  }

  checkOverrun(): void {
    if (this.#lzma.inputPosition > this.#filled) throw this.#reader.truncated();
  }

  /** Leaves the reader after the last byte that the decoder used. */
  giveBack(): void {
    this.#reader.at -= this.#filled - this.#lzma.inputPosition;
  }
}
