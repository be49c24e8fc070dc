/** Things that go wrong with a device or a record at a counted call, in the process that has it. */
import { ioFailure } from "../../src/base/failure.ts";
import type { CopyRecord, SyncSource, SyncTarget } from "../../src/sync/device.ts";
import type { Fault, FaultPoint } from "./cases.ts";

const PAGE_BYTES = 4096;

/** Counts calls, and does what is to be done at one of them. */
export class FaultClock {
  readonly #fault: Fault | undefined;
  readonly #tell: (event: string) => void;
  readonly #counts = new Map<FaultPoint, number>();

  /** `tell`: to whoever can do something to other processes. */
  constructor(fault: Fault | undefined, tell: (event: string) => void) {
    this.#fault = fault;
    this.#tell = tell;
  }

  /** Whether this call is the one. */
  due(point: FaultPoint, calls = 1): boolean {
    const before = this.#counts.get(point) ?? 0;
    this.#counts.set(point, before + calls);
    const [wanted, at] = (this.#fault?.at ?? " ").split(" ");
    return wanted === point && before < Number(at) && Number(at) <= before + calls;
  }

  async strike(lose: () => Promise<void> = async () => {}): Promise<void> {
    const does = this.#fault!.does;
    switch (does) {
      case "power":
        await lose();
        return die();
      case "kill":
      case "half":
        return die();
      case "fail":
      case "full":
        return this.fail();
      case "stop":
      case "pause":
      case "cut-up":
      case "cut-down":
      case "stall":
        this.#tell(does);
        // What is done to other processes is done when it is done; a side that is to stop does it itself.
        if (does === "stop" || does === "pause") process.kill(process.pid, "SIGSTOP");
    }
  }

  /** Throws what the system would say, if that is the fault. */
  fail(): void {
    const errno = { fail: "EIO", full: "ENOSPC" }[this.#fault!.does as "fail"];
    if (errno) throw ioFailure(["torture"], "do it", errno);
  }

  get halves(): boolean {
    return this.#fault?.does === "half";
  }

  get losesPower(): boolean {
    return this.#fault?.does === "power";
  }
}

function die(): Promise<never> {
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => {});
}

export function faultySource(source: SyncSource, clock: FaultClock): SyncSource {
  return {
    size: source.size,
    where: source.where,
    ...(source.readsAsZero && {
      readsAsZero: (offset: number, length: number) => source.readsAsZero!(offset, length),
    }),
    async read(offset, length, signal, into) {
      if (clock.due("read")) await clock.strike();
      return source.read(offset, length, signal, into);
    },
    ...(source.openTagger && {
      openTagger(key: Uint8Array) {
        const tagger = source.openTagger!(key);
        return {
          async tags(segments: Parameters<typeof tagger.tags>[0]) {
            if (clock.due("tags")) await clock.strike();
            return tagger.tags(segments);
          },
          close: () => tagger.close(),
        };
      },
    }),
  };
}

/** What is at the place of pages that were written and not flushed. */
class Unflushed {
  readonly #device: SyncTarget;
  readonly #pages = new Map<number, Uint8Array>();

  constructor(device: SyncTarget) {
    this.#device = device;
  }

  async keep(offset: number, length: number): Promise<void> {
    const first = Math.floor(offset / PAGE_BYTES);
    for (let page = first; page * PAGE_BYTES < offset + length; page++) {
      if (this.#pages.has(page)) continue;
      const at = page * PAGE_BYTES;
      const bytes = await this.#device.read(at, Math.min(PAGE_BYTES, this.#device.size - at));
      this.#pages.set(page, Uint8Array.from(bytes));
    }
  }

  flushed(): void {
    this.#pages.clear();
  }

  /** Every other page or so did not reach the disk. */
  async lose(): Promise<void> {
    for (const [page, bytes] of this.#pages)
      if ((page * 2654435761) % 3 !== 0) await this.#device.write(page * PAGE_BYTES, bytes);
    await this.#device.flush();
  }
}

export function faultyTarget<T extends SyncTarget>(
  target: T,
  clock: FaultClock,
): T & { lose(): Promise<void> } {
  const unflushed = new Unflushed(target);
  const changing = async (offset: number, length: number) => {
    if (clock.losesPower) await unflushed.keep(offset, length);
  };
  const faulty: SyncTarget = {
    ...faultySource(target, clock),
    async write(offset, bytes) {
      await changing(offset, bytes.length);
      if (clock.due("write")) {
        const half = bytes.subarray(0, bytes.length >>> 1);
        if (clock.halves && half.length > 0) {
          await target.write(offset, half);
          await target.read(offset, half.length);
        }
        await clock.strike(() => unflushed.lose());
      }
      await target.write(offset, bytes);
    },
    async zero(offset, length) {
      await changing(offset, length);
      if (clock.due("zero")) await clock.strike(() => unflushed.lose());
      await target.zero(offset, length);
    },
    async flush() {
      if (clock.due("flush")) await clock.strike(() => unflushed.lose());
      await target.flush();
      unflushed.flushed();
    },
  };
  return { ...target, ...faulty, lose: () => unflushed.lose() };
}

export function faultyRecord(
  record: CopyRecord,
  clock: FaultClock,
  lose: () => Promise<void>,
): CopyRecord {
  return {
    knownTag: (segment) => record.knownTag?.(segment),
    async begin(run) {
      if (clock.due("begin")) await clock.strike(lose);
      await record.begin(run);
      if (clock.due("begun")) await clock.strike(lose);
    },
    verified(segments) {
      record.verified?.(segments);
      if (!clock.due("verified", segments.length)) return;
      clock.fail();
      void clock.strike(lose);
    },
    async finish(digest) {
      if (clock.due("finish")) await clock.strike(lose);
      await record.finish(digest);
      if (clock.due("finished")) await clock.strike(lose);
    },
  };
}
