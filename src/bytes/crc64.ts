/**
 * CRC-64/XZ: the polynomial of ECMA-182, reflected, all ones before and after (xz-file-format.txt section 6).
 * In halves of 32 bits, because bigint arithmetic is far too slow for a kernel's worth of data.
 */
const POLYNOMIAL_LOW = 0xd7870f42;
const POLYNOMIAL_HIGH = 0xc96c5795;

/** Four tables of 256: what a byte does to the CRC, 0 to 3 bytes later. */
const LOW = new Uint32Array(4 * 256);
const HIGH = new Uint32Array(4 * 256);

for (let byte = 0; byte < 256; byte++) {
  let low = byte;
  let high = 0;
  for (let bit = 0; bit < 8; bit++) {
    const out = low & 1;
    low = (low >>> 1) | (high << 31);
    high >>>= 1;
    if (out) {
      low ^= POLYNOMIAL_LOW;
      high ^= POLYNOMIAL_HIGH;
    }
  }
  LOW[byte] = low;
  HIGH[byte] = high;
}
for (let i = 256; i < 4 * 256; i++) {
  const low = LOW[i - 256]!;
  const high = HIGH[i - 256]!;
  LOW[i] = (low >>> 8) ^ (high << 24) ^ LOW[low & 0xff]!;
  HIGH[i] = (high >>> 8) ^ HIGH[low & 0xff]!;
}

/** The CRC of `bytes`; `previous` is that of the bytes before them. */
export function crc64(bytes: Uint8Array, previous = 0n): bigint {
  let low = ~Number(previous & 0xffffffffn);
  let high = ~Number(previous >> 32n);
  let at = 0;
  for (const end = bytes.length - 3; at < end; at += 4) {
    const word =
      low ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    const a = (word & 0xff) + 768;
    const b = ((word >>> 8) & 0xff) + 512;
    const c = ((word >>> 16) & 0xff) + 256;
    const d = word >>> 24;
    low = high ^ LOW[a]! ^ LOW[b]! ^ LOW[c]! ^ LOW[d]!;
    high = HIGH[a]! ^ HIGH[b]! ^ HIGH[c]! ^ HIGH[d]!;
  }
  for (; at < bytes.length; at++) {
    const index = (low ^ bytes[at]!) & 0xff;
    low = (low >>> 8) ^ (high << 24) ^ LOW[index]!;
    high = (high >>> 8) ^ HIGH[index]!;
  }
  return (BigInt(~high >>> 0) << 32n) | BigInt(~low >>> 0);
}
