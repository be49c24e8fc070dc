/**
 * The log as a ring of basic blocks of 512 bytes. The first four bytes of each hold the number of the round ("cycle") in
 * which it was written, so that the place where the newest round ends can be seen.
 *
 * Source: Linux fs/xfs/libxfs/xfs_log_format.h, fs/xfs/xfs_log.c.
 */
import { within } from "../../../../base/where.ts";
import type { Where } from "../../../../base/where.ts";
import { windowSource } from "../../../source.ts";
import type { ByteSource } from "../../../source.ts";
import { deviceBlock } from "../volume.ts";
import type { XfsVolume } from "../volume.ts";

/** Basic blocks, in bytes. */
export const BASIC_BLOCK = 512;
/** `XLOG_HEADER_MAGIC_NUM`: where a record begins it stands before the cycle number, which is never equal to it. */
export const XLOG_HEADER_MAGIC_NUM = 0xfeedbabe;
/** `XLOG_MAX_ICLOGS`: so many records can be on their way to the disk at once, and get there in any order. */
export const MAX_RECORDS_IN_FLIGHT = 8;

/** The log of a filesystem, when it has it inside. */
export type Log = {
  readonly source: ByteSource;
  /** In basic blocks. */
  readonly length: number;
  /** The longest record, headers included, in basic blocks. */
  readonly maxRecord: number;
  /** Whether every record has a checksum. */
  readonly checksums: boolean;
  readonly uuidBytes: Uint8Array;
};

/** The log inside the filesystem; not for filesystems whose log is on another device. */
export function openLog(volume: XfsVolume): Log {
  const { logStart, logBlocks, logV2, blockSizeBytes, version, uuidBytes } = volume.superblock;
  const start = deviceBlock(volume, logStart, logBlocks, within(volume.where, "superblock"));
  const bytes = logBlocks * blockSizeBytes;
  return {
    source: {
      ...windowSource(volume.source, start * blockSizeBytes, bytes),
      where: within(volume.where, "log"),
    },
    length: bytes / BASIC_BLOCK,
    // XLOG_MAX_RECORD_BSIZE and XLOG_BIG_RECORD_BSIZE
    maxRecord: (logV2 ? 256 : 32) * 2,
    checksums: version === 5,
    uuidBytes,
  };
}

/** The place of a basic block of the log, for failures. */
export function logWhere(log: Log, block: number): Where {
  return within(log.source.where, `log block ${block}`);
}

/** `count` blocks further on in the ring. */
export function advance(log: Log, block: number, count: number): number {
  return (block + count) % log.length;
}

/** Blocks from `from` on to `to`; 0 when they are the same. */
export function distance(log: Log, from: number, to: number): number {
  return (to - from + log.length) % log.length;
}

/** `count` blocks from `block` on, over the end of the ring if need be; `count` is at most its length. */
export async function readBlocks(log: Log, block: number, count: number): Promise<Uint8Array> {
  const before = Math.min(count, log.length - block);
  const first = await log.source.read(block * BASIC_BLOCK, before * BASIC_BLOCK);
  if (before === count) return first;
  const bytes = new Uint8Array(count * BASIC_BLOCK);
  bytes.set(first);
  bytes.set(await log.source.read(0, (count - before) * BASIC_BLOCK), before * BASIC_BLOCK);
  return bytes;
}

/** Whether a record begins at block `index` of `bytes`. */
export function isHeader(bytes: Uint8Array, index: number): boolean {
  return word(bytes, index * BASIC_BLOCK) === XLOG_HEADER_MAGIC_NUM;
}

/** The cycle number of block `index` of `bytes`. */
export function cycleOf(bytes: Uint8Array, index: number): number {
  const at = index * BASIC_BLOCK;
  return word(bytes, isHeader(bytes, index) ? at + 4 : at);
}

function word(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, false);
}
