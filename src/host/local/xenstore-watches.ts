/** Watches in xenstore that outlive the connection: when xenstored goes away, it is called again, and all are set anew. */
import { FailureError } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import type { ChangeSource } from "../change-source.ts";
import { openXenstore } from "./xenstore.ts";
import type { Xenstore } from "./xenstore.ts";

const RETRY_MS = 1000;
const MAX_RETRY_MS = 30_000;

export type WatchesOptions = {
  readonly sockets?: readonly string[];
  /** Something below a path has changed, or may have while nobody listened. */
  readonly onChange: (path: string) => void;
  /** The connection is lost, and asked for again; undefined when it is there again. */
  readonly onState: (failure: Failure | undefined) => void;
  /** For tests. */
  readonly retryMs?: number;
};

/** Fails never: without xenstored it goes on to try, at last every 30 seconds. */
export function watchXenstore(options: WatchesOptions): ChangeSource {
  return new Watches(options);
}

class Watches implements ChangeSource {
  readonly #options: WatchesOptions;
  #wanted: ReadonlySet<string> = new Set();
  /** On this connection. */
  #set = new Set<string>();
  #connection: Xenstore | undefined;
  #timer: NodeJS.Timeout | undefined;
  #retryMs: number;
  #working = false;
  #closed = false;

  constructor(options: WatchesOptions) {
    this.#options = options;
    this.#retryMs = options.retryMs ?? RETRY_MS;
    void this.#work();
  }

  get connected(): boolean {
    return this.#connection !== undefined;
  }

  want(paths: ReadonlySet<string>): void {
    this.#wanted = new Set(paths);
    void this.#work();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#connection?.[Symbol.dispose]();
    this.#connection = undefined;
  }

  /** Brings what is set in step with what is wanted; one at a time. */
  async #work(): Promise<void> {
    if (this.#working || this.#closed || this.#timer) return;
    this.#working = true;
    try {
      while (!this.#closed && (!this.#connection || this.#nextStep())) {
        this.#connection ??= await this.#connect();
        const step = this.#nextStep();
        // A connection that ended meanwhile has taken its watches with it.
        if (step && this.#connection) await this.#take(this.#connection, step);
      }
    } catch (error) {
      if (!(error instanceof FailureError)) throw error;
      this.#lost(error);
    } finally {
      this.#working = false;
    }
  }

  async #connect(): Promise<Xenstore> {
    const connection = await openXenstore({
      ...(this.#options.sockets && { sockets: this.#options.sockets }),
      onEvent: ({ path }) => this.#options.onChange(path),
      onEnd: (failure) => this.#lost(failure),
    });
    if (this.#closed) connection[Symbol.dispose]();
    // It may have ended before anybody had it.
    if (connection.failure) throw connection.failure;
    this.#set = new Set();
    this.#retryMs = this.#options.retryMs ?? RETRY_MS;
    this.#options.onState(undefined);
    return connection;
  }

  #nextStep(): { readonly path: string; readonly on: boolean } | undefined {
    for (const path of this.#wanted) if (!this.#set.has(path)) return { path, on: true };
    for (const path of this.#set) if (!this.#wanted.has(path)) return { path, on: false };
    return undefined;
  }

  async #take(connection: Xenstore, step: { path: string; on: boolean }): Promise<void> {
    const set = this.#set;
    if (step.on) set.add(step.path);
    else set.delete(step.path);
    try {
      if (step.on) await connection.watch(step.path, TOKEN);
      else await connection.unwatch(step.path, TOKEN);
    } catch (error) {
      // The node's own trouble (too long, gone) is no reason to give up the others.
      if (!(error instanceof FailureError) || connection.failure) throw error;
    }
  }

  #lost(error: FailureError): void {
    this.#connection?.[Symbol.dispose]();
    this.#connection = undefined;
    if (this.#closed || this.#timer) return;
    this.#options.onState(error.failure);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#work();
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
  }
}

/** The paths of the events say what they are about. */
const TOKEN = "domus";
