/** What the decoders share: reading headers byte by byte, and the wording of their failures. */
import { FailureError, corrupt } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import { KIB } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";

/** Decoders give their output in chunks of about this many bytes. */
export const CHUNK_BYTES = 256 * KIB;

/** The bytes that a decoder reads, and how far it has got. Nothing is read outside them. */
export class Reader {
  readonly bytes: Uint8Array;
  readonly where: Where;
  /** Offset of the next byte; when a decoder is done, the number of bytes that its stream took. */
  at = 0;
  /** Set when the bytes are a part of the data that has its own length. */
  readonly #part: string | undefined;

  constructor(bytes: Uint8Array, where: Where, part?: string) {
    // Not the caller's Buffer, whose slice() would not copy
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.where = where;
    this.#part = part;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  u8(): number {
    return this.take(1)[0]!;
  }

  u16be(): number {
    const bytes = this.take(2);
    return (bytes[0]! << 8) | bytes[1]!;
  }

  u16le(): number {
    const bytes = this.take(2);
    return bytes[0]! | (bytes[1]! << 8);
  }

  u32be(): number {
    const bytes = this.take(4);
    return ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0;
  }

  u32le(): number {
    const bytes = this.take(4);
    return (bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16) | (bytes[3]! << 24)) >>> 0;
  }

  /** A view of the next `length` bytes. */
  take(length: number): Uint8Array {
    if (length > this.left) throw this.truncated();
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** A reader for the next `length` bytes, which are taken; `what` must not go on after them. */
  part(length: number, what: string): Reader {
    return new Reader(this.take(length), this.where, what);
  }

  /** Fails unless the next bytes are these. */
  expect(expected: readonly number[], what: string): void {
    const found = this.take(expected.length);
    if (expected.every((byte, i) => found[i] === byte)) return;
    throw this.corrupt(`${hexBytes(found)} at byte ${this.at - expected.length}`, what);
  }

  corrupt(found: string, expected: string): FailureError {
    return corrupt(this.where, found, expected);
  }

  /** The stream goes on after the end of the bytes. */
  truncated(): FailureError {
    if (this.#part) return this.corrupt(`${this.#part} of ${this.bytes.length} bytes`, "more");
    const found = `the end of the data after ${this.bytes.length} bytes ${TRUNCATED}`;
    return corrupt(this.where, found, "the rest of a compressed stream");
  }
}

const TRUNCATED = "(truncated)";

/** Whether a decoder failed because its input ends early, not because it is damaged. */
export function isTruncated(failure: Failure): boolean {
  return failure.kind === "corrupt" && failure.found.endsWith(TRUNCATED);
}

function hexBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
