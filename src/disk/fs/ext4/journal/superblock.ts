/**
 * The journal's own superblock: block 0 of the journal, big endian like all of JBD2.
 *
 * Source: Linux Documentation/filesystems/ext4/journal.rst, include/linux/jbd2.h `journal_superblock_t`,
 * fs/jbd2/journal.c (`journal_check_superblock`, `journal_load_superblock`).
 */
import { corrupt, overLimit, unsupported } from "../../../../base/failure.ts";
import { hex } from "../../../../base/units.ts";
import type { Where } from "../../../../base/where.ts";
import { crc32cUpdate } from "../../../../bytes/crc32c.ts";
import { bytesField, u32be, u8 } from "../../../../bytes/fields.ts";
import { struct } from "../../../../bytes/struct.ts";
import { assertChecksum, checksumWithHole } from "../checksum.ts";

/** At the start of every block of the log, except copies. */
export const journalHeader = struct("journal_header_t", 12, {
  h_magic: [0x0, u32be],
  h_blocktype: [0x4, u32be],
  h_sequence: [0x8, u32be],
});

/** Fields before `s_feature_compat` are all that version 1 has. */
export const journalSuperblock = struct("journal_superblock_t", 1024, {
  h_magic: [0x0, u32be],
  h_blocktype: [0x4, u32be],
  s_blocksize: [0xc, u32be],
  s_maxlen: [0x10, u32be],
  s_first: [0x14, u32be],
  s_sequence: [0x18, u32be],
  s_start: [0x1c, u32be],
  s_errno: [0x20, u32be],
  s_feature_compat: [0x24, u32be],
  s_feature_incompat: [0x28, u32be],
  s_uuid: [0x30, bytesField(16)],
  s_checksum_type: [0x50, u8],
  s_num_fc_blks: [0x54, u32be],
  s_checksum: [0xfc, u32be],
});

export const JBD2_MAGIC_NUMBER = 0xc03b_3998;

/** `h_blocktype` */
export const JBD2_BLOCK = {
  descriptor: 1,
  commit: 2,
  superblockV1: 3,
  superblockV2: 4,
  revoke: 5,
} as const;

const COMPAT_CHECKSUM = 0x1;
const INCOMPAT = {
  revoke: 0x1,
  "64bit": 0x2,
  asyncCommit: 0x4,
  csumV2: 0x8,
  csumV3: 0x10,
  fastCommit: 0x20,
} as const;
const INCOMPAT_KNOWN = Object.values(INCOMPAT).reduce<number>((mask, bit) => mask | bit, 0);

const CHECKSUM_AT = 0xfc;
/** JBD2_DEFAULT_FAST_COMMIT_BLOCKS */
const DEFAULT_FAST_COMMIT_BLOCKS = 256;
/** mke2fs makes none larger (10,240,000 blocks); what is kept about a journal grows with its length. */
export const MAX_JOURNAL_BLOCKS = 10_240_000;

/** How a journal's blocks are protected: not, by a checksum of whole transactions, or each for itself. */
export type JournalChecksums = "none" | "v1" | "v2" | "v3";

/** A journal superblock whose numbers agree with each other. */
export type JournalSuperblock = {
  /** In blocks, superblock and fast commit area included. */
  readonly length: number;
  /** The log goes round between `first` and `last` (not included). */
  readonly first: number;
  readonly last: number;
  /** Where the oldest transaction begins; 0 when there is nothing to replay. */
  readonly start: number;
  /** The number of the oldest transaction. */
  readonly sequence: number;
  readonly wideBlockNumbers: boolean;
  readonly asyncCommit: boolean;
  readonly checksums: JournalChecksums;
  readonly checksumSeed: number;
  /** The first block of the fast commit area; `undefined` without the feature. */
  readonly fastCommitFirst: number | undefined;
  /** The error that the kernel aborted the journal with; 0 when it did not. */
  readonly errno: number;
};

/** What the journal's own numbers are checked against. */
export type JournalSize = { readonly blockSizeBytes: number; readonly blockCount: number };

/** Checks and translates; `size` is that of the filesystem's blocks and of the file that holds the journal. */
export function parseJournalSuperblock(
  bytes: Uint8Array,
  size: JournalSize,
  where: Where,
): JournalSuperblock {
  const raw = journalSuperblock.read(bytes, 0, where);
  if (raw.h_magic !== JBD2_MAGIC_NUMBER) throw corrupt(where, hex(raw.h_magic), "0xc03b3998");
  const v1 = raw.h_blocktype === JBD2_BLOCK.superblockV1;
  if (!v1 && raw.h_blocktype !== JBD2_BLOCK.superblockV2) {
    throw corrupt(where, `block type ${raw.h_blocktype}`, "3 or 4, a superblock");
  }
  const incompat = v1 ? 0 : raw.s_feature_incompat;
  if (incompat & ~INCOMPAT_KNOWN) {
    throw unsupported(where, `journal feature ${hex((incompat & ~INCOMPAT_KNOWN) >>> 0)}`);
  }
  const checksums = checksumKind(incompat, v1 ? 0 : raw.s_feature_compat, where);
  if (checksums === "v2" || checksums === "v3") {
    if (raw.s_checksum_type !== 4) {
      throw unsupported(where, `journal checksum type ${raw.s_checksum_type}`);
    }
    const computed = checksumWithHole(~0, bytes.subarray(0, 1024), CHECKSUM_AT, 4);
    assertChecksum(where, raw.s_checksum, computed);
  }
  if (raw.s_blocksize !== size.blockSizeBytes) {
    throw corrupt(where, `journal blocks of ${raw.s_blocksize}`, `${size.blockSizeBytes} bytes`);
  }
  return {
    ...parseLog(raw, (incompat & INCOMPAT.fastCommit) !== 0, size, where),
    sequence: raw.s_sequence,
    wideBlockNumbers: (incompat & INCOMPAT["64bit"]) !== 0,
    asyncCommit: (incompat & INCOMPAT.asyncCommit) !== 0,
    checksums,
    checksumSeed: crc32cUpdate(~0, raw.s_uuid),
    errno: raw.s_errno,
  };
}

function checksumKind(incompat: number, compat: number, where: Where): JournalChecksums {
  const v2 = (incompat & INCOMPAT.csumV2) !== 0;
  const v3 = (incompat & INCOMPAT.csumV3) !== 0;
  const v1 = (compat & COMPAT_CHECKSUM) !== 0;
  if (Number(v1) + Number(v2) + Number(v3) > 1) {
    throw corrupt(where, "several checksum features at once", "one of v1, v2 and v3");
  }
  return v3 ? "v3" : v2 ? "v2" : v1 ? "v1" : "none";
}

/** Where the log is in the journal. */
function parseLog(
  raw: { s_maxlen: number; s_first: number; s_start: number; s_num_fc_blks: number },
  fastCommit: boolean,
  size: JournalSize,
  where: Where,
) {
  const length = raw.s_maxlen;
  if (length > MAX_JOURNAL_BLOCKS) {
    throw overLimit(where, "number of journal blocks", String(MAX_JOURNAL_BLOCKS));
  }
  if (length > size.blockCount) {
    throw corrupt(where, `${length} blocks`, `the ${size.blockCount} blocks of its file`);
  }
  let last = length;
  let fastCommitFirst: number | undefined;
  if (fastCommit) {
    last = length - (raw.s_num_fc_blks || DEFAULT_FAST_COMMIT_BLOCKS);
    // The kernel leaves one block between the log and the fast commits.
    fastCommitFirst = last + 1;
  }
  const first = raw.s_first;
  if (!(first >= 1 && first < last)) {
    throw corrupt(where, `a log from block ${first} to ${last}`, `a log inside ${length} blocks`);
  }
  const start = raw.s_start;
  if (start !== 0 && !(start >= first && start < last)) {
    throw corrupt(where, `s_start ${start}`, `0, or ${first} to ${last - 1}`);
  }
  return { length, first, last, start, fastCommitFirst };
}
