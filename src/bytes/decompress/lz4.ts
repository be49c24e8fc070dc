/**
 * The legacy lz4 frame (`lz4 -l`), the only one that Linux and Xen read: a magic, then blocks of at most 8 MiB of
 * output, each after its packed size. No checksum, and no end mark.
 * Facts: lz4_Frame_format.md "Legacy frame", lz4_Block_format.md, linux: lib/decompress_unlz4.c.
 */
import { copyMatch } from "./copy-match.ts";
import type { Reader } from "./reader.ts";

const MAGIC = 0x184c2102;
const BLOCK_BYTES = 8 << 20;
/** LZ4_compressBound(BLOCK_BYTES): a block that does not compress, and its overhead. */
const PACKED_BYTES = BLOCK_BYTES + Math.floor(BLOCK_BYTES / 255) + 16;
/** One byte of a block adds at most 255 to a length, and the shortest sequence adds little. */
const MAX_RATIO = 256;
const MIN_MATCH = 4;

/**
 * Where the stream ends, the format does not say. As Linux has it: at the end of the data, or where a block size of
 * 0 is (padding). Besides, the size that a kernel's payload has behind the stream ends it. Another magic instead of
 * a block size (files concatenated) is passed over.
 *
 * A cut between two blocks therefore looks like an end.
 */
export function* unpackLz4(reader: Reader): Generator<Uint8Array, void> {
  if (reader.u32le() !== MAGIC) throw reader.corrupt("another magic", "a legacy lz4 frame");
  let scratch = new Uint8Array(0);
  let total = 0;
  while (!isEnd(reader, total)) {
    const packedBytes = reader.u32le();
    if (packedBytes === MAGIC) continue;
    if (packedBytes > PACKED_BYTES) {
      throw reader.corrupt(`an lz4 block of ${packedBytes} bytes`, `at most ${PACKED_BYTES}`);
    }
    const from = reader.at;
    const packed = reader.take(packedBytes);
    const needed = Math.min(BLOCK_BYTES, packedBytes * MAX_RATIO);
    if (scratch.length < needed) scratch = new Uint8Array(needed);
    const length = unpackBlock(packed, scratch.subarray(0, needed));
    if (length < 0) throw reader.corrupt(`an impossible lz4 block at byte ${from}`, "lz4 data");
    total += length;
    if (length > 0) yield scratch.slice(0, length);
  }
}

function isEnd(reader: Reader, total: number): boolean {
  const { bytes, at } = reader;
  const left = bytes.subarray(at, at + 4);
  if (left.every((byte) => byte === 0)) return true;
  if (left.length < 4) return false;
  const next = (left[0]! | (left[1]! << 8) | (left[2]! << 16) | (left[3]! << 24)) >>> 0;
  // With nothing behind it, or above the bound, it is no block's size
  const noBlock = reader.left === 4 || next > PACKED_BYTES;
  return noBlock && total > 0 && next === total % 2 ** 32;
}

/**
 * Unpacks a block into `out`; returns its length, -1 when it is damaged or larger than `out`.
 * A sequence is a token, literals, and a match; the last one ends after its literals.
 */
function unpackBlock(packed: Uint8Array, out: Uint8Array): number {
  const inputEnd = packed.length;
  const outputEnd = out.length;
  let at = 0;
  let position = 0;
  while (at < inputEnd) {
    const token = packed[at++]!;
    let length = token >> 4;
    if (length === 15) {
      let more = 255;
      while (more === 255 && at < inputEnd) {
        more = packed[at++]!;
        length += more;
      }
    }
    if (length > inputEnd - at || length > outputEnd - position) return -1;
    if (length > 32) {
      out.set(packed.subarray(at, at + length), position);
      at += length;
      position += length;
    } else {
      for (const end = at + length; at < end;) out[position++] = packed[at++]!;
    }
    if (at === inputEnd) return position;

    if (inputEnd - at < 2) return -1;
    const offset = packed[at]! | (packed[at + 1]! << 8);
    at += 2;
    if (offset === 0 || offset > position) return -1;
    length = token & 15;
    if (length === 15) {
      let more = 255;
      while (more === 255) {
        if (at === inputEnd) return -1;
        more = packed[at++]!;
        length += more;
      }
    }
    length += MIN_MATCH;
    if (length > outputEnd - position) return -1;
    position = copyMatch(out, position, offset, length);
  }
  // Not even a token, or a match at the end: every block ends with literals
  return -1;
}
