/** Contents of files, through the map of their extents. */
import { overLimit } from "../../../base/failure.ts";
import { GIB } from "../../../base/units.ts";
import { fileExtents } from "./data-fork.ts";
import type { InodeDetail } from "./inode.ts";
import type { XfsVolume } from "./volume.ts";

/** More than any caller has a use for at once. Sparse files can claim any size. */
const MAX_READ_BYTES = GIB;

/** In bytes. */
export type Range = {
  readonly offset: number;
  readonly length: number;
  /** As for `ByteSource`. */
  readonly into?: Uint8Array;
};

/** The bytes of a range that is shortened to the file's size. Holes are zeroes. */
export async function readFileData(
  volume: XfsVolume,
  file: InodeDetail,
  range: Range,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const length = Math.min(range.length, file.inode.size - range.offset);
  if (!(length > 0)) return new Uint8Array(0);
  if (length > MAX_READ_BYTES) throw overLimit(file.where, "read at once", "1 GiB");
  const size = volume.superblock.blockSizeBytes;
  const { offset } = range;
  const into = range.into?.length === length ? range.into : undefined;
  const end = offset + length;
  let out: Uint8Array | undefined;
  const extents = fileExtents(volume, file, Math.floor(offset / size), Math.ceil(end / size));
  for await (const extent of extents) {
    const from = Math.max(offset, extent.logical * size);
    const to = Math.min(end, (extent.logical + extent.length) * size);
    const at = extent.physical * size + from - extent.logical * size;
    const part = await volume.source.read(
      at,
      to - from,
      signal,
      into?.subarray(from - offset, to - offset),
    );
    // One extent has it all: no need to copy.
    if (part.length === length) return part;
    out ??= new Uint8Array(length);
    out.set(part, from - offset);
  }
  return out ?? new Uint8Array(length);
}
