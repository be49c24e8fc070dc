/**
 * A zlib stream (RFC 1950) that is known to be small, all at once: what filesystems keep compressed in pieces. What
 * follows the stream is ignored, it is padding there.
 */
import { inflateSync } from "node:zlib";
import { overLimit } from "../../base/failure.ts";
import { sizeText } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";
import { Reader } from "./reader.ts";
import { inOurWords } from "./zlib-stream.ts";

/** `limit` for more than `limitBytes` of output, `corrupt` when the stream is damaged or ends early. */
export function unpackZlib(bytes: Uint8Array, limitBytes: number, where: Where): Uint8Array {
  try {
    return inflateSync(bytes, { maxOutputLength: limitBytes });
  } catch (error) {
    if (error instanceof RangeError && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE") {
      throw overLimit(where, "the unpacked size", sizeText(limitBytes));
    }
    throw inOurWords(error, new Reader(bytes, where));
  }
}
