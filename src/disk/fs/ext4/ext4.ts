/**
 * ext2, ext3 and ext4, read-only, behind `FileSystem`. A dirty journal is replayed in memory.
 *
 * Source: Linux Documentation/filesystems/ext4, fs/ext4. Not supported: encrypted names and contents (the rest of such a
 * filesystem is read), journals on another device, extended attributes except those that hold inline data.
 */
import { corrupt } from "../../../base/failure.ts";
import { MIB } from "../../../base/units.ts";
import { within } from "../../../base/where.ts";
import { cachedSource } from "../../cache.ts";
import type { ByteSource } from "../../source.ts";
import type { Entry, FileSystem, Inode } from "../filesystem.ts";
import { listDirectory, lookupName } from "./directory.ts";
import { COMPAT, driverName } from "./features.ts";
import { readFileData } from "./file-data.ts";
import { readInode, ROOT_INODE } from "./inode.ts";
import type { InodeDetail } from "./inode.ts";
import { replayFastCommits } from "./journal/fast-commit-replay.ts";
import { replayedSource } from "./journal/overlay.ts";
import { openJournal, replayJournal } from "./journal/replay.ts";
import { findSuperblock, readSuperblock } from "./find-superblock.ts";
import { bitmapsDistrusted, describeNotes, describeState } from "./state.ts";
import type { Opened } from "./state.ts";
import { hasIncompat, SUPERBLOCK_OFFSET } from "./superblock.ts";
import { readSymlink } from "./symlink.ts";
import { usedExtents } from "./used-extents.ts";
import { ext4Volume } from "./volume.ts";
import type { Ext4Volume } from "./volume.ts";

/** The signal ends the replay of a journal. */
export type Ext4Options = { readonly signal?: AbortSignal };

/** Opens an ext2, ext3 or ext4 filesystem. Reads the superblock and, when it is dirty, the journal. */
export async function openExt4(source: ByteSource, options: Ext4Options = {}): Promise<FileSystem> {
  const where = within(source.where, "ext4");
  const { superblock, backupBlock } = await findSuperblock(source, where);
  const before = ext4Volume(cachedSource(source, { capacity: 4 * MIB }), superblock, where);
  const opened: Opened = {
    superblock,
    where,
    ...(backupBlock === undefined ? {} : { backupBlock }),
  };
  if (!needsReplay(opened)) return fileSystem(source, opened);
  const journal = await openJournal(before);
  const replay = await replayJournal(before, journal, options.signal);
  // The journal also holds copies of the superblock; what counts is the newest.
  const replayed = replayedSource(source, replay);
  const newest =
    backupBlock === undefined
      ? await readSuperblock(replayed, SUPERBLOCK_OFFSET, within(where, "superblock"))
      : superblock;
  if (newest.blockSizeBytes !== superblock.blockSizeBytes) {
    throw corrupt(where, `blocks of ${newest.blockSizeBytes} bytes after the replay`, "no change");
  }
  const after = ext4Volume(cachedSource(replayed, { capacity: 4 * MIB }), newest, where);
  const fastCommits =
    replay.endSequence === undefined
      ? undefined
      : await replayFastCommits(after, journal, replay.endSequence, options.signal);
  const state = { ...opened, superblock: newest, replay, ...(fastCommits && { fastCommits }) };
  return fileSystem(replayed, state);
}

/** The flag is not in the copies of the superblock: then the journal itself has to say. */
function needsReplay({ superblock, backupBlock }: Opened): boolean {
  if (!(superblock.compat & COMPAT.has_journal) || superblock.journalInode === 0) return false;
  return hasIncompat(superblock, "needs_recovery") || backupBlock !== undefined;
}

function fileSystem(source: ByteSource, opened: Opened): FileSystem {
  const { superblock, where } = opened;
  const overlay = opened.fastCommits?.overlay;
  const volume: Ext4Volume = {
    ...ext4Volume(cachedSource(source), superblock, where),
    ...(overlay && { fastCommits: overlay }),
  };
  const details = inodeDetails(volume);
  return {
    kind: driverName(superblock),
    where,
    label: superblock.label,
    uuid: superblock.uuid,
    blockSizeBytes: superblock.blockSizeBytes,
    sizeBytes: superblock.blockCount * superblock.blockSizeBytes,
    state: describeState(opened),
    notes: describeNotes(opened),
    async root() {
      const { inode } = await details.read(ROOT_INODE);
      if (inode.kind === "directory") return inode;
      throw corrupt(within(where, `inode ${ROOT_INODE}`), inode.kind, "the root directory");
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
      const doubt = bitmapsDistrusted(opened);
      if (doubt) throw corrupt(within(where, "block bitmaps"), doubt, "bitmaps to rely on");
      yield* usedExtents(volume, signal);
    },
  };
}

/** Keeps what readers need beyond `Inode` for as long as the caller keeps the `Inode`. */
function inodeDetails(volume: Ext4Volume) {
  const known = new WeakMap<Inode, InodeDetail>();
  async function read(number: number): Promise<InodeDetail> {
    const detail = await readInode(volume, number);
    known.set(detail.inode, detail);
    return detail;
  }
  return { read, of: async (inode: Inode) => known.get(inode) ?? read(inode.number) };
}
