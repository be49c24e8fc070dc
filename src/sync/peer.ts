/** The other side of a run: frames in, frames out, the greeting, and how either side says that it gives up. */
import { corrupt, FailureError, failureText, ioFailure, unsupported } from "../base/failure.ts";
import type { Where } from "../base/where.ts";
import type { Channel } from "./channel.ts";
import { encodeFrame, FrameDecoder, MAGIC } from "./frame-stream.ts";
import type { Frame, Hello, Role } from "./frames.ts";

/** The versions of the protocol that this domus speaks. */
export const VERSION_MIN = 1;
export const VERSION_MAX = 1;
const SEGMENT_BITS = 20;
const BLOCK_BITS = 12;
/** The only code so far; what went wrong is in the text. */
const FAILED = 1;
/** How long the reason is waited for when the other side no longer reads. */
const LAST_WORDS_MS = 1000;

export class Peer {
  readonly where: Where;
  /** Of frames, without the greeting. */
  sentBytes = 0;
  /** Time that writes have waited for, in milliseconds: with `sentBytes`, the rate of the wire. */
  sendingMs = 0;
  readonly #channel: Channel;
  readonly #decoder: FrameDecoder;
  readonly #ready: Frame[] = [];
  /** Resolved when nothing more can be received. */
  readonly #over = Promise.withResolvers<void>();
  #lastWords: PeerFailureError | undefined;
  /** Somebody waits for a frame, or has learnt that none will come. */
  #receiving = false;

  constructor(channel: Channel, where: Where) {
    this.where = where;
    this.#channel = channel;
    this.#decoder = new FrameDecoder(where);
  }

  async send(frame: Frame): Promise<void> {
    const pieces = encodeFrame(frame);
    for (const piece of pieces) this.sentBytes += piece.length;
    const start = performance.now();
    await this.#write(pieces);
    this.sendingMs += performance.now() - start;
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
    try {
      await this.#channel.write(pieces);
    } catch (error) {
      // A side that gave up has said why before it let go: that is in what is still to be read.
      if (!this.#receiving) this.#readToEnd().catch(() => {});
      await Promise.race([this.#over.promise, delay(LAST_WORDS_MS)]);
      throw this.#lastWords ?? error;
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
      const chunk = await this.#channel.read();
      if (!chunk) throw this.#ended();
      this.#ready.push(...this.#decoder.push(chunk));
    }
  }

  /** Says who we are, and fails unless the other side is what it has to be. */
  async greet(role: Role, program: string): Promise<void> {
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
    this.#channel.close();
  }

  close(): void {
    this.#channel.close();
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
