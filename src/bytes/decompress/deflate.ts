/**
 * A raw deflate stream (RFC 1951) that is known to be small, all at once: what disk images keep compressed in pieces.
 * What follows the stream is ignored, it is padding there.
 */
import { inflateRawSync } from "node:zlib";
import { overLimit } from "../../base/failure.ts";
import { sizeText } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";
import { Reader } from "./reader.ts";
import { inOurWords } from "./zlib-stream.ts";

/** `limit` for more than `limitBytes` of output, `corrupt` when the stream is damaged or ends early. */
export function unpackDeflate(bytes: Uint8Array, limitBytes: number, where: Where): Uint8Array {
  try {
    return inflateRawSync(bytes, { maxOutputLength: limitBytes });
  } catch (error) {
    if (error instanceof RangeError && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE") {
      throw overLimit(where, "the unpacked size", sizeText(limitBytes));
    }
    throw inOurWords(error, new Reader(bytes, where));
  }
}
