/**
 * Directories, whatever their form. Names are found by looking at all of them: hash tables could be damaged without the
 * entries being so, and a directory of a guest's /boot is small.
 *
 * Source: Linux fs/xfs/libxfs/xfs_dir2.h, fs/xfs/xfs_dir2_readdir.c. Names in filesystems made with `-n version=ci` are
 * compared byte for byte.
 */
import { Budget } from "../../../../base/budget.ts";
import { corrupt } from "../../../../base/failure.ts";
import { within } from "../../../../base/where.ts";
import { decodeText, encodeText } from "../../../../bytes/text.ts";
import type { Entry } from "../../filesystem.ts";
import { fileExtents } from "../data-fork.ts";
import type { Extent } from "../extent-record.ts";
import type { InodeDetail } from "../inode.ts";
import type { MetadataBlock, XfsVolume } from "../volume.ts";
import { parseDataBlock } from "./data-block.ts";
import type { DirectoryEntry } from "./entry.ts";
import { parseShortform } from "./shortform.ts";

/** XFS_DIR2_SPACE_SIZE: where the entries end and the hash tables begin, in bytes. */
const LEAF_OFFSET = 2 ** 35;
/** 4 GiB of directory, some hundred million names: where a hostile one ends, however large the disk is. */
const MAX_DIRECTORY_BYTES = 2 ** 32;

/** Every entry except `.` and `..`, in on-disk order. */
export async function* listDirectory(
  volume: XfsVolume,
  directory: InodeDetail,
  signal?: AbortSignal,
): AsyncGenerator<Entry> {
  for await (const entries of entryBlocks(volume, directory, signal)) {
    for (const { inode, name, kind } of entries) {
      const text = decodeText(name);
      yield kind ? { name: text, number: inode, kind } : { name: text, number: inode };
    }
  }
}

/** The entry of that name, `undefined` when there is none. */
export async function lookupName(
  volume: XfsVolume,
  directory: InodeDetail,
  name: string,
): Promise<Entry | undefined> {
  const wanted = encodeText(name);
  for await (const entries of entryBlocks(volume, directory)) {
    const found = entries.find((entry) => sameBytes(entry.name, wanted));
    if (!found) continue;
    const { inode, kind } = found;
    return kind ? { name, number: inode, kind } : { name, number: inode };
  }
  return undefined;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The entries, a block at a time. */
async function* entryBlocks(
  volume: XfsVolume,
  directory: InodeDetail,
  signal?: AbortSignal,
): AsyncGenerator<DirectoryEntry[]> {
  const { inode, format, where } = directory;
  if (inode.kind !== "directory") throw corrupt(where, inode.kind, "directory");
  if (format === "local") {
    yield parseShortform(volume, directory);
    return;
  }
  for await (const block of dataBlocks(volume, directory, signal)) {
    yield parseDataBlock(volume, block, inode.number);
  }
}

/** A directory block that lies in several pieces, being put together. */
type Partial = {
  readonly index: number;
  readonly bytes: Uint8Array;
  filled: number;
  offset: number;
};

/** The blocks with entries. One can consist of several filesystem blocks, which need not lie together. */
async function* dataBlocks(
  volume: XfsVolume,
  directory: InodeDetail,
  signal?: AbortSignal,
): AsyncGenerator<MetadataBlock> {
  const { blockSizeBytes, dirblklog } = volume.superblock;
  const perBlock = 2 ** dirblklog;
  const size = blockSizeBytes * perBlock;
  const budget = new Budget(
    Math.min(volume.source.size, MAX_DIRECTORY_BYTES) / size,
    directory.where,
    "number of directory blocks",
  );
  let partial: Partial | undefined;
  for await (const piece of pieces(volume, directory, perBlock)) {
    signal?.throwIfAborted();
    const index = Math.floor(piece.logical / perBlock);
    const where = within(directory.where, `directory block ${index}`);
    const offset = piece.physical * blockSizeBytes;
    const bytes = await volume.source.read(offset, piece.length * blockSizeBytes);
    if (partial && partial.index !== index) throw cutOff(directory, partial.index);
    partial ??= { index, bytes: new Uint8Array(size), filled: 0, offset };
    partial.bytes.set(bytes, (piece.logical - index * perBlock) * blockSizeBytes);
    partial.filled += piece.length;
    if (partial.filled < perBlock) continue;
    budget.spend();
    yield { bytes: partial.bytes, offset: partial.offset, where };
    partial = undefined;
  }
  if (partial) throw cutOff(directory, partial.index);
}

/** The extents of the entries, cut at the borders of directory blocks. */
async function* pieces(
  volume: XfsVolume,
  directory: InodeDetail,
  perBlock: number,
): AsyncGenerator<Extent> {
  const end = LEAF_OFFSET / volume.superblock.blockSizeBytes;
  for await (const extent of fileExtents(volume, directory, 0, end)) {
    let { logical, physical, length } = extent;
    while (length > 0) {
      const step = Math.min(length, perBlock - (logical % perBlock));
      yield { logical, physical, length: step, unwritten: false };
      logical += step;
      physical += step;
      length -= step;
    }
  }
}

function cutOff(directory: InodeDetail, index: number) {
  const where = within(directory.where, `directory block ${index}`);
  return corrupt(where, "a part of it missing", "all of it");
}
