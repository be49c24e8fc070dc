/**
 * BLAKE2b without a key: RFC 7693, sections 2.1, 3.1 and 3.2. Only digests of 32 bytes, the size that btrfs stores.
 * 64-bit words are pairs of 32-bit halves, the low one first.
 */

/** RFC 7693 section 2.6, low and high halves: the initial hash of SHA-512. */
const IV = Int32Array.from([
  0xf3bcc908, 0x6a09e667, 0x84caa73b, 0xbb67ae85, 0xfe94f82b, 0x3c6ef372, 0x5f1d36f1, 0xa54ff53a,
  0xade682d1, 0x510e527f, 0x2b3e6c1f, 0x9b05688c, 0xfb41bd6b, 0x1f83d9ab, 0x137e2179, 0x5be0cd19,
]);

/** Section 2.7 */
const SIGMA: readonly (readonly number[])[] = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];
const ROUNDS = 12;
const BLOCK = 128;
const DIGEST = 32;

/** The columns and diagonals that section 3.2 mixes: a, b, c, d of each, as places of the low halves. */
const MIXES = Int32Array.from(
  [
    [0, 4, 8, 12],
    [1, 5, 9, 13],
    [2, 6, 10, 14],
    [3, 7, 11, 15],
    [0, 5, 10, 15],
    [1, 6, 11, 12],
    [2, 7, 8, 13],
    [3, 4, 9, 14],
  ].flat(),
  (word) => 2 * word,
);

/** BLAKE2b-256 of `bytes`. */
export function blake2b256(bytes: Uint8Array): Uint8Array {
  const h = Int32Array.from(IV);
  h[0] = h[0]! ^ 0x0101_0000 ^ DIGEST; // section 2.5: fanout and depth 1, no key
  const work = { v: new Int32Array(32), m: new Int32Array(32) };
  const block = new Uint8Array(BLOCK);
  // The last block is always kept for the end, also when it is full.
  const last = Math.max(0, Math.ceil(bytes.length / BLOCK) - 1) * BLOCK;
  for (let at = 0; at < last; at += BLOCK) {
    block.set(bytes.subarray(at, at + BLOCK));
    compress(h, block, { ...work, count: at + BLOCK, final: false });
  }
  block.fill(0);
  block.set(bytes.subarray(last));
  compress(h, block, { ...work, count: bytes.length, final: true });
  const digest = new DataView(new ArrayBuffer(DIGEST));
  for (let i = 0; i < DIGEST / 4; i++) digest.setInt32(4 * i, h[i]!, true);
  return new Uint8Array(digest.buffer);
}

type Work = {
  readonly v: Int32Array;
  readonly m: Int32Array;
  /** Bytes up to the end of this block. */
  readonly count: number;
  readonly final: boolean;
};

/** Section 3.2, function F. */
function compress(h: Int32Array, block: Uint8Array, { v, m, count, final }: Work): void {
  const view = new DataView(block.buffer, block.byteOffset, BLOCK);
  for (let i = 0; i < 32; i++) m[i] = view.getInt32(4 * i, true);
  v.set(h);
  v.set(IV, 16);
  v[24] = v[24]! ^ (count | 0);
  v[25] = v[25]! ^ Math.floor(count / 2 ** 32);
  if (final) {
    v[28] = ~v[28]!;
    v[29] = ~v[29]!;
  }
  for (let round = 0; round < ROUNDS; round++) {
    const order = SIGMA[round % SIGMA.length]!;
    for (let i = 0; i < 8; i++) {
      mix(v, m, 4 * i, 2 * order[2 * i]!);
      mix(v, m, 4 * i, 2 * order[2 * i + 1]! + 1);
    }
  }
  for (let i = 0; i < 16; i++) h[i] = h[i]! ^ v[i]! ^ v[i + 16]!;
}

/**
 * Half of section 3.1's function G: one word of the message goes in. The first and the second half differ in their
 * rotations only: 32 and 24, then 16 and 63. An odd `x` asks for the second; the word is that of `x` without the bit.
 */
function mix(v: Int32Array, m: Int32Array, which: number, x: number): void {
  const a = MIXES[which]!;
  const b = MIXES[which + 1]!;
  const c = MIXES[which + 2]!;
  const d = MIXES[which + 3]!;
  const word = x & ~1;
  const bLow = v[b]!;
  const bHigh = v[b + 1]!;
  // Sums of three unsigned halves and a carry stay far below 2^53.
  const aSum = (v[a]! >>> 0) + (bLow >>> 0) + (m[word]! >>> 0);
  const aLow = aSum | 0;
  const aHigh = (v[a + 1]! + bHigh + m[word + 1]! + ((aSum / 2 ** 32) | 0)) | 0;
  let low = v[d]! ^ aLow;
  let high = v[d + 1]! ^ aHigh;
  const dLow = x & 1 ? (low >>> 16) | (high << 16) : high;
  const dHigh = x & 1 ? (high >>> 16) | (low << 16) : low;
  const cSum = (v[c]! >>> 0) + (dLow >>> 0);
  const cLow = cSum | 0;
  const cHigh = (v[c + 1]! + dHigh + ((cSum / 2 ** 32) | 0)) | 0;
  low = bLow ^ cLow;
  high = bHigh ^ cHigh;
  v[a] = aLow;
  v[a + 1] = aHigh;
  v[b] = x & 1 ? (low << 1) | (high >>> 31) : (low >>> 24) | (high << 8);
  v[b + 1] = x & 1 ? (high << 1) | (low >>> 31) : (high >>> 24) | (low << 8);
  v[c] = cLow;
  v[c + 1] = cHigh;
  v[d] = dLow;
  v[d + 1] = dHigh;
}
