/**
 * The grammar of xl config files (xl.cfg(5); xen: tools/libs/util/libxlu_cfg_y.y), unchanged since Xen 4.2:
 *
 *     file  = { [ stmt ] ( newline | ";" ) } [ stmt ]
 *     stmt  = identifier ( "=" | "+=" ) value
 *     value = string | number | "[" [ value { "," value } [ "," ] ] "]"      newlines are free inside [ ]
 *
 * Everything that xl refuses is a problem with line and column. As xl does, parsing goes on at the next line, so
 * that all problems come out at once; unlike xl, the rest of a list that is broken is skipped with it.
 *
 * Tokens keep every character, so `printConfig(parseConfig(text))` is `text`.
 */
import type { Failure } from "../base/failure.ts";
import { printable } from "../base/printable.ts";
import type { Where } from "../base/where.ts";
import type { Position, Token } from "./config-tokens.ts";
import { printTokens, tokenize, unquote } from "./config-tokens.ts";
import { pythonIn } from "./config-python.ts";

/** Where something stands: indexes into `ConfigFile.tokens`, both included. */
export type TokenRange = { readonly first: number; readonly last: number };

export type ConfigString = {
  readonly kind: "string";
  /** Without quotes and escapes. Numbers are strings too: xl tells them apart only when it reads them. */
  readonly text: string;
  readonly quoted: boolean;
  readonly start: Position;
  readonly range: TokenRange;
};

export type ConfigList = {
  readonly kind: "list";
  readonly items: readonly ConfigValue[];
  readonly start: Position;
  readonly range: TokenRange;
};

export type ConfigValue = ConfigString | ConfigList;

export type Assignment = {
  readonly key: string;
  readonly op: "=" | "+=";
  readonly value: ConfigValue;
  /** Of the key. */
  readonly start: Position;
  readonly range: TokenRange;
};

export type ConfigProblem = {
  /**
   * `python`: an expression, a variable, a statement of the old xm's configs, which were Python programs.
   * `line-end`: a carriage return: the file comes from Windows.
   */
  readonly kind: "syntax" | "python" | "line-end";
  readonly failure: Extract<Failure, { kind: "syntax" }>;
};

export type ConfigFile = {
  readonly where: Where;
  readonly tokens: readonly Token[];
  /** In the order of the file. Complete only when there are no problems. */
  readonly assignments: readonly Assignment[];
  /** In the order of the file, at most one a line. With any of them, xl refuses the whole file. */
  readonly problems: readonly ConfigProblem[];
  /** Strings with an octal escape, which xl drops without a word. */
  readonly droppedEscapes: readonly Position[];
};

/** Lists in lists: xl.cfg has two levels (`vnuma`, `vsnd`). Bounds the stack of whoever walks the tree. */
const MAX_DEPTH = 32;

/** Never throws. `where` is where failures say they are: the path of the file. */
export function parseConfig(text: string, where: Where = []): ConfigFile {
  return new Parser(tokenize(text), where).file();
}

/** The text that was parsed. */
export function printConfig(file: ConfigFile): string {
  return printTokens(file.tokens);
}

/** Thrown and caught inside this file: the statement is given up at a token. */
class Refused extends Error {
  readonly token: number;
  readonly expected: string;
  readonly found: string | undefined;

  constructor(token: number, expected: string, found?: string) {
    super(expected);
    this.token = token;
    this.expected = expected;
    this.found = found;
  }
}

type OpenList = { readonly first: number; readonly items: ConfigValue[] };

class Parser {
  readonly #tokens: readonly Token[];
  readonly #where: Where;
  readonly #assignments: Assignment[] = [];
  readonly #problems: ConfigProblem[] = [];
  readonly #droppedEscapes: Position[] = [];
  readonly #latest = new Map<string, Assignment>();
  /** Index of the next token; blanks and comments are stepped over by `#peek`. */
  #at = 0;

  constructor(tokens: readonly Token[], where: Where) {
    this.#tokens = tokens;
    this.#where = where;
  }

  file(): ConfigFile {
    for (;;) {
      const token = this.#peek();
      if (!token) break;
      if (token.kind === "newline" || token.kind === ";") {
        this.#at += 1;
        continue;
      }
      this.#statement();
    }
    this.#lastComment();
    return {
      where: this.#where,
      tokens: this.#tokens,
      assignments: this.#assignments,
      problems: this.#problems.toSorted((a, b) => a.failure.line - b.failure.line),
      droppedEscapes: this.#droppedEscapes,
    };
  }

  #statement(): void {
    const first = this.#at;
    try {
      const assignment = this.#assignment();
      this.#endOfStatement();
      this.#store(assignment);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#skipStatement(first);
      this.#report(error, first);
    }
  }

  #assignment(): Assignment {
    const first = this.#at;
    const key = this.#expect("identifier", "a key such as name or memory");
    const op = this.#peek();
    if (op?.kind !== "=" && op?.kind !== "+=") {
      throw new Refused(this.#at, `= after ${key.text}`);
    }
    this.#at += 1;
    const value = this.#value();
    const range = { first, last: this.#at - 1 };
    return { key: key.text, op: op.kind, value, start: key.start, range };
  }

  /** `+=` joins strings, or lists, not one with the other. */
  #store(assignment: Assignment): void {
    const { key, op, value } = assignment;
    const before = this.#latest.get(key);
    if (op === "+=" && before && before.value.kind !== value.kind) {
      const { line, column } = value.start;
      const found = value.kind === "list" ? "a list" : "a single value";
      const expected = `a ${before.value.kind}, which ${key} is since line ${before.start.line}`;
      const failure = {
        kind: "syntax",
        where: this.#where,
        line,
        column,
        found,
        expected,
      } as const;
      this.#problem({ kind: "syntax", failure });
    }
    this.#latest.set(key, assignment);
    this.#assignments.push(assignment);
  }

  /** A value, lists in lists included, without recursion. Leaves `#at` after its last token. */
  #value(): ConfigValue {
    const open: OpenList[] = [];
    for (;;) {
      if (open.length > 0) this.#skipNewlines();
      const token = this.#peek();
      let value: ConfigValue;
      if (token?.kind === "[") {
        if (open.length === MAX_DEPTH) throw new Refused(this.#at, "fewer lists inside each other");
        open.push({ first: this.#at, items: [] });
        this.#at += 1;
        this.#skipNewlines();
        if (this.#peek()?.kind !== "]") continue;
        value = this.#closeList(open);
      } else {
        value = this.#atom(token);
      }
      const whole = this.#afterValue(value, open);
      if (whole) return whole;
    }
  }

  /** Puts a finished value into its list, and closes the lists that end here. The whole value when none is open. */
  #afterValue(value: ConfigValue, open: OpenList[]): ConfigValue | undefined {
    let done = value;
    for (;;) {
      const list = open.at(-1);
      if (!list) return done;
      list.items.push(done);
      this.#skipNewlines();
      const token = this.#peek();
      if (token?.kind === ",") {
        this.#at += 1;
        this.#skipNewlines();
        if (this.#peek()?.kind !== "]") return undefined;
      } else if (token?.kind !== "]") {
        throw new Refused(this.#at, ", or ] in the list");
      }
      done = this.#closeList(open);
    }
  }

  #closeList(open: OpenList[]): ConfigList {
    const { first, items } = open.pop()!;
    const last = this.#at;
    this.#at += 1;
    return { kind: "list", items, start: this.#tokens[first]!.start, range: { first, last } };
  }

  #atom(token: Token | undefined): ConfigString {
    const range = { first: this.#at, last: this.#at };
    if (token?.kind === "number") {
      this.#at += 1;
      return { kind: "string", text: token.text, quoted: false, start: token.start, range };
    }
    if (token?.kind !== "string") {
      throw new Refused(this.#at, "a value: a quoted string, a number or a [list]");
    }
    this.#at += 1;
    const unquoted = unquote(token.text);
    if (unquoted.ok && unquoted.droppedOctal) this.#droppedEscapes.push(token.start);
    if (!unquoted.ok) this.#badString(token, unquoted);
    const text = unquoted.ok ? unquoted.text : "";
    return { kind: "string", text, quoted: true, start: token.start, range };
  }

  #endOfStatement(): void {
    const token = this.#peek();
    if (token && token.kind !== "newline" && token.kind !== ";") {
      throw new Refused(this.#at, "the end of the line or ;");
    }
  }

  #expect(kind: "identifier", expected: string): Token {
    const token = this.#peek();
    if (token?.kind !== kind) throw new Refused(this.#at, expected);
    this.#at += 1;
    return token;
  }

  /** The next token that means something, undefined at the end. Leaves `#at` on it. */
  #peek(): Token | undefined {
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token?.kind !== "blank" && token?.kind !== "comment") return token;
      this.#at += 1;
    }
  }

  #skipNewlines(): void {
    while (this.#peek()?.kind === "newline") this.#at += 1;
  }

  /**
   * To the line end where a broken statement ends: past the `]` of its list, or before a line that starts the next
   * assignment, whichever comes first.
   */
  #skipStatement(first: number): void {
    let depth = 0;
    for (let at = first; at < this.#at; at++) depth += nesting(this.#tokens[at]!);
    for (;;) {
      const token = this.#peek();
      if (!token) return;
      if (token.kind === "newline" && (depth <= 0 || this.#assignmentFollows())) return;
      depth += nesting(token);
      this.#at += 1;
    }
  }

  #assignmentFollows(): boolean {
    const rest = this.#tokens
      .slice(this.#at + 1, this.#at + 6)
      .filter((token) => token.kind !== "blank");
    const [key, op] = rest;
    return key?.kind === "identifier" && (op?.kind === "=" || op?.kind === "+=");
  }

  #report(refused: Refused, first: number): void {
    const line = this.#tokens.slice(first, this.#at);
    const token = this.#tokens[refused.token];
    const { line: lineNumber, column } = token?.start ?? this.#end();
    const found = refused.found ?? describe(token);
    const python = pythonIn(line);
    const isLineEnd = token?.kind === "error" && token.text.startsWith("\r");
    const expected = hint(token, line) ?? refused.expected;
    this.#problem({
      kind: isLineEnd ? "line-end" : python === undefined ? "syntax" : "python",
      failure: {
        kind: "syntax",
        where: this.#where,
        line: lineNumber,
        column,
        found: isLineEnd || python === undefined ? found : python,
        expected,
      },
    });
  }

  #badString(token: Token, bad: { at: number; found: string; expected: string }): void {
    const { line, column } = token.start;
    const { found, expected } = bad;
    const at = { where: this.#where, line, column: column + bad.at };
    this.#problem({ kind: "syntax", failure: { kind: "syntax", ...at, found, expected } });
  }

  #problem(problem: ConfigProblem): void {
    if (this.#problems.at(-1)?.failure.line !== problem.failure.line) this.#problems.push(problem);
  }

  /** xl's lexer takes a comment only together with its line end; a bare # at the very end it overlooks. */
  #lastComment(): void {
    const last = this.#tokens.at(-1);
    if (last?.kind !== "comment" || last.text.length === 1) return;
    const { line, column } = last.start;
    const found = "a comment on the last line, which has no line end";
    const expected = "a newline after it (xl wants one there)";
    const failure = { kind: "syntax", where: this.#where, line, column, found, expected } as const;
    this.#problem({ kind: "syntax", failure });
  }

  #end(): Position {
    const last = this.#tokens.at(-1);
    if (!last) return { offset: 0, line: 1, column: 1 };
    const { offset, line, column } = last.start;
    const { length } = last.text;
    return last.kind === "newline"
      ? { offset: offset + 1, line: line + 1, column: 1 }
      : { offset: offset + length, line, column: column + length };
  }
}

function nesting(token: Token): number {
  return token.kind === "[" ? 1 : token.kind === "]" ? -1 : 0;
}

/** A token in words, short and safe to print. */
function describe(token: Token | undefined): string {
  if (!token) return "the end of the file";
  if (token.kind === "newline") return "the end of the line";
  if (token.kind === "error" && token.text.startsWith("\r")) return "a carriage return";
  const text = token.text.length > 40 ? `${token.text.slice(0, 37)}...` : token.text;
  return printable(text);
}

/** What to say instead of the plain expectation where the mistake is a well-known one. */
function hint(token: Token | undefined, statement: readonly Token[]): string | undefined {
  if (token?.kind === "string")
    return "one value: xl does not join strings that stand side by side";
  if (token?.kind !== "error") return undefined;
  const char = token.text[0]!;
  if (char === "\r") return "a plain line end: the file has Windows line ends (CRLF)";
  if (char === "'" || char === '"') return `a closing ${char} on the same line`;
  if (/[A-Z]/.test(char) && statement.indexOf(token) <= 1) return "a key in lower-case letters";
  if (char > "~") return "plain ASCII: quotes are ' or \"";
  return undefined;
}
