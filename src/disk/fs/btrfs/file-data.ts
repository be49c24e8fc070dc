/** Contents of files: inline, plain and compressed extents, holes, and symlinks, which are files to btrfs. */
import { corrupt, overLimit } from "../../../base/failure.ts";
import { GIB } from "../../../base/units.ts";
import { decodeText } from "../../../bytes/text.ts";
import type { LogicalRange } from "./chunk-map.ts";
import { unpackExtent } from "./compression.ts";
import type { ChecksumSource } from "./data-checksum.ts";
import { readData } from "./data.ts";
import { fileExtents } from "./file-extent.ts";
import type { FileExtent } from "./file-extent.ts";
import { NODATASUM } from "./inode.ts";
import type { InodeDetail } from "./inode.ts";
import type { BtrfsVolume } from "./volume.ts";

/** More than any caller has a use for at once. Sparse files can claim any size. */
const MAX_READ_BYTES = GIB;
/** Linux's PATH_MAX, with the NUL. */
const PATH_MAX = 4096;
/** Unpacked extents kept, 128 KiB each: files are read in pieces, and several pieces of a file can share an extent. */
const MAX_KEPT = 16;

/** In bytes. */
export type Range = { readonly offset: number; readonly length: number };

/** Reads the contents of files. */
export type FileReader = {
  /** The bytes of a range that is shortened to the file's size. Holes are zeroes. */
  read(file: InodeDetail, range: Range, signal?: AbortSignal): Promise<Uint8Array>;
  readLink(link: InodeDetail): Promise<string>;
};

type Regular = Extract<FileExtent, { kind: "regular" }>;

/** `checksums` in the order of trust, the most trusted last. */
export function fileReader(volume: BtrfsVolume, checksums: readonly ChecksumSource[]): FileReader {
  const kept = new Map<string, Uint8Array>();
  const sector = volume.superblock.sectorSizeBytes;

  async function unpacked(file: InodeDetail, extent: Regular, signal?: AbortSignal) {
    const { diskBytenr: bytenr, diskBytes: length, compression, ramBytes } = extent;
    const name = `${bytenr} ${length} ${compression} ${ramBytes}`;
    const hit = kept.get(name);
    if (hit) return hit;
    const bytes = await readData(volume, request(file, { bytenr, length }, signal));
    const { where } = file;
    const whole = await unpackExtent({
      compression,
      bytes,
      ramBytes,
      sectorSizeBytes: sector,
      where,
    });
    if (kept.size >= MAX_KEPT) kept.delete(kept.keys().next().value as string);
    kept.set(name, whole);
    return whole;
  }

  function request({ flags, where }: InodeDetail, range: LogicalRange, signal?: AbortSignal) {
    const checked = (flags & NODATASUM) === 0n ? checksums : undefined;
    return { ...range, checksums: checked, where, ...(signal && { signal }) };
  }

  /** The bytes `from` to `to` of the file, all of which the extent has. */
  async function readExtent(
    file: InodeDetail,
    extent: Exclude<FileExtent, { kind: "hole" }>,
    { from, to }: { readonly from: number; readonly to: number },
    signal?: AbortSignal,
  ): Promise<Uint8Array> {
    if (extent.kind === "inline") {
      const { compression, data: bytes, end: ramBytes } = extent;
      const packed = { compression, bytes, ramBytes, sectorSizeBytes: sector, where: file.where };
      return (await unpackExtent(packed)).slice(from, to);
    }
    const start = extent.offset + from - extent.start;
    const end = start + to - from;
    if (extent.compression !== "none") {
      return (await unpacked(file, extent, signal)).slice(start, end);
    }
    const first = Math.floor(start / sector) * sector;
    const length = Math.ceil(end / sector) * sector - first;
    const range = { bytenr: extent.diskBytenr + first, length };
    const bytes = await readData(volume, request(file, range, signal));
    return bytes.subarray(start - first, end - first);
  }

  async function read(file: InodeDetail, range: Range, signal?: AbortSignal): Promise<Uint8Array> {
    const { offset } = range;
    const length = Math.min(range.length, file.inode.size - offset);
    if (!(length > 0)) return new Uint8Array(0);
    if (length > MAX_READ_BYTES) throw overLimit(file.where, "read at once", "1 GiB");
    const to = offset + length;
    let out: Uint8Array | undefined;
    for await (const extent of fileExtents(volume, file, { from: offset, to }, signal)) {
      if (extent.kind === "hole") continue;
      const piece = { from: Math.max(offset, extent.start), to: Math.min(to, extent.end) };
      const part = await readExtent(file, extent, piece, signal);
      // One extent has it all: no need to copy.
      if (part.length === length) return part;
      out ??= new Uint8Array(length);
      out.set(part, piece.from - offset);
    }
    return out ?? new Uint8Array(length);
  }

  return {
    read,
    async readLink(link) {
      const { inode, where } = link;
      if (inode.kind !== "symlink") throw corrupt(where, inode.kind, "symlink");
      if (inode.size === 0 || inode.size >= PATH_MAX) {
        throw corrupt(where, `a symlink of ${inode.size} bytes`, `1 to ${PATH_MAX - 1}`);
      }
      return decodeText(await read(link, { offset: 0, length: inode.size }));
    },
  };
}
