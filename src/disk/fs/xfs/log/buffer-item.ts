/**
 * Buffer items: which 128-byte pieces of a run of blocks changed, and their new bytes.
 *
 * Source: Linux fs/xfs/libxfs/xfs_log_format.h `struct xfs_buf_log_format`, fs/xfs/xfs_buf_item_recover.c. Buffers of
 * quotas are left out, and so are the lists of unlinked inodes: nothing here reads them.
 */
import { corrupt } from "../../../../base/failure.ts";
import type { Where } from "../../../../base/where.ts";
import { u16le, u32le, u64leRaw } from "../../../../bytes/fields.ts";
import { struct } from "../../../../bytes/struct.ts";
import type { ByteSource } from "../../../source.ts";
import type { Superblock } from "../superblock.ts";
import { BASIC_BLOCK } from "./ring.ts";
import type { LogItem } from "./region-store.ts";

/** The first region; words of the map follow. */
export const xfsBufLogFormat = struct("xfs_buf_log_format", 20, {
  blf_flags: [4, u16le],
  /** In basic blocks, as is the place. */
  blf_len: [6, u16le],
  blf_blkno: [8, u64leRaw],
  /** In words of 32 bits. */
  blf_map_size: [16, u32le],
});

/** XFS_BLF_CHUNK, in bytes: what one bit of the map stands for. */
const CHUNK = 128;
/** XFS_BLF_DATAMAP_SIZE: for 64 KiB, and one word of padding. */
const MAX_MAP_WORDS = 17;
/** XFS_BLF_*: of inodes, and of quotas of users, projects and groups. */
const BLF_INODE_BUF = 0x1;
const BLF_CANCEL = 0x2;
const BLF_DQUOT_BUFS = 0x1c;

/** Which buffer an item is about. */
export type BufferItem = {
  /** In basic blocks from the start of the filesystem. */
  readonly block: number;
  readonly length: number;
  /** The blocks were freed: what earlier items say of them must not be replayed, they may hold a file's data. */
  readonly cancels: boolean;
  /** Whether there is anything to replay that is read here. */
  readonly wanted: boolean;
};

/** What identifies a buffer among those that were freed: the kernel compares place and length, too. */
export function bufferKey({ block, length }: { block: number; length: number }): string {
  return `${block}+${length}`;
}

/** Checks and translates the format of an item of type XFS_LI_BUF. */
export function parseBufferItem({ regions }: LogItem, where: Where): BufferItem {
  const raw = xfsBufLogFormat.read(regions[0]!, 0, where);
  const cancels = (raw.blf_flags & BLF_CANCEL) !== 0;
  return {
    // Rounded above 2^53, where no device is either.
    block: Number(raw.blf_blkno),
    length: raw.blf_len,
    cancels,
    wanted: !cancels && (raw.blf_flags & (BLF_INODE_BUF | BLF_DQUOT_BUFS)) === 0,
  };
}

/** New bytes, and where in their buffer they belong, in bytes. */
export type BufferChange = { readonly at: number; readonly bytes: Uint8Array };

/** What an item changes in its buffer. */
export function* bufferChanges({ regions }: LogItem, where: Where): Generator<BufferChange> {
  const format = regions[0]!;
  const { blf_map_size: words, blf_len: length } = xfsBufLogFormat.read(format, 0, where);
  if (words > MAX_MAP_WORDS || xfsBufLogFormat.size + 4 * words > format.length) {
    throw corrupt(where, `a buffer's map of ${words} words`, `at most ${MAX_MAP_WORDS}`);
  }
  let region = 1;
  for (let bit = 0; bit < words * 32;) {
    const run = runLength(format, bit, words * 32);
    if (run === 0) {
      bit += 1;
      continue;
    }
    // Pieces that follow each other can be in several regions, none of which has less than one piece.
    const bytes = regions[region++] ?? new Uint8Array(0);
    const count = Math.min(run, Math.floor(bytes.length / CHUNK));
    if (count === 0 || (bit + count) * CHUNK > length * BASIC_BLOCK) {
      const found = `${bytes.length} bytes for piece ${bit} of a buffer of ${length} blocks`;
      throw corrupt(where, found, "whole pieces inside the buffer");
    }
    yield { at: bit * CHUNK, bytes: bytes.subarray(0, count * CHUNK) };
    bit += count;
  }
}

/** Set bits from `bit` on. */
function runLength(format: Uint8Array, bit: number, end: number): number {
  const at = xfsBufLogFormat.size;
  let last = bit;
  // Words are little endian, so bit n is in byte n / 8.
  while (last < end && format[at + (last >>> 3)]! & (1 << (last & 7))) last += 1;
  return last - bit;
}

type Stamp = { readonly lsnAt: number; readonly uuidAt: number };
const SHORT_BTREE: Stamp = { lsnAt: 24, uuidAt: 32 };
const DIRECTORY: Stamp = { lsnAt: 16, uuidAt: 24 };

/** Where version 5 metadata has the log position of its last change, by the magic number that it begins with. */
const STAMPS: ReadonlyMap<number, Stamp> = new Map([
  [0x41423342, SHORT_BTREE], // AB3B, free space by block
  [0x41423343, SHORT_BTREE], // AB3C, free space by size
  [0x49414233, SHORT_BTREE], // IAB3, inodes
  [0x46494233, SHORT_BTREE], // FIB3, free inodes
  [0x524d4233, SHORT_BTREE], // RMB3, reverse mappings
  [0x52334643, SHORT_BTREE], // R3FC, reference counts
  [0x424d4133, { lsnAt: 32, uuidAt: 40 }], // BMA3, extents of a file
  [0x58414746, { lsnAt: 208, uuidAt: 64 }], // XAGF
  [0x5841464c, { lsnAt: 24, uuidAt: 8 }], // XAFL
  [0x58414749, { lsnAt: 320, uuidAt: 296 }], // XAGI
  [0x58534c4d, { lsnAt: 48, uuidAt: 16 }], // XSLM, symlinks
  [0x58444233, DIRECTORY], // XDB3
  [0x58444433, DIRECTORY], // XDD3
  [0x58444633, DIRECTORY], // XDF3
]);
/** The same for hash tables, which have a shorter magic number at byte 8. */
const HASH_TABLES: ReadonlySet<number> = new Set([0x3df1, 0x3dff, 0x3ebe]);
const HASH_TABLE: Stamp = { lsnAt: 24, uuidAt: 32 };

/**
 * Whether a buffer already has a change that was made at `lsn`, because it was written after a later one. Version 4 does
 * not say; there everything is replayed.
 */
export async function isNewer(
  source: ByteSource,
  superblock: Superblock,
  { block, length }: BufferItem,
  lsn: bigint,
): Promise<boolean> {
  if (superblock.version !== 5 || length === 0) return false;
  const bytes = await source.read(block * BASIC_BLOCK, BASIC_BLOCK);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stamp = HASH_TABLES.has(view.getUint16(8, false))
    ? HASH_TABLE
    : STAMPS.get(view.getUint32(0, false));
  // Anything else is no metadata yet, or has no stamp: the kernel replays it, too.
  if (!stamp || !superblock.metaUuidBytes.every((byte, i) => byte === bytes[stamp.uuidAt + i])) {
    return false;
  }
  return isLater(view.getBigUint64(stamp.lsnAt, false), lsn);
}

/** Several transactions can have the same position; replaying one of them again does no harm. */
export function isLater(stamped: bigint, lsn: bigint): boolean {
  return stamped !== 0n && stamped !== 2n ** 64n - 1n && stamped > lsn;
}
