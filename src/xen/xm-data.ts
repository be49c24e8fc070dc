/**
 * Configs of the old xm as far as they are data. They were Python programs; most only assign strings, numbers and lists.
 * Such assignments are written anew in xl's syntax, on the same lines, so that the rest of domus reads them. What is
 * code (import, if, def, calls) is left out and named.
 *
 * Read are strings of all quotings and prefixes, strings side by side, `+`, `%` with constants, lists, tuples,
 * None, True, False, and names that were assigned before. Nothing is executed.
 */

export type XmCode = { readonly line: number; readonly column: number; readonly text: string };

export type XmData = {
  /** The assignments in xl's syntax, each on its line. */
  readonly text: string;
  /** What is no data, in the order of the file. */
  readonly code: readonly XmCode[];
};

type Value = string | number | boolean | null | readonly Value[];
type Token = {
  readonly kind: "string" | "number" | "name" | "op" | "newline";
  readonly text: string;
  readonly at: number;
};

const TOKENS =
  /(?<blank>[ \t\r]+|#[^\n]*|\\\r?\n)|(?<newline>\n)|(?<string>[rRbBuU]{0,2}(?:'''(?:[^\\]|\\[^])*?'''|"""(?:[^\\]|\\[^])*?"""|'(?:[^'\\\n]|\\[^])*'|"(?:[^"\\\n]|\\[^])*"))|(?<number>[0-9][0-9a-zA-Z.]*)|(?<name>[A-Za-z_][A-Za-z0-9_]*)|(?<op>[^])/gy;
/** Brackets in brackets; nobody writes more than three. */
const MAX_DEPTH = 16;
/** Of all values together: a name may stand in another many times over. */
const MAX_CHARACTERS = 4 * 1024 * 1024;

/** Never throws; linear but for names that are used again, whose length is bounded. */
export function readXmData(source: string): XmData {
  return new Reader(source).read();
}

class Code extends Error {}

class Reader {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  readonly #lineStarts: readonly number[];
  readonly #names = new Map<string, Value>();
  readonly #lines: string[] = [];
  readonly #code: XmCode[] = [];
  #at = 0;
  #characters = 0;

  constructor(source: string) {
    this.#source = source;
    this.#tokens = tokenize(source);
    const starts = [0];
    for (let at = source.indexOf("\n"); at >= 0; at = source.indexOf("\n", at + 1)) {
      starts.push(at + 1);
    }
    this.#lineStarts = starts;
  }

  read(): XmData {
    while (this.#at < this.#tokens.length) {
      const first = this.#tokens[this.#at]!;
      if (first.kind === "newline" || first.text === ";") this.#at += 1;
      else this.#statement(first);
    }
    const text = Array.from(this.#lines, (line) => line ?? "").join("\n");
    return { text: `${text}\n`, code: this.#code };
  }

  #statement(first: Token): void {
    const { line, column } = this.#place(first.at);
    try {
      // What is indented belongs to an if, a for or a def before it.
      if (first.kind !== "name" || this.#source[this.#lineStarts[line - 1]!]!.trim() === "") {
        throw new Code();
      }
      this.#at += 1;
      if (!this.#takes("=") || this.#peek()?.text === "=") throw new Code();
      const value = this.#expression(0);
      const end = this.#peek();
      if (end && end.kind !== "newline" && end.text !== ";") throw new Code();
      this.#names.set(first.text, value);
      const written = writtenInXl(value);
      if (/^[a-z][a-z0-9_]*$/.test(first.text) && written !== undefined) {
        const before = this.#lines[line - 1];
        this.#lines[line - 1] = `${before ? `${before}; ` : ""}${first.text} = ${written}`;
      }
    } catch (error) {
      if (!(error instanceof Code)) throw error;
      const start = this.#lineStarts[line - 1]! + column - 1;
      const text = this.#source.slice(start, start + 60).split("\n")[0]!;
      if (this.#code.length < 100) this.#code.push({ line, column, text: text.trimEnd() });
      while (this.#at < this.#tokens.length && this.#peek()?.kind !== "newline") this.#at += 1;
    }
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  #takes(text: string): boolean {
    const token = this.#peek();
    if (token?.kind !== "op" || token.text !== text) return false;
    this.#at += 1;
    return true;
  }

  #skipNewlines(): void {
    while (this.#peek()?.kind === "newline") this.#at += 1;
  }

  #expression(depth: number): Value {
    let left = this.#term(depth);
    for (;;) {
      if (this.#takes("+")) left = sum(left, this.#term(depth));
      else if (this.#takes("%")) left = formatted(left, this.#term(depth));
      else return left;
      this.#spend(left);
    }
  }

  #term(depth: number): Value {
    const token = this.#peek();
    this.#at += 1;
    if (token?.kind === "string") {
      let text = unquoted(token.text);
      for (let next = this.#peek(); next?.kind === "string"; next = this.#peek()) {
        text += unquoted(next.text);
        this.#at += 1;
      }
      return text;
    }
    if (
      token?.kind === "number" &&
      /^(0[xX][0-9a-fA-F]{1,12}|[0-9]{1,15})[lL]?$/.test(token.text)
    ) {
      return Number(token.text.replace(/[lL]$/, ""));
    }
    if (token?.kind === "name") return this.#named(token.text);
    if (token?.text === "[") return this.#items("]", depth);
    if (token?.text !== "(") throw new Code();
    const items = this.#items(")", depth);
    const last = this.#tokens[this.#at - 2];
    return items.length === 1 && last?.text !== "," ? items[0]! : items;
  }

  #named(name: string): Value {
    if (name === "None") return null;
    if (name === "True" || name === "False") return name === "True";
    const value = this.#names.get(name);
    if (value === undefined) throw new Code();
    this.#spend(value);
    return value;
  }

  #items(close: string, depth: number): Value[] {
    if (depth >= MAX_DEPTH) throw new Code();
    const items: Value[] = [];
    for (;;) {
      this.#skipNewlines();
      if (this.#takes(close)) return items;
      items.push(this.#expression(depth + 1));
      this.#skipNewlines();
      if (!this.#takes(",") && this.#peek()?.text !== close) throw new Code();
    }
  }

  #spend(value: Value): void {
    this.#characters += typeof value === "string" ? value.length : 64;
    if (Array.isArray(value)) this.#characters += (writtenInXl(value) ?? "").length;
    if (this.#characters > MAX_CHARACTERS) throw new Code();
  }

  #place(at: number): { line: number; column: number } {
    let low = 0;
    let high = this.#lineStarts.length;
    while (low + 1 < high) {
      const middle = (low + high) >>> 1;
      if (this.#lineStarts[middle]! <= at) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: at - this.#lineStarts[low]! + 1 };
  }
}

function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  for (const match of source.matchAll(TOKENS)) {
    const { blank, newline, string, number, name } = match.groups!;
    if (blank !== undefined) continue;
    const kind =
      newline !== undefined
        ? "newline"
        : string !== undefined
          ? "string"
          : number !== undefined
            ? "number"
            : name !== undefined
              ? "name"
              : "op";
    tokens.push({ kind, text: match[0], at: match.index });
  }
  return tokens;
}

function unquoted(token: string): string {
  const [, prefix = "", quote = "'"] = /^([a-z]*)('''|"""|'|")/i.exec(token)!;
  const text = token.slice(prefix.length + quote.length, token.length - quote.length);
  if (/r/i.test(prefix)) return text;
  return text.replace(/\\(\r?\n|[^])/g, (whole, what: string) => {
    if (what.endsWith("\n")) return "";
    const plain = { n: "\n", t: "\t", "\\": "\\", "'": "'", '"': '"' }[what];
    return plain ?? whole;
  });
}

function sum(left: Value, right: Value): Value {
  if (typeof left === "string" && typeof right === "string") return left + right;
  if (typeof left === "number" && typeof right === "number") return left + right;
  if (Array.isArray(left) && Array.isArray(right)) return [...left, ...right] as Value[];
  throw new Code();
}

/** `%s`, `%d`, `%i` and `%%`, with as many constants as there are. */
function formatted(left: Value, right: Value): Value {
  if (typeof left !== "string") throw new Code();
  const values: readonly Value[] = Array.isArray(right) ? (right as readonly Value[]) : [right];
  let next = 0;
  const text = left.replace(/%(.)/g, (_, what: string) => {
    if (what === "%") return "%";
    const value = values[next++];
    const isNumber = typeof value === "number";
    if (!(what === "s" && typeof value === "string") && !(isNumber && /[sdi]/.test(what))) {
      throw new Code();
    }
    return String(value);
  });
  if (next !== values.length) throw new Code();
  return text;
}

/** In xl's syntax; `undefined` for None, which stands for nothing. */
function writtenInXl(value: Value): string | undefined {
  if (value === null) return undefined;
  if (typeof value === "boolean") return value ? "1" : "0";
  if (typeof value === "number") return String(value);
  if (typeof value === "string")
    return `"${value.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n")}"`;
  return `[ ${value.flatMap((one) => writtenInXl(one) ?? []).join(", ")} ]`;
}
