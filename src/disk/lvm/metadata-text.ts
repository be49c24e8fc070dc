/**
 * The text that LVM2 keeps its metadata in: lvm.conf(5), device_mapper/libdm-config.c. Sections in braces, and
 * assignments of integers, strings and lists of them:
 *
 *     vg0 {
 *       extent_size = 8192    # comments reach to the end of the line
 *       status = ["READ", "WRITE"]
 *       logical_volumes { root { ... } }
 *     }
 *
 * Not supported, since metadata has none of them: paths as keys (`a/b = 1`), strings without quotes, `@` references.
 */
import { Budget } from "../../base/budget.ts";
import { FailureError, overLimit } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";

/** Metadata has four levels: group, `logical_volumes`, volume, segment. */
const MAX_DEPTH = 8;
/** A volume has about twenty; the text of 4 MiB has fewer unless it is made for us. */
const MAX_VALUES = 400_000;

type Document = { readonly text: string; readonly where: Where };

export type ConfigValue = number | string;

export type Assignment = {
  readonly values: readonly ConfigValue[];
  /** In the text; failures turn it into line and column. */
  readonly offset: number;
};

export type Section = {
  /** Empty for the text as a whole. */
  readonly name: string;
  readonly offset: number;
  readonly document: Document;
  /** In the order of the text. Of several with one name the first counts, as in LVM. */
  readonly sections: ReadonlyMap<string, Section>;
  readonly assignments: ReadonlyMap<string, Assignment>;
};

type OpenSection = Section & {
  readonly sections: Map<string, Section>;
  readonly assignments: Map<string, Assignment>;
};

/** Fails with `syntax`, or with `limit` for more than any group needs. */
export function parseMetadataText(text: string, where: Where): Section {
  const document = { text, where };
  const lexer = new Lexer(document);
  const budget = new Budget(MAX_VALUES, where, "the number of values");
  const root = openSection("", 0, document);
  const open: OpenSection[] = [root];
  for (let token = lexer.next(); token.kind !== "end"; token = lexer.next()) {
    const section = open.at(-1)!;
    if (token.kind === "}" && open.length > 1) {
      open.pop();
      continue;
    }
    const name = lexer.expect(token, "word", "a name or the end of a section");
    const after = lexer.next();
    budget.spend();
    if (after.kind === "{") {
      if (open.length === MAX_DEPTH) {
        throw overLimit(where, "the depth of sections", String(MAX_DEPTH));
      }
      const inner = openSection(name, token.offset, document);
      if (!section.sections.has(name)) section.sections.set(name, inner);
      open.push(inner);
      continue;
    }
    lexer.expect(after, "=", '"=" or "{"');
    const values = readValues(lexer, budget);
    if (!section.assignments.has(name)) {
      section.assignments.set(name, { values, offset: token.offset });
    }
  }
  if (open.length > 1) lexer.fail(text.length, `the end in section ${open.at(-1)!.name}`, '"}"');
  return root;
}

function openSection(name: string, offset: number, document: Document): OpenSection {
  return { name, offset, document, sections: new Map(), assignments: new Map() };
}

/** One value, or a list in brackets; a comma may follow the last. */
function readValues(lexer: Lexer, budget: Budget): ConfigValue[] {
  const first = lexer.next();
  if (first.kind !== "[") return [lexer.valueOf(first)];
  const values: ConfigValue[] = [];
  for (;;) {
    const token = lexer.next();
    if (token.kind === "]") return values;
    budget.spend();
    values.push(lexer.valueOf(token));
    const after = lexer.next();
    if (after.kind === "]") return values;
    lexer.expect(after, ",", '"," or "]"');
  }
}

type Token = {
  readonly kind: "word" | "string" | "{" | "}" | "[" | "]" | "=" | "," | "end";
  /** Of a word; of a string without quotes and escapes. */
  readonly text: string;
  readonly offset: number;
};

const BLANK = /\s*/y;
const WORD = /[^\s#={}[\],"']+/y;
const PUNCTUATION = ["{", "}", "[", "]", "=", ","] as const;

class Lexer {
  readonly #document: Document;
  #at = 0;

  constructor(document: Document) {
    this.#document = document;
  }

  /** Takes at least one character, until the end. */
  next(): Token {
    const { text } = this.#document;
    this.#skipBlanks();
    const offset = this.#at;
    if (offset >= text.length) return { kind: "end", text: "", offset };
    const char = text[offset]!;
    const mark = PUNCTUATION.find((one) => one === char);
    if (mark) {
      this.#at += 1;
      return { kind: mark, text: mark, offset };
    }
    if (char === '"' || char === "'") return { kind: "string", text: this.#string(char), offset };
    WORD.lastIndex = offset;
    // What is neither blank, punctuation, quote nor comment is a word of one character at least.
    const word = WORD.exec(text)![0];
    this.#at += word.length;
    return { kind: "word", text: word, offset };
  }

  expect(token: Token, kind: Token["kind"], expected: string): string {
    if (token.kind === kind) return token.text;
    return this.fail(token.offset, tokenText(token), expected);
  }

  /** Integers are as in C: `strtoll` with base 0. Floating point numbers do not occur. */
  valueOf(token: Token): ConfigValue {
    if (token.kind === "string") return token.text;
    const word = this.expect(token, "word", "a number or a string in quotes");
    if (/^[+-]?(0|[1-9]\d{0,19})$/.test(word)) return Number(word);
    if (/^0x[0-9a-f]{1,16}$/i.test(word)) return Number(word);
    return this.fail(token.offset, `"${shortened(word)}"`, "an integer or a string in quotes");
  }

  fail(offset: number, found: string, expected: string): never {
    throw failureAt(this.#document, offset, found, expected);
  }

  #skipBlanks(): void {
    const { text } = this.#document;
    for (;;) {
      BLANK.lastIndex = this.#at;
      this.#at += BLANK.exec(text)![0].length;
      if (text[this.#at] !== "#") return;
      const end = text.indexOf("\n", this.#at);
      this.#at = end < 0 ? text.length : end;
    }
  }

  /** In double quotes a backslash escapes what follows; in single ones it is a character. */
  #string(quote: string): string {
    const { text } = this.#document;
    const start = this.#at + 1;
    let escaped = false;
    for (let at = start; at < text.length; at++) {
      const char = text[at];
      if (char === quote) {
        this.#at = at + 1;
        const raw = text.slice(start, at);
        return escaped ? raw.replace(/\\(["\\])/g, "$1") : raw;
      }
      if (char === "\\" && quote === '"') {
        escaped = true;
        at += 1;
      }
    }
    return this.fail(this.#at, "a string without an end", `${quote} behind it`);
  }
}

function tokenText({ kind, text }: Token): string {
  if (kind === "end") return "the end";
  return kind === "string" ? `the string "${shortened(text)}"` : `"${shortened(text)}"`;
}

function shortened(text: string): string {
  return text.length > 40 ? `${text.slice(0, 37)}...` : text;
}

function failureAt(document: Document, offset: number, found: string, expected: string) {
  const before = document.text.slice(0, offset);
  const line = before.split("\n").length;
  const column = offset - before.lastIndexOf("\n");
  const { where } = document;
  return new FailureError({ kind: "syntax", where, line, column, found, expected });
}

/** A `syntax` failure at a section, or at one of its assignments: for text of good form that makes no sense. */
export function senseless(section: Section, found: string, expected: string, key?: string) {
  const at = key === undefined ? undefined : section.assignments.get(key);
  return failureAt(section.document, at?.offset ?? section.offset, found, expected);
}

/** An integer from `least` (0) to 2^53 - 1. */
export function integerIn(section: Section, key: string, least = 0): number {
  const value = onlyValue(section, key);
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= least) return value;
  throw senseless(
    section,
    `${key} = ${shortened(String(value))}`,
    `an integer from ${least} on`,
    key,
  );
}

export function stringIn(section: Section, key: string): string {
  const value = onlyValue(section, key);
  if (typeof value === "string") return value;
  throw senseless(section, `${key} = ${value}`, "a string", key);
}

/** Empty when there is no such assignment. */
export function valuesIn(section: Section, key: string): readonly ConfigValue[] {
  return section.assignments.get(key)?.values ?? [];
}

function onlyValue(section: Section, key: string): ConfigValue {
  const values = valuesIn(section, key);
  if (values.length === 1) return values[0]!;
  const expected = `one value for ${key}`;
  throw senseless(section, `${nameOf(section)} with ${values.length}`, expected, key);
}

function nameOf({ name }: Section): string {
  return name === "" ? "the text" : `section ${shortened(name)}`;
}
