/** Where a command's words go: the result to stdout, talk to stderr, both aware of the terminal. */
import { styleText } from "node:util";

export type Style = "bold" | "dim" | "red" | "yellow" | "green" | "cyan";

export type Output = {
  /** The result. A line feed is added. */
  result(text: string): void;
  /** Bytes of a result, as they are. Resolves when the reader has taken them. */
  resultBytes(bytes: Uint8Array): Promise<void>;
  /** One JSON document. */
  json(document: Readonly<Record<string, unknown>>): void;
  /** As it is, in one line: for a stream of documents. */
  line(document: Readonly<Record<string, unknown>>): void;
  /** Talk: what is going on, what went wrong. */
  say(text: string): void;
  /** A line that the next one replaces; nothing where stderr is not a terminal. */
  progress(text: string): void;
  /** Whether `progress` shows anything. */
  readonly live: boolean;
  style(style: Style, text: string): string;
  /** Columns of the terminal; 80 where there is none. */
  readonly width: number;
};

type Stream = NodeJS.WriteStream;

export function terminalOutput(stdout: Stream, stderr: Stream, env: NodeJS.ProcessEnv): Output {
  let progressShown = false;
  const color = useColor(stdout, env);
  const clear = () => {
    if (progressShown) stderr.write("\r\u001b[K");
    progressShown = false;
  };
  return {
    result(text) {
      clear();
      stdout.write(`${text}\n`);
    },
    resultBytes(bytes) {
      clear();
      return new Promise((resolve, reject) => {
        stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
      });
    },
    json(document) {
      clear();
      stdout.write(`${JSON.stringify({ domus: 1, ...document }, null, 2)}\n`);
    },
    line(document) {
      clear();
      stdout.write(`${JSON.stringify(document)}\n`);
    },
    say(text) {
      clear();
      stderr.write(`${text}\n`);
    },
    progress(text) {
      if (!stderr.isTTY) return;
      // The last column stays free: what fills a line wraps it, and a wrapped line cannot be taken back.
      const room = Math.max(1, (stderr.columns || 80) - 1);
      stderr.write(`\r\u001b[K${text.slice(0, room)}`);
      progressShown = text !== "";
    },
    live: stderr.isTTY,
    style: (style, text) => (color ? styleText(style, text, { validateStream: false }) : text),
    width: Math.max(40, Math.min(stdout.columns || 80, 120)),
  };
}

/** https://no-color.org, and FORCE_COLOR for those who page with `less -R`. */
function useColor(stdout: Stream, env: NodeJS.ProcessEnv): boolean {
  if (env["NO_COLOR"]) return false;
  return Boolean(env["FORCE_COLOR"]) || (stdout.isTTY && env["TERM"] !== "dumb");
}
