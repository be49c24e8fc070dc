/**
 * Operations and transactions. A record is a row of operations, each a piece of a transaction; transactions go over
 * several records and overlap. One is a row of items, one is a row of regions: its format first, then what was changed.
 *
 * Source: Linux fs/xfs/libxfs/xfs_log_format.h `struct xlog_op_header`, `xfs_trans_header`, fs/xfs/xfs_log_recover.c
 * (`xlog_recover_process_data`, `xlog_recover_add_to_trans`). What the regions hold is in the byte order of the guest's
 * processor: little endian, as `record.ts` makes sure.
 */
import { corrupt, overLimit } from "../../../../base/failure.ts";
import type { Where } from "../../../../base/where.ts";
import { MIB } from "../../../../base/units.ts";
import { u16le, u32be, u32le, u8 } from "../../../../bytes/fields.ts";
import { struct } from "../../../../bytes/struct.ts";
import type { LogRecord } from "./record.ts";
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
/** Of all transactions that are open at once: two of the largest that the kernel makes (XLOG_CIL_BLOCKING_SPACE_LIMIT). */
const MAX_OPEN_BYTES = 128 * MIB;
/** What a region costs beyond its bytes, so that very many small ones are bounded, too. */
const REGION_COST = 64;

/** One change: its type and size are in the first region, which is never shorter than 4 bytes. */
export type LogItem = { readonly type: number; readonly regions: readonly Uint8Array[] };

/** A transaction that was committed, all of it. */
export type Transaction = {
  /** Where in the log it begins. */
  readonly lsn: bigint;
  readonly items: readonly LogItem[];
  /** The record that holds its end. */
  readonly where: Where;
};

type OpenItem = { readonly type: number; readonly total: number; regions: Uint8Array[] };

type OpenTransaction = {
  readonly lsn: bigint;
  /** Bytes of the transaction's header so far; all of it comes before the first item. */
  headerBytes: number;
  readonly items: OpenItem[];
  cost: number;
};

type Operation = {
  readonly id: number;
  readonly flags: number;
  readonly bytes: Uint8Array;
  readonly where: Where;
};

const NOTHING = new Uint8Array(0);

/** Puts transactions together. Records must be given in their order. */
export class TransactionReader {
  readonly #log: Log;
  readonly #formatsOnly: boolean;
  readonly #open = new Map<number, OpenTransaction>();
  #openBytes = 0;

  /** `formatsOnly` leaves the regions after the first one empty, for those who look at items only. */
  constructor(log: Log, { formatsOnly = false }: { formatsOnly?: boolean } = {}) {
    this.#log = log;
    this.#formatsOnly = formatsOnly;
  }

  /** The transactions that are complete with this record. */
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
      if (done) yield { lsn: done.lsn, items: this.#whole(done, where), where };
    }
  }

  /** The transaction that this operation commits, if it does. */
  #take({ id, flags, bytes, where }: Operation, lsn: bigint): OpenTransaction | undefined {
    const open = this.#open.get(id);
    if (!open) {
      // One that began before the tail is not needed.
      if (flags & OP.start) {
        this.#open.set(id, { lsn, headerBytes: 0, items: [], cost: 0 });
        this.#spend(undefined, 0, where);
      }
      return undefined;
    }
    if (flags & OP.continued) this.#continueRegion(open, bytes, where);
    else if (flags === 0 || flags === OP.continues) this.#addRegion(open, bytes, where);
    else if (flags === OP.commit || flags === OP.unmount) {
      this.#open.delete(id);
      this.#openBytes -= open.cost;
      return flags === OP.commit ? open : undefined;
    } else throw corrupt(where, `operation flags 0x${flags.toString(16)}`, "known ones");
    return undefined;
  }

  #addRegion(open: OpenTransaction, bytes: Uint8Array, where: Where): void {
    if (bytes.length === 0) return;
    if (open.headerBytes < xfsTransHeader.size) {
      this.#takeHeader(open, bytes, where);
      return;
    }
    const last = open.items.at(-1);
    if (last && last.regions.length < last.total) {
      const kept = this.#formatsOnly ? NOTHING : Uint8Array.from(bytes);
      this.#spend(open, kept.length, where);
      last.regions.push(kept);
      return;
    }
    const region = Uint8Array.from(bytes);
    this.#spend(open, region.length, where);
    const { type, size: total } = xfsLogItem.read(region, 0, where);
    if (total === 0 || total > MAX_REGIONS) {
      throw corrupt(where, `an item of ${total} regions`, `1 to ${MAX_REGIONS}`);
    }
    open.items.push({ type, total, regions: [region] });
  }

  #continueRegion(open: OpenTransaction, bytes: Uint8Array, where: Where): void {
    const last = open.items.at(-1);
    if (!last) {
      open.headerBytes = Math.min(open.headerBytes + bytes.length, xfsTransHeader.size);
      return;
    }
    if (this.#formatsOnly && last.regions.length > 1) return;
    this.#spend(open, bytes.length, where);
    const before = last.regions.pop()!;
    const joined = new Uint8Array(before.length + bytes.length);
    joined.set(before);
    joined.set(bytes, before.length);
    last.regions.push(joined);
  }

  #takeHeader(open: OpenTransaction, bytes: Uint8Array, where: Where): void {
    const magic = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < 4 || magic.getUint32(0, true) !== XFS_TRANS_HEADER_MAGIC) {
      throw corrupt(where, "a transaction without its header", "`TRAN`");
    }
    open.headerBytes = Math.min(bytes.length, xfsTransHeader.size);
  }

  #spend(open: OpenTransaction | undefined, length: number, where: Where): void {
    const cost = length + REGION_COST;
    if (open) open.cost += cost;
    this.#openBytes += open ? cost : 0;
    const all = this.#openBytes + this.#open.size * REGION_COST;
    if (all > MAX_OPEN_BYTES) throw overLimit(where, "the size of transactions", "128 MiB");
  }

  #whole({ items }: OpenTransaction, where: Where): LogItem[] {
    const last = items.at(-1);
    if (!last || last.regions.length === last.total) return items;
    throw corrupt(where, `${last.regions.length} regions of an item`, `${last.total}`);
  }
}
