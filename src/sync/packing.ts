/** zstd for the blocks of a patch, in Node's thread pool (RFC 8878; node:zlib). */
import { constants, zstdCompress, zstdDecompress } from "node:zlib";
import { promisify } from "node:util";
import { corrupt } from "../base/failure.ts";
import type { Where } from "../base/where.ts";

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** The fastest of zstd's usual levels: what it leaves is what the wire saves. */
const LEVEL = 1;
const LEAST_CHUNK_BYTES = 4096;

/** `blocks` as one zstd frame. */
export function packBlocks(blocks: Uint8Array): Promise<Uint8Array> {
  // In one piece: many small ones would be copied together.
  const chunkSize = Math.max(blocks.length, LEAST_CHUNK_BYTES);
  return compress(blocks, { chunkSize, params: { [constants.ZSTD_c_compressionLevel]: LEVEL } });
}

/** What a peer has packed: exactly `rawBytes` bytes, or a `corrupt` failure. Makes room for no more than that. */
export async function unpackBlocks(
  packed: Uint8Array,
  rawBytes: number,
  where: Where,
): Promise<Uint8Array> {
  const expected = `a zstd frame of ${rawBytes} bytes`;
  // A bound of 0 is no bound for node:zlib.
  const maxOutputLength = Math.max(rawBytes, 1);
  const chunkSize = Math.max(rawBytes, LEAST_CHUNK_BYTES);
  const unpacked = await decompress(packed, { maxOutputLength, chunkSize }).catch(
    (error: NodeJS.ErrnoException) => {
      throw corrupt(where, `blocks that do not unpack (${error.code ?? error.message})`, expected);
    },
  );
  if (unpacked.length !== rawBytes)
    throw corrupt(where, `${unpacked.length} bytes of blocks`, expected);
  return unpacked;
}
