/**
 * What both sides of a sync session say to each other round the engine: messages, and records that carry the engine's
 * bytes (docs/design/sync-session.md, "Messages").
 */
import { corrupt, ioFailure, overLimit } from "../../base/failure.ts";
import { KIB, MIB } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";
import type { Channel } from "../../sync/channel.ts";

/** A JSON object. What is in it is judged by who reads it. */
export type Message = Readonly<Record<string, unknown>>;

export const MAX_MESSAGE_BYTES = 256 * KIB;
/** What a login shell may say before the first message. */
export const MAX_BANNER_BYTES = 64 * KIB;
/** The engine writes a frame at a time, of 1 MiB and a bit. */
export const MAX_RECORD_BYTES = 2 * MIB;
/** RFC 7464: text before it is no JSON. */
const RECORD_SEPARATOR = 0x1e;
const LINE_FEED = 0x0a;
const LENGTH_BYTES = 4;
const EMPTY = new Uint8Array(0);
/** What the first message of the far side begins with. */
const OPENING = new TextEncoder().encode('\u001e{"domus-sync"');

export class SessionStream {
  readonly where: Where;
  readonly #channel: Channel;
  /** Came and was not taken yet. */
  #rest: Uint8Array = EMPTY;
  #reading: Promise<boolean> | undefined;
  #records: Records | undefined;

  constructor(channel: Channel, where: Where) {
    this.#channel = channel;
    this.where = where;
  }

  async send(message: Message): Promise<void> {
    const bytes = new TextEncoder().encode(`\u001e${JSON.stringify(message)}\n`);
    if (bytes.length > MAX_MESSAGE_BYTES)
      throw overLimit(this.where, "the length of a message", `${MAX_MESSAGE_BYTES} bytes`);
    await this.#channel.write([bytes]);
  }

  /** The first message of the far side. What comes before it is in the failure when it does not come. */
  async receiveFirst(): Promise<Message> {
    for (;;) {
      const at = Buffer.from(this.#rest).indexOf(OPENING);
      if (at >= 0 && at <= MAX_BANNER_BYTES) {
        this.#rest = this.#rest.subarray(at);
        return this.receive();
      }
      if (this.#rest.length > MAX_BANNER_BYTES + OPENING.length) throw this.#noSession();
      if (!(await this.#more())) throw this.#noSession();
    }
  }

  /** The next message. `io` when the connection ends, `corrupt` when it is none. */
  async receive(): Promise<Message> {
    const message = await this.receiveOrEnd();
    if (message) return message;
    throw ioFailure(this.where, "the copy", "the connection ended");
  }

  /** As `receive`; undefined when the connection ends where a message would begin. */
  async receiveOrEnd(): Promise<Message | undefined> {
    const parts: Uint8Array[] = [];
    for (let length = 0; ;) {
      const end = this.#rest.indexOf(LINE_FEED);
      const part = end < 0 ? this.#rest : this.#rest.subarray(0, end);
      if (length === 0 && part.length > 0 && part[0] !== RECORD_SEPARATOR)
        throw corrupt(this.where, `byte ${part[0]}`, "the beginning of a message");
      length += part.length;
      if (length > MAX_MESSAGE_BYTES)
        throw overLimit(this.where, "the length of a message", `${MAX_MESSAGE_BYTES} bytes`);
      // Copied: what came is only there until more comes.
      parts.push(part.slice());
      this.#rest = end < 0 ? EMPTY : this.#rest.subarray(end + 1);
      if (end >= 0) return parseMessage(Buffer.concat(parts), this.where);
      if (await this.#more()) continue;
      if (length === 0) return undefined;
      throw ioFailure(this.where, "the copy", "the connection ended inside a message");
    }
  }

  /** Both directions carry records from here on, until `endRecords`. */
  records(): Channel {
    this.#records = new Records(this.#channel, {
      where: this.where,
      rest: () => this.#rest,
      take: (bytes) => {
        this.#rest = this.#rest.subarray(bytes);
      },
      more: () => this.#more(),
    });
    return this.#records;
  }

  /** Ends our records, and waits for the end of theirs. */
  async endRecords(): Promise<void> {
    await this.#records?.end();
    this.#records = undefined;
  }

  close(): void {
    this.#channel.close();
  }

  /** Waits for more bytes; false when none will come. One reading at a time, whoever asked for it first. */
  #more(): Promise<boolean> {
    this.#reading ??= this.#readMore();
    return this.#reading;
  }

  #readMore(): Promise<boolean> {
    // A chunk is only there until more is read; what is left of one is a few bytes as a rule.
    this.#rest = this.#rest.slice();
    return this.#channel.read().then(
      (chunk) => {
        this.#reading = undefined;
        if (chunk)
          this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
        return chunk !== undefined;
      },
      (error: unknown) => {
        this.#reading = undefined;
        throw error;
      },
    );
  }

  #noSession(): Error {
    const said = new TextDecoder().decode(this.#rest.subarray(0, KIB)).trim();
    return said === ""
      ? ioFailure(this.where, "the copy", "the connection ended")
      : corrupt(this.where, `"${said}"`, "domus sync --serve at the other end");
  }
}

function parseMessage(bytes: Uint8Array, where: Where): Message {
  try {
    const message: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(1)));
    if (typeof message === "object" && message !== null && !Array.isArray(message))
      return message as Message;
  } catch {
    // Said below.
  }
  const text = new TextDecoder().decode(bytes.subarray(1, 201));
  throw corrupt(where, `"${text}"`, "a message of domus sync");
}

/** The bytes of the session that were not taken yet. */
type Incoming = {
  readonly where: Where;
  readonly rest: () => Uint8Array;
  readonly take: (bytes: number) => void;
  readonly more: () => Promise<boolean>;
};

/** The engine's channel: ending it does not end the connection. */
class Records implements Channel {
  readonly #channel: Channel;
  readonly #incoming: Incoming;
  /** Of the record that is being read. */
  #leftBytes = 0;
  #theirEnd = false;
  #closed = false;
  /** What waits and is ended by closing; one promise for all would keep a trace of each that has ever waited. */
  readonly #waiting = new Set<() => void>();
  #ended: Promise<void> = Promise.resolve();

  constructor(channel: Channel, incoming: Incoming) {
    this.#channel = channel;
    this.#incoming = incoming;
  }

  async read(): Promise<Uint8Array | undefined> {
    return this.#closed ? undefined : this.#next(() => this.#closed);
  }

  async write(pieces: readonly Uint8Array[]): Promise<void> {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (length === 0) return;
    const head = new Uint8Array(LENGTH_BYTES);
    new DataView(head.buffer).setUint32(0, length, true);
    const broken = ioFailure(this.#incoming.where, "write", "EPIPE");
    if (this.#closed) throw broken;
    await this.#orClosed(this.#channel.write([head, ...pieces]), (end) => end.reject(broken));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const end of this.#waiting) end();
    this.#ended = this.#channel.write([new Uint8Array(LENGTH_BYTES)]);
    // Who ends the records hears of it.
    this.#ended.catch(() => {});
  }

  /** What the other side still sends is thrown away. */
  async end(): Promise<void> {
    this.close();
    while (!this.#theirEnd) await this.#next(() => false);
    await this.#ended;
  }

  /** The next bytes of their records; undefined at their end, or as soon as nobody wants them. */
  async #next(unwanted: () => boolean): Promise<Uint8Array | undefined> {
    const { where, rest, take, more } = this.#incoming;
    while (!this.#theirEnd) {
      if (unwanted()) return undefined;
      const bytes = rest();
      if (this.#leftBytes > 0 && bytes.length > 0) {
        const part = bytes.subarray(0, this.#leftBytes);
        take(part.length);
        this.#leftBytes -= part.length;
        return part;
      }
      if (this.#leftBytes === 0 && bytes.length >= LENGTH_BYTES) {
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
        this.#leftBytes = view.getUint32(0, true);
        take(LENGTH_BYTES);
        if (this.#leftBytes > MAX_RECORD_BYTES)
          throw overLimit(where, "the length of a record", `${MAX_RECORD_BYTES} bytes`);
        this.#theirEnd = this.#leftBytes === 0;
      } else if (!(await this.#moreOrClosed(more, unwanted))) {
        if (!unwanted()) this.#theirEnd = true;
        return undefined;
      }
    }
    return undefined;
  }

  async #moreOrClosed(more: () => Promise<boolean>, unwanted: () => boolean): Promise<boolean> {
    const reading = more();
    if (this.#closed) return reading;
    return this.#orClosed(reading, (end) => end.resolve(!unwanted()));
  }

  /** The end of `work`, or what `onClose` makes of it when this is closed before. */
  #orClosed<T>(work: Promise<T>, onClose: (end: PromiseWithResolvers<T>) => void): Promise<T> {
    const end = Promise.withResolvers<T>();
    const stop = () => onClose(end);
    this.#waiting.add(stop);
    const over = () => this.#waiting.delete(stop);
    work.then(
      (value) => over() && end.resolve(value),
      (error: unknown) => over() && end.reject(error),
    );
    return end.promise;
  }
}
