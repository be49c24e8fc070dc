/**
 * The words of GRUB script. Rules of grub-core/script/yylex.l, in short:
 *
 * - a word runs to the next blank or one of `{}|&$;<>`; quotes, `\x` and `$name` may be part of it;
 * - `|`, `||`, `&`, `&&`, `;;`, `<`, `>`, `[[` and `]]` are tokens that no rule of the grammar takes;
 * - a line is read at a time: a statement ends with its line unless a block, a loop, a quote or a `\` is open;
 * - `#` begins a comment only where a word could begin.
 */
import { FailureError } from "../../../base/failure.ts";
import { endOfLine, positionOf } from "./source.ts";
import type { Source } from "./source.ts";
import { splitWord } from "./word.ts";
import type { Word } from "./word.ts";

export type Token =
  | { readonly kind: "word"; readonly word: Word; readonly start: number; readonly end: number }
  | {
      readonly kind: "keyword";
      readonly word: Word;
      readonly start: number;
      readonly end: number;
    }
  | {
      readonly kind: "newline" | ";" | "{" | "}" | "end";
      readonly start: number;
      readonly end: number;
    };

const KEYWORDS = new Set(
  "case do done elif else esac fi for if in select then until while function".split(" "),
);
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const VARIABLE =
  /\$(?:[A-Za-z_][A-Za-z0-9_]*|\{[A-Za-z_][A-Za-z0-9_]*\}|[0-9]+|\{[0-9]+\}|[?#*@]|\{[?#*@]\})/y;
const ENDS_WORD = new Set("{}|&$;<> \t\n");

/** True when a word can name a variable in `for` and a function: letters, digits and `_`. */
export function isName(word: Word): boolean {
  return NAME.test(word.text);
}

export class Lexer {
  readonly #source: Source;
  #at: number;
  /** End of what has been read: always just after a line feed. */
  #limit: number;
  /** How many constructs are open that go on over the end of a line. */
  open = 0;

  constructor(source: Source, at: number) {
    this.#source = source;
    this.#at = at;
    this.#limit = endOfLine(source, at);
  }

  /** Where the next statement is looked for, after this one is complete or in error. */
  get limit(): number {
    return this.#limit;
  }

  next(): Token {
    const { text } = this.#source;
    for (;;) {
      if (this.#at >= this.#limit) {
        if (this.open === 0) return { kind: "end", start: this.#at, end: this.#at };
        this.#readLine();
      }
      const start = this.#at;
      const char = text[start]!;
      switch (char) {
        case " ":
        case "\t":
          this.#at += 1;
          continue;
        case "\n":
          this.#at += 1;
          return { kind: "newline", start, end: start + 1 };
        case ";":
          if (text[start + 1] === ";") throw this.fail(start, "`;;`", "a command");
          this.#at += 1;
          return { kind: ";", start, end: start + 1 };
        case "{":
        case "}":
          this.#at += 1;
          return { kind: char, start, end: start + 1 };
        case "#":
          // A backslash at the end of a comment does not continue it, and quotes in it mean nothing.
          this.#at = this.#limit - 1;
          continue;
        default:
          return this.#word(start);
      }
    }
  }

  #word(start: number): Token {
    const { text } = this.#source;
    const end = this.#wordEnd(start);
    const raw = text.slice(start, end);
    if (raw === "" || raw === "[[" || raw === "]]") {
      const found = raw === "" ? text[start]! : raw;
      throw this.fail(start, `\`${found}\``, "a word");
    }
    const segments = splitWord(raw);
    if (!segments)
      throw this.fail(start, `\`$\` without a name in ${raw.slice(0, 60)}`, "a variable");
    this.#at = end;
    const kind = KEYWORDS.has(raw) ? "keyword" : "word";
    return { kind, word: { text: raw, segments }, start, end };
  }

  /** Reads further lines while a quote or a backslash at the end of the line asks for them. */
  #wordEnd(start: number): number {
    const { text } = this.#source;
    let at = start;
    for (;;) {
      const char = text[at];
      if (char === "\\") {
        at += 2;
        if (at >= this.#limit) this.#readLine();
      } else if (char === "'" || char === '"') {
        at = this.#quoteEnd(at);
      } else if (char === "$" && text[at + 1] === '"') {
        at = this.#quoteEnd(at + 1);
      } else if (char === "$") {
        VARIABLE.lastIndex = at;
        if (!VARIABLE.test(text)) return at;
        at = VARIABLE.lastIndex;
      } else if (char === undefined || ENDS_WORD.has(char)) {
        return at;
      } else {
        at += 1;
      }
    }
  }

  #quoteEnd(open: number): number {
    const { text } = this.#source;
    const quote = text[open]!;
    let at = open + 1;
    for (;;) {
      while (at >= this.#limit) this.#readLine();
      const char = text[at]!;
      if (char === quote) return at + 1;
      at += char === "\\" && quote === '"' ? 2 : 1;
    }
  }

  #readLine(): void {
    if (this.#limit >= this.#source.text.length) {
      throw this.fail(this.#limit - 1, "the end of the text", "the end of a block or a quote");
    }
    this.#limit = endOfLine(this.#source, this.#limit);
  }

  fail(offset: number, found: string, expected: string): FailureError {
    const { where } = this.#source;
    return new FailureError({
      kind: "syntax",
      where,
      ...positionOf(this.#source, offset),
      found,
      expected,
    });
  }
}
