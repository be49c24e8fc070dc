/** Stdin as the source of a copy, stdout as its destination: pipes, which go one way and only once. */
import { createWriteStream, fstatSync } from "node:fs";
import { Socket } from "node:net";
import { randomBytes } from "node:crypto";
import type { Readable, Writable } from "node:stream";
import { corrupt, ioFailure, misuse } from "../../base/failure.ts";
import { assertInside } from "../../base/range.ts";
import { MIB, sizeText } from "../../base/units.ts";
import type { GivenSource, GivenTarget } from "../../guest/sync/given-end.ts";
import { errnoOf } from "../../host/local/errno.ts";
import type { SyncCounters } from "../../sync/counters.ts";
import type { CopyRecord, SyncSource, SyncTarget, VerifiedSegment } from "../../sync/device.ts";

const SEGMENT_BYTES = MIB;
/**
 * How far a pipe is read ahead of what the other side has verified. The engine says every 64 segments how far it is, so less
 * than twice that could wait for itself.
 */
const WINDOW_SEGMENTS = 136;
const POLL_MS = 10;
/** Written to stdout and not taken by who reads it. */
const MAX_WAITING_BYTES = 32 * MIB;
const STDIN = ["stdin"];
const STDOUT = ["stdout"];
const ENDED = "the copy has ended";

/** `sizeBytes` as a person says; else the size of the destination, which then has to be there. */
export function pipeSource(input: Readable, sizeBytes: number | undefined): GivenSource {
  let window: PipeWindow | undefined;
  return {
    role: "source",
    identity: randomBytes(32),
    open(destinationBytes) {
      const size = sizeBytes ?? destinationBytes;
      if (size === 0)
        throw misuse(
          "Nobody knows how long stdin is.",
          "Say it with --size, such as --size 8G, or name a destination that is there: a pipe fills all of it.",
        );
      window = new PipeWindow(input, size);
      return window;
    },
    begin: (counters) => window!.begin(counters),
    stop: () => window?.stop(),
  };
}

class PipeWindow implements SyncSource {
  readonly size: number;
  readonly where = STDIN;
  readonly #input: Readable;
  readonly #chunks: AsyncIterator<Buffer>;
  /** Segments that may be asked for again. One of zeroes is not kept. */
  readonly #segments = new Map<number, Uint8Array | undefined>();
  #counters: Readonly<SyncCounters> | undefined;
  #rest: Uint8Array = new Uint8Array(0);
  #nextSegment = 0;
  #filling: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(input: Readable, size: number) {
    this.size = size;
    this.#input = input;
    this.#chunks = input[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  begin(counters: Readonly<SyncCounters>): void {
    this.#counters = counters;
  }

  /** What writes into the pipe may be silent for hours: nobody waits for it any more. */
  stop(): void {
    this.#stopped = true;
    this.#input.destroy();
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    assertInside(STDIN, this.size, { offset, length });
    const out = new Uint8Array(length);
    for (let at = offset; at < offset + length;) {
      const segment = Math.floor(at / SEGMENT_BYTES);
      const inside = at - segment * SEGMENT_BYTES;
      const count = Math.min(offset + length - at, SEGMENT_BYTES - inside);
      await this.#until(segment);
      if (!this.#segments.has(segment))
        throw ioFailure(STDIN, `read at byte ${at} again`, "ESPIPE");
      const bytes = this.#segments.get(segment);
      if (bytes) out.set(bytes.subarray(inside, inside + count), at - offset);
      at += count;
    }
    return out;
  }

  /** More than was said is not copied, and that must not go unnoticed. */
  async confirm(): Promise<void> {
    if (this.#rest.length === 0) {
      const next = await this.#chunks.next();
      if (next.done) return;
    }
    throw misuse(
      `stdin is longer than the ${sizeText(this.size)} (${this.size} bytes) that --size or the destination says.`,
      "Give the right --size, or a destination of that size: what lies behind was not copied.",
    );
  }

  /** Reads as far as that segment, one reader at a time. */
  #until(segment: number): Promise<void> {
    if (segment < this.#nextSegment) return Promise.resolve();
    const filling = this.#filling.then(async () => {
      while (this.#nextSegment <= segment) await this.#fill();
    });
    this.#filling = filling.catch(() => {});
    return filling;
  }

  async #fill(): Promise<void> {
    await this.#room();
    const start = this.#nextSegment * SEGMENT_BYTES;
    const bytes = new Uint8Array(Math.min(SEGMENT_BYTES, this.size - start));
    for (let filled = 0; filled < bytes.length;) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done)
          throw misuse(
            `stdin ended after ${start + filled} of ${this.size} bytes (${sizeText(this.size)}), as --size or the destination says.`,
            "If that is all of it, give the right --size. Else look at what was to write into the pipe.",
          );
        this.#rest = next.value;
      }
      const part = this.#rest.subarray(0, bytes.length - filled);
      bytes.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    const zero = Buffer.compare(bytes, ZEROES.subarray(0, bytes.length)) === 0;
    this.#segments.set(this.#nextSegment, zero ? undefined : bytes);
    this.#nextSegment += 1;
  }

  async #room(): Promise<void> {
    for (;;) {
      if (this.#stopped) throw ioFailure(STDIN, "read", ENDED);
      const done = Math.floor((this.#counters?.verifiedBytes ?? 0) / SEGMENT_BYTES);
      for (const segment of this.#segments.keys()) {
        if (segment >= done) break;
        this.#segments.delete(segment);
      }
      if (this.#segments.size < WINDOW_SEGMENTS) return;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

const ZEROES = new Uint8Array(SEGMENT_BYTES);

/** Writes all of the source in order, zeroes too. Whoever reads it has it only when the command ends with exit code 0. */
export function pipeTarget(): GivenTarget {
  if (process.stdout.isTTY)
    throw misuse("The copy would go to the terminal.", "Send stdout to a file or a program.");
  // Not process.stdout: when nobody reads it any more, that is an error here, and nothing may wait for a slow reader.
  const stats = fstatSync(1);
  const pipe = new PipeOut(
    stats.isFIFO() || stats.isSocket()
      ? new Socket({ fd: 1, readable: false, writable: true })
      : createWriteStream("/dev/stdout", { fd: 1, autoClose: false }),
  );
  return {
    role: "destination",
    open: (sizeBytes) => pipe.open(sizeBytes),
    record: pipe,
    stop: () => pipe.stop(),
  };
}

export class PipeOut implements CopyRecord {
  readonly #output: Writable;
  readonly #segments = new Map<number, Uint8Array>();
  #sizeBytes = 0;
  #next = 0;
  #waitingBytes = 0;
  #failed: unknown;
  #freed: (() => void)[] = [];

  constructor(output: Writable) {
    this.#output = output;
    output.on("error", (error: NodeJS.ErrnoException) => {
      this.#failed = ioFailure(STDOUT, "write", errnoOf(error), error);
      this.#wake();
    });
  }

  open(sizeBytes: number): SyncTarget {
    this.#sizeBytes = sizeBytes;
    return {
      size: sizeBytes,
      where: STDOUT,
      read: async (offset, length) => this.#read(offset, length),
      readsAsZero: (offset) => !this.#segments.has(Math.floor(offset / SEGMENT_BYTES)),
      write: (offset, bytes) => this.#write(offset, bytes),
      // It is, unless it was written in this run.
      zero: (offset, length) => this.#write(offset, ZEROES.subarray(0, length)),
      flush: async () => {
        await this.#until(() => this.#waitingBytes === 0);
      },
    };
  }

  async begin(): Promise<void> {}

  async finish(): Promise<void> {}

  /** Who reads the pipe may do something else for hours: nobody waits for that any more. */
  stop(): void {
    if (this.#waitingBytes === 0) return;
    this.#failed ??= ioFailure(STDOUT, "write", ENDED);
    this.#wake();
    this.#output.destroy();
  }

  /** What is verified is not written any more, and everything below has been. */
  verified(segments: readonly VerifiedSegment[]): void {
    for (const { segment } of segments) {
      const length = Math.min(SEGMENT_BYTES, this.#sizeBytes - segment * SEGMENT_BYTES);
      const bytes = this.#segments.get(segment) ?? ZEROES.subarray(0, length);
      this.#segments.delete(segment);
      if (segment !== this.#next) {
        this.#failed ??= corrupt(STDOUT, `segment ${segment}`, `segment ${this.#next}`);
        return;
      }
      this.#next += 1;
      this.#waitingBytes += bytes.length;
      this.#output.write(bytes, () => {
        this.#waitingBytes -= bytes.length;
        this.#wake();
      });
    }
  }

  #read(offset: number, length: number): Uint8Array {
    assertInside(STDOUT, this.#sizeBytes, { offset, length });
    const bytes = this.#segments.get(Math.floor(offset / SEGMENT_BYTES));
    const inside = offset % SEGMENT_BYTES;
    return bytes ? bytes.slice(inside, inside + length) : new Uint8Array(length);
  }

  async #write(offset: number, bytes: Uint8Array): Promise<void> {
    assertInside(STDOUT, this.#sizeBytes, { offset, length: bytes.length });
    await this.#until(() => this.#waitingBytes <= MAX_WAITING_BYTES);
    const segment = Math.floor(offset / SEGMENT_BYTES);
    const start = segment * SEGMENT_BYTES;
    let whole = this.#segments.get(segment);
    if (!whole) {
      whole = new Uint8Array(Math.min(SEGMENT_BYTES, this.#sizeBytes - start));
      this.#segments.set(segment, whole);
    }
    whole.set(bytes, offset - start);
  }

  async #until(test: () => boolean): Promise<void> {
    while (!test()) {
      if (this.#failed !== undefined) throw this.#failed;
      await new Promise<void>((resolve) => this.#freed.push(resolve));
    }
    if (this.#failed !== undefined) throw this.#failed;
  }

  #wake(): void {
    const freed = this.#freed;
    this.#freed = [];
    for (const resolve of freed) resolve();
  }
}

/** Whether stdin is a file or device that can be opened by its name again. */
export function isStdinFile(): boolean {
  const stats = fstatSync(0);
  return stats.isFile() || stats.isBlockDevice();
}
