/**
 * Finds the newest whole record (the head is behind it) and the oldest that is still needed (the tail).
 *
 * Source: Linux fs/xfs/xfs_log_recover.c (`xlog_find_head`, `xlog_find_zeroed`, `xlog_find_tail`). As there, cycle numbers
 * decide: the ring has x+1 up to the head and x from there on, give or take records that were on their way to the disk
 * and arrived out of order. A record that is not there whole is left out.
 */
import { corrupt } from "../../../../base/failure.ts";
import { afterRecord, readHeader } from "./record.ts";
import type { RecordHeader } from "./record.ts";
import {
  advance,
  BASIC_BLOCK,
  cycleOf,
  distance,
  isHeader,
  logWhere,
  MAX_RECORDS_IN_FLIGHT,
  readBlocks,
} from "./ring.ts";
import type { Log } from "./ring.ts";

/** The part of the log that counts. */
export type LogEnds = {
  /** Where the next record would go. */
  readonly head: number;
  /** Where the oldest record begins that is still needed. */
  readonly tail: number;
  /** The newest record is that of an unmount, or the log was never used. */
  readonly clean: boolean;
};

/** `oh_flags` of an operation, at byte 9 of its header. */
const OH_FLAGS_AT = 9;
const XLOG_UNMOUNT_TRANS = 0x20;
/** Read at once, in basic blocks: when all of it is looked at, and when what is looked for should be close. */
const SCAN_STEP = 512;
const SEEK_STEP = 64;

/** Where the log ends and begins, by what is on disk. */
export async function findEnds(log: Log): Promise<LogEnds> {
  const head = await findHead(log);
  if (head === undefined) return { head: 0, tail: 0, clean: true };
  return endsBefore(log, head);
}

/** The ends of the log when it ends at `head`, where a whole record before it ends. */
export async function endsBefore(log: Log, head: number): Promise<LogEnds> {
  const newest = await recordBefore(log, head, log.length);
  if (afterRecord(log, newest) === head && (await isUnmount(log, newest))) {
    return { head, tail: head, clean: true };
  }
  return { head, tail: newest.tailBlock, clean: false };
}

async function isUnmount(log: Log, { block, headerBlocks, count }: RecordHeader): Promise<boolean> {
  if (count !== 1) return false;
  const bytes = await readBlocks(log, advance(log, block, headerBlocks), 1);
  return (bytes[OH_FLAGS_AT]! & XLOG_UNMOUNT_TRANS) !== 0;
}

/** `undefined` when the log was never written to. */
async function findHead(log: Log): Promise<number | undefined> {
  const first = await readCycle(log, 0);
  if (first === 0) return undefined;
  const last = await readCycle(log, log.length - 1);
  if (last === 0 && first !== 1) {
    throw corrupt(logWhere(log, 0), `cycle ${first} in a log that is not full`, "cycle 1");
  }
  // With one cycle number all over, the head is at the end of the ring: `length` stands for it until it is known better.
  let head = first === last ? log.length : await findCycleStart(log, last);
  const inFlight = Math.min(log.length, MAX_RECORDS_IN_FLIGHT * log.maxRecord);
  // Blocks of this cycle before the head are holes, left by records that did not arrive.
  const holeCycle = first === last ? last - 1 : last;
  const back = Math.min(head, inFlight);
  let hole: number | undefined;
  if (back < inFlight && last !== 0) {
    // What is in flight may begin before the end of the ring.
    hole = await findCycle(log, log.length - (inFlight - back), inFlight - back, holeCycle - 1);
  }
  hole ??= await findCycle(log, head - back, back, holeCycle);
  head = hole ?? head;
  return wholeRecordsUpTo(log, head % log.length);
}

async function readCycle(log: Log, block: number): Promise<number> {
  return cycleOf(await readBlocks(log, block, 1), 0);
}

/** A block of `cycle` with one of another before it, by bisection; the last block is of `cycle`, the first is not. */
async function findCycleStart(log: Log, cycle: number): Promise<number> {
  let low = 0;
  let high = log.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((await readCycle(log, middle)) === cycle) high = middle;
    else low = middle;
  }
  return high;
}

/** The first block of `cycle` among `count` from `start` on, which do not go over the end of the ring. */
async function findCycle(
  log: Log,
  start: number,
  count: number,
  cycle: number,
): Promise<number | undefined> {
  for (let done = 0; done < count; done += SCAN_STEP) {
    const step = Math.min(SCAN_STEP, count - done);
    const bytes = await readBlocks(log, start + done, step);
    for (let i = 0; i < step; i++) if (cycleOf(bytes, i) === cycle) return start + done + i;
  }
  return undefined;
}

/** `head`, or the start of the record that should have ended there and does not. */
async function wholeRecordsUpTo(log: Log, head: number): Promise<number> {
  const newest = await recordBefore(log, head, Math.min(log.maxRecord, log.length));
  return afterRecord(log, newest) === head ? head : newest.block;
}

async function recordBefore(log: Log, head: number, limit: number): Promise<RecordHeader> {
  const [block] = await headersBefore(log, head, { count: 1, limit });
  if (block !== undefined) return readHeader(log, block);
  throw corrupt(logWhere(log, head), `no record in the ${limit} blocks before`, "a record");
}

/** Where the last `count` records before `head` begin, newest first, as far as the `limit` blocks before it go. */
export async function headersBefore(
  log: Log,
  head: number,
  { count, limit }: { count: number; limit: number },
): Promise<number[]> {
  const found: number[] = [];
  for (let done = 0; done < limit && found.length < count;) {
    const step = Math.min(SEEK_STEP, limit - done);
    const start = distance(log, done + step, head);
    const bytes = await readBlocks(log, start, step);
    for (let i = bytes.length / BASIC_BLOCK - 1; i >= 0 && found.length < count; i--) {
      if (isHeader(bytes, i)) found.push(advance(log, start, i));
    }
    done += step;
  }
  return found;
}
