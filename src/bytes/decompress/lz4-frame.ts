/**
 * The lz4 frame as `lz4` writes it without `-l`. Neither Linux nor Xen reads it; domus does, to repack what was packed
 * with it by mistake. Facts: lz4_Frame_format.md. Frames that need a dictionary are not supported.
 */
import { unsupported } from "../../base/failure.ts";
import { KIB } from "../../base/units.ts";
import { xxhash32, Xxhash32 } from "../xxhash32.ts";
import { unpackLz4Block } from "./lz4-block.ts";
import type { Reader } from "./reader.ts";

const MAGIC = 0x184d2204;
const VERSION = 1;
/** FLG */
const BLOCK_INDEPENDENT = 0x20;
const BLOCK_CHECKSUM = 0x10;
const CONTENT_SIZE = 0x08;
const CONTENT_CHECKSUM = 0x04;
const RESERVED = 0x02;
const DICTIONARY_ID = 0x01;
/** A block's size with this bit is of bytes that are stored as they are. */
const STORED = 0x80000000;
/** How far back a match reaches, into earlier blocks too unless they are independent. */
const HISTORY_BYTES = 64 * KIB;

type Frame = {
  readonly flags: number;
  /** What a block unpacks to at most, in bytes. */
  readonly blockBytes: number;
};

/** One frame. */
export function* unpackLz4Frame(reader: Reader): Generator<Uint8Array, void> {
  const { flags, blockBytes } = readHeader(reader);
  const linked = (flags & BLOCK_INDEPENDENT) === 0;
  const sum = new Xxhash32();
  const out = new Uint8Array(HISTORY_BYTES + blockBytes);
  let history = 0;
  for (;;) {
    const field = reader.u32le();
    if (field === 0) break;
    const size = field % STORED;
    if (size > blockBytes) {
      throw reader.corrupt(`an lz4 block of ${size} bytes`, `at most ${blockBytes}`);
    }
    const from = reader.at;
    const packed = reader.take(size);
    if (flags & BLOCK_CHECKSUM && reader.u32le() !== xxhash32(packed)) {
      throw reader.corrupt(`an lz4 block at byte ${from} with a wrong checksum`, "its XXH32");
    }
    const room = out.subarray(0, history + blockBytes);
    const end =
      field >= STORED ? store(packed, room, history) : unpackLz4Block(packed, room, history);
    if (end < 0) throw reader.corrupt(`an impossible lz4 block at byte ${from}`, "lz4 data");
    const chunk = out.slice(history, end);
    sum.push(chunk);
    if (chunk.length > 0) yield chunk;
    history = linked ? Math.min(end, HISTORY_BYTES) : 0;
    out.copyWithin(0, end - history, end);
  }
  if (flags & CONTENT_CHECKSUM && reader.u32le() !== sum.digest()) {
    throw reader.corrupt("a wrong checksum", "the XXH32 at the end of the lz4 frame");
  }
}

function store(bytes: Uint8Array, out: Uint8Array, at: number): number {
  out.set(bytes, at);
  return at + bytes.length;
}

function readHeader(reader: Reader): Frame {
  if (reader.u32le() !== MAGIC) throw reader.corrupt("another magic", "an lz4 frame");
  const from = reader.at;
  const flags = reader.u8();
  const descriptor = reader.u8();
  const size = (descriptor >> 4) & 7;
  if (flags >> 6 !== VERSION || flags & RESERVED || descriptor & 0x8f || size < 4) {
    throw unsupported(reader.where, "an lz4 frame of another version");
  }
  if (flags & CONTENT_SIZE) reader.take(8);
  if (flags & DICTIONARY_ID) throw unsupported(reader.where, "an lz4 frame with a dictionary");
  const header = reader.bytes.subarray(from, reader.at);
  if (reader.u8() !== ((xxhash32(header) >>> 8) & 0xff)) {
    throw reader.corrupt("a header with a wrong checksum", "an lz4 frame");
  }
  // 4 to 7: 64 KiB, 256 KiB, 1 MiB, 4 MiB
  return { flags, blockBytes: 1 << (8 + 2 * size) };
}
