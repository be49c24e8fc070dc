import { corrupt } from "../base/failure.ts";
import type { Where } from "../base/where.ts";

/** Reads the fields of one payload in order. Whatever does not fit is a `corrupt` failure with the frame's name. */
export class PayloadReader {
  readonly where: Where;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array, where: Where) {
    this.where = where;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** A number of segments or bytes: at most 2^53 - 1. */
  u64(): number {
    const at = this.#take(8);
    const high = this.#view.getUint32(at + 4, true);
    if (high > 0x1fffff) throw corrupt(this.where, "a number above 2^53", "a number below it");
    return high * 0x1_0000_0000 + this.#view.getUint32(at, true);
  }

  /** A view of the next `length` bytes. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** A view of all that is left. */
  rest(): Uint8Array {
    return this.bytes(this.#bytes.length - this.#at);
  }

  /** All that is left, as UTF-8; what is not valid becomes U+FFFD. It is a peer's text: escape before printing. */
  text(maxBytes: number): string {
    const left = this.#bytes.length - this.#at;
    if (left > maxBytes)
      throw corrupt(this.where, `${left} bytes of text`, `at most ${maxBytes} bytes`);
    return new TextDecoder().decode(this.rest());
  }

  positive(value: number, what: string): number {
    if (value === 0) throw corrupt(this.where, `0 ${what}`, "at least 1");
    return value;
  }

  /** Fails unless `bytes` is one or more pieces of `size` bytes. */
  whole(bytes: Uint8Array, size: number): void {
    if (bytes.length === 0 || bytes.length % size !== 0)
      throw corrupt(this.where, `${bytes.length} bytes of digests`, `a multiple of ${size} bytes`);
  }

  /** Fails unless all has been read. */
  end(): void {
    const left = this.#bytes.length - this.#at;
    if (left > 0)
      throw corrupt(this.where, `${left} bytes after the last field`, "the end of the frame");
  }

  #take(length: number): number {
    const at = this.#at;
    if (at + length > this.#bytes.length)
      throw corrupt(this.where, `${this.#bytes.length} bytes of payload`, `${at + length} bytes`);
    this.#at = at + length;
    return at;
  }
}
