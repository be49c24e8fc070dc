/**
 * The newest transaction in a journal. Unlike the scan before a replay it keeps nothing, and takes a transaction for whole when
 * its commit block is there: what is asked is where the next one goes.
 *
 * Source: Linux fs/jbd2/recovery.c (`do_one_pass`).
 */
import { Budget } from "../../base/budget.ts";
import { commitHeader, parseDescriptor } from "../../disk/fs/ext4/journal/descriptor.ts";
import { advance, readJournalBlock } from "../../disk/fs/ext4/journal/scan.ts";
import type { Journal } from "../../disk/fs/ext4/journal/scan.ts";
import {
  JBD2_BLOCK,
  JBD2_MAGIC_NUMBER,
  journalHeader,
} from "../../disk/fs/ext4/journal/superblock.ts";
import type { VolumeCounter } from "./types.ts";

export type NewestCommit = {
  readonly counter: VolumeCounter;
  /** Where the next one begins; undefined when the log is empty. */
  readonly nextBlock?: number;
};

/** Failures: those of reading. Rubbish ends the log. */
export async function findNewestCommit(
  journal: Journal,
  signal?: AbortSignal,
): Promise<NewestCommit> {
  const { superblock } = journal;
  if (superblock.start === 0) {
    return { counter: { text: `no commit after ${(superblock.sequence - 1) >>> 0}` } };
  }
  // Once round the ring and everything has been seen.
  const budget = new Budget(superblock.last - superblock.first, journal.source.where, "the log");
  let block = superblock.start;
  let sequence = superblock.sequence;
  let newest = { block, atSeconds: undefined as number | undefined };
  while (budget.left > 0) {
    signal?.throwIfAborted();
    budget.spend();
    const bytes = await readJournalBlock(journal, block);
    const { h_magic, h_sequence, h_blocktype } = journalHeader.read(bytes);
    if (h_magic !== JBD2_MAGIC_NUMBER || h_sequence !== sequence) break;
    let length = 1;
    if (h_blocktype === JBD2_BLOCK.descriptor) {
      const copies = parseDescriptor(superblock, bytes).length;
      if (copies > budget.left) break;
      budget.spend(copies);
      length += copies;
    } else if (h_blocktype !== JBD2_BLOCK.commit && h_blocktype !== JBD2_BLOCK.revoke) break;
    block = advance(superblock, block, length);
    if (h_blocktype === JBD2_BLOCK.commit) {
      newest = { block, atSeconds: secondsOf(commitHeader.read(bytes).h_commit_sec) };
      sequence = (sequence + 1) >>> 0;
    }
  }
  const text = `commit ${(sequence - 1) >>> 0}`;
  const { atSeconds } = newest;
  return {
    counter: { text, ...(atSeconds !== undefined && { atSeconds }) },
    nextBlock: newest.block,
  };
}

/** Undefined for what is no time that could be shown (until the year 9999). */
function secondsOf(raw: bigint): number | undefined {
  return raw > 0n && raw < 253_402_300_800n ? Number(raw) : undefined;
}
