/** One connection to xenstored: asks, and hears of changes. Docs: docs/design/watch.md. */
import { connect } from "node:net";
import type { Socket } from "node:net";
import { corrupt, FailureError, ioFailure, overLimit } from "../../base/failure.ts";
import {
  encodeMessage,
  encodeStrings,
  errorFailure,
  parseDirectoryPart,
  parseError,
  parseStrings,
  parseWatchEvent,
  takeMessage,
  XS,
} from "../../xen/xenstore-wire.ts";
import type { WatchEvent, XenstoreMessage } from "../../xen/xenstore-wire.ts";
import { errnoOf } from "./errno.ts";

/** Of xenstored in C, and of the one in OCaml; the second name is that of older systems. */
export const XENSTORE_SOCKETS = ["/run/xenstored/socket", "/var/run/xenstored/socket"] as const;

/** Requests without an answer; a well-behaved server answers each before the next. */
const MAX_PENDING = 256;
/** Of one directory: 32,752 domains have less. */
const MAX_DIRECTORY_BYTES = 1 << 20;
/** A list that changes while its parts are read is begun again. */
const MAX_RESTARTS = 16;
const ANSWER_TIMEOUT_MS = 60_000;

type Waiting = {
  readonly type: number;
  readonly path: string;
  readonly resolve: (payload: Uint8Array) => void;
  readonly reject: (error: FailureError) => void;
};

export type XenstoreOptions = {
  /** Tried one after the other. */
  readonly sockets?: readonly string[];
  readonly onEvent: (event: WatchEvent) => void;
  /** The connection is gone; called once, not after `close`. */
  readonly onEnd: (failure: FailureError) => void;
  /** For tests. */
  readonly answerTimeoutMs?: number;
};

/** `io` when nobody listens there. */
export async function openXenstore(options: XenstoreOptions): Promise<Xenstore> {
  let failure: FailureError | undefined;
  for (const path of options.sockets ?? XENSTORE_SOCKETS) {
    try {
      return new Xenstore(await connected(path), options);
    } catch (error) {
      failure = ioFailure([path], "connect", errnoOf(error), error);
    }
  }
  throw failure ?? ioFailure(["xenstored"], "connect", "ENOENT");
}

function connected(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

export class Xenstore implements Disposable {
  readonly #socket: Socket;
  readonly #options: XenstoreOptions;
  readonly #waiting = new Map<number, Waiting>();
  #received: Uint8Array = new Uint8Array(0);
  #nextId = 1;
  #failure: FailureError | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Of `openXenstore`. */
  constructor(socket: Socket, options: XenstoreOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (error) => this.#end(ioFailure(["xenstored"], "talk", errnoOf(error))));
    socket.on("close", () => this.#end(ioFailure(["xenstored"], "talk", "it has closed")));
  }

  /** Why nothing can be asked any more. */
  get failure(): FailureError | undefined {
    return this.#failure;
  }

  /** The value of a node: bytes. `missing` when there is no such node. */
  read(path: string): Promise<Uint8Array> {
    return this.#ask(XS.read, path, encodeStrings(path));
  }

  /** The names of a node's children. `missing` when there is no such node, `limit` when they are more than there can be. */
  async directory(path: string): Promise<readonly string[]> {
    try {
      return parseStrings(await this.#ask(XS.directory, path, encodeStrings(path)));
    } catch (error) {
      if (!isErrno(error, "E2BIG")) throw error;
    }
    for (let attempts = 0; attempts < MAX_RESTARTS; attempts++) {
      const names = await this.#directoryInParts(path);
      if (names) return names;
    }
    throw overLimit(["xenstore", path], "reading a list that changes", `${MAX_RESTARTS} times`);
  }

  /** Undefined when it changed meanwhile. */
  async #directoryInParts(path: string): Promise<readonly string[] | undefined> {
    const names: string[] = [];
    let generation: string | undefined;
    let offset = 0;
    for (;;) {
      const answer = await this.#ask(XS.directoryPart, path, encodeStrings(path, `${offset}`));
      const part = parseDirectoryPart(answer);
      if ((generation ??= part.generation) !== part.generation) return undefined;
      names.push(...part.names);
      // Every part but the last has a name, so that this grows.
      offset += part.bytes;
      if (part.last) return names;
      if (offset > MAX_DIRECTORY_BYTES)
        throw overLimit(["xenstore", path], "a directory", `${MAX_DIRECTORY_BYTES} bytes`);
    }
  }

  /** One event comes at once, then one for each change of the node and of what is below it. */
  async watch(path: string, token: string): Promise<void> {
    await this.#ask(XS.watch, path, encodeStrings(path, token));
  }

  async unwatch(path: string, token: string): Promise<void> {
    await this.#ask(XS.unwatch, path, encodeStrings(path, token));
  }

  [Symbol.dispose](): void {
    this.#failure ??= ioFailure(["xenstored"], "talk", "closed by us");
    this.#settle(this.#failure);
    this.#socket.destroy();
  }

  #ask(type: number, path: string, payload: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#failure) throw this.#failure;
      if (this.#waiting.size >= MAX_PENDING)
        throw overLimit(["xenstored"], "requests at a time", String(MAX_PENDING));
      const requestId = this.#nextId;
      // 32 bits in the header; none of so many is still waited for.
      this.#nextId = (this.#nextId % 0x7fff_ffff) + 1;
      const bytes = encodeMessage({ type, requestId, payload });
      this.#waiting.set(requestId, { type, path, resolve, reject });
      this.#socket.write(bytes);
      this.#expectAnswer();
    });
  }

  /** While something is asked, something has to come. */
  #expectAnswer(): void {
    clearTimeout(this.#timer);
    if (this.#waiting.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#end(ioFailure(["xenstored"], "wait for an answer", "ETIMEDOUT"));
    }, this.#options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS);
  }

  #take(chunk: Uint8Array): void {
    if (this.#failure) return;
    // Never more than one message that is not whole, and a chunk.
    const bytes = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    let at = 0;
    try {
      for (;;) {
        const taken = takeMessage(bytes.subarray(at));
        if (!taken) break;
        at += taken.length;
        this.#handle(taken.message);
        if (this.#failure) return;
      }
    } catch (error) {
      if (!(error instanceof FailureError)) throw error;
      this.#end(error);
      return;
    }
    this.#received = bytes.slice(at);
  }

  #handle({ type, requestId, payload }: XenstoreMessage): void {
    if (type === XS.watchEvent) {
      this.#options.onEvent(parseWatchEvent(payload));
      return;
    }
    const waiting = this.#waiting.get(requestId);
    if (!waiting) throw corrupt(["xenstored"], "an answer to nothing", "one to what was asked");
    const errno = type === XS.error ? parseError(payload) : undefined;
    if (errno === undefined && type !== waiting.type)
      throw corrupt(["xenstored"], `an answer of type ${type}`, `one of type ${waiting.type}`);
    this.#waiting.delete(requestId);
    this.#expectAnswer();
    if (errno === undefined) waiting.resolve(payload);
    else waiting.reject(errorFailure(errno, waiting.path));
  }

  #end(failure: FailureError): void {
    if (this.#failure) return;
    this.#failure = failure;
    this.#settle(failure);
    this.#socket.destroy();
    this.#options.onEnd(failure);
  }

  #settle(failure: FailureError): void {
    clearTimeout(this.#timer);
    for (const { reject } of this.#waiting.values()) reject(failure);
    this.#waiting.clear();
    this.#received = new Uint8Array(0);
  }
}

function isErrno(error: unknown, errno: string): boolean {
  return (
    error instanceof FailureError && error.failure.kind === "io" && error.failure.errno === errno
  );
}
