/**
 * The first pass over a journal: which transactions are complete, and where their blocks are.
 *
 * Source: Linux fs/jbd2/recovery.c (`do_one_pass`). The log ends where a block does not carry the magic number and the
 * expected transaction number. A transaction without an intact commit block was cut off and is dropped.
 */
import { Budget } from "../../../../base/budget.ts";
import { corrupt } from "../../../../base/failure.ts";
import { within } from "../../../../base/where.ts";
import type { Where } from "../../../../base/where.ts";
import type { ByteSource } from "../../../source.ts";
import { crc32beUpdate } from "./crc32be.ts";
import { parseCommit, parseDescriptor, tailChecksumHolds } from "./descriptor.ts";
import { JBD2_BLOCK, JBD2_MAGIC_NUMBER, journalHeader } from "./superblock.ts";
import type { JournalSuperblock } from "./superblock.ts";

/** The journal's blocks in order, whatever file or device holds them. */
export type Journal = {
  readonly source: ByteSource;
  readonly blockSizeBytes: number;
  readonly superblock: JournalSuperblock;
};

/** A complete transaction. */
export type Transaction = {
  readonly sequence: number;
  /** Journal blocks that hold descriptors, and revocations. */
  readonly descriptors: readonly number[];
  readonly revocations: readonly number[];
};

/** What was found in the log, oldest first. */
export type Scan = {
  readonly transactions: readonly Transaction[];
  /** The number of the first transaction that is not complete. */
  readonly endSequence: number;
  /** Its commit block is there, but the checksum says that not all of the transaction is. */
  readonly damagedEnd: boolean;
};

/** The place of a journal block, for failures. */
export function journalBlockWhere(journal: Journal, block: number): Where {
  return within(journal.source.where, `journal block ${block}`);
}

/** A block of the journal, counted from its start. */
export function readJournalBlock(journal: Journal, block: number): Promise<Uint8Array> {
  return journal.source.read(block * journal.blockSizeBytes, journal.blockSizeBytes);
}

/** `count` blocks further on; the log is a ring. */
export function advance(journal: JournalSuperblock, block: number, count: number): number {
  const next = block + count;
  return next < journal.last ? next : next - (journal.last - journal.first);
}

/** A transaction being put together. */
type Open = {
  descriptors: number[];
  revocations: number[];
  /** The v1 checksum so far. */
  checksum: number;
  /** The block whose own checksum was wrong, if any was. */
  suspect: number | undefined;
};

const emptyTransaction = (): Open => ({
  descriptors: [],
  revocations: [],
  checksum: ~0,
  suspect: undefined,
});

/** A wrong checksum of a block in a transaction whose commit says that it is complete is `corrupt`. */
export async function scanJournal(journal: Journal, signal?: AbortSignal): Promise<Scan> {
  const { superblock } = journal;
  const transactions: Transaction[] = [];
  // Once round the ring and everything has been seen.
  const ring = superblock.last - superblock.first;
  const budget = new Budget(ring, journal.source.where, "length of the log");
  let sequence = superblock.sequence;
  let block = superblock.start;
  let open = emptyTransaction();
  let lastTime = 0n;
  let damagedEnd = false;
  for (;;) {
    signal?.throwIfAborted();
    if (budget.left === 0) break;
    budget.spend();
    const bytes = await readJournalBlock(journal, block);
    const header = journalHeader.read(bytes);
    if (header.h_magic !== JBD2_MAGIC_NUMBER || header.h_sequence !== sequence) break;
    if (header.h_blocktype === JBD2_BLOCK.commit) {
      const commit = parseCommit(superblock, bytes, open.checksum >>> 0);
      // Blocks of an earlier life of the journal can follow the log; their commits are older.
      if (commit.time < lastTime && (open.suspect !== undefined || !commit.intact)) break;
      if (open.suspect !== undefined) {
        const where = journalBlockWhere(journal, open.suspect);
        throw corrupt(where, "a wrong checksum in a committed transaction", "an intact journal");
      }
      if (!commit.intact) {
        // With asynchronous commits it only means that the last one was interrupted, as Linux takes it.
        damagedEnd = !superblock.asyncCommit;
        break;
      }
      lastTime = commit.time;
      const { descriptors, revocations } = open;
      transactions.push({ sequence, descriptors, revocations });
      sequence = (sequence + 1) >>> 0;
      open = emptyTransaction();
      block = advance(superblock, block, 1);
    } else if (header.h_blocktype === JBD2_BLOCK.descriptor) {
      const copies = parseDescriptor(superblock, bytes).length;
      open.descriptors.push(block);
      if (!tailChecksumHolds(superblock, bytes)) open.suspect ??= block;
      if (copies > budget.left) break;
      budget.spend(copies);
      if (superblock.checksums === "v1") await sumTransaction(journal, open, { block, copies });
      block = advance(superblock, block, 1 + copies);
    } else if (header.h_blocktype === JBD2_BLOCK.revoke) {
      open.revocations.push(block);
      if (!tailChecksumHolds(superblock, bytes)) open.suspect ??= block;
      block = advance(superblock, block, 1);
    } else break;
  }
  return { transactions, endSequence: sequence, damagedEnd };
}

/** Takes a descriptor block and the copies after it into the v1 checksum of its transaction. */
async function sumTransaction(
  journal: Journal,
  open: Open,
  { block, copies }: { block: number; copies: number },
): Promise<void> {
  for (let i = 0; i <= copies; i++) {
    const at = advance(journal.superblock, block, i);
    open.checksum = crc32beUpdate(open.checksum, await readJournalBlock(journal, at));
  }
}
