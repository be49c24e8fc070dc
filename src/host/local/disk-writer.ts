/**
 * Writes to an open disk from a thread of their own: what a run writes is mostly blocks of 4 KiB, and each costs the better part
 * of its time on the way to a thread and back. So they are gathered in memory that both threads see, and handed over many at a
 * time (docs/design/sync-engine.md, "The local device").
 */
import { Worker } from "node:worker_threads";
import { ioFailure } from "../../base/failure.ts";
import { KIB, MIB } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";
import { errnoOf } from "./errno.ts";

const TRAY_BYTES = MIB;
/** Room before the first piece: see `skewTo`. */
const SKEW_BYTES = 8;
const STRIDE_BYTES = TRAY_BYTES + SKEW_BYTES;
/** Filled and on their way: 4 segments at a time are written, and what comes next is gathered meanwhile. */
const TRAYS = 6;
/** A bound on what one message has, for writes that are very short. */
const MAX_PIECES = 4 * KIB;

/** Where it lies in the tray (-1: zeroes), how long it is, where it goes. */
type Piece = [at: number, length: number, offset: number];
type Order = { readonly tray: number; readonly pieces: readonly Piece[] };
type Done = {
  readonly errno?: string;
  readonly length?: number;
  readonly offset?: number;
};

type Tray = {
  readonly index: number;
  readonly bytes: Uint8Array;
  used: number;
  pieces: Piece[];
  /** The range of the disk that its pieces lie in. */
  from: number;
  to: number;
};

export type WriterOptions = {
  /** Open for writing, and not closed before the writer is. */
  readonly fd: number;
  readonly where: Where;
};

export class DiskWriter {
  readonly #fd: number;
  readonly #where: Where;
  readonly #memory = new SharedArrayBuffer(TRAYS * STRIDE_BYTES);
  readonly #free: Tray[];
  /** Started by the first write: a disk that is equal needs none. */
  #worker: Worker | undefined;
  /** Handed over and not done, in order. */
  readonly #busy: Tray[] = [];
  readonly #waiters: (() => void)[] = [];
  #filling: Tray | undefined;
  /** Trays so far; those that are handed over are done in the same order. */
  #sent = 0;
  #done = 0;
  #failure: unknown;

  constructor({ fd, where }: WriterOptions) {
    this.#fd = fd;
    this.#where = where;
    this.#free = Array.from({ length: TRAYS }, (_, index) => ({
      index,
      bytes: new Uint8Array(this.#memory, index * STRIDE_BYTES, STRIDE_BYTES),
      used: 0,
      pieces: [],
      from: Infinity,
      to: 0,
    }));
  }

  /**
   * Takes the bytes, which are the caller's again when it resolves; they may not be written by then. That they could not be, every
   * later call says, and `settled` first of all.
   */
  async write(offset: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const tray = this.#room();
      if (!tray) {
        await this.#change();
        continue;
      }
      if (tray.used === 0) skewTo(tray, bytes.byteOffset + done);
      const length = Math.min(bytes.length - done, STRIDE_BYTES - tray.used);
      tray.bytes.set(bytes.subarray(done, done + length), tray.used);
      const last = tray.pieces.at(-1);
      if (last && last[0] + last[1] === tray.used && last[2] + last[1] === offset + done)
        last[1] += length;
      else tray.pieces.push([tray.used, length, offset + done]);
      tray.used += length;
      widen(tray, offset + done, length);
      done += length;
    }
  }

  /** Writes zeroes, in the order of the other writes. */
  async zero(offset: number, length: number): Promise<void> {
    let tray = this.#room();
    for (; !tray; tray = this.#room()) await this.#change();
    tray.pieces.push([-1, length, offset]);
    widen(tray, offset, length);
  }

  /** Whether something may be on its way to that range. */
  isPending(offset: number, length: number): boolean {
    const touches = ({ from, to }: Tray) => from < offset + length && offset < to;
    return (this.#filling !== undefined && touches(this.#filling)) || this.#busy.some(touches);
  }

  /** Everything that was taken is written, as far as the kernel is concerned. */
  async settled(): Promise<void> {
    this.#send();
    const upTo = this.#sent;
    while (this.#failure === undefined && this.#done < upTo) await this.#change();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Nothing is written any more when it resolves. */
  async close(): Promise<void> {
    this.#send();
    while (this.#failure === undefined && this.#done < this.#sent) await this.#change();
    this.#failure ??= ioFailure(this.#where, "write", "it has been closed");
    await this.#worker?.terminate();
  }

  /**
   * A tray that has room for something; undefined when one has to be waited for. What is put into it has to be put there at
   * once: after a wait, however short, somebody else may have filled it or sent it away.
   */
  #room(): Tray | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    const filling = this.#filling;
    if (filling && filling.used < STRIDE_BYTES && filling.pieces.length < MAX_PIECES)
      return filling;
    this.#send();
    const tray = this.#free.pop();
    if (!tray) return undefined;
    this.#filling = tray;
    // Somebody may only write, and never ask whether it is done.
    setImmediate(() => this.#filling === tray && this.#send());
    return tray;
  }

  #send(): void {
    const tray = this.#filling;
    if (!tray) return;
    this.#filling = undefined;
    this.#busy.push(tray);
    this.#sent += 1;
    this.#worker ??= this.#start();
    this.#worker.postMessage({ tray: tray.index, pieces: tray.pieces } satisfies Order);
  }

  #start(): Worker {
    const where = this.#where;
    // As text: the single executable has no second script to start.
    const worker = new Worker(`(${writeWorker.toString()})()`, {
      eval: true,
      workerData: { fd: this.#fd, memory: this.#memory, trayBytes: STRIDE_BYTES },
    });
    worker.on("message", (done: Done) => this.#take(done));
    worker.on("error", (error) => this.#fail(ioFailure(where, "write", errnoOf(error))));
    worker.on("exit", () => this.#fail(ioFailure(where, "write", "the writing thread has ended")));
    return worker;
  }

  #take({ errno, length, offset }: Done): void {
    const tray = this.#busy.shift()!;
    this.#done += 1;
    Object.assign(tray, { used: 0, pieces: [], from: Infinity, to: 0 } satisfies Partial<Tray>);
    this.#free.push(tray);
    if (errno === undefined) this.#changed();
    else this.#fail(ioFailure(this.#where, `write ${length} bytes at byte ${offset}`, errno));
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#changed();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #changed(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

/**
 * V8 copies into shared memory word by word when both places lie the same in their words, else byte by byte: 30 us for a MiB, or
 * 230 (measured). The blocks of a patch lie 4 bytes off.
 */
function skewTo(tray: Tray, place: number): void {
  tray.used = place % SKEW_BYTES;
}

function widen(tray: Tray, offset: number, length: number): void {
  tray.from = Math.min(tray.from, offset);
  tray.to = Math.max(tray.to, offset + length);
}

/** Runs in the thread, from its text: it may use nothing from outside. */
function writeWorker(): void {
  const { parentPort, workerData } = process.getBuiltinModule("node:worker_threads");
  const { writeSync } = process.getBuiltinModule("node:fs");
  type Data = { fd: number; memory: SharedArrayBuffer; trayBytes: number };
  const { fd, memory, trayBytes } = workerData as Data;
  const zeroes = new Uint8Array(1_048_576);
  let failed = false;

  const write = (bytes: Uint8Array, offset: number) => {
    for (let done = 0; done < bytes.length;) {
      const written = writeSync(fd, bytes, done, bytes.length - done, offset + done);
      if (written === 0) throw Object.assign(new Error(), { code: "nothing was written" });
      done += written;
    }
  };

  parentPort!.on("message", ({ tray, pieces }: Order) => {
    const bytes = new Uint8Array(memory, tray * trayBytes, trayBytes);
    // After a failure nothing is written any more: nobody could say what.
    for (const [at, length, offset] of failed ? [] : pieces) {
      try {
        if (at >= 0) write(bytes.subarray(at, at + length), offset);
        else
          for (let done = 0; done < length; done += zeroes.length)
            write(zeroes.subarray(0, Math.min(zeroes.length, length - done)), offset + done);
      } catch (error) {
        failed = true;
        const errno = (error as NodeJS.ErrnoException).code ?? String(error);
        parentPort!.postMessage({ errno, length, offset } satisfies Done);
        return;
      }
    }
    parentPort!.postMessage({} satisfies Done);
  });
}
