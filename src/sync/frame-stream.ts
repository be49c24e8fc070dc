/**
 * A stream of bytes cut into frames. The decoder takes chunks as they come and keeps at most one frame that is not
 * whole; a frame's length is checked before room for it is made.
 */
import { crc32 } from "node:zlib";
import { corrupt, overLimit } from "../base/failure.ts";
import type { Where } from "../base/where.ts";
import { KIB } from "../base/units.ts";
import {
  encodePayload,
  frameCodeOf,
  frameTypeOf,
  MAX_PAYLOAD_BYTES,
  parsePayload,
} from "./frames.ts";
import type { Frame } from "./frames.ts";

/** `00 DOMUS-SYNC 0d 0a 1a 0a 00`: no text has it, and whatever changes line ends changes it. */
export const MAGIC = Uint8Array.of(
  0,
  ...new TextEncoder().encode("DOMUS-SYNC"),
  0x0d,
  0x0a,
  0x1a,
  0x0a,
  0,
);
/** What a login shell may say before the magic. */
export const MAX_BANNER_BYTES = 64 * KIB;
/** Length, check and type. */
const HEAD_BYTES = 9;
/** Of a payload, what the check covers: all fields and runs of a patch. Blocks and digests have stronger checks. */
export const CHECKED_BYTES = 32 + 4 * 256;
/** Longer payloads are given arrays that are used again. */
const LARGE_BYTES = 64 * KIB;
const MAX_SPARE = 4;

/** The bytes of a frame in pieces; large ones are the frame's own arrays, not copies. */
export function encodeFrame(frame: Frame): Uint8Array[] {
  const pieces = encodePayload(frame);
  const head = new Uint8Array(HEAD_BYTES);
  const view = new DataView(head.buffer);
  head[8] = frameCodeOf(frame.type);
  let length = 0;
  let check = crc32(head.subarray(8));
  for (const piece of pieces) {
    const checked = Math.max(0, CHECKED_BYTES - length);
    if (checked > 0) check = crc32(piece.subarray(0, checked), check);
    length += piece.length;
  }
  view.setUint32(0, length, true);
  view.setUint32(4, check, true);
  return [head, ...pieces];
}

export class FrameDecoder {
  readonly #where: Where;
  /** What came before the magic, until that is there. */
  #banner: Uint8Array | undefined = new Uint8Array(0);
  readonly #head = new Uint8Array(HEAD_BYTES);
  #headFilled = 0;
  #payload: Uint8Array | undefined;
  #payloadFilled = 0;
  readonly #spare: Uint8Array[] = [];

  constructor(where: Where) {
    this.#where = where;
  }

  /** Whether the stream may end here: after the magic, between two frames. */
  get idle(): boolean {
    return this.#banner === undefined && this.#headFilled === 0;
  }

  /** What came while the magic did not, for the person: it may say why. Empty after the magic. */
  get banner(): Uint8Array {
    return this.#banner ?? new Uint8Array(0);
  }

  /**
   * The frames that are whole with `chunk`. Their byte fields are arrays of their own, as far as they are not views of
   * one payload. Fails with `corrupt` or `limit`; after a failure the decoder must not be used.
   */
  *push(chunk: Uint8Array): Generator<Frame, void> {
    let at = 0;
    if (this.#banner) {
      at = this.#skipBanner(this.#banner, chunk);
      if (at < 0) return;
    }
    while (at < chunk.length) {
      if (this.#headFilled < HEAD_BYTES) {
        const take = Math.min(HEAD_BYTES - this.#headFilled, chunk.length - at);
        this.#head.set(chunk.subarray(at, at + take), this.#headFilled);
        this.#headFilled += take;
        at += take;
        if (this.#headFilled < HEAD_BYTES) return;
        this.#payload = this.#room(this.#payloadBytes());
        this.#payloadFilled = 0;
      }
      const payload = this.#payload!;
      const take = Math.min(payload.length - this.#payloadFilled, chunk.length - at);
      payload.set(chunk.subarray(at, at + take), this.#payloadFilled);
      this.#payloadFilled += take;
      at += take;
      if (this.#payloadFilled < payload.length) return;
      yield this.#frame(payload);
    }
  }

  /** Takes back the array behind a byte field of a frame that nobody looks at any more. */
  recycle(field: Uint8Array): void {
    const whole = field.buffer;
    if (whole.byteLength === MAX_PAYLOAD_BYTES && this.#spare.length < MAX_SPARE)
      this.#spare.push(new Uint8Array(whole));
  }

  #room(length: number): Uint8Array {
    if (length < LARGE_BYTES) return new Uint8Array(length);
    const whole = this.#spare.pop() ?? new Uint8Array(MAX_PAYLOAD_BYTES);
    return whole.subarray(0, length);
  }

  #payloadBytes(): number {
    const length = new DataView(this.#head.buffer).getUint32(0, true);
    if (length > MAX_PAYLOAD_BYTES)
      throw overLimit(this.#where, "the length of a frame", `${MAX_PAYLOAD_BYTES} bytes`);
    // An unknown type is found before its payload is waited for.
    frameTypeOf(this.#head[8]!, this.#where);
    return length;
  }

  #frame(payload: Uint8Array): Frame {
    const expected = new DataView(this.#head.buffer).getUint32(4, true);
    const found = crc32(payload.subarray(0, CHECKED_BYTES), crc32(this.#head.subarray(8)));
    if (found !== expected)
      throw corrupt(this.#where, "a frame that was damaged on its way", "the check that it has");
    this.#headFilled = 0;
    this.#payload = undefined;
    return parsePayload(frameTypeOf(this.#head[8]!, this.#where), payload, this.#where);
  }

  /** Where in `chunk` the first frame begins, or -1 while the magic has not come. */
  #skipBanner(before: Uint8Array, chunk: Uint8Array): number {
    const all = Buffer.concat([before, chunk]);
    const found = all.indexOf(MAGIC, Math.max(0, before.length - MAGIC.length));
    if (found >= 0 && found <= MAX_BANNER_BYTES) {
      this.#banner = undefined;
      return found + MAGIC.length - before.length;
    }
    if (all.length > MAX_BANNER_BYTES + MAGIC.length) {
      throw corrupt(
        this.#where,
        `${MAX_BANNER_BYTES} bytes that are no sync stream`,
        "domus sync --serve at the other end",
      );
    }
    this.#banner = all;
    return -1;
  }
}
