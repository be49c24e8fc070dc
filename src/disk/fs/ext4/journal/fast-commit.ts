/**
 * Fast commits: small records of what changed since the last full transaction, in an area at the end of the journal.
 *
 * Source: Linux fs/ext4/fast_commit.h, fs/ext4/fast_commit.c (`ext4_fc_replay_scan`). Only their presence is noticed.
 */
import { u16le, u32le } from "../../../../bytes/fields.ts";
import { struct } from "../../../../bytes/struct.ts";
import { readJournalBlock } from "./scan.ts";
import type { Journal } from "./scan.ts";

/** The first record of a fast commit, its tag and length included. */
export const fastCommitHead = struct("ext4_fc_head", 12, {
  fc_tag: [0x0, u16le],
  fc_len: [0x2, u16le],
  fc_features: [0x4, u32le],
  fc_tid: [0x8, u32le],
});

const EXT4_FC_TAG_HEAD = 9;

/** Whether fast commits follow the last complete transaction; `sequence` is the number of the next one. */
export async function hasFastCommits(journal: Journal, sequence: number): Promise<boolean> {
  const { fastCommitFirst, length } = journal.superblock;
  if (fastCommitFirst === undefined || fastCommitFirst >= length) return false;
  const head = fastCommitHead.read(await readJournalBlock(journal, fastCommitFirst));
  // Older ones are left behind in the area; their transaction has since been committed in full.
  return head.fc_tag === EXT4_FC_TAG_HEAD && head.fc_tid === sequence;
}
