/** The near side's end of a session: asks the far side, and says why when there is no answer. */
import {
  attempt,
  FailureError,
  ioFailure,
  remoteFailure,
  unsupported,
} from "../../base/failure.ts";
import type { Channel } from "../../sync/channel.ts";
import { sendProbe } from "./estimate.ts";
import { explainEnding } from "./far-ending.ts";
import { Fields, parseFailure } from "./message-fields.ts";
import type { Connect, Far, FarOptions } from "./ports.ts";
import { SESSION_VERSION_MAX, SESSION_VERSION_MIN } from "./serve.ts";
import { SessionStream } from "./session-stream.ts";
import type { Message } from "./session-stream.ts";

/** For what a process says last when it has ended. */
const ENDING_MS = 5000;
/** For ssh to connect, and for domus to start there. */
const GREETING_TIMEOUTS = 2;

export class NearSession implements AsyncDisposable {
  readonly #far: Far;
  readonly #stream: SessionStream;
  readonly #options: FarOptions;
  /** Of the far side, as it says. */
  bootId = "";
  farProgram = "";

  /** Rejects as soon as nobody wants it any more. */
  readonly #unwanted: Promise<never>;

  private constructor(far: Far, options: FarOptions, signal: AbortSignal) {
    this.#far = far;
    this.#options = options;
    this.#unwanted = new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      if (signal.aborted) reject(signal.reason);
    });
    // Whoever waits gets it.
    this.#unwanted.catch(() => {});
    this.#stream = new SessionStream(far.channel, [options.host ?? "the other process"]);
  }

  /**
   * Fails with `remote` when nobody answers, with the reason as far as it can be told, and with the signal's reason when that
   * ends it. How long a person may take to give a password is not bounded; where there is none, an answer has to come.
   */
  static async open(
    connect: Connect,
    options: FarOptions,
    signal: AbortSignal,
  ): Promise<NearSession> {
    const session = new NearSession(await connect(options), options, signal);
    try {
      await session.#greet();
      return session;
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #greet(): Promise<void> {
    const coming = this.#explained(() => this.#stream.receiveFirst());
    coming.catch(() => {});
    const first = this.#options.attended
      ? coming
      : Promise.race([coming, this.#noAnswer(GREETING_TIMEOUTS * this.#options.timeoutSeconds)]);
    const fields = new Fields(await this.#wanted(first), this.#stream.where);
    const versions = fields.object("domus-sync");
    const [min, max] = [versions.count("min"), versions.count("max")];
    this.farProgram = fields.text("program");
    this.bootId = fields.text("bootId");
    if (min <= SESSION_VERSION_MAX && max >= SESSION_VERSION_MIN) return;
    throw unsupported(
      this.#stream.where,
      `sync sessions of version ${min} to ${max}, as ${this.farProgram} there speaks them ` +
        `(this domus speaks ${SESSION_VERSION_MIN} to ${SESSION_VERSION_MAX}; --bootstrap brings this one)`,
    );
  }

  /** The answer to a question; the far side's failure is thrown here, with its host. */
  ask(message: Message): Promise<Fields> {
    return this.#wanted(this.#ask(message));
  }

  /** `work`, unless the signal ends it. */
  #wanted<T>(work: Promise<T>): Promise<T> {
    work.catch(() => {});
    return Promise.race([work, this.#unwanted]);
  }

  async #ask(message: Message): Promise<Fields> {
    const fields = await this.#explained(async () => {
      await this.#stream.send(message);
      return this.#answer();
    });
    if (fields.has("failure")) throw this.#failureOf(fields);
    return fields;
  }

  /** Bytes in a second that this side can send. */
  async probe(): Promise<number> {
    await this.ask({ ask: "probe" });
    const started = performance.now();
    return this.#explained(async () => {
      const bytes = await sendProbe(this.#stream.records());
      await this.#stream.endRecords();
      await this.#answer();
      return Math.round((1000 * bytes) / Math.max(performance.now() - started, 0.1));
    });
  }

  /** The engine's channel, after a `run` that was answered with ready. */
  records(): Channel {
    return this.#stream.records();
  }

  /**
   * After the engine: how it went at the far side. `io` or `remote` when it does not say, within `waitMs` when that is
   * given.
   */
  async report(waitMs?: number): Promise<Fields> {
    const asking = (async () => {
      await this.#stream.endRecords();
      return this.#ask({ ask: "report" });
    })();
    if (waitMs === undefined) return asking;
    asking.catch(() => {});
    return Promise.race([asking, this.#silence(waitMs)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stream.close();
    const ended = await Promise.race([this.#far.ended, delay(ENDING_MS)]);
    if (!ended) this.#far.kill();
  }

  #failureOf(fields: Fields): FailureError {
    const { host } = this.#options;
    if (host === undefined) return new FailureError(parseFailure(fields.object("failure"), []));
    const failure = parseFailure(fields.object("failure"), [host]);
    // The others say their place.
    const named = failure.kind === "misuse" || failure.kind === "refused";
    return new FailureError(named ? { ...failure, what: `On ${host}: ${failure.what}` } : failure);
  }

  async #answer(): Promise<Fields> {
    const { timeoutSeconds } = this.#options;
    for (;;) {
      const coming = this.#stream.receive();
      // The other one may win.
      coming.catch(() => {});
      const message = await Promise.race([coming, this.#silence(timeoutSeconds * 1000)]);
      const fields = new Fields(message, this.#stream.where);
      if (!fields.has("alive")) return fields;
    }
  }

  async #noAnswer(seconds: number): Promise<never> {
    await delay(seconds * 1000);
    const { host = "the other process" } = this.#options;
    throw remoteFailure(this.#stream.where, {
      what: `${host} did not answer.`,
      why: `Nothing was heard for ${seconds} s, and there is no terminal on which ssh could ask for a password.`,
      next: `Try by hand whether it asks for something, or hangs: ssh ${host} domus --version`,
    });
  }

  async #silence(ms: number): Promise<never> {
    await delay(ms);
    const seconds = Math.round(ms / 1000);
    throw ioFailure(this.#stream.where, "the copy", `nothing was heard for ${seconds} s`);
  }

  /** `work`, or why the far side has ended instead. */
  async #explained<T>(work: () => Promise<T>): Promise<T> {
    const done = await attempt(work);
    if (done.ok) return done.value;
    throw await this.explain(new FailureError(done.failure));
  }

  /** The reason of a failure of the connection, when the process behind it has one to tell; else `error`. */
  async explain(error: FailureError): Promise<FailureError> {
    const { kind, where } = error.failure;
    const ofConnection =
      (kind === "io" || kind === "corrupt") && where[0] === this.#stream.where[0];
    if (!ofConnection) return error;
    this.#stream.close();
    const ending = await Promise.race([this.#far.ended, delay(ENDING_MS)]);
    const told = ending && explainEnding(ending, this.#options);
    return told ? remoteFailure(this.#stream.where, told) : this.lost(error);
  }

  /** With words for a person when it is the connection that failed; else as it is. */
  lost(error: FailureError): FailureError {
    const { failure } = error;
    const isLost =
      failure.kind === "io" && /^(the connection ended|nothing was heard)/.test(failure.errno);
    if (!isLost) return error;
    const { host } = this.#options;
    const look = host === undefined ? "" : `Look whether ${host} and the network are up. `;
    return remoteFailure(this.#stream.where, {
      what: `The connection to ${host ?? "the other process"} was lost.`,
      why: `${failure.errno.slice(0, 1).toUpperCase()}${failure.errno.slice(1)}.`,
      next: `${look}Run the same command again: it goes on where it was.`,
    });
  }
}

function delay(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms).unref());
}
