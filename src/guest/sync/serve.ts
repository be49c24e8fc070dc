/** The far side of a sync session: answers what it is asked, one thing after the other, until nobody asks any more. */
import { corrupt, FailureError } from "../../base/failure.ts";
import { newCounters } from "../../sync/counters.ts";
import { endFactsMessage } from "./end-facts.ts";
import { failureMessage, Fields } from "./message-fields.ts";
import type { SyncPorts } from "./ports.ts";
import { openEnd } from "./run-end.ts";
import type { EndReport } from "./run-end.ts";
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
  try {
    await stream.send({ "domus-sync": versions, program, ...(await ports.hostNames()) });
    const server = new Server(options);
    for (;;) {
      const message = await stream.receiveOrEnd();
      if (!message) return;
      await server.answer(new Fields(message, stream.where));
    }
  } finally {
    stream.close();
  }
}

class Server {
  readonly #stream: SessionStream;
  readonly #ports: SyncPorts;
  readonly #program: string;
  #report: Message | undefined;

  constructor({ stream, ports, program }: ServeOptions) {
    this.#stream = stream;
    this.#ports = ports;
    this.#program = program;
  }

  async answer(fields: Fields): Promise<void> {
    switch (fields.oneOf("ask", ["survey", "run", "report"])) {
      case "survey":
        await this.#saying(() => this.#survey(fields));
        return;
      case "run":
        return this.#run(fields);
      case "report":
        await this.#saying(async () => this.#report ?? this.#nothingRun());
    }
  }

  async #survey(fields: Fields): Promise<Message> {
    const role = fields.oneOf("role", ["source", "destination"]);
    const facts = await surveyEnd(this.#ports, role, fields.text("path"));
    return { facts: endFactsMessage(facts) };
  }

  async #run(fields: Fields): Promise<void> {
    const end = await this.#saying(async () => {
      const opened = await openEnd(this.#ports, parseOrder(fields));
      return { ready: true, opened };
    });
    if (!end) return;
    await using opened = end.opened;
    const channel = this.#stream.records();
    try {
      const report: EndReport = await opened.run({
        channel,
        program: this.#program,
        counters: newCounters(),
      });
      this.#report = { report };
    } catch (error) {
      this.#report = failed(error);
    }
    await this.#stream.endRecords();
  }

  #nothingRun(): Message {
    return failed(corrupt(this.#stream.where, "the question how it went", "a run before it"));
  }

  /** Sends what `work` comes to, or how it failed. */
  async #saying<T extends Message>(work: () => Promise<T>): Promise<T | undefined> {
    const ticking = setInterval(() => {
      this.#stream.send({ alive: true }).catch(() => {});
    }, ALIVE_MS);
    try {
      const answer = await work();
      const { opened: _, ...said } = answer as Message;
      await this.#stream.send(said);
      return answer;
    } catch (error) {
      await this.#stream.send(failed(error));
      return undefined;
    } finally {
      clearInterval(ticking);
    }
  }
}

/** A bug is none of the other side's business, and stays loud on stderr. */
function failed(error: unknown): Message {
  if (error instanceof FailureError) return { failure: failureMessage(error.failure) };
  throw error;
}
