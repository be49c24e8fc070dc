/**
 * CRC-16/ARC (polynomial x^16 + x^15 + x^2 + 1, reflected), the kernel's `crc16` of lib/crc16.c.
 * ext4 without metadata_csum protects its group descriptors with it (`gdt_csum`), starting with 0xffff.
 */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  return crc;
});

/** The bare update: pieces chain. Starting with 0 it is CRC-16/ARC, "123456789" gives 0xbb3d. Result 0 to 65535. */
export function crc16Update(crc: number, bytes: Uint8Array): number {
  let register = crc & 0xffff;
  for (const byte of bytes) register = (register >>> 8) ^ table[(register ^ byte) & 0xff]!;
  return register;
}
