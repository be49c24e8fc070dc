/** Runs a decoder of node:zlib over one stream, with its failures in our words. */
import type { Transform } from "node:stream";
import { ioFailure } from "../../base/failure.ts";
import type { Reader } from "./reader.ts";

/** The decoders of node:zlib; `bytesWritten` is the input that the library has really used. */
type ZlibStream = Transform & { readonly bytesWritten: number };

/**
 * The output of `stream` for `input`. Returns how many bytes of the input it took: it stops by itself at the end of
 * its stream. Input beyond a full output buffer waits, so memory is bounded; a consumer that stops early destroys it.
 */
export async function* runZlib(
  stream: ZlibStream,
  input: Uint8Array,
  reader: Reader,
): AsyncGenerator<Uint8Array, number> {
  stream.end(input);
  try {
    for await (const chunk of stream) {
      const { buffer, byteOffset, byteLength } = chunk as Buffer<ArrayBuffer>;
      yield new Uint8Array(buffer, byteOffset, byteLength);
    }
  } catch (error) {
    throw inOurWords(error, reader);
  }
  return stream.bytesWritten;
}

/** A failure of node:zlib as ours; anything else stays as it is. */
export function inOurWords(error: unknown, reader: Reader): unknown {
  if (!(error instanceof Error && "code" in error && typeof error.code === "string")) return error;
  const { code, message } = error;
  if (code === "Z_BUF_ERROR") return reader.truncated();
  if (code === "Z_MEM_ERROR" || code === "ZSTD_error_memory_allocation") {
    return ioFailure(reader.where, "unpack", "ENOMEM", error);
  }
  if (code.startsWith("Z_") || code.startsWith("ZSTD_error_")) {
    return reader.corrupt(`damaged data (${message.toLowerCase()})`, "a compressed stream");
  }
  return error;
}
