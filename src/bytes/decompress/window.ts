import { GIB, KIB, MIB, sizeText } from "../../base/units.ts";
import { overLimit } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";

/** The most history that domus keeps; xz writes dictionaries up to 1.5 GiB, kernels and initramfs up to 128 MiB. */
const MAX_BYTES = GIB;
const FIRST_BYTES = 64 * KIB;

/**
 * The output of an LZ77 decoder and the history that its matches point into, in one buffer. It grows only as output
 * really comes, whatever dictionary size a header claims; once it holds more than the dictionary it slides.
 */
export class Window {
  /** Changes when `reserve` is called. */
  buffer: Uint8Array;
  /** Index in `buffer` of the next byte of output. */
  position = 0;
  /**
   * Index in `buffer` of the first byte since the last reset of the dictionary; negative when that has slid out,
   * so that `position - start` is always the amount of output since then.
   */
  start = 0;
  readonly dictionaryBytes: number;
  /** Index in `buffer` of the first byte that `take` has not given yet. */
  #untaken = 0;
  readonly #where: Where;

  constructor(dictionaryBytes: number, where: Where) {
    this.dictionaryBytes = dictionaryBytes;
    this.#where = where;
    this.buffer = new Uint8Array(Math.min(FIRST_BYTES, this.#fullBytes()));
  }

  /** Makes room for output; says for how many bytes, at least 1. Everything but the dictionary must be taken. */
  reserve(): number {
    if (this.position === this.buffer.length) {
      const full = this.#fullBytes();
      if (this.buffer.length < full) this.#grow(Math.min(full, this.buffer.length * 2));
      else this.#slide();
    }
    return this.buffer.length - this.position;
  }

  /** Sliding when the dictionary is in there twice (or once and 32 MiB) keeps its cost small against decoding. */
  #fullBytes(): number {
    return this.dictionaryBytes + Math.max(MIB, Math.min(this.dictionaryBytes, 32 * MIB));
  }

  #grow(length: number): void {
    if (length > MAX_BYTES) {
      throw overLimit(this.#where, "the dictionary that the data uses", sizeText(MAX_BYTES));
    }
    const grown = new Uint8Array(length);
    grown.set(this.buffer);
    this.buffer = grown;
  }

  #slide(): void {
    const from = Math.min(this.position - this.dictionaryBytes, this.#untaken);
    this.buffer.copyWithin(0, from, this.position);
    this.position -= from;
    this.start -= from;
    this.#untaken -= from;
  }

  /** Forgets the history: no match can point before here. */
  reset(): void {
    this.start = this.position;
  }

  append(bytes: Uint8Array): void {
    this.buffer.set(bytes, this.position);
    this.position += bytes.length;
  }

  /** How much output `take` would give. */
  get untakenBytes(): number {
    return this.position - this.#untaken;
  }

  /** A copy of the output since the last time. */
  take(): Uint8Array {
    const taken = this.buffer.slice(this.#untaken, this.position);
    this.#untaken = this.position;
    return taken;
  }
}
