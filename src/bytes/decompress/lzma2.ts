/**
 * LZMA2: LZMA in chunks of at most 2 MiB of output, each of which says what it resets and may also be stored.
 * Facts: xz-file-format.txt section 5.3.1, linux: lib/xz/xz_dec_lzma2.c.
 */
import { LzmaDecoder, parseLzmaProperties } from "./lzma-decoder.ts";
import { CHUNK_BYTES } from "./reader.ts";
import type { Reader } from "./reader.ts";
import { Window } from "./window.ts";

/** The size field has 16 bits and counts from 1. */
const LONGEST_CHUNK = 0x10000;

/** Control bytes; the low five bits of 0x80 and above are size. */
const END = 0;
const STORED_RESET = 1;
const STORED = 2;
const LZMA = 0x80;
const RESET_STATE = 0xa0;
const RESET_PROPERTIES = 0xc0;
const RESET_ALL = 0xe0;

export class Lzma2Decoder {
  readonly #reader: Reader;
  readonly #window: Window;
  readonly #lzma: LzmaDecoder;
  #needsDictionary = true;
  #needsProperties = true;

  constructor(reader: Reader, dictionaryBytes: number) {
    this.#reader = reader;
    this.#window = new Window(dictionaryBytes, reader.where);
    this.#lzma = new LzmaDecoder(this.#window, LONGEST_CHUNK);
  }

  /** To the end marker, which is taken. */
  *run(): Generator<Uint8Array, void> {
    for (;;) {
      const control = this.#reader.u8();
      if (control === END) break;
      if (control === STORED_RESET || control >= RESET_ALL) {
        this.#needsDictionary = false;
        this.#needsProperties = true;
        this.#window.reset();
      } else if (this.#needsDictionary) {
        throw this.#corrupt(`control byte ${control}`, "a chunk that resets the dictionary");
      }
      if (control >= LZMA) yield* this.#lzmaChunk(control);
      else if (control <= STORED) yield* this.#storedChunk();
      else throw this.#corrupt(`control byte ${control}`, "0, 1, 2 or 128 and above");
    }
    if (this.#window.untakenBytes > 0) yield this.#window.take();
  }

  *#lzmaChunk(control: number): Generator<Uint8Array, void> {
    const reader = this.#reader;
    const lzma = this.#lzma;
    let left = ((control & 0x1f) << 16) + reader.u16be() + 1;
    const packedBytes = reader.u16be() + 1;
    if (control >= RESET_PROPERTIES) {
      const properties = parseLzmaProperties(reader.u8());
      if (!properties || properties.lc + properties.lp > 4) {
        throw this.#corrupt("bad LZMA properties", "lc + lp of at most 4");
      }
      lzma.setProperties(properties);
      this.#needsProperties = false;
    } else if (this.#needsProperties) {
      throw this.#corrupt(`control byte ${control}`, "a chunk that sets properties");
    } else if (control >= RESET_STATE) {
      lzma.resetState();
    }
    lzma.input.set(reader.take(packedBytes));
    lzma.inputPosition = 0;
    lzma.inputLimit = packedBytes;
    if (packedBytes < 5 || !lzma.startRangeCoder()) {
      throw this.#corrupt("no range coder", "an LZMA chunk");
    }
    while (left > 0) {
      const count = Math.min(left, this.#window.reserve());
      if (lzma.decode(this.#window.position + count) !== "stopped") {
        throw this.#corrupt("an impossible match", "LZMA data");
      }
      left -= count;
      if (this.#window.untakenBytes >= CHUNK_BYTES) yield this.#window.take();
    }
    if (!lzma.finishRangeCoder() || lzma.pending > 0 || lzma.inputPosition !== packedBytes) {
      throw this.#corrupt("an LZMA chunk with a wrong end", `one of ${packedBytes} bytes`);
    }
  }

  *#storedChunk(): Generator<Uint8Array, void> {
    let left = this.#reader.u16be() + 1;
    while (left > 0) {
      const count = Math.min(left, this.#window.reserve());
      this.#window.append(this.#reader.take(count));
      left -= count;
      if (this.#window.untakenBytes >= CHUNK_BYTES) yield this.#window.take();
    }
  }

  #corrupt(found: string, expected: string) {
    return this.#reader.corrupt(`${found} before byte ${this.#reader.at}`, expected);
  }
}
