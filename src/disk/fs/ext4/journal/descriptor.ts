/**
 * The blocks that a journal's log is made of, apart from the copies of filesystem blocks: descriptors (which say where
 * the copies that follow belong), revocations and commits.
 *
 * Source: Linux Documentation/filesystems/ext4/journal.rst, include/linux/jbd2.h, fs/jbd2/recovery.c
 * (`count_tags`, `journal_tag_bytes`, `jbd2_*_csum_verify`).
 */
import { corrupt } from "../../../../base/failure.ts";
import type { Where } from "../../../../base/where.ts";
import { crc32cUpdate } from "../../../../bytes/crc32c.ts";
import { u32be, u64beRaw, u8 } from "../../../../bytes/fields.ts";
import { struct } from "../../../../bytes/struct.ts";
import { checksumWithHole } from "../checksum.ts";
import { journalHeader } from "./superblock.ts";
import type { JournalSuperblock } from "./superblock.ts";

/** The block that makes a transaction complete. */
export const commitHeader = struct("commit_header", 60, {
  h_chksum_type: [0xc, u8],
  h_chksum_size: [0xd, u8],
  h_chksum0: [0x10, u32be],
  h_commit_sec: [0x30, u64beRaw],
});

const COMMIT_CHECKSUM_AT = 0x10;
const TAG_FLAGS = { escape: 0x1, sameUuid: 0x2, lastTag: 0x8 } as const;
const UUID_SIZE = 16;
const TAIL_SIZE = 4;
const REVOKE_HEADER_SIZE = 16;
/** `h_chksum_type` and `h_chksum_size` of a v1 checksum. */
const JBD2_CRC32_CHKSUM = 1;
const JBD2_CRC32_CHKSUM_SIZE = 4;

/** What a descriptor says about one copy. */
export type JournalTag = {
  /** The filesystem block that the copy belongs to. */
  readonly block: number;
  /** The copy's first four bytes were the journal's magic number, and have been zeroed. */
  readonly escaped: boolean;
  /** 32 bits in v3, 16 in v2, else meaningless. */
  readonly checksum: number;
};

function checksEach(journal: JournalSuperblock): boolean {
  return journal.checksums === "v2" || journal.checksums === "v3";
}

/** In bytes. Before v3 the tag's parts were made optional one after the other. */
function tagSize(journal: JournalSuperblock): number {
  if (journal.checksums === "v3") return 16;
  return 8 + (journal.wideBlockNumbers ? 4 : 0) + (journal.checksums === "v2" ? 2 : 0);
}

/** The tags of a descriptor block; the copies follow it in the same order. */
export function parseDescriptor(journal: JournalSuperblock, bytes: Uint8Array): JournalTag[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = tagSize(journal);
  const end = bytes.length - (checksEach(journal) ? TAIL_SIZE : 0);
  const v3 = journal.checksums === "v3";
  const tags: JournalTag[] = [];
  let at = journalHeader.size;
  while (at + size <= end) {
    // The lower half of v3's 32-bit flags is where the 16-bit flags of the other tags are.
    const flags = view.getUint16(at + 6, false);
    const high = journal.wideBlockNumbers ? view.getUint32(at + 8, false) : 0;
    tags.push({
      block: high * 2 ** 32 + view.getUint32(at, false),
      escaped: (flags & TAG_FLAGS.escape) !== 0,
      checksum: v3 ? view.getUint32(at + 12, false) : view.getUint16(at + 4, false),
    });
    at += size + (flags & TAG_FLAGS.sameUuid ? 0 : UUID_SIZE);
    if (flags & TAG_FLAGS.lastTag) break;
  }
  return tags;
}

/** The filesystem blocks whose earlier copies must not be replayed. */
export function parseRevocations(
  journal: JournalSuperblock,
  bytes: Uint8Array,
  where: Where,
): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Counts bytes, the header's included.
  const end = view.getUint32(journalHeader.size, false);
  const room = bytes.length - (checksEach(journal) ? TAIL_SIZE : 0);
  if (end > room) throw corrupt(where, `${end} bytes of revocations`, `at most ${room}`);
  const size = journal.wideBlockNumbers ? 8 : 4;
  const blocks: number[] = [];
  for (let at = REVOKE_HEADER_SIZE; at + size <= end; at += size) {
    const high = size === 8 ? view.getUint32(at, false) : 0;
    blocks.push(high * 2 ** 32 + view.getUint32(at + size - 4, false));
  }
  return blocks;
}

/** Whether the checksum at the end of a descriptor or revocation block is right (or none is due). */
export function tailChecksumHolds(journal: JournalSuperblock, bytes: Uint8Array): boolean {
  if (!checksEach(journal)) return true;
  const at = bytes.length - TAIL_SIZE;
  const stored = new DataView(bytes.buffer, bytes.byteOffset + at, TAIL_SIZE).getUint32(0, false);
  return stored === checksumWithHole(journal.checksumSeed, bytes, at, TAIL_SIZE);
}

/** Whether the copy of a block is what its tag says (or the tag says nothing). */
export function copyChecksumHolds(
  journal: JournalSuperblock,
  tag: JournalTag,
  { sequence, copy }: { sequence: number; copy: Uint8Array },
): boolean {
  if (!checksEach(journal)) return true;
  const number = new Uint8Array(4);
  new DataView(number.buffer).setUint32(0, sequence, false);
  const computed = crc32cUpdate(crc32cUpdate(journal.checksumSeed, number), copy);
  return tag.checksum === (journal.checksums === "v3" ? computed : computed & 0xffff);
}

/** What a commit block says about its transaction. */
export type Commit = {
  /** Seconds since 1970. */
  readonly time: bigint;
  readonly intact: boolean;
};

/** `transactionChecksum` is the v1 checksum of the transaction's blocks; not looked at otherwise. */
export function parseCommit(
  journal: JournalSuperblock,
  bytes: Uint8Array,
  transactionChecksum: number,
): Commit {
  const raw = commitHeader.read(bytes);
  const time = raw.h_commit_sec;
  if (checksEach(journal)) {
    const computed = checksumWithHole(journal.checksumSeed, bytes, COMMIT_CHECKSUM_AT, 4);
    return { time, intact: raw.h_chksum0 === computed };
  }
  if (journal.checksums !== "v1") return { time, intact: true };
  const { h_chksum_type: type, h_chksum_size: size, h_chksum0: stored } = raw;
  const matches =
    type === JBD2_CRC32_CHKSUM && size === JBD2_CRC32_CHKSUM_SIZE && stored === transactionChecksum;
  // The feature may have been turned on after this transaction was written.
  const unused = type === 0 && size === 0 && stored === 0;
  return { time, intact: matches || unused };
}
