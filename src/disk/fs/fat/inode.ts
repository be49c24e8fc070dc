/**
 * There are no inodes: what is known of a file is in its directory entry, and the entry's place is its number. Owner and
 * rights are those that Linux makes up when root mounts the volume without options.
 *
 * Source: Linux fs/fat/inode.c (`fat_fill_inode`, `fat_make_mode`, `fat_validate_dir`).
 */
import { corrupt } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import type { Inode } from "../filesystem.ts";
import { ENTRY_BYTES, FIRST_CLUSTER } from "./boot-sector.ts";
import type { Geometry } from "./boot-sector.ts";
import { chainFrom, readChain } from "./chain.ts";
import type { Chain } from "./chain.ts";
import { ATTR, isFree, msdosDirEntry } from "./directory-entry.ts";
import type { RawEntry } from "./directory-entry.ts";
import { parseFatTime } from "./time.ts";
import { clusterOffset } from "./volume.ts";
import type { FatVolume } from "./volume.ts";

/** MSDOS_ROOT_INO: the root has no entry. No entry has this number either, since the first sector is never a directory. */
export const ROOT_INODE = 1;

/** FAT_MAX_DIR_ENTRIES: no writer makes a directory larger. */
const MAX_DIRECTORY_ENTRIES = 65_536;

/** What the readers of contents need to know beyond `Inode`. */
export type InodeDetail = {
  readonly inode: Inode;
  readonly where: Where;
  /** A file's contents. A directory's are in `pieces`. */
  readonly chain: Chain;
  /** Where a directory's entries are, in bytes of the filesystem, in order; empty for files. */
  readonly pieces: readonly { readonly offset: number; readonly length: number }[];
};

/** The root directory: a place of its own, or with FAT32 a chain. */
export async function readRoot(volume: FatVolume): Promise<InodeDetail> {
  const { geometry } = volume;
  const where = within(volume.where, "root directory");
  const chain = chainFrom(geometry.rootCluster, where);
  const pieces =
    geometry.bits === 32
      ? await directoryPieces(volume, chain)
      : [{ offset: geometry.rootOffset, length: geometry.rootSizeBytes }];
  return directoryDetail({ number: ROOT_INODE, mtime: 0 }, { where, chain, pieces });
}

/** The entry with that number, which may come from anywhere: `corrupt` when no entry in use can be there. */
export async function readInode(volume: FatVolume, number: number): Promise<InodeDetail> {
  if (number === ROOT_INODE) return readRoot(volume);
  const where = within(volume.where, `entry ${number}`);
  const position = number * ENTRY_BYTES;
  if (!canHoldEntries(volume.geometry, position)) {
    throw corrupt(where, "a reference to it", "a place in the root directory or a cluster");
  }
  const bytes = await volume.source.read(position, ENTRY_BYTES);
  const raw = msdosDirEntry.read(bytes, 0, where);
  if (isFree(bytes) || (raw.attr & ATTR.volume) !== 0) {
    throw corrupt(where, `an entry with attributes 0x${raw.attr.toString(16)}`, "one in use");
  }
  const chain = chainFrom(firstCluster(volume.geometry, raw), where);
  const mtime = parseFatTime(raw.date, raw.time);
  if ((raw.attr & ATTR.directory) === 0) return fileDetail(raw, { number, mtime, where, chain });
  const { rootCluster } = volume.geometry;
  if (chain.start === 0 || chain.start === rootCluster) {
    throw corrupt(where, `a directory in cluster ${chain.start}`, "clusters of its own");
  }
  volume.directories.admit(number);
  const pieces = await directoryPieces(volume, chain);
  const detail = directoryDetail({ number, mtime }, { where, chain, pieces });
  volume.directories.claim(number, detail.inode.size);
  return detail;
}

/** The upper half is FAT32's; before, other things were kept there. */
export function firstCluster({ bits }: Geometry, raw: RawEntry): number {
  return bits === 32 ? raw.starthi * 0x1_0000 + raw.start : raw.start;
}

function canHoldEntries(geometry: Geometry, position: number): boolean {
  const { rootOffset, rootSizeBytes, dataOffset, clusterSizeBytes, clusterEnd } = geometry;
  const end = dataOffset + (clusterEnd - FIRST_CLUSTER) * clusterSizeBytes;
  const inRoot = position >= rootOffset && position < rootOffset + rootSizeBytes;
  return Number.isSafeInteger(position) && (inRoot || (position >= dataOffset && position < end));
}

function fileDetail(
  raw: RawEntry,
  entry: { number: number; mtime: number; where: Where; chain: Chain },
): InodeDetail {
  const { number, mtime, where, chain } = entry;
  const mode = raw.attr & ATTR.readOnly ? 0o555 : 0o755;
  return {
    inode: { number, kind: "file", mode, size: raw.size, uid: 0, gid: 0, links: 1, mtime },
    where,
    chain,
    pieces: [],
  };
}

/** Links of a directory are not counted: that would mean to read it, and those who follow links do not need it. */
function directoryDetail(
  { number, mtime }: { number: number; mtime: number },
  contents: Pick<InodeDetail, "where" | "chain" | "pieces">,
): InodeDetail {
  const size = contents.pieces.reduce((sum, { length }) => sum + length, 0);
  return {
    inode: { number, kind: "directory", mode: 0o755, size, uid: 0, gid: 0, links: 1, mtime },
    ...contents,
  };
}

/** One piece a cluster. */
async function directoryPieces(volume: FatVolume, chain: Chain) {
  const { geometry } = volume;
  const length = geometry.clusterSizeBytes;
  const limit = Math.ceil((MAX_DIRECTORY_ENTRIES * ENTRY_BYTES) / length);
  const clusters = await readChain(volume, chain, limit);
  return Array.from(clusters, (cluster) => ({ offset: clusterOffset(geometry, cluster), length }));
}
