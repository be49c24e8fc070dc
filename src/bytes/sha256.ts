/** SHA-256: FIPS 180-4, sections 4.2.2, 5.3.3 and 6.2. The constants are computed as the standard defines them. */

/** The first 64 primes: the constants come from their roots. */
const PRIMES = firstPrimes(64);
/** The first 32 bits of the fractional parts of the cube and square roots; a double has enough of them. */
const K = Int32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));
const H0 = Int32Array.from(PRIMES.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));

const BLOCK = 64;

function firstPrimes(count: number): number[] {
  const primes: number[] = [];
  for (let n = 2; primes.length < count; n++) {
    if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  }
  return primes;
}

function fraction(root: number): number {
  return ((root - Math.floor(root)) * 2 ** 32) | 0;
}

/** The digest, 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  const state = Int32Array.from(H0);
  const whole = bytes.length - (bytes.length % BLOCK);
  compress(state, bytes.subarray(0, whole));
  // Section 5.1.1: a one bit, zeroes, the length in bits, up to a whole number of blocks.
  const rest = bytes.subarray(whole);
  const tail = new Uint8Array(rest.length + 9 > BLOCK ? 2 * BLOCK : BLOCK);
  tail.set(rest);
  tail[rest.length] = 0x80;
  const view = new DataView(tail.buffer);
  view.setUint32(tail.length - 8, Math.floor(bytes.length / 2 ** 29), false);
  view.setUint32(tail.length - 4, (bytes.length << 3) >>> 0, false);
  compress(state, tail);
  const digest = new DataView(new ArrayBuffer(32));
  for (const [i, word] of state.entries()) digest.setInt32(4 * i, word, false);
  return new Uint8Array(digest.buffer);
}

/** Section 6.2.2 for a whole number of blocks, with the names of the standard. */
function compress(state: Int32Array, blocks: Uint8Array): void {
  const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.byteLength);
  const w = new Int32Array(64);
  for (let at = 0; at < blocks.length; at += BLOCK) {
    expand(w, view, at);
    let a = state[0]!;
    let b = state[1]!;
    let c = state[2]!;
    let d = state[3]!;
    let e = state[4]!;
    let f = state[5]!;
    let g = state[6]!;
    let h = state[7]!;
    for (let t = 0; t < 64; t++) {
      const ch = (e & f) ^ (~e & g);
      const maj = (a & b) ^ (a & c) ^ (b & c);
      const t1 = (h + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ch + K[t]! + w[t]!) | 0;
      const t2 = ((rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + maj) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    state[0]! += a;
    state[1]! += b;
    state[2]! += c;
    state[3]! += d;
    state[4]! += e;
    state[5]! += f;
    state[6]! += g;
    state[7]! += h;
  }
}

/** The message schedule of the block at `at`. */
function expand(w: Int32Array, view: DataView, at: number): void {
  for (let t = 0; t < 16; t++) w[t] = view.getInt32(at + 4 * t, false);
  for (let t = 16; t < 64; t++) {
    const early = w[t - 15]!;
    const late = w[t - 2]!;
    const sigma0 = rotr(early, 7) ^ rotr(early, 18) ^ (early >>> 3);
    const sigma1 = rotr(late, 17) ^ rotr(late, 19) ^ (late >>> 10);
    w[t] = sigma1 + w[t - 7]! + sigma0 + w[t - 16]!;
  }
}

function rotr(x: number, bits: number): number {
  return (x >>> bits) | (x << (32 - bits));
}
