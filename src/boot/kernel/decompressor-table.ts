/**
 * compressed_formats[] of linux: lib/decompress.c, as it lies in the unpacked kernel: the one exact answer to which
 * initramfs compressions a kernel can unpack. An entry is
 *
 *     { unsigned char magic[2]; const char *name; decompress_fn decompressor; }
 *
 * 24 bytes in a 64-bit kernel, 12 in a 32-bit one, gzip first (1f 8b, then 1f 9e), a zero entry last. A format that was
 * left out of the build keeps its entry, with a NULL function: "compression method x not configured". One that is newer
 * than the kernel has no entry at all. Pointers are link-time addresses: relocation happens when the kernel starts.
 */
import type { Compression } from "../../bytes/decompress/format.ts";
import { latin1 } from "../../bytes/text.ts";
import { fileOffsetOf, type Elf } from "./elf.ts";
import { compareKernelVersions } from "./version.ts";

/** What the first two bytes of an initramfs choose. 1f 9e is an old gzip: it counts as gzip. */
const BY_MAGIC: ReadonlyMap<number, Compression> = new Map([
  [0x1f8b, "gzip"],
  [0x425a, "bzip2"],
  [0x5d00, "lzma"],
  [0xfd37, "xz"],
  [0x894c, "lzo"],
  [0x0221, "lz4"],
  [0x28b5, "zstd"],
]);
const OLD_GZIP = 0x1f9e;

/** The table has 8 entries today. */
const MAX_ENTRIES = 32;
/** Kernels have exactly one place that begins like the table; the bound is for files made of such places. */
const MAX_CANDIDATES = 1024;
/**
 * The scan of the first kernels with this table stopped at the first NULL function, so one format that was left out
 * hid those after it. 2.6.32 and later stop at the NULL name; for 2.6.30 and 2.6.31 domus assumes the trap.
 */
const SCAN_BY_NAME = "2.6.32";

export type DecompressorTable = {
  readonly supported: readonly Compression[];
  readonly notConfigured: readonly Compression[];
};

type Entry = { readonly magic: number; readonly name: bigint; readonly decompressor: bigint };

/** `undefined` when there is no such table: no initramfs support at all, or a kernel before 2.6.30. */
export function findDecompressorTable(
  bytes: Uint8Array,
  elf: Elf,
  version?: string,
): DecompressorTable | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pointer = elf.bits === 64 ? 8 : 4;
  const first = Buffer.alloc(pointer);
  first.writeUInt16BE(0x1f8b);
  let at = file.indexOf(first);
  for (let i = 0; at >= 0 && i < MAX_CANDIDATES; i++) {
    const entries = at % pointer === 0 ? readEntries(bytes, elf, at) : undefined;
    if (entries) return summary(entries, version);
    at = file.indexOf(first, at + 1);
  }
  return undefined;
}

/** The entries up to the zero one, when all of it looks as the table must. */
function readEntries(bytes: Uint8Array, elf: Elf, start: number): Entry[] | undefined {
  const size = elf.bits === 64 ? 24 : 12;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: Entry[] = [];
  for (let i = 0; i < MAX_ENTRIES; i++) {
    const at = start + i * size;
    if (at + size > bytes.length) return undefined;
    const [magic, padding, name, decompressor] =
      elf.bits === 64
        ? [
            view.getUint16(at),
            view.getUint16(at + 2) + view.getUint32(at + 4),
            view.getBigUint64(at + 8, true),
            view.getBigUint64(at + 16, true),
          ]
        : [
            view.getUint16(at),
            view.getUint16(at + 2),
            BigInt(view.getUint32(at + 4, true)),
            BigInt(view.getUint32(at + 8, true)),
          ];
    if (padding !== 0 || (i === 1 && magic !== OLD_GZIP)) return undefined;
    // Entry 1 has been seen by now, so this is a table and not zeroes after a stray 1f 8b.
    if (name === 0n) return i > 1 && magic === 0 ? entries : undefined;
    if (!isFormatName(bytes, elf, name)) return undefined;
    if (decompressor !== 0n && fileOffsetOf(elf, decompressor) === undefined) return undefined;
    entries.push({ magic, name, decompressor });
  }
  return undefined;
}

/** The name points to a short word: `gzip`, `bzip2`, or one of a format yet to come. */
function isFormatName(bytes: Uint8Array, elf: Elf, address: bigint): boolean {
  const at = fileOffsetOf(elf, address);
  return at !== undefined && /^[a-z][a-z0-9]{1,14}\0/.test(latin1(bytes.subarray(at, at + 16)));
}

function summary(entries: readonly Entry[], version: string | undefined): DecompressorTable {
  const trap = version !== undefined && compareKernelVersions(version, SCAN_BY_NAME) < 0;
  const hiddenFrom = trap ? entries.findIndex((entry) => entry.decompressor === 0n) : -1;
  const supported: Compression[] = [];
  const notConfigured: Compression[] = [];
  for (const [i, entry] of entries.entries()) {
    const format = BY_MAGIC.get(entry.magic);
    if (!format) continue;
    const usable = entry.decompressor !== 0n && (hiddenFrom < 0 || i < hiddenFrom);
    (usable ? supported : notConfigured).push(format);
  }
  return { supported, notConfigured };
}
