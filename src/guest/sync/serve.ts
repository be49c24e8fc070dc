/** The far side of a sync session: answers what it is asked, one thing after the other, until nobody asks any more. */
import { corrupt, FailureError, ioFailure } from "../../base/failure.ts";
import { newCounters } from "../../sync/counters.ts";
import { endFactsMessage } from "./end-facts.ts";
import { aboutMessage, reportMessage } from "./end-report.ts";
import { sampleReading } from "./estimate.ts";
import { failureMessage, Fields } from "./message-fields.ts";
import type { SyncPorts } from "./ports.ts";
import { openEnd } from "./run-end.ts";
import type { OpenedEnd } from "./run-end.ts";
import { parseOrder } from "./run-order.ts";
import type { Message, SessionStream } from "./session-stream.ts";
import { surveyEnd } from "./survey.ts";

/** The versions of the session that this domus speaks. */
export const SESSION_VERSION_MIN = 1;
export const SESSION_VERSION_MAX = 1;
/** While an answer is worked on, the near side hears something so often. */
const ALIVE_MS = 5000;

export type ServeOptions = {
  readonly stream: SessionStream;
  readonly ports: SyncPorts;
  /** Name and version. */
  readonly program: string;
};

/** Ends when the connection does. Fails with what the near side must not do, and then the connection has ended. */
export async function serveSync(options: ServeOptions): Promise<void> {
  const { stream, ports, program } = options;
  const versions = { min: SESSION_VERSION_MIN, max: SESSION_VERSION_MAX };
  const server = new Server(options);
  try {
    await stream.send({ "domus-sync": versions, program, ...(await ports.hostNames()) });
    for (;;) {
      const message = await stream.receiveOrEnd();
      if (!message) return;
      await server.answer(new Fields(message, stream.where));
    }
  } finally {
    await server.letGo();
    stream.close();
  }
}

class Server {
  readonly #stream: SessionStream;
  readonly #ports: SyncPorts;
  readonly #program: string;
  #opened: OpenedEnd | undefined;
  #report: Message | undefined;
  #timeoutSeconds = 0;

  constructor({ stream, ports, program }: ServeOptions) {
    this.#stream = stream;
    this.#ports = ports;
    this.#program = program;
  }

  async answer(fields: Fields): Promise<void> {
    switch (fields.oneOf("ask", ["survey", "sample", "probe", "open", "run", "report"])) {
      case "survey":
        return this.#saying(() => this.#survey(fields));
      case "sample":
        return this.#saying(async () => ({
          bytesPerSecond: await sampleReading(this.#ports, fields.text("path")),
        }));
      case "probe":
        return this.#probe();
      case "open":
        return this.#saying(() => this.#openEnd(fields));
      case "run":
        return this.#run(fields);
      case "report":
        return this.#saying(async () => this.#report ?? this.#outOfTurn("report"));
    }
  }

  async #survey(fields: Fields): Promise<Message> {
    const role = fields.oneOf("role", ["source", "destination"]);
    const stateDir = fields.optional("stateDir", (all) => all.text("stateDir"));
    const facts = await surveyEnd(this.#ports, { role, path: fields.text("path"), stateDir });
    return { facts: endFactsMessage(facts) };
  }

  /** What is sent is thrown away; that all of it came is the answer. */
  async #probe(): Promise<void> {
    await this.#stream.send({ ready: true });
    this.#stream.records();
    await this.#stream.endRecords();
    await this.#stream.send({ probed: true });
  }

  async #openEnd(fields: Fields): Promise<Message> {
    if (this.#opened) return this.#outOfTurn("open");
    const order = parseOrder(fields);
    this.#timeoutSeconds = order.timeoutSeconds;
    this.#opened = await openEnd(this.#ports, order);
    return { about: aboutMessage(this.#opened.about) };
  }

  async #run(fields: Fields): Promise<void> {
    const lookAtAll = fields.flag("lookAtAll");
    if (!this.#opened) return this.#saying(async () => this.#outOfTurn("run"));
    const opened = this.#opened;
    await this.#stream.send({ ready: true });
    const channel = this.#stream.records();
    try {
      const work = { channel, program: this.#program, counters: newCounters(), lookAtAll };
      this.#report = { report: reportMessage(await opened.run(work)) };
    } catch (error) {
      this.#report = failed(error);
    } finally {
      await this.letGo();
    }
    await this.#endRecords();
  }

  /** The near side ends its records as soon as it knows how the run went, unless nothing comes from it any more. */
  async #endRecords(): Promise<void> {
    const late = Promise.withResolvers<never>();
    const seconds = this.#timeoutSeconds;
    const fail = () =>
      late.reject(ioFailure(this.#stream.where, "the copy", `nothing was heard for ${seconds} s`));
    const timer = setTimeout(fail, seconds * 1000);
    try {
      await Promise.race([this.#stream.endRecords(), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Of what was opened; its record says then how far the copy came. */
  async letGo(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    await opened?.[Symbol.asyncDispose]();
  }

  #outOfTurn(ask: string): Message {
    return failed(corrupt(this.#stream.where, `the question ${ask}`, "another one before it"));
  }

  /** Sends what `work` comes to, or how it failed. */
  async #saying(work: () => Promise<Message>): Promise<void> {
    const ticking = setInterval(() => {
      this.#stream.send({ alive: true }).catch(() => {});
    }, ALIVE_MS);
    let answer: Message;
    try {
      answer = await work();
    } catch (error) {
      answer = failed(error);
    } finally {
      clearInterval(ticking);
    }
    await this.#stream.send(answer);
  }
}

/** A bug is none of the other side's business, and stays loud on stderr. */
function failed(error: unknown): Message {
  if (error instanceof FailureError) return { failure: failureMessage(error.failure) };
  throw error;
}
