/**
 * Operations and transactions. A record is a row of operations, each a piece of a transaction; transactions go over
 * several records and overlap. One is a row of items, one is a row of regions: its format first, then what was changed.
 *
 * Source: Linux fs/xfs/libxfs/xfs_log_format.h `struct xlog_op_header`, `xfs_trans_header`, fs/xfs/xfs_log_recover.c
 * (`xlog_recover_process_data`, `xlog_recover_add_to_trans`). What the regions hold is in the byte order of the guest's
 * processor: little endian, as `record.ts` makes sure.
 */
import { corrupt } from "../../../../base/failure.ts";
import type { Where } from "../../../../base/where.ts";
import { u16le, u32be, u32le, u8 } from "../../../../bytes/fields.ts";
import { struct } from "../../../../bytes/struct.ts";
import type { LogRecord } from "./record.ts";
import { RegionStore } from "./region-store.ts";
import type { LogItem } from "./region-store.ts";
import type { ReplayMemory } from "./replay-memory.ts";
import { logWhere } from "./ring.ts";
import type { Log } from "./ring.ts";

/** Before every operation's bytes. */
export const xlogOpHeader = struct("xlog_op_header", 12, {
  oh_tid: [0, u32be],
  oh_len: [4, u32be],
  oh_clientid: [8, u8],
  oh_flags: [9, u8],
});

/** The first region of a transaction. */
export const xfsTransHeader = struct("xfs_trans_header", 16, { th_magic: [0, u32le] });

/** What the format of every item begins with. */
export const xfsLogItem = struct("xfs log item format", 4, {
  type: [0, u16le],
  /** Its regions, this one included. */
  size: [2, u16le],
});

/** `TRAN` */
const XFS_TRANS_HEADER_MAGIC = 0x5452414e;
const CLIENTS = [0x69, 0xaa];
const OP = { start: 0x1, commit: 0x2, continues: 0x4, continued: 0x8, end: 0x10, unmount: 0x20 };
/** `XLOG_MAX_REGIONS_IN_ITEM` */
const MAX_REGIONS = 257;
/** What a transaction costs before it has any items. */
const OPEN_COST = 500;
/** A transaction that was committed, all of it. */
export type Transaction = {
  /** Where in the log it begins. */
  readonly lsn: bigint;
  /** From the first on, as often as it is called; only until the next transaction is asked for. */
  readonly items: () => Iterable<LogItem>;
  /** The record that holds its end. */
  readonly where: Where;
};

type OpenTransaction = {
  readonly lsn: bigint;
  /** Bytes of the transaction's header so far; all of it comes before the first item. */
  headerBytes: number;
  readonly store: RegionStore;
  /** Regions that the last item says it has. */
  total: number;
};

type Operation = {
  readonly id: number;
  readonly flags: number;
  readonly bytes: Uint8Array;
  readonly where: Where;
};

/** Puts transactions together. Records must be given in their order. */
export class TransactionReader {
  readonly #log: Log;
  readonly #memory: ReplayMemory;
  readonly #formatsOnly: boolean;
  readonly #open = new Map<number, OpenTransaction>();

  /** `formatsOnly` leaves the regions after the first one empty, for those who look at items only. */
  constructor(
    log: Log,
    memory: ReplayMemory,
    { formatsOnly = false }: { formatsOnly?: boolean } = {},
  ) {
    this.#log = log;
    this.#memory = memory;
    this.#formatsOnly = formatsOnly;
  }

  /** The transactions that are complete with this record. Each is there until the next one is asked for. */
  *committed(record: LogRecord): Generator<Transaction> {
    const where = logWhere(this.#log, record.block);
    const { data } = record;
    let at = 0;
    // Every operation has a header, so that every turn moves on.
    for (let i = 0; i < record.count && at < data.length; i++) {
      const op = xlogOpHeader.read(data, at, where);
      const start = at + xlogOpHeader.size;
      if (!CLIENTS.includes(op.oh_clientid) || start + op.oh_len > data.length) {
        const found = `an operation of ${op.oh_len} bytes by client ${op.oh_clientid}`;
        throw corrupt(where, found, "a transaction's, inside the record");
      }
      at = start + op.oh_len;
      const bytes = data.subarray(start, at);
      const operation = { id: op.oh_tid, flags: op.oh_flags & ~OP.end, bytes, where };
      const done = this.#take(operation, record.lsn);
      if (!done) continue;
      assertWhole(done, where);
      yield { lsn: done.lsn, items: () => done.store.items(), where };
      done.store.release();
    }
  }

  /** The transaction that this operation commits, if it does. */
  #take({ id, flags, bytes, where }: Operation, lsn: bigint): OpenTransaction | undefined {
    const open = this.#open.get(id);
    if (!open) {
      // One that began before the tail is not needed.
      if (flags & OP.start) {
        this.#memory.take(OPEN_COST, where);
        const store = new RegionStore(this.#memory);
        this.#open.set(id, { lsn, headerBytes: 0, store, total: 0 });
      }
      return undefined;
    }
    if (flags & OP.continued) this.#continueRegion(open, bytes, where);
    else if (flags === 0 || flags === OP.continues) this.#addRegion(open, bytes, where);
    else if (flags === OP.commit || flags === OP.unmount) {
      this.#open.delete(id);
      this.#memory.give(OPEN_COST);
      if (flags === OP.commit) return open;
      open.store.release();
    } else throw corrupt(where, `operation flags 0x${flags.toString(16)}`, "known ones");
    return undefined;
  }

  #addRegion(open: OpenTransaction, bytes: Uint8Array, where: Where): void {
    if (bytes.length === 0) return;
    if (open.headerBytes < xfsTransHeader.size) {
      takeHeader(open, bytes, where);
      return;
    }
    const { store } = open;
    if (store.regionsOfLast < open.total) {
      store.addRegion(this.#formatsOnly ? bytes.subarray(0, 0) : bytes, where);
      return;
    }
    const { type, size: total } = xfsLogItem.read(bytes, 0, where);
    if (total === 0 || total > MAX_REGIONS) {
      throw corrupt(where, `an item of ${total} regions`, `1 to ${MAX_REGIONS}`);
    }
    store.beginItem(type, where);
    store.addRegion(bytes, where);
    open.total = total;
  }

  #continueRegion(open: OpenTransaction, bytes: Uint8Array, where: Where): void {
    const { store } = open;
    if (store.isEmpty) {
      open.headerBytes = Math.min(open.headerBytes + bytes.length, xfsTransHeader.size);
      return;
    }
    if (this.#formatsOnly && store.regionsOfLast > 1) return;
    store.continueRegion(bytes, where);
  }
}

function takeHeader(open: OpenTransaction, bytes: Uint8Array, where: Where): void {
  const magic = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4 || magic.getUint32(0, true) !== XFS_TRANS_HEADER_MAGIC) {
    throw corrupt(where, "a transaction without its header", "`TRAN`");
  }
  open.headerBytes = Math.min(bytes.length, xfsTransHeader.size);
}

function assertWhole({ store, total }: OpenTransaction, where: Where): void {
  if (store.isEmpty || store.regionsOfLast === total) return;
  throw corrupt(where, `${store.regionsOfLast} regions of an item`, `${total}`);
}
