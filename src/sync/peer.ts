/** The other side of a run: frames in, frames out, the greeting, and how either side says that it gives up. */
import { corrupt, FailureError, failureText, ioFailure, unsupported } from "../base/failure.ts";
import type { Where } from "../base/where.ts";
import type { Channel } from "./channel.ts";
import { encodeFrame, FrameDecoder, MAGIC } from "./frame-stream.ts";
import type { Frame, Hello, Role } from "./frames.ts";
import type { SyncCounters } from "./counters.ts";
import { newCounters } from "./counters.ts";
import { Pulse, TIMEOUT_TICKS } from "./pulse.ts";

/** The versions of the protocol that this domus speaks. */
export const VERSION_MIN = 1;
export const VERSION_MAX = 1;
const SEGMENT_BITS = 20;
const BLOCK_BITS = 12;
/** The only code so far; what went wrong is in the text. */
const FAILED = 1;
/** How long the reason is waited for when the other side no longer reads. */
const LAST_WORDS_MS = 1000;
export const DEFAULT_TIMEOUT_MS = 60_000;

export type PeerOptions = {
  /** Its `sentBytes` and `receivedBytes` are counted here. */
  readonly counters?: SyncCounters;
  /**
   * Silence after which the other side is taken for dead, in milliseconds. `alive` is sent after a twelfth of it, so what
   * both sides are given must not differ by more than a few times.
   */
  readonly timeoutMs?: number;
};

export class Peer {
  readonly where: Where;
  /** Time in which something waited to be taken by the wire, in milliseconds, and the bytes that were: its rate. */
  busyMs = 0;
  takenBytes = 0;
  #busySince = 0;
  readonly #channel: Channel;
  readonly #counters: SyncCounters;
  readonly #timeoutMs: number;
  readonly #pulse = new Pulse();
  #ticking: ReturnType<typeof setInterval> | undefined;
  #listening = false;
  #writes = 0;
  /** The other side was silent for too long. */
  #dead: FailureError | undefined;
  readonly #decoder: FrameDecoder;
  readonly #ready: Frame[] = [];
  /** Resolved when nothing more can be received. */
  readonly #over = Promise.withResolvers<void>();
  #lastWords: PeerFailureError | undefined;
  /** Somebody waits for a frame, or has learnt that none will come. */
  #receiving = false;

  constructor(channel: Channel, where: Where, options: PeerOptions = {}) {
    this.where = where;
    this.#channel = channel;
    this.#counters = options.counters ?? newCounters();
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#decoder = new FrameDecoder(where);
  }

  async send(frame: Frame): Promise<void> {
    const pieces = encodeFrame(frame);
    for (const piece of pieces) this.#counters.sentBytes += piece.length;
    await this.#write(pieces);
  }

  /** The next frame. An `error` frame and the end of the connection are failures of kind `io`. */
  async receive(): Promise<Frame> {
    this.#receiving = true;
    try {
      const frame = await this.#next();
      this.#receiving = false;
      return frame;
    } catch (error) {
      if (error instanceof PeerFailureError) this.#lastWords ??= error;
      this.#over.resolve();
      throw error;
    }
  }

  async #write(pieces: readonly Uint8Array[]): Promise<void> {
    this.#pulse.said();
    if (this.#writes === 0) this.#busySince = performance.now();
    this.#writes += 1;
    try {
      await this.#channel.write(pieces);
    } catch (error) {
      if (this.#dead) throw this.#dead;
      // A side that gave up has said why before it let go: that is in what is still to be read.
      if (!this.#receiving) this.#readToEnd().catch(() => {});
      await Promise.race([this.#over.promise, delay(LAST_WORDS_MS)]);
      throw this.#lastWords ?? error;
    } finally {
      const now = performance.now();
      this.busyMs += now - this.#busySince;
      this.#busySince = now;
      for (const piece of pieces) this.takenBytes += piece.length;
      this.#writes -= 1;
    }
  }

  async #readToEnd(): Promise<never> {
    for (;;) await this.receive();
  }

  async #next(): Promise<Frame> {
    for (;;) {
      const frame = this.#ready.shift();
      if (frame?.type === "alive") continue;
      if (frame?.type === "error")
        throw new PeerFailureError(ioFailure(this.where, "the copy", frame.text).failure);
      if (frame) return frame;
      this.#listening = true;
      const chunk = await this.#channel.read();
      this.#listening = false;
      if (this.#dead) throw this.#dead;
      if (!chunk) throw this.#ended();
      this.#pulse.heard();
      this.#counters.receivedBytes += chunk.length;
      this.#ready.push(...this.#decoder.push(chunk));
    }
  }

  /**
   * Says who we are, and fails unless the other side is what it has to be. From here on until `close` or `giveUp` it is
   * noticed when the other side says nothing any more.
   */
  async greet(role: Role, program: string): Promise<void> {
    this.#ticking = setInterval(() => this.#tick(), this.#timeoutMs / TIMEOUT_TICKS);
    const hello: Hello = {
      type: "hello",
      versionMin: VERSION_MIN,
      versionMax: VERSION_MAX,
      role,
      segmentBits: SEGMENT_BITS,
      blockBits: BLOCK_BITS,
      features: 0,
      program,
    };
    await this.#write([MAGIC, ...encodeFrame(hello)]);
    const theirs = await this.receive();
    if (theirs.type !== "hello") throw this.unexpected(theirs, "hello");
    judgeHello(hello, theirs, this.where);
  }

  /** The frame's bytes are not looked at any more. */
  recycle(field: Uint8Array): void {
    this.#decoder.recycle(field);
  }

  unexpected(frame: Frame, expected: string): FailureError {
    return corrupt(this.where, `a frame of type ${frame.type}`, expected);
  }

  /** Tells the other side why this one ends, if it does not know, and ends the connection. */
  giveUp(error: unknown): void {
    if (!(error instanceof PeerFailureError)) {
      const text =
        error instanceof FailureError
          ? failureText(error.failure)
          : "domus has met a bug of its own";
      // Nobody waits for it: it may be the connection that has failed, or a side that is stopped.
      this.send({ type: "error", code: FAILED, text }).catch(() => {});
    }
    this.close();
  }

  close(): void {
    clearInterval(this.#ticking);
    this.#channel.close();
  }

  #tick(): void {
    const writing = this.#writes > 0;
    const { sayAlive, dead } = this.#pulse.tick({ listening: this.#listening, writing });
    // Who sends next finds out when it cannot.
    if (sayAlive) this.send({ type: "alive" }).catch(() => {});
    if (!dead) return;
    const seconds = Math.round(this.#timeoutMs / 100) / 10;
    this.#dead = ioFailure(this.where, "the copy", `nothing was heard for ${seconds} s`);
    // Ends what waits for the pipe, on this side at once and on the other one when it wakes up.
    this.giveUp(this.#dead);
  }

  #ended(): FailureError {
    const { banner, idle } = this.#decoder;
    if (banner.length > 0) {
      const said = new TextDecoder().decode(banner.subarray(0, 1024)).trim();
      return corrupt(this.where, `"${said}"`, "domus sync --serve at the other end");
    }
    const when = idle ? "the connection ended" : "the connection ended inside a frame";
    return ioFailure(this.where, "the copy", when);
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

/** The other side has said why it ends; it need not be told. */
class PeerFailureError extends FailureError {}

function judgeHello(ours: Hello, theirs: Hello, where: Where): void {
  if (theirs.versionMin > ours.versionMax || theirs.versionMax < ours.versionMin) {
    const older = theirs.versionMax < ours.versionMin ? "the far side" : "this side";
    throw unsupported(
      where,
      `version ${theirs.versionMin} to ${theirs.versionMax} of the sync protocol ` +
        `(this domus speaks ${ours.versionMin} to ${ours.versionMax}; ${older} is the older one)`,
    );
  }
  if (theirs.role === ours.role)
    throw corrupt(where, `${theirs.role} at both ends`, "a source and a destination");
  if (theirs.segmentBits !== ours.segmentBits || theirs.blockBits !== ours.blockBits) {
    throw unsupported(
      where,
      `a segment of 2^${theirs.segmentBits} and a block of 2^${theirs.blockBits} bytes`,
    );
  }
}
