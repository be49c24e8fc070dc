/**
 * Words of an xl config file (xen: tools/libs/util/libxlu_cfg_l.l), every character kept: the tokens' texts joined
 * are the file, so that an editor of configs can change one value and leave comments, order and style alone.
 *
 * What xl's lexer refuses becomes a token of kind `error`: an odd character and what is glued to it, up to the next
 * blank or the end of the line. It overlooks a single odd character that ends the file: that one is a `blank`.
 */

export type Position = {
  /** In UTF-16 units from the start of the text. */
  readonly offset: number;
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
};

export type TokenKind =
  | "identifier"
  | "number"
  | "string"
  | "["
  | "]"
  | ","
  | "="
  | "+="
  | ";"
  | "newline"
  | "comment"
  | "blank"
  | "error";

export type Token = { readonly kind: TokenKind; readonly text: string; readonly start: Position };

/**
 * In xl's own order, which decides between patterns that match the same length (no two of these do). Strings never
 * cross a line end; a carriage return is an ordinary character in strings and comments, and an error elsewhere.
 */
const PATTERNS: readonly (readonly [TokenKind, RegExp])[] = [
  ["identifier", /[a-z][._0-9a-z]*/y],
  ["number", /[0-9][0-9a-fx]*/y],
  ["blank", /[ \t]+/y],
  ["newline", /\n/y],
  ["comment", /#[^\n]*/y],
  ["string", /'(?:[^'\\\n]|\\[^\n])*'/y],
  ["string", /"(?:[^"\\\n]|\\[^\n])*"/y],
  ["+=", /\+=/y],
  ["=", /=/y],
  ["[", /\[/y],
  ["]", /\]/y],
  [",", /,/y],
  [";", /;/y],
  ["error", /[^ \t\n][^ \t\n]*/y],
];

/** Never fails; time is linear in the length of the text, as no pattern can match in more than one way. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let offset = 0;
  let line = 1;
  let lineStart = 0;
  while (offset < text.length) {
    const [kind, word] = tokenAt(text, offset);
    tokens.push({ kind, text: word, start: { offset, line, column: offset - lineStart + 1 } });
    offset += word.length;
    if (kind === "newline") {
      line += 1;
      lineStart = offset;
    }
  }
  return tokens;
}

function tokenAt(text: string, offset: number): [TokenKind, string] {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = offset;
    const word = pattern.exec(text)?.[0];
    if (word === undefined) continue;
    const overlooked = kind === "error" && word.length === 1 && offset + 1 === text.length;
    return [overlooked ? "blank" : kind, word];
  }
  // The patterns for blanks, newlines and errors together match every character.
  throw new Error("no token pattern matched");
}

/** The text that `tokenize` was given. */
export function printTokens(tokens: readonly Token[]): string {
  return tokens.map((token) => token.text).join("");
}

/** What a quoted string stands for, or why xl refuses it. `at` counts characters from the opening quote. */
export type Unquoted =
  | { readonly ok: true; readonly text: string; readonly droppedOctal: boolean }
  | {
      readonly ok: false;
      readonly at: number;
      readonly found: string;
      readonly expected: string;
    };

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  "\\": "\\",
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/**
 * Takes the quotes off and the escapes apart as xl does, faults included: `\x41` is always refused (xl skips one
 * digit too many), and an octal escape `\101` is read and then dropped.
 */
export function unquote(quoted: string): Unquoted {
  let text = "";
  let droppedOctal = false;
  const end = quoted.length - 1;
  for (let at = 1; at < end; at++) {
    const char = quoted[at]!;
    if (char === "\0") {
      return { ok: false, at, found: "a NUL character", expected: "text without NUL" };
    }
    if (char !== "\\") {
      text += char;
      continue;
    }
    // The lexer's pattern guarantees a character after each backslash, before the closing quote.
    const escape = quoted[at + 1]!;
    const plain = ESCAPES[escape];
    if (plain !== undefined) {
      text += plain;
      at += 1;
      continue;
    }
    const digits = octalDigits(quoted, at + 1, end);
    if (digits === 0) return { ok: false, at, ...badEscape(escape) };
    droppedOctal = true;
    at += digits;
  }
  return { ok: true, text, droppedOctal };
}

/**
 * Length of an octal escape after its backslash, 0 when xl refuses it. After the first digit, xl hands up to three
 * characters to strtoul, in base 10, and wants it to have taken two: blanks and a sign count.
 */
function octalDigits(quoted: string, at: number, end: number): number {
  if (!/[0-7]/.test(quoted[at]!)) return 0;
  const rest = quoted.slice(at + 1, Math.min(at + 4, end));
  const taken = /^[ \t\r\v\f]*[+-]?[0-9]+/.exec(rest)?.[0].length ?? 0;
  return taken < 2 ? 0 : 1 + taken;
}

function badEscape(escape: string): { found: string; expected: string } {
  const found = `the escape \\${escape}`;
  if (escape === "x") {
    return { found, expected: "the character itself: xl's own reading of \\x is broken" };
  }
  return { found, expected: "one of \\\\ \\' \\\" \\n \\t (write a backslash as \\\\)" };
}
