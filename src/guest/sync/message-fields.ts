/** Fields of messages that come from another process: each is of its type and within its bounds, or the run ends. */
import { corrupt } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import type { Message } from "./session-stream.ts";

const MAX_TEXT = 8192;
const MAX_LIST = 1000;

export class Fields {
  readonly #fields: Message;
  readonly #where: Where;

  constructor(fields: unknown, where: Where) {
    if (typeof fields !== "object" || fields === null || Array.isArray(fields))
      throw corrupt(where, JSON.stringify(fields) ?? "nothing", "an object in a message");
    this.#fields = fields as Message;
    this.#where = where;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name);
  }

  text(name: string): string {
    const value = this.#get(name);
    if (typeof value === "string" && value.length <= MAX_TEXT) return value;
    throw this.#wrong(name, `a text of at most ${MAX_TEXT} characters`);
  }

  /** A size, an offset, a count: not negative, exact. */
  count(name: string): number {
    const value = this.#get(name);
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    throw this.#wrong(name, "a whole number from 0");
  }

  flag(name: string): boolean {
    const value = this.#get(name);
    if (typeof value === "boolean") return value;
    throw this.#wrong(name, "true or false");
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T {
    const value = this.#get(name);
    const found = values.find((one) => one === value);
    if (found !== undefined) return found;
    throw this.#wrong(name, values.join(" or "));
  }

  /** Bytes as hexadecimal digits. */
  bytes(name: string, length: number): Uint8Array {
    const value = this.#get(name);
    if (typeof value === "string" && value.length === 2 * length && /^[0-9a-f]*$/.test(value))
      return new Uint8Array(Buffer.from(value, "hex"));
    throw this.#wrong(name, `${length} bytes as hexadecimal digits`);
  }

  object(name: string): Fields {
    return new Fields(this.#get(name), this.#where);
  }

  list<T>(name: string, read: (item: Fields) => T): readonly T[] {
    const value = this.#get(name);
    if (Array.isArray(value) && value.length <= MAX_LIST)
      return value.map((item) => read(new Fields(item, this.#where)));
    throw this.#wrong(name, `a list of at most ${MAX_LIST}`);
  }

  /** `read` of the field, or undefined when it is not there. */
  optional<T>(name: string, read: (fields: this, name: string) => T): T | undefined {
    return this.has(name) ? read(this, name) : undefined;
  }

  #get(name: string): unknown {
    return this.has(name) ? this.#fields[name] : undefined;
  }

  #wrong(name: string, expected: string): Error {
    const found = (JSON.stringify(this.#get(name)) ?? "nothing").slice(0, 100);
    return corrupt(this.#where, `${name}: ${found}`, expected);
  }
}

/** A failure of the other side as data; `host` is put before its place. */
export function parseFailure(fields: Fields, host: Where): Failure {
  const where = [...host, ...fields.list("where", (one) => one.text("step"))];
  const kind = fields.oneOf("kind", [
    "io",
    "corrupt",
    "unsupported",
    "missing",
    "limit",
    "syntax",
    "misuse",
    "refused",
    "remote",
    "failed",
  ]);
  const text = (name: string) => fields.text(name);
  switch (kind) {
    case "io":
      return { kind, where, op: text("op"), errno: text("errno") };
    case "corrupt":
      return { kind, where, found: text("found"), expected: text("expected") };
    case "unsupported":
      return { kind, where, feature: text("feature") };
    case "missing": {
      const next = fields.optional("next", (all) => all.text("next"));
      return { kind, where, what: text("what"), ...(next !== undefined && { next }) };
    }
    case "limit":
      return { kind, where, what: text("what"), limit: text("limit") };
    case "syntax": {
      const [line, column] = [fields.count("line"), fields.count("column")];
      return { kind, where, line, column, found: text("found"), expected: text("expected") };
    }
    case "misuse":
      return { kind, where, what: text("what"), next: text("next") };
    case "refused":
    case "remote":
    case "failed":
      return { kind, where, what: text("what"), why: text("why"), next: text("next") };
  }
}

/** What `parseFailure` reads. */
export function failureMessage(failure: Failure): Message {
  const cut = Object.entries(failure).map(([name, value]) => [
    name,
    typeof value === "string" ? value.slice(0, MAX_TEXT) : value,
  ]);
  const where = failure.where.slice(0, 32).map((step) => ({ step: step.slice(0, MAX_TEXT) }));
  return { ...Object.fromEntries(cut), where };
}
