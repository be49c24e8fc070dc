/**
 * The .lzo file of lzop: a header, then blocks of LZO1X data with the checksums of each.
 * Facts: linux: lib/decompress_unlzo.c, Documentation/staging/lzo.rst (the LZO stream), lzop's own files.
 * Not supported: filters, multipart archives, methods other than LZO1X, blocks above 256 KiB (as in Linux).
 */
import { crc32 } from "node:zlib";
import { overLimit, unsupported } from "../../base/failure.ts";
import { KIB, sizeText } from "../../base/units.ts";
import { unpackLzo1x } from "./lzo1x.ts";
import type { Reader } from "./reader.ts";

const MAGIC = [0x89, 0x4c, 0x5a, 0x4f, 0x00, 0x0d, 0x0a, 0x1a, 0x0a];
/** From this version on the header has more fields. */
const VERSION_WITH_LEVEL = 0x0940;
const BLOCK_BYTES = 256 * KIB;

/** Flags, as lzop names them. */
const F_ADLER32_D = 0x1;
const F_ADLER32_C = 0x2;
const F_H_EXTRA_FIELD = 0x40;
const F_CRC32_D = 0x100;
const F_CRC32_C = 0x200;
const F_MULTIPART = 0x400;
const F_H_FILTER = 0x800;
const F_H_CRC32 = 0x1000;

/** What a block may carry, in this order; a block stored as it is has none of the packed data. */
const CHECKSUMS = [
  { flag: F_ADLER32_D, name: "Adler-32", compute: adler32, packed: false },
  { flag: F_CRC32_D, name: "CRC-32", compute: crc32Of, packed: false },
  { flag: F_ADLER32_C, name: "Adler-32", compute: adler32, packed: true },
  { flag: F_CRC32_C, name: "CRC-32", compute: crc32Of, packed: true },
] as const;

export function* unpackLzo(reader: Reader): Generator<Uint8Array, void> {
  const flags = readHeader(reader);
  const scratch = new Uint8Array(BLOCK_BYTES);
  for (;;) {
    const size = reader.u32be();
    if (size === 0) return;
    if (size > BLOCK_BYTES) {
      throw overLimit(reader.where, `an lzo block of ${sizeText(size)}`, sizeText(BLOCK_BYTES));
    }
    const packedBytes = reader.u32be();
    if (packedBytes === 0 || packedBytes > size) {
      throw reader.corrupt(`an lzo block of ${packedBytes} bytes packed`, `1 to ${size}`);
    }
    const stored = packedBytes === size;
    const sums = CHECKSUMS.filter(
      ({ flag, packed }) => (flags & flag) !== 0 && !(packed && stored),
    ).map((checksum) => ({ ...checksum, value: reader.u32be() }));
    const from = reader.at;
    const packed = reader.take(packedBytes);
    if (!stored && unpackLzo1x(packed, scratch.subarray(0, size)) !== size) {
      throw reader.corrupt(`an impossible lzo block at byte ${from}`, `${size} bytes of lzo data`);
    }
    const unpacked = stored ? packed.slice() : scratch.slice(0, size);
    for (const sum of sums) {
      if (sum.compute(sum.packed ? packed : unpacked) === sum.value) continue;
      throw reader.corrupt(`a wrong ${sum.name}`, `that of the lzo block at byte ${from}`);
    }
    yield unpacked;
  }
}

/** Returns the flags. */
function readHeader(reader: Reader): number {
  reader.expect(MAGIC, "the magic of an lzo file");
  const from = reader.at;
  const version = reader.u16be();
  reader.take(2); // version of the library
  const newer = version >= VERSION_WITH_LEVEL;
  if (newer) reader.take(2); // version needed to unpack
  const method = reader.u8();
  if (newer) reader.take(1); // level
  const flags = reader.u32be();
  if (flags & F_H_FILTER) reader.take(4);
  reader.take(newer ? 12 : 8); // mode and mtime
  reader.take(reader.u8()); // name
  const covered = reader.bytes.subarray(from, reader.at);
  if (reader.u32be() !== (flags & F_H_CRC32 ? crc32(covered) : adler32(covered))) {
    throw reader.corrupt("a wrong checksum", "that of the lzo header");
  }
  // 1: LZO1X-1, 2: LZO1X-1(15), 3: LZO1X-999; they differ in the compressor only
  if (method < 1 || method > 3) throw unsupported(reader.where, `lzop method ${method}`);
  if (flags & F_H_FILTER) throw unsupported(reader.where, "an lzop filter");
  if (flags & F_MULTIPART) throw unsupported(reader.where, "a multipart lzop archive");
  if (flags & F_H_EXTRA_FIELD) {
    reader.take(reader.u32be());
    reader.take(4); // its checksum
  }
  return flags;
}

/** RFC 1950 section 8.2; 5552 is the longest run whose sums fit 32 bits. */
/** Not node:zlib's function itself in the table: starting domus would load the module. */
function crc32Of(bytes: Uint8Array): number {
  return crc32(bytes);
}

function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let at = 0; at < bytes.length;) {
    for (const end = Math.min(bytes.length, at + 5552); at < end; at++) {
      a += bytes[at]!;
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return ((b << 16) | a) >>> 0;
}
