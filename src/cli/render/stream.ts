/** Results of any length: written as they are made, no faster than the reader takes them. */
import { encodeText } from "../../bytes/text.ts";
import type { Output } from "../output.ts";

const FLUSH_CHARS = 64 * 1024;

export type ResultStream = {
  /** Text of the result; the caller gives the line feeds. */
  write(text: string): Promise<void>;
  /** What is still held. */
  flush(): Promise<void>;
};

export function resultStream(out: Output): ResultStream {
  let held: string[] = [];
  let length = 0;
  async function flush(): Promise<void> {
    const text = held.join("");
    held = [];
    length = 0;
    if (text !== "") await out.resultBytes(encodeText(text));
  }
  return {
    async write(text) {
      held.push(text);
      length += text.length;
      if (length >= FLUSH_CHARS) await flush();
    },
    flush,
  };
}

export type JsonList = {
  add(item: Readonly<Record<string, unknown>>): Promise<void>;
  /** The fields that come after the list, and the end of the document. */
  end(after: Readonly<Record<string, unknown>>): Promise<void>;
};

/** One document like that of `Output.json`, with a list as long as it likes: an item a line. */
export function jsonList(
  out: Output,
  before: Readonly<Record<string, unknown>>,
  name: string,
): JsonList {
  const stream = resultStream(out);
  const head = JSON.stringify({ domus: 1, ...before }).slice(0, -1);
  let next = `${head},\n"${name}": [\n`;
  return {
    async add(item) {
      await stream.write(next + JSON.stringify(item));
      next = ",\n";
    },
    async end(after) {
      const rest = JSON.stringify(after).slice(1);
      await stream.write(`${next === ",\n" ? "" : next}\n],\n${rest}\n`);
      await stream.flush();
    },
  };
}
