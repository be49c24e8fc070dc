/** One block of lz4 data, in both of its containers. Facts: lz4_Block_format.md. */
import { copyMatch } from "./copy-match.ts";

const MIN_MATCH = 4;

/**
 * Unpacks a block into `out` from `start` on, where matches may point into what comes before; returns where its output
 * ends, -1 when it is damaged or larger than `out`.
 * A sequence is a token, literals, and a match; the last one ends after its literals.
 */
export function unpackLz4Block(packed: Uint8Array, out: Uint8Array, start = 0): number {
  const inputEnd = packed.length;
  const outputEnd = out.length;
  let at = 0;
  let position = start;
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
