/**
 * Kernel versions: where an image says its own, how two compare, and which initramfs compressions each can know.
 * The version is always taken from the image. File names lie: people copy and rename kernels.
 */
import type { Compression } from "../../bytes/decompress/format.ts";
import { decodeCString } from "../../bytes/text.ts";

/** init/version.c: `linux_banner`. The same text with `%s` in it exists too, hence the digit. */
const BANNER = Buffer.from("Linux version ", "latin1");
const MAX_BANNER_BYTES = 512;
/** The text occurs two or three times in a kernel; the bound is for files made of it. */
const MAX_BANNERS = 64;

/** What follows `Linux version ` in an unpacked kernel: `6.1.0-50-amd64 (debian-kernel@...) (gcc-12 ...) #1 SMP ...`. */
export function findBanner(elf: Uint8Array): string | undefined {
  const bytes = Buffer.from(elf.buffer, elf.byteOffset, elf.byteLength);
  let at = bytes.indexOf(BANNER);
  for (let i = 0; at >= 0 && i < MAX_BANNERS; i++) {
    const start = at + BANNER.length;
    const text = decodeCString(elf.subarray(start, start + MAX_BANNER_BYTES)).split("\n", 1)[0]!;
    if (/^\d+\.\d+/.test(text)) return text;
    at = bytes.indexOf(BANNER, start);
  }
  return undefined;
}

/** The first word of a release text: `4.11.7-1-ARCH`. */
export function releaseVersion(release: string): string {
  return release.split(" ", 1)[0]!;
}

/** `6.1.0-50-amd64` -> [6, 1, 0]; `undefined` when the text does not begin with two numbers. */
export function versionNumbers(version: string): readonly [number, number, number] | undefined {
  const found = /^(\d{1,4})\.(\d{1,6})(?:\.(\d{1,6}))?/.exec(version);
  return found ? [Number(found[1]), Number(found[2]), Number(found[3] ?? 0)] : undefined;
}

/** Negative when `a` is older; only the numbers before the first `-` count. Text that is no version is oldest. */
export function compareKernelVersions(a: string, b: string): number {
  const left = versionNumbers(a) ?? [0, 0, 0];
  const right = versionNumbers(b) ?? [0, 0, 0];
  for (const [i, number] of left.entries()) if (number !== right[i]) return number - right[i]!;
  return 0;
}

/** The first Linux with RD_* for each (lib/decompress.c and usr/Kconfig of the releases). lz4 means the legacy frame. */
export const FIRST_WITH: readonly (readonly [Compression, version: string])[] = [
  ["gzip", "0"],
  ["bzip2", "2.6.30"],
  ["lzma", "2.6.30"],
  ["lzo", "2.6.33"],
  ["xz", "2.6.38"],
  ["lz4", "3.11"],
  ["zstd", "5.9"],
];

/** The initramfs compressions that a kernel of this version can have been built with. */
export function knownCompressions(version: string): Compression[] {
  return FIRST_WITH.filter(([, first]) => compareKernelVersions(version, first) >= 0).map(
    ([name]) => name,
  );
}
