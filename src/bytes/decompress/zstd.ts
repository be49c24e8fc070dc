/**
 * One zstd frame: RFC 8878 (section numbers below), decoded by node:zlib. Where the frame ends is read from its block
 * headers first; so neither what follows it nor a cut can confuse the library.
 * Not supported: dictionaries, windows above 128 MiB (as in Linux, lib/decompress_unzstd.c).
 */
import { constants, createZstdDecompress } from "node:zlib";
import { attemptSync, overLimit, unsupported } from "../../base/failure.ts";
import { MIB, sizeText } from "../../base/units.ts";
import { CHUNK_BYTES, Reader } from "./reader.ts";
import { runZlib } from "./zlib-stream.ts";

const MAGIC = 0xfd2fb528;
/** Section 3.1.2: 16 magics, the low four bits are the application's. */
const SKIPPABLE = 0x184d2a50;

const WINDOW_LOG_MAX = 27;
const WINDOW_MAX = 128 * MIB;

const BLOCK_RLE = 1;
const BLOCK_RESERVED = 3;

export async function* unpackZstd(reader: Reader): AsyncGenerator<Uint8Array, void> {
  skipSkippable(reader);
  const from = reader.at;
  const header = readFrameHeader(reader);
  if (header.dictionary) throw unsupported(reader.where, "zstd with a dictionary");
  if (header.windowBytes > WINDOW_MAX) {
    const what = `a zstd window of ${sizeText(header.windowBytes)}`;
    throw overLimit(reader.where, what, sizeText(WINDOW_MAX));
  }
  skipBlocks(reader);
  if (header.checksum) reader.take(4);
  const frame = reader.bytes.subarray(from, reader.at);
  const zstd = createZstdDecompress({
    chunkSize: CHUNK_BYTES,
    params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX },
  });
  const taken = yield* runZlib(zstd, frame, reader);
  if (taken !== frame.length) throw reader.corrupt(`a frame of ${taken} bytes`, `${frame.length}`);
}

/** The window that a zstd frame wants, in bytes, from its header; undefined when there is none. */
export function zstdWindowBytes(bytes: Uint8Array): number | undefined {
  const read = attemptSync(() => {
    const reader = new Reader(bytes, []);
    skipSkippable(reader);
    return readFrameHeader(reader).windowBytes;
  });
  return read.ok ? read.value : undefined;
}

/** Section 3.1.2: frames with something else in them may come first. */
function skipSkippable(reader: Reader): void {
  for (;;) {
    const from = reader.at;
    const magic = reader.u32le();
    if ((magic & 0xfffffff0) !== SKIPPABLE) {
      reader.at = from;
      return;
    }
    reader.take(reader.u32le());
  }
}

type FrameHeader = {
  readonly windowBytes: number;
  readonly dictionary: boolean;
  /** Four bytes of it follow the blocks. */
  readonly checksum: boolean;
};

/** Section 3.1.1.1 */
function readFrameHeader(reader: Reader): FrameHeader {
  if (reader.u32le() !== MAGIC) throw reader.corrupt("another magic", "a zstd frame");
  const descriptor = reader.u8();
  const sizeFlag = descriptor >> 6;
  const singleSegment = (descriptor & 0x20) !== 0;
  const checksum = (descriptor & 0x04) !== 0;
  let windowBytes = 0;
  if (!singleSegment) {
    const window = reader.u8();
    const base = 2 ** (10 + (window >> 3));
    windowBytes = base + (base / 8) * (window & 7);
  }
  const id = reader.take([0, 1, 2, 4][descriptor & 3]!);
  const size = reader.take([singleSegment ? 1 : 0, 2, 4, 8][sizeFlag]!);
  // Without a window of its own, the frame's whole content is the window
  if (singleSegment) {
    windowBytes = size.reduceRight((value, byte) => value * 256 + byte, 0);
    if (size.length === 2) windowBytes += 256;
  }
  return { windowBytes, dictionary: id.some((byte) => byte !== 0), checksum };
}

/** Section 3.1.1.2: each block says how long it is, and the last that it is the last. */
function skipBlocks(reader: Reader): void {
  for (let last = false; !last;) {
    const header = reader.take(3);
    const bits = header[0]! | (header[1]! << 8) | (header[2]! << 16);
    last = (bits & 1) !== 0;
    const type = (bits >> 1) & 3;
    if (type === BLOCK_RESERVED) throw reader.corrupt("a reserved block type", "a zstd block");
    reader.take(type === BLOCK_RLE ? 1 : bits >> 3);
  }
}
