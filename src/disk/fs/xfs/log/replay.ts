/**
 * Replays a dirty log in memory: nothing is written, the filesystem is read with the replayed blocks over it.
 *
 * Source: Linux fs/xfs/xfs_log_recover.c. Two passes, as there: the first finds the buffers that were freed, the second
 * replays. Then the kernel finishes what was begun and not ended ("intents"): freed extents, reverse mappings and reference
 * counts do not matter for reading, changes of a file's map do, and are reported. Unlinked files that were still open
 * keep their blocks here.
 */
import { attempt, corrupt, FailureError, unsupported } from "../../../../base/failure.ts";
import type { Where } from "../../../../base/where.ts";
import { within } from "../../../../base/where.ts";
import { hex } from "../../../../base/units.ts";
import { u64leRaw } from "../../../../bytes/fields.ts";
import { struct } from "../../../../bytes/struct.ts";
import { unknownLogFeatures } from "../features.ts";
import { readSuperblock } from "../superblock.ts";
import type { Superblock } from "../superblock.ts";
import { inodeOffset } from "../volume.ts";
import type { XfsVolume } from "../volume.ts";
import { bufferChanges, bufferKey, isNewer, parseBufferItem } from "./buffer-item.ts";
import type { BufferItem } from "./buffer-item.ts";
import { endsBefore, findEnds, headersBefore } from "./head.ts";
import type { LogEnds } from "./head.ts";
import { parseInodeCreateItem } from "./inode-create-item.ts";
import { parseInodeItem, replayInode } from "./inode-item.ts";
import { overlayOver } from "./overlay.ts";
import type { Overlay } from "./overlay.ts";
import { afterRecord, readRecord, recordBuffer } from "./record.ts";
import type { LogRecord } from "./record.ts";
import type { LogItem } from "./region-store.ts";
import { ENTRY_COST, ReplayMemory } from "./replay-memory.ts";
import { BASIC_BLOCK, distance, MAX_RECORDS_IN_FLIGHT, openLog } from "./ring.ts";
import type { Log } from "./ring.ts";
import { TransactionReader } from "./transaction.ts";
import type { Transaction } from "./transaction.ts";

/** XFS_LI_* */
const LI = { inode: 0x123b, buffer: 0x123c, inodeCreate: 0x123f };
/** Intents to change a file's map, by the type of the item that says it is done. */
const MAP_INTENTS: ReadonlyMap<number, number> = new Map([
  [0x1245, 0x1244], // BUD, BUI
  [0x1249, 0x1248], // XMD, XMI
]);
/** What does not matter for reading: freed extents, quotas, reverse mappings, reference counts, attributes. */
const IGNORED: ReadonlySet<number> = new Set([
  0x1236, 0x1237, 0x123d, 0x123e, 0x1240, 0x1241, 0x1242, 0x1243, 0x1246, 0x1247, 0x124a, 0x124b,
  0x124c, 0x124d, 0x124e, 0x124f,
]);

/** The formats of intents and of what ends them, as far as they are alike. */
export const xfsIntent = struct("xfs log intent", 16, { id: [8, u64leRaw] });

/** The outcome of a replay. */
export type Replay = {
  readonly overlay: Overlay;
  readonly transactions: number;
  /** As `XfsVolume` has it. */
  readonly ownerChanged: ReadonlySet<number>;
  /** Changes of files' maps that were begun and not ended. */
  readonly unfinished: number;
};

/** Replays the log inside the filesystem, `undefined` when it is clean. `volume` is the filesystem before that. */
export async function replayLog(
  volume: XfsVolume,
  signal?: AbortSignal,
): Promise<Replay | undefined> {
  const log = openLog(volume);
  const ends = await intactEnds(log, await findEnds(log), signal);
  if (ends.clean) return undefined;
  const unknown = unknownLogFeatures(volume.superblock);
  if (unknown.length > 0) throw unsupported(log.source.where, unknown.join(", "));
  const memory = new ReplayMemory();
  const cancelled = await findCancelled({ log, ends, memory }, signal);
  const replaying: Replaying = {
    superblock: volume.superblock,
    overlay: overlayOver(volume.source, memory),
    cancelled,
    ownerChanged: new Set(),
    unfinished: new Set(),
    memory,
  };
  let transactions = 0;
  const reader = new TransactionReader(log, memory);
  for await (const transaction of transactionsOf(reader, recordsOf(log, ends, signal))) {
    await replayTransaction(replaying, transaction);
    transactions += 1;
  }
  const { overlay, ownerChanged, unfinished } = replaying;
  return { overlay, transactions, ownerChanged, unfinished: unfinished.size };
}

/**
 * The ends of the log, without what a power cut left half written: among the last records, those that can have been on
 * their way to the disk at once, the first damaged one ends the log. Damage before them is `corrupt`.
 */
async function intactEnds(log: Log, ends: LogEnds, signal?: AbortSignal): Promise<LogEnds> {
  if (!log.checksums || ends.clean) return ends;
  const limit = distance(log, ends.tail, ends.head);
  const inFlight = await headersBefore(log, ends.head, { count: MAX_RECORDS_IN_FLIGHT, limit });
  // Oldest first.
  for (const block of inFlight.reverse()) {
    signal?.throwIfAborted();
    const record = await attempt(() => readRecord(log, block));
    if (record.ok) continue;
    if (record.failure.kind !== "corrupt") throw new FailureError(record.failure);
    return endsBefore(log, block);
  }
  return ends;
}

/** The records between the ends, oldest first. */
async function* recordsOf(
  log: Log,
  { head, tail }: LogEnds,
  signal?: AbortSignal,
): AsyncGenerator<LogRecord> {
  const buffer = recordBuffer();
  let block = tail;
  // Every record has a header, so that every turn moves on, and none may go beyond the head.
  for (let left = distance(log, tail, head); left > 0;) {
    signal?.throwIfAborted();
    const record = await readRecord(log, block, buffer);
    left -= record.headerBlocks + record.dataBlocks;
    if (left < 0) {
      const where = within(log.source.where, `log block ${block}`);
      throw corrupt(where, `${-left} blocks of a record after the end of the log`, "none");
    }
    yield record;
    block = afterRecord(log, record);
  }
}

async function* transactionsOf(
  reader: TransactionReader,
  records: AsyncIterable<LogRecord>,
): AsyncGenerator<Transaction> {
  for await (const record of records) yield* reader.committed(record);
}

/** How often each buffer was freed. */
type Cancelled = { readonly counts: Map<string, number>; readonly blocks: Map<number, number> };

type Reading = { readonly log: Log; readonly ends: LogEnds; readonly memory: ReplayMemory };

async function findCancelled(reading: Reading, signal?: AbortSignal): Promise<Cancelled> {
  const { log, ends, memory } = reading;
  const cancelled: Cancelled = { counts: new Map(), blocks: new Map() };
  const reader = new TransactionReader(log, memory, { formatsOnly: true });
  for await (const { items, where } of transactionsOf(reader, recordsOf(log, ends, signal))) {
    for (const item of items()) {
      if (item.type !== LI.buffer) continue;
      const buffer = parseBufferItem(item, where);
      if (!buffer.cancels) continue;
      memory.take(2 * ENTRY_COST, where);
      countCancelled(cancelled, buffer, 1);
    }
  }
  return cancelled;
}

function countCancelled({ counts, blocks }: Cancelled, buffer: BufferItem, step: 1 | -1): void {
  const key = bufferKey(buffer);
  const count = (counts.get(key) ?? 0) + step;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
  const atBlock = (blocks.get(buffer.block) ?? 0) + step;
  if (atBlock > 0) blocks.set(buffer.block, atBlock);
  else blocks.delete(buffer.block);
}

type Replaying = {
  /** As it is so far: a filesystem can have grown. */
  superblock: Superblock;
  readonly overlay: Overlay;
  /** What of it is still to come. */
  readonly cancelled: Cancelled;
  readonly ownerChanged: Set<number>;
  /** Intents by type and number. */
  readonly unfinished: Set<string>;
  readonly memory: ReplayMemory;
};

/** Buffers and fresh inodes come before inodes, which are changed in them; that buffers were freed comes last. */
async function replayTransaction(replaying: Replaying, transaction: Transaction): Promise<void> {
  const { items, where } = transaction;
  const freed: BufferItem[] = [];
  for (const item of items()) {
    if (item.type === LI.buffer) {
      const buffer = parseBufferItem(item, where);
      // Their number is bounded by what the first pass could take.
      if (buffer.cancels) freed.push(buffer);
      else await replayBuffer(replaying, { ...buffer, item }, transaction);
    } else if (item.type === LI.inodeCreate) await replayInodeCreate(replaying, item, where);
    else noteIntent(replaying, item, where);
  }
  for (const item of items()) {
    if (item.type === LI.inode) await replayInodeItem(replaying, item, transaction);
  }
  for (const buffer of freed) countCancelled(replaying.cancelled, buffer, -1);
}

async function replayBuffer(
  replaying: Replaying,
  buffer: BufferItem & { readonly item: LogItem },
  { lsn, where }: Transaction,
): Promise<void> {
  const { overlay, cancelled, superblock } = replaying;
  if (!buffer.wanted || cancelled.counts.has(bufferKey(buffer))) return;
  if ((buffer.block + buffer.length) * BASIC_BLOCK > overlay.source.size) {
    const found = `a change of ${buffer.length} basic blocks from ${buffer.block} on`;
    throw corrupt(where, found, "blocks of the device");
  }
  if (await isNewer(overlay.source, superblock, buffer, lsn)) return;
  for (const { at, bytes } of bufferChanges(buffer.item, where)) {
    await overlay.write(buffer.block * BASIC_BLOCK + at, bytes);
  }
  if (buffer.block === 0) {
    replaying.superblock = await readSuperblock(overlay.source, where, { replayed: true });
  }
}

async function replayInodeCreate(
  { superblock, overlay, cancelled }: Replaying,
  item: LogItem,
  where: Where,
): Promise<void> {
  const { offset, bytes } = parseInodeCreateItem(superblock, item, where);
  const first = offset / BASIC_BLOCK;
  // Inodes are freed in buffers of several blocks; the whole run or nothing.
  for (let i = 0; i < bytes.length / BASIC_BLOCK; i++) {
    if (cancelled.blocks.has(first + i)) return;
  }
  await overlay.write(offset, bytes);
}

async function replayInodeItem(
  { superblock, overlay, cancelled, ownerChanged, memory }: Replaying,
  item: LogItem,
  { lsn, where }: Transaction,
): Promise<void> {
  const inode = parseInodeItem(item, where);
  if (cancelled.counts.has(bufferKey(inode.buffer))) return;
  const offset = inodeOffset(superblock, inode.number);
  if (offset === undefined) {
    throw corrupt(where, `an item of inode ${inode.number}`, "the number of an inode");
  }
  if (inode.changesOwner && !ownerChanged.has(inode.number)) {
    memory.take(ENTRY_COST, where);
    ownerChanged.add(inode.number);
  }
  const disk = await overlay.source.read(offset, superblock.inodeSizeBytes);
  const replayed = replayInode(superblock, inode, disk, { lsn, where });
  if (replayed) await overlay.write(offset, replayed);
}

function noteIntent(
  { unfinished, memory }: Replaying,
  { type, regions }: LogItem,
  where: Where,
): void {
  if (type === LI.inode || IGNORED.has(type)) return;
  const intent = MAP_INTENTS.get(type) ?? type;
  if (!MAP_INTENTS.has(type) && ![...MAP_INTENTS.values()].includes(type)) {
    throw unsupported(where, `log item ${hex(type)}`);
  }
  const key = `${intent} ${xfsIntent.read(regions[0]!, 0, where).id}`;
  if (intent !== type) {
    if (unfinished.delete(key)) memory.give(ENTRY_COST);
  } else if (!unfinished.has(key)) {
    memory.take(ENTRY_COST, where);
    unfinished.add(key);
  }
}
