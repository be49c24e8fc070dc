/**
 * Fast commits: small records of what changed since the last full transaction, in an area at the end of the journal.
 * Unlike the rest of the journal they are little endian, and say what was done instead of holding copies of blocks.
 *
 * Source: Linux fs/ext4/fast_commit.h, fs/ext4/fast_commit.c (`ext4_fc_replay_scan`, `ext4_fc_value_len_isvalid`).
 */
import { hex, MIB } from "../../../../base/units.ts";
import { crc32cUpdate } from "../../../../bytes/crc32c.ts";
import { bytesField, u16le, u32le } from "../../../../bytes/fields.ts";
import { struct } from "../../../../bytes/struct.ts";
import { readJournalBlock } from "./scan.ts";
import type { Journal } from "./scan.ts";

/** In front of every record. */
export const fastCommitTag = struct("ext4_fc_tl", 4, {
  fc_tag: [0x0, u16le],
  fc_len: [0x2, u16le],
});

/** The first record of the first fast commit after a transaction. */
export const fastCommitHead = struct("ext4_fc_head", 8, {
  fc_features: [0x0, u32le],
  fc_tid: [0x4, u32le],
});

/** The last record of a fast commit: without it, nothing of the fast commit counts. */
export const fastCommitTail = struct("ext4_fc_tail", 8, {
  fc_tid: [0x0, u32le],
  fc_crc: [0x4, u32le],
});

/** `fc_ex` is an `ext4_extent`. */
export const fastCommitAddRange = struct("ext4_fc_add_range", 16, {
  fc_ino: [0x0, u32le],
  fc_ex: [0x4, bytesField(12)],
});

export const fastCommitDelRange = struct("ext4_fc_del_range", 12, {
  fc_ino: [0x0, u32le],
  fc_lblk: [0x4, u32le],
  fc_len: [0x8, u32le],
});

/** The name follows it. */
export const fastCommitDentry = struct("ext4_fc_dentry_info", 8, {
  fc_parent_ino: [0x0, u32le],
  fc_ino: [0x4, u32le],
});

/** The inode follows it: 128 bytes, its extra fields, and all of it when it has inline data. */
export const fastCommitInode = struct("ext4_fc_inode", 4, { fc_ino: [0x0, u32le] });

/** EXT4_FC_TAG_* */
export const FC_TAG = {
  addRange: 1,
  delRange: 2,
  creat: 3,
  link: 4,
  unlink: 5,
  inode: 6,
  pad: 7,
  tail: 8,
  head: 9,
} as const;

const EXT4_NAME_LEN = 255;
/** Where the checksum of a tail ends: before the checksum itself. */
const TAIL_CHECKED = fastCommitTag.size + 4;
/** mke2fs gives a 64th of the journal to fast commits, 16 MiB of its largest default. */
const MAX_AREA_BYTES = 16 * MIB;
/** A full transaction is made every five seconds; what is kept in memory grows with the records. */
const MAX_RECORDS = 65_536;

/** A record. `value` is a view into a block of the journal. */
export type FastCommitRecord = { readonly tag: number; readonly value: Uint8Array };

/** What there is to replay. */
export type FastCommitScan = {
  /** Complete fast commits after the last full transaction. */
  readonly commits: number;
  /** The records up to the end of the last complete one. */
  readonly records: number;
  /** Why Linux would refuse to mount the filesystem: none of them is complete, or they are of another kind. */
  readonly damage?: string;
  /** There are too many to be replayed here. */
  readonly tooMany?: boolean;
};

/** Which fast commits follow the last full transaction; `sequence` is the number of the next one. */
export async function scanFastCommits(
  journal: Journal,
  { sequence, inodeSizeBytes }: { sequence: number; inodeSizeBytes: number },
): Promise<FastCommitScan> {
  let [seen, records, commits, checksum] = [0, 0, 0, 0];
  const none = (damage: string): FastCommitScan => ({ commits: 0, records: 0, damage });
  for await (const { tag, value, bytes } of rawRecords(journal, inodeSizeBytes)) {
    // What is left of earlier fast commits has another number; what was never used has no head.
    if (seen === 0 && tag !== FC_TAG.head) break;
    seen += 1;
    if (seen > MAX_RECORDS) return { commits, records, tooMany: true };
    if (tag === undefined)
      return records > 0 ? { commits, records } : none("a record without sense");
    if (tag === FC_TAG.head) {
      const head = fastCommitHead.read(value);
      if (head.fc_features !== 0) return none(`fast commit features ${hex(head.fc_features)}`);
      if (head.fc_tid !== sequence) break;
    }
    if (tag === FC_TAG.tail) {
      const { fc_tid, fc_crc } = fastCommitTail.read(value);
      if (
        fc_tid !== sequence ||
        fc_crc !== crc32cUpdate(checksum, bytes.subarray(0, TAIL_CHECKED))
      ) {
        return records > 0 ? { commits, records } : none("a wrong checksum");
      }
      [records, commits, checksum] = [seen, commits + 1, 0];
    } else checksum = crc32cUpdate(checksum, bytes);
  }
  return { commits, records };
}

/** The records that `scanFastCommits` found, in order; those that only frame the others are left out. */
export async function* fastCommitRecords(
  journal: Journal,
  inodeSizeBytes: number,
  records: number,
): AsyncGenerator<FastCommitRecord> {
  let left = records;
  for await (const { tag, value } of rawRecords(journal, inodeSizeBytes)) {
    if (left-- <= 0 || tag === undefined) return;
    if (tag !== FC_TAG.pad && tag !== FC_TAG.tail && tag !== FC_TAG.head) yield { tag, value };
  }
}

type RawRecord = {
  /** Undefined: nothing that is known, or of a length that it cannot have. Nothing follows it. */
  readonly tag: number | undefined;
  readonly value: Uint8Array;
  /** All of it. */
  readonly bytes: Uint8Array;
};

async function* rawRecords(journal: Journal, inodeSize: number): AsyncGenerator<RawRecord> {
  const { fastCommitFirst, length } = journal.superblock;
  if (fastCommitFirst === undefined) return;
  const end = Math.min(length, fastCommitFirst + MAX_AREA_BYTES / journal.blockSizeBytes);
  for (let block = fastCommitFirst; block < end; block++) {
    const bytes = await readJournalBlock(journal, block);
    // Every turn moves on by the four bytes of a tag at least.
    for (let at = 0; at + fastCommitTag.size <= bytes.length;) {
      const { fc_tag: tag, fc_len: size } = fastCommitTag.read(bytes, at);
      const from = at + fastCommitTag.size;
      const known = size <= bytes.length - from && hasLength(tag, size, inodeSize);
      const to = known ? from + size : from;
      yield {
        tag: known ? tag : undefined,
        value: bytes.subarray(from, to),
        bytes: bytes.subarray(at, to),
      };
      if (!known) return;
      at = to;
    }
  }
}

function hasLength(tag: number, size: number, inodeSize: number): boolean {
  switch (tag) {
    case FC_TAG.addRange:
      return size === fastCommitAddRange.size;
    case FC_TAG.delRange:
      return size === fastCommitDelRange.size;
    case FC_TAG.creat:
    case FC_TAG.link:
    case FC_TAG.unlink:
      return size > fastCommitDentry.size && size <= fastCommitDentry.size + EXT4_NAME_LEN;
    case FC_TAG.inode:
      return size >= fastCommitInode.size + 128 && size <= fastCommitInode.size + inodeSize;
    case FC_TAG.pad:
      return true;
    case FC_TAG.tail:
      return size >= fastCommitTail.size;
    case FC_TAG.head:
      return size === fastCommitHead.size;
    default:
      return false;
  }
}
