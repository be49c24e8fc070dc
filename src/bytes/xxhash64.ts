/**
 * XXH64 of Yann Collet's "xxHash fast digest algorithm" specification, version 0.1.1, section XXH64 (step numbers
 * below). 64-bit numbers are pairs of 32-bit halves: BigInt is fifty times as slow (measured).
 */

/** The high and low half of a number, both as int32. */
type Halves = [high: number, low: number];

const PRIME1: Halves = [0x9e3779b1 | 0, 0x85ebca87 | 0];
const PRIME2: Halves = [0xc2b2ae3d | 0, 0x27d4eb4f | 0];
const PRIME3: Halves = [0x165667b1 | 0, 0x9e3779f9 | 0];
const PRIME4: Halves = [0x85ebca77 | 0, 0xc2b2ae63 | 0];
const PRIME5: Halves = [0x27d4eb2f | 0, 0x165667c5 | 0];

/** The high half of the product of two unsigned 32-bit numbers; every partial sum stays below 2^53. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const crossed = aLow * bHigh + (middle & 0xffff);
  return (
    (aHigh * bHigh +
      (middle - (middle & 0xffff)) / 0x10000 +
      (crossed - (crossed & 0xffff)) / 0x10000) |
    0
  );
}

/** `x *= by` */
function multiply(x: Halves, by: Halves): void {
  const low = x[1];
  x[0] = (multiplyHigh(low, by[1]) + Math.imul(x[0], by[1]) + Math.imul(low, by[0])) | 0;
  x[1] = Math.imul(low, by[1]);
}

/** `x += high:low` */
function add(x: Halves, high: number, low: number): void {
  const sum = (x[1] >>> 0) + (low >>> 0);
  x[0] = (x[0] + high + (sum > 0xffff_ffff ? 1 : 0)) | 0;
  x[1] = sum | 0;
}

function rotateLeft(x: Halves, bits: number): void {
  const [high, low] = x;
  // Only 1 to 31 are used.
  x[0] = (high << bits) | (low >>> (32 - bits));
  x[1] = (low << bits) | (high >>> (32 - bits));
}

/** `x ^= x >>> bits` */
function xorShift(x: Halves, bits: number): void {
  const [high, low] = x;
  if (bits >= 32) x[1] = low ^ (high >>> (bits - 32));
  else {
    x[0] = high ^ (high >>> bits);
    x[1] = low ^ ((low >>> bits) | (high << (32 - bits)));
  }
}

/** One lane: step 2, also used on its own in steps 3 and 5. */
function round(lane: Halves, high: number, low: number, scratch: Halves): void {
  scratch[0] = high;
  scratch[1] = low;
  multiply(scratch, PRIME2);
  add(lane, scratch[0], scratch[1]);
  rotateLeft(lane, 31);
  multiply(lane, PRIME1);
}

/** The digest of `bytes` with seed 0, as eight bytes little endian: the order that btrfs stores. */
export function xxhash64(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const scratch: Halves = [0, 0];
  let at = 0;
  let hash: Halves;
  if (bytes.length >= 32) {
    const lanes: Halves[] = [[...PRIME1], [...PRIME2], [0, 0], [0, 0]];
    add(lanes[0]!, ...PRIME2);
    add(lanes[3]!, ~PRIME1[0], ~PRIME1[1]);
    add(lanes[3]!, 0, 1); // minus PRIME1
    for (; at + 32 <= bytes.length; at += 32) {
      for (let lane = 0; lane < 4; lane++) {
        const from = at + 8 * lane;
        round(lanes[lane]!, view.getInt32(from + 4, true), view.getInt32(from, true), scratch);
      }
    }
    hash = merge(lanes);
  } else {
    hash = [...PRIME5];
  }
  add(hash, Math.floor(bytes.length / 2 ** 32) | 0, bytes.length | 0); // step 4
  finish(hash, view, at);
  const digest = new DataView(new ArrayBuffer(8));
  digest.setInt32(0, hash[1], true);
  digest.setInt32(4, hash[0], true);
  return new Uint8Array(digest.buffer);
}

/** Step 3 */
function merge(lanes: readonly Halves[]): Halves {
  const hash: Halves = [0, 0];
  for (const [i, bits] of [1, 7, 12, 18].entries()) {
    const turned: Halves = [...lanes[i]!];
    rotateLeft(turned, bits);
    add(hash, ...turned);
  }
  for (const lane of lanes) {
    const one: Halves = [0, 0];
    round(one, lane[0], lane[1], [0, 0]);
    hash[0] ^= one[0];
    hash[1] ^= one[1];
    multiply(hash, PRIME1);
    add(hash, ...PRIME4);
  }
  return hash;
}

/** Steps 5 and 6: what is left after the last 32 bytes, and the avalanche. */
function finish(hash: Halves, view: DataView, from: number): void {
  let at = from;
  const piece: Halves = [0, 0];
  for (; at + 8 <= view.byteLength; at += 8) {
    piece[0] = piece[1] = 0;
    round(piece, view.getInt32(at + 4, true), view.getInt32(at, true), [0, 0]);
    mix(hash, piece, 27, [PRIME1, PRIME4]);
  }
  if (at + 4 <= view.byteLength) {
    const word: Halves = [0, view.getInt32(at, true)];
    multiply(word, PRIME1);
    mix(hash, word, 23, [PRIME2, PRIME3]);
    at += 4;
  }
  for (; at < view.byteLength; at++) {
    const byte: Halves = [0, view.getUint8(at)];
    multiply(byte, PRIME5);
    mix(hash, byte, 11, [PRIME1]);
  }
  xorShift(hash, 33);
  multiply(hash, PRIME2);
  xorShift(hash, 29);
  multiply(hash, PRIME3);
  xorShift(hash, 32);
}

function mix(hash: Halves, value: Halves, bits: number, [factor, addend]: readonly Halves[]): void {
  hash[0] ^= value[0];
  hash[1] ^= value[1];
  rotateLeft(hash, bits);
  multiply(hash, factor!);
  if (addend) add(hash, ...addend);
}
