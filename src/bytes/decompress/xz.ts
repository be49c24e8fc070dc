/**
 * The .xz container: https://tukaani.org/xz/xz-file-format.txt (section numbers below), linux: lib/xz/xz_dec_stream.c.
 * Supported: all of LZMA2, the x86 filter, any number of blocks; CRC-32 and CRC-64 are verified.
 * Not supported: other filters. SHA-256 and checks without a name are skipped, not verified.
 */
import { crc32 } from "node:zlib";
import { attemptSync, unsupported } from "../../base/failure.ts";
import { hex } from "../../base/units.ts";
import { crc64 } from "../crc64.ts";
import { Lzma2Decoder } from "./lzma2.ts";
import { Reader } from "./reader.ts";
import { X86Filter } from "./x86-filter.ts";

const HEADER_MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const FOOTER_MAGIC = [0x59, 0x5a];

const FILTER_X86 = 0x04;
const FILTER_LZMA2 = 0x21;
const WRONG_CRC32 = "a wrong CRC-32";

/** Section 5.3; names as xz has them. */
const FILTER_NAMES: Readonly<Record<number, string>> = {
  0x03: "delta",
  0x05: "powerpc",
  0x06: "ia64",
  0x07: "arm",
  0x08: "armthumb",
  0x09: "sparc",
  0x0a: "arm64",
  0x0b: "riscv",
};

export type XzCheck = "none" | "crc32" | "crc64" | "sha256" | "unknown";

/** Section 2.1.1.2 */
const CHECK_NAMES: Readonly<Record<number, XzCheck>> = {
  0x0: "none",
  0x1: "crc32",
  0x4: "crc64",
  0xa: "sha256",
};
const CHECK_BYTES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];

/**
 * The integrity check that an xz stream is written with, from its first 8 bytes; undefined when it is not xz.
 * Linux unpacks an initramfs only with `none` or `crc32`.
 */
export function xzCheck(bytes: Uint8Array): XzCheck | undefined {
  if (bytes.length < 8 || !HEADER_MAGIC.every((byte, i) => bytes[i] === byte)) return undefined;
  return CHECK_NAMES[bytes[7]! & 0x0f] ?? "unknown";
}

/**
 * The dictionary that the first block asks for, in bytes; undefined when there is none or its header is not one that
 * domus reads. An unpacker needs a little more memory than that.
 */
export function xzDictionaryBytes(bytes: Uint8Array): number | undefined {
  const read = attemptSync(() => {
    const reader = new Reader(bytes.subarray(0, 12 + 1024), []);
    readStreamHeader(reader);
    return readBlockHeader(reader).dictionaryBytes;
  });
  return read.ok ? read.value : undefined;
}

/** One stream: header, blocks, index, footer. Padding after it is left alone. */
export function* unpackXz(reader: Reader): Generator<Uint8Array, void> {
  const flags = readStreamHeader(reader);
  const blocks = new Sizes();
  // A block header begins with its size, the index with 0
  while (reader.bytes[reader.at] !== 0) yield* unpackBlock(reader, flags & 0x0f, blocks);
  const from = reader.at;
  if (!readIndex(reader).equals(blocks)) {
    throw reader.corrupt("an xz index of other blocks", `the ${blocks.count} blocks before it`);
  }
  const indexBytes = reader.at - from;
  const footer = readStreamFooter(reader);
  if (footer.flags !== flags || footer.indexBytes !== indexBytes) {
    throw reader.corrupt("an xz footer of another stream", "the flags and index size of this one");
  }
}

/** Section 2.1.1. Returns the stream flags. */
function readStreamHeader(reader: Reader): number {
  reader.expect(HEADER_MAGIC, "the magic of an xz stream");
  const covered = reader.take(2);
  expectCrc32(reader, covered, "an xz stream header");
  const flags = covered[0]! * 256 + covered[1]!;
  if ((flags & 0xfff0) !== 0)
    throw unsupported(reader.where, `an xz stream with flags ${hex(flags)}`);
  return flags;
}

/** Section 2.1.2 */
function readStreamFooter(reader: Reader): { flags: number; indexBytes: number } {
  const stored = reader.u32le();
  const footer = reader.part(6, "an xz stream footer");
  if (stored !== crc32(footer.bytes)) throw reader.corrupt(WRONG_CRC32, "that of the xz footer");
  reader.expect(FOOTER_MAGIC, "the magic of an xz stream footer");
  return { indexBytes: (footer.u32le() + 1) * 4, flags: footer.u16be() };
}

/** What the index must repeat: two numbers for each block. A CRC keeps memory constant, however many there are. */
class Sizes {
  count = 0;
  #crc = 0;
  readonly #record = new Float64Array(2);
  readonly #recordBytes = new Uint8Array(this.#record.buffer);

  add(unpaddedBytes: number, unpackedBytes: number): void {
    this.count += 1;
    this.#record[0] = unpaddedBytes;
    this.#record[1] = unpackedBytes;
    this.#crc = crc32(this.#recordBytes, this.#crc);
  }

  equals(other: Sizes): boolean {
    return this.count === other.count && this.#crc === other.#crc;
  }
}

/** Section 4: of each block its size without padding, and its size unpacked. */
function readIndex(reader: Reader): Sizes {
  const from = reader.at;
  const listed = new Sizes();
  reader.expect([0], "the start of an xz index");
  // Each record takes at least two bytes of the input, so the loop ends with it
  for (let left = readVli(reader); left > 0; left--) listed.add(readVli(reader), readVli(reader));
  readPadding(reader, reader.at - from);
  expectCrc32(reader, reader.bytes.subarray(from, reader.at), "an xz index");
  return listed;
}

type BlockHeader = {
  /** As the header has them; both are optional. */
  readonly packedBytes: number | undefined;
  readonly unpackedBytes: number | undefined;
  readonly dictionaryBytes: number;
  readonly x86: X86Filter | undefined;
};

/** Section 3.1 */
function readBlockHeader(reader: Reader): BlockHeader {
  const from = reader.at;
  const header = reader.part((reader.u8() + 1) * 4 - 5, "an xz block header");
  expectCrc32(reader, reader.bytes.subarray(from, reader.at), "an xz block header");
  const flags = header.u8();
  if ((flags & 0x3c) !== 0) throw unsupported(reader.where, `an xz block with flags ${hex(flags)}`);
  const packedBytes = flags & 0x40 ? readVli(header) : undefined;
  const unpackedBytes = flags & 0x80 ? readVli(header) : undefined;
  let dictionaryBytes: number | undefined;
  let x86: X86Filter | undefined;
  for (let left = (flags & 3) + 1; left > 0; left--) {
    const id = readVli(header);
    const properties = header.part(readVli(header), "the properties of an xz filter");
    if (id === FILTER_LZMA2 && left === 1) {
      dictionaryBytes = readDictionarySize(properties);
    } else if (id === FILTER_X86 && left > 1 && !x86) {
      x86 = new X86Filter(properties.left === 0 ? 0 : properties.u32le());
    } else {
      throw unsupported(reader.where, `the xz filter ${FILTER_NAMES[id] ?? hex(id)} in this place`);
    }
  }
  if (dictionaryBytes === undefined) throw reader.corrupt("an xz block", "LZMA2 as last filter");
  while (header.left > 0) header.expect([0], "zero padding in an xz block header");
  return { packedBytes, unpackedBytes, dictionaryBytes, x86 };
}

/** Section 5.3.1: one byte for 4 KiB, 6 KiB, 8 KiB, 12 KiB and so on up to 4 GiB - 1. */
function readDictionarySize(properties: Reader): number {
  const bits = properties.u8();
  if (bits > 40) throw properties.corrupt(`dictionary size ${bits}`, "0 to 40");
  return bits === 40 ? 0xffffffff : (2 | (bits & 1)) * 2 ** ((bits >> 1) + 11);
}

/** Section 3 */
function* unpackBlock(reader: Reader, checkId: number, blocks: Sizes): Generator<Uint8Array, void> {
  const from = reader.at;
  const { packedBytes, unpackedBytes, dictionaryBytes, x86 } = readBlockHeader(reader);
  const dataAt = reader.at;
  const check = new BlockCheck(checkId);
  let size = 0;
  const lzma2 = new Lzma2Decoder(reader, dictionaryBytes).run();
  for (const chunk of x86 ? filtered(lzma2, x86) : lzma2) {
    size += chunk.length;
    check.add(chunk);
    yield chunk;
  }
  if (packedBytes !== undefined && packedBytes !== reader.at - dataAt) {
    throw reader.corrupt(`${reader.at - dataAt} bytes in an xz block`, String(packedBytes));
  }
  if (unpackedBytes !== undefined && unpackedBytes !== size) {
    throw reader.corrupt(`${size} bytes out of an xz block`, String(unpackedBytes));
  }
  const dataEnd = reader.at;
  readPadding(reader, dataEnd - dataAt);
  const stored = reader.take(CHECK_BYTES[checkId]!);
  if (!check.matches(stored)) {
    throw reader.corrupt(`a wrong ${CHECK_NAMES[checkId]}`, "that of the data in an xz block");
  }
  blocks.add(dataEnd - from + stored.length, size);
}

function* filtered(chunks: Iterable<Uint8Array>, filter: X86Filter): Generator<Uint8Array, void> {
  for (const chunk of chunks) {
    const out = filter.push(chunk);
    if (out.length > 0) yield out;
  }
  const rest = filter.finish();
  if (rest.length > 0) yield rest;
}

/** Section 3.4 */
class BlockCheck {
  readonly #id: number;
  #crc32 = 0;
  #crc64 = 0n;

  constructor(id: number) {
    this.#id = id;
  }

  add(bytes: Uint8Array): void {
    if (this.#id === 0x1) this.#crc32 = crc32(bytes, this.#crc32);
    if (this.#id === 0x4) this.#crc64 = crc64(bytes, this.#crc64);
  }

  matches(stored: Uint8Array): boolean {
    const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
    if (this.#id === 0x1) return view.getUint32(0, true) === this.#crc32;
    if (this.#id === 0x4) return view.getBigUint64(0, true) === this.#crc64;
    return true;
  }
}

/** Section 1.2: 7 bits a byte, lowest first, at most 9 bytes. Above 2^53 - 1 it counts nothing that can be. */
function readVli(reader: Reader): number {
  let value = 0;
  for (let i = 0; i < 9; i++) {
    const byte = reader.u8();
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte >= 0x80) continue;
    if ((byte === 0 && i > 0) || !Number.isSafeInteger(value)) break;
    return value;
  }
  throw reader.corrupt(`a bad number before byte ${reader.at}`, "a number in an xz header");
}

/** Zeroes up to a multiple of four after `length` bytes. */
function readPadding(reader: Reader, length: number): void {
  for (let left = -length & 3; left > 0; left--) reader.expect([0], "zero padding in an xz stream");
}

function expectCrc32(reader: Reader, covered: Uint8Array, what: string): void {
  if (reader.u32le() !== crc32(covered)) {
    throw reader.corrupt(WRONG_CRC32, `that of ${what}`);
  }
}
