/**
 * Compressed extents: at most 128 KiB of data each, as a zlib stream, a zstd frame, or LZO1X blocks of one sector each
 * with lengths in between. Padding to whole sectors follows.
 *
 * Source: Linux fs/btrfs/compression.c, zlib.c, zstd.c, lzo.c (its head describes the container).
 */
import { corrupt } from "../../../base/failure.ts";
import type { Where } from "../../../base/where.ts";
import { decompress } from "../../../bytes/decompress/decompress.ts";
import { unpackLzo1x } from "../../../bytes/decompress/lzo1x.ts";
import { unpackZlib } from "../../../bytes/decompress/zlib.ts";
import type { ExtentCompression } from "./file-extent.ts";

/** LZO_LEN: of the length of everything, and of each block. */
const LENGTH_SIZE = 4;

export type Packed = {
  readonly compression: ExtentCompression;
  readonly bytes: Uint8Array;
  /** What comes out. */
  readonly ramBytes: number;
  readonly sectorSizeBytes: number;
  readonly where: Where;
};

/**
 * All of an extent, `ramBytes` of it: what the stream does not have is zeroes, as in the kernel. `corrupt` when the
 * stream is damaged, `limit` when more comes out.
 */
export async function unpackExtent(packed: Packed): Promise<Uint8Array> {
  const unpacked = await unpackStream(packed);
  if (unpacked.length === packed.ramBytes) return unpacked;
  const out = new Uint8Array(packed.ramBytes);
  out.set(unpacked.subarray(0, out.length));
  return out;
}

async function unpackStream(packed: Packed): Promise<Uint8Array> {
  const { compression, bytes, ramBytes, where } = packed;
  switch (compression) {
    case "none":
      return bytes;
    case "zlib":
      return unpackZlib(bytes, ramBytes, where);
    case "zstd":
      return (await decompress("zstd", bytes, { limit: ramBytes, where })).bytes;
    case "lzo":
      return unpackLzo(packed);
  }
}

function unpackLzo({ bytes, ramBytes, sectorSizeBytes, where }: Packed): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const total = bytes.length < LENGTH_SIZE ? 0 : view.getUint32(0, true);
  if (total < LENGTH_SIZE || total > bytes.length) {
    throw corrupt(where, `${total} bytes of lzo data`, `4 to ${bytes.length}`);
  }
  // A block may unpack to a whole sector where less than that belongs to the extent.
  const out = new Uint8Array(Math.ceil(ramBytes / sectorSizeBytes) * sectorSizeBytes);
  let at = LENGTH_SIZE;
  // Every turn takes a length at least.
  for (let to = 0; to < ramBytes && at + LENGTH_SIZE <= total;) {
    const length = view.getUint32(at, true);
    at += LENGTH_SIZE;
    if (length > total - at) {
      throw corrupt(where, `an lzo block of ${length} bytes`, `at most ${total - at}`);
    }
    const got = unpackLzo1x(
      bytes.subarray(at, at + length),
      out.subarray(to, to + sectorSizeBytes),
    );
    if (got < 0) {
      throw corrupt(where, `an impossible lzo block at byte ${at}`, "at most a sector of lzo data");
    }
    to += sectorSizeBytes;
    at += length;
    // A length never lies across two sectors.
    const left = sectorSizeBytes - (at % sectorSizeBytes);
    if (left < LENGTH_SIZE) at += left;
  }
  return out.subarray(0, ramBytes);
}
