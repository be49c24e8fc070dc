/**
 * Replays a dirty journal in memory: nothing is written, the filesystem is read through a map of replayed blocks.
 *
 * Source: Linux fs/jbd2/recovery.c (`jbd2_journal_recover`), fs/jbd2/revoke.c (`jbd2_journal_test_revoke`). What the
 * kernel does afterwards is not needed for reading: unlinked files that were still open keep their blocks here.
 */
import { corrupt, overLimit } from "../../../../base/failure.ts";
import { within } from "../../../../base/where.ts";
import { linearSource } from "../../../source.ts";
import type { ByteSource, Segment } from "../../../source.ts";
import { fileRuns } from "../file-data.ts";
import { INODE_FLAGS, readInode } from "../inode.ts";
import type { InodeDetail } from "../inode.ts";
import type { Ext4Volume } from "../volume.ts";
import { copyChecksumHolds, parseDescriptor, parseRevocations } from "./descriptor.ts";
import type { ReplayedBlocks } from "./overlay.ts";
import { advance, journalBlockWhere, readJournalBlock, scanJournal } from "./scan.ts";
import type { Journal } from "./scan.ts";
import { MAX_JOURNAL_BLOCKS, parseJournalSuperblock } from "./superblock.ts";

/** The outcome of a replay. */
export type Replay = ReplayedBlocks & {
  readonly transactions: number;
  /** The last transaction was committed, but not all of it reached the disk; the kernel drops it too. */
  readonly damagedEnd: boolean;
  /** The number of the first transaction that is not complete; undefined when the log is empty. */
  readonly endSequence?: number;
};

/** Real journals have a piece for each 128 MiB, ext3's for each 4 MiB. */
const MAX_SEGMENTS = 65_536;

/** Opens the journal inside the filesystem. `volume` is the filesystem before the replay. */
export async function openJournal(volume: Ext4Volume): Promise<Journal> {
  const { blockSizeBytes, journalInode } = volume.superblock;
  const file = await readInode(volume, journalInode);
  if (file.inode.kind !== "file" || file.flags & (INODE_FLAGS.inlineData | INODE_FLAGS.encrypt)) {
    throw corrupt(file.where, "the journal's inode of another kind", "a plain file");
  }
  const source = await journalSource(volume, file);
  const where = within(source.where, "superblock");
  const bytes = await source.read(0, Math.min(1024, source.size));
  const size = { blockSizeBytes, blockCount: source.size / blockSizeBytes };
  return { source, blockSizeBytes, superblock: parseJournalSuperblock(bytes, size, where) };
}

/** The journal's blocks as a source of their own; a hole in the file ends it. */
async function journalSource(volume: Ext4Volume, file: InodeDetail): Promise<ByteSource> {
  const size = volume.superblock.blockSizeBytes;
  const where = within(volume.where, "journal");
  const segments: Segment[] = [];
  let end = 0;
  const blocks = Math.min(Math.floor(file.inode.size / size), MAX_JOURNAL_BLOCKS);
  for await (const run of fileRuns(volume, file, 0, blocks)) {
    if (run.logical !== end) break;
    if (segments.length >= MAX_SEGMENTS) {
      throw overLimit(where, "number of pieces on disk", String(MAX_SEGMENTS));
    }
    end += run.length;
    segments.push({
      offset: run.logical * size,
      length: run.length * size,
      source: volume.source,
      sourceOffset: run.physical * size,
    });
  }
  return linearSource(end * size, segments, where);
}

/** What the journal would put where. A journal that the kernel would refuse is `corrupt`. */
export async function replayJournal(
  volume: Ext4Volume,
  journal: Journal,
  signal?: AbortSignal,
): Promise<Replay> {
  const { blockSizeBytes, source } = journal;
  const blocks = { copies: new Map<number, number>(), escaped: new Set<number>() };
  const base = { ...blocks, blockSizeBytes, journal: source };
  if (journal.superblock.start === 0) {
    return { ...base, transactions: 0, damagedEnd: false };
  }
  const { transactions, endSequence, damagedEnd } = await scanJournal(journal, signal);
  for (const transaction of transactions) {
    signal?.throwIfAborted();
    for (const block of transaction.descriptors) {
      await replayDescriptor({ volume, journal, block, sequence: transaction.sequence }, blocks);
    }
    // A revocation reaches back over everything up to its own transaction, so what is taken out here stays out unless
    // a later transaction brings a copy again. Oldest first, no list of revocations has to be kept.
    for (const block of transaction.revocations) {
      for (const revoked of await readRevocations(journal, block)) {
        blocks.copies.delete(revoked);
        blocks.escaped.delete(revoked);
      }
    }
  }
  return { ...base, transactions: transactions.length, damagedEnd, endSequence };
}

type Descriptor = {
  readonly volume: Ext4Volume;
  readonly journal: Journal;
  /** The journal block that holds the descriptor. */
  readonly block: number;
  readonly sequence: number;
};

async function replayDescriptor(
  { volume, journal, block, sequence }: Descriptor,
  { copies, escaped }: { copies: Map<number, number>; escaped: Set<number> },
): Promise<void> {
  const { superblock } = journal;
  const checked = superblock.checksums === "v2" || superblock.checksums === "v3";
  const tags = parseDescriptor(superblock, await readJournalBlock(journal, block));
  let place = block;
  for (const tag of tags) {
    place = advance(superblock, place, 1);
    const where = journalBlockWhere(journal, place);
    if (tag.block >= volume.superblock.blockCount) {
      throw corrupt(where, `a copy of block ${tag.block}`, "a block of the filesystem");
    }
    if (checked) {
      const copy = await readJournalBlock(journal, place);
      if (!copyChecksumHolds(superblock, tag, { sequence, copy })) {
        throw corrupt(where, `a wrong checksum of block ${tag.block}`, "the one in its tag");
      }
    }
    copies.set(tag.block, place);
    if (tag.escaped) escaped.add(tag.block);
    else escaped.delete(tag.block);
  }
}

async function readRevocations(journal: Journal, block: number): Promise<number[]> {
  const bytes = await readJournalBlock(journal, block);
  return parseRevocations(journal.superblock, bytes, journalBlockWhere(journal, block));
}
