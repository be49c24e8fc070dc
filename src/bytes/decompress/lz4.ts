/**
 * The legacy lz4 frame (`lz4 -l`), the only one that Linux and Xen read: a magic, then blocks of at most 8 MiB of
 * output, each after its packed size. No checksum, and no end mark.
 * Facts: lz4_Frame_format.md "Legacy frame", lz4_Block_format.md, linux: lib/decompress_unlz4.c.
 */
import { unpackLz4Block } from "./lz4-block.ts";
import type { Reader } from "./reader.ts";

const MAGIC = 0x184c2102;
const BLOCK_BYTES = 8 << 20;
/** LZ4_compressBound(BLOCK_BYTES): a block that does not compress, and its overhead. */
const PACKED_BYTES = BLOCK_BYTES + Math.floor(BLOCK_BYTES / 255) + 16;
/** One byte of a block adds at most 255 to a length, and the shortest sequence adds little. */
const MAX_RATIO = 256;

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
    const length = unpackLz4Block(packed, scratch.subarray(0, needed));
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
