/** Contents of files, whatever maps them: an extent tree, a block map, or the inode itself. */
import { overLimit, unsupported } from "../../../base/failure.ts";
import { GIB } from "../../../base/units.ts";
import { blockMapRuns } from "./block-map.ts";
import { extentRuns } from "./extent.ts";
import type { Run } from "./extent.ts";
import { withRanges } from "./fast-commit-overlay.ts";
import { INODE_FLAGS } from "./inode.ts";
import type { InodeDetail } from "./inode.ts";
import { parseInlineData } from "./inline-data.ts";
import type { Ext4Volume } from "./volume.ts";

/** More than any caller has a use for at once. Sparse files can claim any size. */
const MAX_READ_BYTES = GIB;

/** Where the blocks `from` to `to` (not included) of a file are. Not for inodes with inline data. */
export function fileRuns(
  volume: Ext4Volume,
  file: InodeDetail,
  from: number,
  to: number,
): AsyncGenerator<Run> {
  const stored =
    file.flags & INODE_FLAGS.extents
      ? extentRuns(volume, file, from, to)
      : blockMapRuns(volume, file, from, to);
  const replayed = volume.fastCommits?.ranges.get(file.inode.number);
  return replayed ? withRanges(stored, replayed, { from, to }) : stored;
}

/** In bytes. */
export type Range = {
  readonly offset: number;
  readonly length: number;
  /** As for `ByteSource`. */
  readonly into?: Uint8Array;
};

/** The bytes of a range that is shortened to the file's size. Holes are zeroes. */
export async function readFileData(
  volume: Ext4Volume,
  file: InodeDetail,
  range: Range,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  if (file.flags & INODE_FLAGS.encrypt) {
    throw unsupported(file.where, "encryption of file contents (fscrypt)");
  }
  const length = Math.min(range.length, file.inode.size - range.offset);
  if (!(length > 0)) return new Uint8Array(0);
  if (length > MAX_READ_BYTES) throw overLimit(file.where, "read at once", "1 GiB");
  if (file.flags & INODE_FLAGS.inlineData) {
    return parseInlineData(file).slice(range.offset, range.offset + length);
  }
  const into = range.into?.length === length ? range.into : undefined;
  return readRuns(volume, file, { offset: range.offset, length, ...(into && { into }) }, signal);
}

async function readRuns(
  volume: Ext4Volume,
  file: InodeDetail,
  { offset, length, into }: Range,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const size = volume.superblock.blockSizeBytes;
  const end = offset + length;
  const runs = fileRuns(volume, file, Math.floor(offset / size), Math.ceil(end / size));
  let out: Uint8Array | undefined;
  for await (const run of runs) {
    const from = Math.max(offset, run.logical * size);
    const to = Math.min(end, (run.logical + run.length) * size);
    const at = run.physical * size + from - run.logical * size;
    // One run has it all: no need to copy.
    if (to - from === length) return volume.source.read(at, length, signal, into);
    out ??= into?.fill(0) ?? new Uint8Array(length);
    const place = out.subarray(from - offset, to - offset);
    const part = await volume.source.read(at, to - from, signal, place);
    // Unless the source has put it there.
    if (part.buffer !== out.buffer) out.set(part, from - offset);
  }
  return out ?? into?.fill(0) ?? new Uint8Array(length);
}
