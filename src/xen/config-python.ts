/**
 * Recognises what the old `xm` allowed and xl refuses: its configs were Python programs. Only used on statements
 * that are not xl syntax, to say so in a better way; nothing is evaluated.
 */
import { printable } from "../base/printable.ts";
import type { Token } from "./config-tokens.ts";

const KEYWORDS = new Set(
  "import from def if elif else for while try except finally with class return print pass del".split(
    " ",
  ),
);

const CONSTANTS = new Set(["True", "False", "None"]);

/** The Python in a statement, in words for `found` (`the Python value True`); undefined when there is none. */
export function pythonIn(statement: readonly Token[]): string | undefined {
  const words = statement.filter((token) => token.kind !== "blank" && token.kind !== "comment");
  const [first] = words;
  if (!first) return undefined;
  if (first.kind === "identifier" && KEYWORDS.has(first.text) && words[1]?.kind !== "=") {
    return `the Python statement ${first.text}`;
  }
  for (const [i, token] of words.entries()) {
    const found = pythonAt(words, i, token);
    if (found !== undefined) return found;
  }
  return undefined;
}

function pythonAt(words: readonly Token[], i: number, token: Token): string | undefined {
  const before = words[i - 1];
  const after = words[i + 1];
  if (token.kind === "error") return pythonInError(token.text, before, after);
  // '''text''' is for xl an empty string with another string glued to it
  if (token.kind === "string" && token.text.length === 2 && gluedQuote(token, after)) {
    return "a Python triple-quoted string";
  }
  if (token.kind === "identifier" && before && isValuePlace(before)) {
    if (after?.kind === "string" && glued(token, after)) return "a Python string prefix";
    return `the Python name ${printable(token.text)}`;
  }
  return undefined;
}

function pythonInError(
  text: string,
  before: Token | undefined,
  after: Token | undefined,
): string | undefined {
  const word = /^[A-Za-z_]\w*/.exec(text)?.[0];
  if (word !== undefined && CONSTANTS.has(word)) return `the Python value ${word}`;
  if (word !== undefined && before && isValuePlace(before)) return `the Python name ${word}`;
  // A key that is all capitals was a variable of the config's own: VG = "/dev/vg0"
  if (word !== undefined && !before && after?.kind === "=" && /^[A-Z][A-Z0-9_]+$/.test(word)) {
    return `the Python variable ${word}`;
  }
  if (/^[({]/.test(text)) return `the Python bracket ${text[0]!}`;
  const operator = /^(\*\*|%|\*|\/\/|\+|\.[a-z])/.exec(text)?.[0];
  if (operator !== undefined && before && isValue(before)) {
    return `the Python expression ${printable(before.text.slice(-20))} ${printable(text.slice(0, 20))}`;
  }
  return undefined;
}

function isValuePlace(before: Token): boolean {
  return before.kind === "=" || before.kind === "+=" || before.kind === "[" || before.kind === ",";
}

function isValue(token: Token): boolean {
  return (
    token.kind === "string" ||
    token.kind === "number" ||
    token.kind === "identifier" ||
    token.kind === "]"
  );
}

function glued(a: Token, b: Token): boolean {
  return a.start.offset + a.text.length === b.start.offset;
}

function gluedQuote(token: Token, after: Token | undefined): boolean {
  return after !== undefined && glued(token, after) && after.text[0] === token.text[0];
}
