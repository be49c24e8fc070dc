/**
 * CONFIG_IKCONFIG: the kernel carries its configuration, gzipped, between the marks IKCFG_ST and IKCFG_ED
 * (linux: kernel/configs.c). Debian leaves it out, Arch and Alpine have it.
 */
const START = Buffer.from("IKCFG_ST\x1f\x8b", "latin1");
const END = Buffer.from("IKCFG_ED", "latin1");
/** A gzipped configuration is 20 to 80 KiB. */
const MAX_PACKED_BYTES = 1024 * 1024;

/** The gzip member, a view into the kernel; `undefined` when the kernel has none. */
export function findIkconfig(elf: Uint8Array): Uint8Array | undefined {
  const bytes = Buffer.from(elf.buffer, elf.byteOffset, elf.byteLength);
  const found = bytes.indexOf(START);
  if (found < 0) return undefined;
  const start = found + "IKCFG_ST".length;
  const packed = bytes.subarray(start, start + MAX_PACKED_BYTES);
  const length = packed.indexOf(END);
  return length < 0 ? undefined : packed.subarray(0, length);
}
