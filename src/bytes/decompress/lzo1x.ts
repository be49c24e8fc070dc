/** One block of LZO1X data, as lzop files and btrfs hold it. Facts: linux: Documentation/staging/lzo.rst. */
import { copyMatch } from "./copy-match.ts";

/**
 * Unpacks LZO1X data into `out`; returns its length, -1 when it is damaged or larger than `out`.
 *
 * An instruction's first byte says what it is; from 16 up it is a match, whose lowest two bits (`trail`) count the
 * literals that follow it. Below 16 it depends on what came before: a long run of literals when there were none,
 * else a short match near (after 1 to 3 literals) or far (after more).
 */
export function unpackLzo1x(packed: Uint8Array, out: Uint8Array): number {
  const inputEnd = packed.length;
  const outputEnd = out.length;
  let at = 0;
  let position = 0;
  /** Literals that the last instruction left behind: 0 to 3, or 4 for a run. */
  let before = 0;
  /** Literals to copy now. */
  let literals = 0;

  if (inputEnd > 0 && packed[0]! > 17) {
    literals = packed[at++]! - 17;
    before = Math.min(4, literals);
  }
  for (;;) {
    if (literals > inputEnd - at || literals > outputEnd - position) return -1;
    for (const end = at + literals; at < end;) out[position++] = packed[at++]!;
    // The longest instruction without its length bytes has 3
    if (at >= inputEnd) return -1;
    const first = packed[at++]!;
    let length: number;
    let offset: number;
    let trail = first & 3;

    if (first >= 64) {
      if (at >= inputEnd) return -1;
      length = (first >> 5) + 1;
      offset = (packed[at++]! << 3) + ((first >> 2) & 7) + 1;
    } else if (first >= 16) {
      const mask = first >= 32 ? 31 : 7;
      length = first & mask;
      if (length === 0) {
        length = mask;
        while (packed[at] === 0) {
          length += 255;
          at += 1;
        }
        if (at >= inputEnd) return -1;
        length += packed[at++]!;
      }
      length += 2;
      if (inputEnd - at < 2) return -1;
      const word = packed[at]! | (packed[at + 1]! << 8);
      at += 2;
      trail = word & 3;
      offset = (word >> 2) + 1;
      if (first < 32) {
        offset += ((first & 8) << 11) + 0x3fff;
        // A distance of exactly 16 KiB is the end mark
        if (offset === 0x4000) return at === inputEnd && length === 3 ? position : -1;
      }
    } else if (before === 0) {
      length = first;
      if (length === 0) {
        length = 15;
        while (packed[at] === 0) {
          length += 255;
          at += 1;
        }
        if (at >= inputEnd) return -1;
        length += packed[at++]!;
      }
      literals = length + 3;
      before = 4;
      continue;
    } else {
      if (at >= inputEnd) return -1;
      const far = before === 4;
      length = far ? 3 : 2;
      offset = (first >> 2) + (packed[at++]! << 2) + (far ? 0x801 : 1);
    }
    if (offset > position || length > outputEnd - position) return -1;
    position = copyMatch(out, position, offset, length);
    before = literals = trail;
  }
}
