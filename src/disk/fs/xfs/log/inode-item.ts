/**
 * Inode items: the core of an inode in the byte order of the processor, and its data fork when that changed.
 *
 * Source: Linux fs/xfs/libxfs/xfs_log_format.h `struct xfs_inode_log_format`, `xfs_log_dinode`,
 * fs/xfs/xfs_inode_item_recover.c. Extended attributes are left out: nothing here reads them.
 */
import { corrupt } from "../../../../base/failure.ts";
import { within } from "../../../../base/where.ts";
import type { Where } from "../../../../base/where.ts";
import { u32le, u64leRaw } from "../../../../bytes/fields.ts";
import { struct } from "../../../../bytes/struct.ts";
import { xfsBmbtKey, xfsBmbtPtr, xfsBmdrBlock, xfsBtreeLblock } from "../data-fork.ts";
import { xfsBtreeLblockV5 } from "../data-fork.ts";
import { coreSize } from "../inode.ts";
import type { Superblock } from "../superblock.ts";
import { isLater } from "./buffer-item.ts";
import type { LogItem } from "./region-store.ts";

/** The first region. */
export const xfsInodeLogFormat = struct("xfs_inode_log_format", 56, {
  ilf_fields: [4, u32le],
  ilf_ino: [16, u64leRaw],
  ilfu_rdev: [24, u32le],
  /** The buffer that the inode is in, in basic blocks. */
  ilf_blkno: [40, u64leRaw],
  ilf_len: [48, u32le],
});

/** As 32-bit machines write it, without padding. */
export const xfsInodeLogFormat32 = struct("xfs_inode_log_format_32", 52, {
  ilf_fields: [4, u32le],
  ilf_ino: [12, u64leRaw],
  ilfu_rdev: [20, u32le],
  ilf_blkno: [36, u64leRaw],
  ilf_len: [44, u32le],
});

/** XFS_ILOG_*: what the regions after the core are. */
const ILOG = { data: 0x2, extents: 0x4, root: 0x8, device: 0x10, owner: 0x200 };
const ILOG_DATA_FORK = ILOG.data | ILOG.extents | ILOG.root;

/** An inode item, its format translated. */
export type InodeItem = {
  readonly number: number;
  readonly fields: number;
  readonly device: number;
  /** The buffer that the inode is in, as `bufferKey` takes it. */
  readonly buffer: { readonly block: number; readonly length: number };
  readonly core: Uint8Array;
  /** The data fork's region; empty when it did not change. */
  readonly fork: Uint8Array;
  /** The blocks of its map are given to it, without being changed. */
  readonly changesOwner: boolean;
};

/** Checks and translates an item of type XFS_LI_INODE. */
export function parseInodeItem({ regions }: LogItem, where: Where): InodeItem {
  const [format, core, fork] = regions;
  const layout = format!.length >= xfsInodeLogFormat.size ? xfsInodeLogFormat : xfsInodeLogFormat32;
  const raw = layout.read(format!, 0, where);
  if (!core) throw corrupt(where, "an inode item without its core", "one with it");
  const fields = raw.ilf_fields;
  return {
    // Rounded above 2^53, where no inode is.
    number: Number(raw.ilf_ino),
    fields,
    device: raw.ilfu_rdev,
    buffer: { block: Number(raw.ilf_blkno), length: raw.ilf_len },
    core,
    fork: fields & ILOG_DATA_FORK ? (fork ?? new Uint8Array(0)) : new Uint8Array(0),
    changesOwner: (fields & ILOG.owner) !== 0,
  };
}

/** Fields of the core as [offset, width]; the same place in the log and on disk, in another byte order. */
const FIELDS: readonly (readonly [number, number])[] = [
  [0, 2], // di_magic
  [2, 2], // di_mode
  [4, 1], // di_version
  [5, 1], // di_format
  [8, 4], // di_uid
  [12, 4], // di_gid
  [16, 4], // di_nlink
  [20, 2], // di_projid_lo
  [22, 2], // di_projid_hi
  [56, 8], // di_size
  [64, 8], // di_nblocks
  [72, 4], // di_extsize
  [82, 1], // di_forkoff
  [83, 1], // di_aformat
  [84, 4], // di_dmevmask
  [88, 2], // di_dmstate
  [90, 2], // di_flags
  [92, 4], // di_gen
];
const FIELDS_V3: readonly (readonly [number, number])[] = [
  [104, 8], // di_changecount
  [120, 8], // di_flags2
  [128, 4], // di_cowextsize
  [152, 8], // di_ino
];
/** di_atime, di_mtime, di_ctime, and di_crtime in version 3 */
const TIMES = [32, 40, 48];
const CRTIME = 144;

const FLUSHITER_AT = 30;
const BIG_NEXTENTS_AT = 24;
const FORKOFF_AT = 82;
const LSN_AT = 112;
const UUID_AT = 160;
const FLAGS2_AT = 120;
const DIFLAG2_BIGTIME = 0x8;
const DIFLAG2_NREXT64 = 0x10;
/** DI_MAX_FLUSH, where the count of flushes begins anew. */
const MAX_FLUSH = 0xffff;

/**
 * The inode with the item applied, `undefined` when it has it already. `disk` is the inode as it is so far, `lsn` the
 * position of the transaction.
 */
export function replayInode(
  superblock: Superblock,
  item: InodeItem,
  disk: Uint8Array,
  { lsn, where: at }: { lsn: bigint; where: Where },
): Uint8Array | undefined {
  const where = within(at, `item of inode ${item.number}`);
  const v3 = superblock.version === 5;
  const size = v3 ? 176 : 96;
  const log = item.core;
  if (log.length < size) {
    throw corrupt(where, `an inode core of ${log.length} bytes`, `${size} bytes`);
  }
  if (log[0] !== 0x4e || log[1] !== 0x49) throw corrupt(where, "no inode in the item", "an inode");
  if (disk[0] !== 0x49 || disk[1] !== 0x4e) {
    throw corrupt(where, "no inode where it belongs", "an inode");
  }
  const out = Uint8Array.from(disk);
  const view = new DataView(out.buffer);
  const logView = new DataView(log.buffer, log.byteOffset, log.byteLength);
  if (v3 ? isLater(view.getBigUint64(LSN_AT, false), lsn) : flushedLater(view, logView)) {
    return undefined;
  }
  writeCore(log, out, v3);
  if (v3) view.setBigUint64(LSN_AT, lsn, false);
  writeFork(superblock, item, out, where);
  return out;
}

/** Version 4: the inode on disk was written more often than when the item was made. */
function flushedLater(disk: DataView, log: DataView): boolean {
  const [onDisk, inLog] = [disk.getUint16(FLUSHITER_AT, false), log.getUint16(FLUSHITER_AT, true)];
  return inLog < onDisk && !(onDisk === MAX_FLUSH && inLog < MAX_FLUSH >>> 1);
}

function writeCore(log: Uint8Array, out: Uint8Array, v3: boolean): void {
  const flags2 = v3 ? log[FLAGS2_AT]! : 0;
  for (const field of FIELDS) copySwapped(log, out, field);
  if (v3) {
    for (const field of FIELDS_V3) copySwapped(log, out, field);
    out.set(log.subarray(UUID_AT, UUID_AT + 16), UUID_AT);
  }
  for (const at of v3 ? [...TIMES, CRTIME] : TIMES) {
    // One number of 64 bits, or two of 32.
    if (flags2 & DIFLAG2_BIGTIME) copySwapped(log, out, [at, 8]);
    else for (const half of [at, at + 4]) copySwapped(log, out, [half, 4]);
  }
  out.fill(0, 6, 8); // di_onlink
  out.fill(0, BIG_NEXTENTS_AT, BIG_NEXTENTS_AT + 8);
  if (flags2 & DIFLAG2_NREXT64) copySwapped(log, out, [BIG_NEXTENTS_AT, 8]);
  copySwapped(log, out, [76, 4]); // di_nextents, or di_big_anextents
  copySwapped(log, out, [80, 2]); // di_anextents, or padding
}

function copySwapped(from: Uint8Array, to: Uint8Array, [at, width]: readonly [number, number]) {
  for (let i = 0; i < width; i++) to[at + i] = from[at + width - 1 - i]!;
}

function writeFork(superblock: Superblock, item: InodeItem, out: Uint8Array, where: Where): void {
  const start = coreSize(superblock.version);
  const forkoff = out[FORKOFF_AT]! * 8;
  const room = out.length - start;
  if (forkoff > room) throw corrupt(where, `a data fork of ${forkoff} bytes`, `at most ${room}`);
  const fork = out.subarray(start, start + (forkoff || room));
  const kinds = item.fields & ILOG_DATA_FORK;
  if (item.fields & ILOG.device) {
    new DataView(out.buffer).setUint32(start, item.device, false);
  }
  if (kinds === ILOG.root) {
    fork.set(rootForDisk(superblock, item.fork, fork.length, where));
  } else if (kinds === ILOG.data || kinds === ILOG.extents) {
    // Regions are padded to four bytes.
    if (item.fork.length > fork.length + 3) {
      throw corrupt(where, `${item.fork.length} bytes of fork`, `at most ${fork.length}`);
    }
    fork.set(item.fork.subarray(0, fork.length));
  } else if (kinds !== 0) {
    throw corrupt(where, `data fork flags 0x${kinds.toString(16)}`, "one of them");
  }
}

/** In memory, and in the log, the root of a tree of extents looks like any other node; in the inode its header is short. */
function rootForDisk(
  superblock: Superblock,
  root: Uint8Array,
  room: number,
  where: Where,
): Uint8Array {
  const header = superblock.version === 5 ? xfsBtreeLblockV5.size : xfsBtreeLblock.size;
  const [keySize, pointerSize] = [xfsBmbtKey.size, xfsBmbtPtr.size];
  const { bb_numrecs: count } = xfsBtreeLblock.read(root, 0, where);
  const fits = (length: number) => Math.floor(length / (keySize + pointerSize));
  const [inLog, onDisk] = [fits(root.length - header), fits(room - xfsBmdrBlock.size)];
  if (count > inLog || count > onDisk) {
    throw corrupt(where, `a root with ${count} entries`, `at most ${Math.min(inLog, onDisk)}`);
  }
  const out = new Uint8Array(room);
  out.set(root.subarray(4, 8)); // bb_level, bb_numrecs
  out.set(root.subarray(header, header + count * keySize), xfsBmdrBlock.size);
  const pointersAt = header + inLog * keySize;
  out.set(
    root.subarray(pointersAt, pointersAt + count * pointerSize),
    xfsBmdrBlock.size + onDisk * keySize,
  );
  return out;
}
