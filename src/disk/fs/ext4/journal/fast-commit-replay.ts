/**
 * Replays fast commits in memory, after the transactions of the journal.
 *
 * Source: Linux fs/ext4/fast_commit.c (`ext4_fc_replay` and what it calls), fs/ext4/namei.c (`__ext4_unlink`,
 * `__ext4_link`). Linux passes over records whose inode it cannot read; so does this.
 */
import { attempt, FailureError } from "../../../../base/failure.ts";
import { MIB } from "../../../../base/units.ts";
import { latin1 } from "../../../../bytes/text.ts";
import { ext4Extent, ext4ExtentHeader, EXT4_EXT_MAGIC, EXT_INIT_MAX_LEN } from "../extent.ts";
import { emptyOverlay, layRanges } from "../fast-commit-overlay.ts";
import type { FastCommitOverlay, NameChange } from "../fast-commit-overlay.ts";
import { ext4Inode, INODE_FLAGS, readInode, readInodeBytes, ROOT_INODE } from "../inode.ts";
import type { InodeDetail } from "../inode.ts";
import { hasIncompat } from "../superblock.ts";
import type { Ext4Volume } from "../volume.ts";
import {
  fastCommitAddRange,
  fastCommitDelRange,
  fastCommitDentry,
  fastCommitInode,
  fastCommitRecords,
  FC_TAG,
  scanFastCommits,
} from "./fast-commit.ts";
import type { FastCommitRecord } from "./fast-commit.ts";
import type { Journal } from "./scan.ts";

/** The fast commits after the last transaction. */
export type FastCommits = {
  /** How many there are. */
  readonly commits: number;
  /** What they change; undefined when they were not replayed. */
  readonly overlay?: FastCommitOverlay;
  /** Why they were not replayed. */
  readonly refused?: string;
  /** Linux would not replay them either, and would not mount the filesystem. */
  readonly damaged?: boolean;
};

const TOO_MANY = "there are too many of them";

const I_BLOCK_AT = 0x28;
const I_GENERATION_AT = 0x64;

/** `volume` is the filesystem after the replay of its transactions; `sequence` is the number of the next one. */
export async function replayFastCommits(
  volume: Ext4Volume,
  journal: Journal,
  sequence: number,
  signal?: AbortSignal,
): Promise<FastCommits> {
  const { inodeSizeBytes } = volume.superblock;
  const scan = await scanFastCommits(journal, { sequence, inodeSizeBytes });
  const { commits } = scan;
  if (scan.damage !== undefined) return { commits, refused: scan.damage, damaged: true };
  if (scan.tooMany) return { commits, refused: TOO_MANY };
  if (commits === 0) return { commits };
  const overlay = emptyOverlay();
  const replay: Replaying = { volume: { ...volume, fastCommits: overlay }, overlay, inodeBytes: 0 };
  for await (const record of fastCommitRecords(journal, inodeSizeBytes, scan.records)) {
    signal?.throwIfAborted();
    const refused =
      replay.inodeBytes > MAX_INODE_BYTES ? TOO_MANY : await replayRecord(replay, record);
    if (refused !== undefined) return { commits, refused };
  }
  for (const [number, ranges] of overlay.ranges) overlay.ranges.set(number, layRanges(ranges));
  return { commits, overlay };
}

/** Of inodes, read and kept: 65,536 records of them, and of names in them, with inodes of 256 bytes and some more. */
const MAX_INODE_BYTES = 64 * MIB;

type Replaying = {
  /** With what was replayed so far. */
  readonly volume: Ext4Volume;
  readonly overlay: FastCommitOverlay;
  /** Bytes of inodes that were looked at. */
  inodeBytes: number;
};

/** Gives the reason when the record cannot be replayed. */
async function replayRecord(
  replay: Replaying,
  { tag, value }: FastCommitRecord,
): Promise<string | undefined> {
  switch (tag) {
    case FC_TAG.inode:
      return replaceInode(replay, value);
    case FC_TAG.addRange:
      return addRange(replay, value);
    case FC_TAG.delRange: {
      const { fc_ino, fc_lblk, fc_len } = fastCommitDelRange.read(value);
      return mapRange(replay, fc_ino, { logical: fc_lblk, length: fc_len });
    }
    default:
      return changeName(replay, tag, value);
  }
}

/** An inode that Linux would open: undefined when it is not in use, damaged, or one of its own. */
async function openInode(replay: Replaying, number: number): Promise<InodeDetail | undefined> {
  const { volume } = replay;
  if (number < volume.superblock.firstInode && number !== ROOT_INODE) return undefined;
  replay.inodeBytes += volume.superblock.inodeSizeBytes;
  const read = await attempt(() => readInode(volume, number));
  if (read.ok) return read.value;
  // What the disk did not give may be a sound inode.
  if (read.failure.kind === "io") throw new FailureError(read.failure);
  return undefined;
}

/** The map of blocks stays: other records change it. A file with inline data has none. */
async function replaceInode(replay: Replaying, value: Uint8Array): Promise<undefined> {
  const { volume, overlay } = replay;
  replay.inodeBytes += volume.superblock.inodeSizeBytes;
  const { fc_ino: number } = fastCommitInode.read(value);
  if (number < 1 || number > volume.superblock.inodeCount) return undefined;
  const record = value.subarray(fastCommitInode.size);
  const bytes = Uint8Array.from(await readInodeBytes(volume, number));
  const before = ext4Inode.read(bytes).i_generation;
  const after = ext4Inode.read(record).i_generation;
  bytes.set(record.subarray(0, I_BLOCK_AT));
  bytes.set(record.subarray(I_GENERATION_AT), I_GENERATION_AT);
  const { i_flags } = ext4Inode.read(bytes);
  if (i_flags & INODE_FLAGS.extents) {
    // Another generation is another file: what had the number before was deleted, with its blocks.
    if (before !== after) overlay.ranges.delete(number);
    if (before !== after || ext4ExtentHeader.read(bytes, I_BLOCK_AT).eh_magic !== EXT4_EXT_MAGIC) {
      const view = new DataView(bytes.buffer, I_BLOCK_AT, 60);
      bytes.fill(0, I_BLOCK_AT, I_BLOCK_AT + 12);
      view.setUint16(0, EXT4_EXT_MAGIC, true);
      view.setUint16(4, 4, true);
    }
  } else if (i_flags & INODE_FLAGS.inlineData) {
    bytes.set(record.subarray(I_BLOCK_AT, I_GENERATION_AT), I_BLOCK_AT);
  }
  overlay.inodes.set(number, bytes);
  return undefined;
}

async function addRange(replay: Replaying, value: Uint8Array): Promise<string | undefined> {
  const { fc_ino, fc_ex } = fastCommitAddRange.read(value);
  const { ee_block: logical, ee_len, ee_start_hi, ee_start_lo } = ext4Extent.read(fc_ex);
  const unwritten = ee_len > EXT_INIT_MAX_LEN;
  const length = unwritten ? ee_len - EXT_INIT_MAX_LEN : ee_len;
  const physical = ee_start_hi * 2 ** 32 + ee_start_lo;
  const { firstDataBlock, blockCount } = replay.volume.superblock;
  if (physical <= firstDataBlock || physical + length > blockCount) {
    return `blocks from ${physical} on, which the filesystem does not have`;
  }
  replay.overlay.blocks.push([physical, physical + length]);
  return mapRange(replay, fc_ino, { logical, length, ...(!unwritten && { physical }) });
}

async function mapRange(
  replay: Replaying,
  number: number,
  { logical, length, physical }: { logical: number; length: number; physical?: number },
): Promise<string | undefined> {
  const file = await openInode(replay, number);
  if (!file || length === 0) return undefined;
  if (!(file.flags & INODE_FLAGS.extents)) return `blocks of inode ${number}, which has no extents`;
  const ranges = replay.overlay.ranges.get(number) ?? [];
  // What is beyond the largest file can be neither mapped nor read.
  const end = Math.min(logical + length, 2 ** 32);
  if (logical < end) ranges.push({ logical, end, physical });
  replay.overlay.ranges.set(number, ranges);
  return undefined;
}

async function changeName(
  replay: Replaying,
  tag: number,
  value: Uint8Array,
): Promise<string | undefined> {
  const { fc_parent_ino: parent, fc_ino: number } = fastCommitDentry.read(value);
  // Views into blocks of the journal would keep all of them in memory.
  const name = Uint8Array.from(value.subarray(fastCommitDentry.size));
  const inode = await openInode(replay, number);
  if (!inode)
    return tag === FC_TAG.creat ? `a new name of inode ${number}, which is not in use` : undefined;
  const directory = await openInode(replay, parent);
  if (directory?.inode.kind !== "directory") return undefined;
  if (directory.flags & (INODE_FLAGS.casefold | INODE_FLAGS.encrypt)) {
    return "names in a directory that ignores case, or is encrypted";
  }
  if (name.includes(0) || name.includes(0x2f)) return "a name with a / or NUL";
  const kind = hasIncompat(replay.volume.superblock, "filetype") ? inode.inode.kind : undefined;
  const change: NameChange =
    tag === FC_TAG.unlink ? { unlink: number } : { link: { inode: number, name, kind } };
  const names = replay.overlay.names.get(parent) ?? new Map<string, NameChange[]>();
  const key = latin1(name);
  const changes = names.get(key);
  if (changes) changes.push(change);
  else names.set(key, [change]);
  replay.overlay.names.set(parent, names);
  return undefined;
}
