/**
 * The compressions that kernels and initramfs images come in, by the magic that Xen's domain builder
 * (xen: tools/libs/guest/xg_dom_bzimageloader.c) and Linux (lib/decompress.c) go by.
 */
export type Compression =
  | "gzip"
  | "bzip2"
  | "lzma"
  | "xz"
  | "lzo"
  /** The legacy frame (`lz4 -l`), the only one that Linux and Xen read. */
  | "lz4"
  /** The modern lz4 frame: nobody in the boot path reads it. */
  | "lz4-frame"
  | "zstd";

/** In the order of the kernel's own table. */
export const COMPRESSIONS: readonly Compression[] = [
  "gzip",
  "bzip2",
  "lzma",
  "xz",
  "lzo",
  "lz4",
  "zstd",
];

const MAGICS: readonly (readonly [Compression, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["lzo", [0x89, 0x4c, 0x5a, 0x4f, 0x00]],
  ["lz4", [0x02, 0x21, 0x4c, 0x18]],
  ["lz4-frame", [0x04, 0x22, 0x4d, 0x18]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  // Last: two bytes of header are all that .lzma has to go by.
  ["lzma", [0x5d, 0x00]],
];

/** The compression whose magic `bytes` begins with. */
export function sniffCompression(bytes: Uint8Array): Compression | undefined {
  return MAGICS.find(([, magic]) => magic.every((byte, i) => bytes[i] === byte))?.[0];
}
