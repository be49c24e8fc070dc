/**
 * The CRC of v1 journal checksums: the polynomial of CRC-32, most significant bit first, start ~0, nothing inverted
 * at the end. Linux lib/crc32.c `crc32_be`.
 */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ 0x04c1_1db7 : crc << 1;
  return crc >>> 0;
});

/** The bare update: pieces chain. Starting with ~0, "123456789" gives 0x0376e6e7 (CRC-32/MPEG-2). */
export function crc32beUpdate(crc: number, bytes: Uint8Array): number {
  let register = crc | 0;
  for (const byte of bytes) register = (register << 8) ^ table[(register >>> 24) ^ byte]!;
  return register >>> 0;
}
