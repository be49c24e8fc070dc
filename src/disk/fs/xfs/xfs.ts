/**
 * XFS, versions 4 and 5, read-only, behind `FileSystem`. A dirty log is replayed in memory.
 *
 * Source: Linux fs/xfs, "XFS Algorithms & Data Structures" (xfs-documentation). Not supported: files on the realtime device,
 * logs on another device, extended attributes, the features that `features.ts` refuses.
 */
import { attempt, corrupt, FailureError } from "../../../base/failure.ts";
import { MIB } from "../../../base/units.ts";
import { within } from "../../../base/where.ts";
import { cachedSource } from "../../cache.ts";
import type { ByteSource } from "../../source.ts";
import type { Entry, FileSystem, Inode } from "../filesystem.ts";
import { listDirectory, lookupName } from "./directory/directory.ts";
import { readFileData } from "./file-data.ts";
import { readInode } from "./inode.ts";
import type { InodeDetail } from "./inode.ts";
import { replayLog } from "./log/replay.ts";
import { describeNotes, describeState, freeSpaceDistrusted } from "./state.ts";
import type { Opened } from "./state.ts";
import { readSuperblock } from "./superblock.ts";
import { readSymlink } from "./symlink.ts";
import { usedExtents } from "./used-extents.ts";
import type { XfsVolume } from "./volume.ts";

/** The signal ends the replay of a log. */
export type XfsOptions = { readonly signal?: AbortSignal };

/** Opens an XFS filesystem. Reads the superblock, the ends of the log and, when it is dirty, all of the log in use. */
export async function openXfs(source: ByteSource, options: XfsOptions = {}): Promise<FileSystem> {
  const where = within(source.where, "xfs");
  const superblock = await readSuperblock(source, where);
  const opened = { superblock, where };
  const before: XfsVolume = {
    ...opened,
    source: cachedSource(source, { capacity: 4 * MIB }),
    replayed: () => false,
    ownerChanged: new Set(),
  };
  const clean = () => fileSystem({ ...before, source: cachedSource(source) }, opened);
  if (superblock.logStart === 0) return clean();
  const replayed = await attempt(() => replayLog(before, options.signal));
  if (!replayed.ok) {
    // Files can still be looked at, as they were before what is in the log.
    if (replayed.failure.kind === "io") throw new FailureError(replayed.failure);
    const volume = { ...before, source: cachedSource(source) };
    return fileSystem(volume, { ...opened, logFailure: replayed.failure });
  }
  if (!replayed.value) return clean();
  const { overlay, ownerChanged } = replayed.value;
  // The log also holds copies of the superblock; what counts is the newest.
  const newest = await readSuperblock(overlay.source, where, { replayed: overlay.has(0, 512) });
  if (newest.blockSizeBytes !== superblock.blockSizeBytes) {
    throw corrupt(where, `blocks of ${newest.blockSizeBytes} bytes after the replay`, "no change");
  }
  const volume: XfsVolume = {
    where,
    superblock: newest,
    source: cachedSource(overlay.source),
    replayed: (offset, length) => overlay.has(offset, length),
    ownerChanged,
  };
  return fileSystem(volume, { where, superblock: newest, replay: replayed.value });
}

function fileSystem(volume: XfsVolume, opened: Opened): FileSystem {
  const { superblock, where } = volume;
  const details = inodeDetails(volume);
  return {
    kind: "xfs",
    where,
    label: superblock.label,
    uuid: superblock.uuid,
    blockSizeBytes: superblock.blockSizeBytes,
    sizeBytes: superblock.blockCount * superblock.blockSizeBytes,
    ...(opened.replay || opened.logFailure ? {} : { inodes: { used: superblock.inodesUsed } }),
    state: describeState(opened),
    notes: describeNotes(opened),
    async root() {
      const { inode } = await details.read(superblock.rootInode);
      if (inode.kind === "directory") return inode;
      throw corrupt(within(where, `inode ${inode.number}`), inode.kind, "the root directory");
    },
    inode: async (entry: Entry) => (await details.read(entry.number)).inode,
    lookup: async (directory, name) => lookupName(volume, await details.of(directory), name),
    async *list(directory, signal) {
      yield* listDirectory(volume, await details.of(directory), signal);
    },
    async read(file, offset, length, signal) {
      return readFileData(volume, await details.of(file), { offset, length }, signal);
    },
    async readInto(file, offset, into, signal) {
      const range = { offset, length: into.length, into };
      return readFileData(volume, await details.of(file), range, signal);
    },
    readLink: async (link) => readSymlink(volume, await details.of(link)),
    async *usedExtents(signal) {
      const doubt = freeSpaceDistrusted(opened);
      if (doubt) throw corrupt(within(where, "free-space trees"), doubt, "trees to rely on");
      yield* usedExtents(volume, signal);
    },
  };
}

/** Keeps what readers need beyond `Inode` for as long as the caller keeps the `Inode`. */
function inodeDetails(volume: XfsVolume) {
  const known = new WeakMap<Inode, InodeDetail>();
  async function read(number: number): Promise<InodeDetail> {
    const detail = await readInode(volume, number);
    known.set(detail.inode, detail);
    return detail;
  }
  return { read, of: async (inode: Inode) => known.get(inode) ?? read(inode.number) };
}
