/**
 * Changes to the text of an xl config that leave everything else as it is, byte for byte: comments, order, quotes, blanks
 * (docs/design/drift.md, "Edits"). What is changed is what xl takes of a key: the last `=` and what `+=` adds to it.
 */
import { unsupported } from "../base/failure.ts";
import { settingsOf, stringEntries } from "./config-settings.ts";
import type { Assignment, ConfigFile, ConfigList, ConfigString } from "./config-syntax.ts";
import { parseConfig } from "./config-syntax.ts";
import type { Token } from "./config-tokens.ts";
import { printTokens } from "./config-tokens.ts";

export type ConfigEdit =
  /** A number is written without quotes, a text in those that are there. */
  | { readonly kind: "set"; readonly key: string; readonly value: string | number }
  | { readonly kind: "add"; readonly key: string; readonly entry: string }
  /** `entry` counts the key's strings, those of all `+=` included, from 0. */
  | { readonly kind: "replace"; readonly key: string; readonly entry: number; readonly by: string }
  | { readonly kind: "remove"; readonly key: string; readonly entry: number };

/**
 * The new text. `unsupported` for a file that xl refuses, a key of the other kind, and where the outcome would not mean what
 * was asked for.
 */
export function editConfig(text: string, edits: readonly ConfigEdit[]): string {
  // One after the other, in an order in which positions among the entries stay right.
  return edits.toSorted(byEntryDown).reduce(editOnce, text);
}

function byEntryDown(a: ConfigEdit, b: ConfigEdit): number {
  return (
    ("entry" in b && typeof b.entry === "number" ? b.entry : -1) -
    ("entry" in a && typeof a.entry === "number" ? a.entry : -1)
  );
}

function editOnce(text: string, edit: ConfigEdit): string {
  const file = parseConfig(text);
  const problem = file.problems[0]?.failure;
  if (problem)
    throw unsupported(["config"], `line ${problem.line}, which xl refuses: ${problem.found}`);
  const changed = edit.kind === "set" ? setValue(file, edit) : changeList(file, edit);
  assertMeans(text, changed, edit);
  return changed;
}

/** The assignments that make up what xl takes: from the last `=` on. */
function effective(file: ConfigFile, key: string): readonly Assignment[] {
  const all = file.assignments.filter((one) => one.key === key);
  const start = all.findLastIndex((one) => one.op === "=");
  return all.slice(Math.max(start, 0));
}

function setValue(file: ConfigFile, edit: ConfigEdit & { kind: "set" }): string {
  const [first, ...more] = effective(file, edit.key);
  const { value, key } = edit;
  if (!first) return withLine(file.tokens, `${key} = ${valueText(value)}`);
  if (first.value.kind === "list") throw unsupported(["config"], `${key}, which is a list`);
  const old = file.tokens[first.value.range.first]!.text;
  const quote = /^['"]/.exec(old)?.[0];
  const written = quote === undefined ? valueText(value) : quoted(String(value), quote);
  const texts = file.tokens.map(({ text }) => text);
  texts[first.value.range.first] = written;
  // The rest of what was joined on is part of the old value.
  for (const { range } of more) blankStatement(file.tokens, texts, range);
  return texts.join("");
}

function changeList(file: ConfigFile, edit: Exclude<ConfigEdit, { kind: "set" }>): string {
  const assignments = effective(file, edit.key);
  const lists = assignments.flatMap(({ value }) => (value.kind === "list" ? [value] : []));
  if (lists.length < assignments.length)
    throw unsupported(["config"], `${edit.key}, which is a single value`);
  const last = lists.at(-1);
  if (edit.kind === "add") {
    if (!last) return withLine(file.tokens, `${edit.key} = [ ${quoted(edit.entry, "'")} ]`);
    return added(file.tokens, last, edit.entry);
  }
  let skipped = 0;
  for (const list of lists) {
    const entry = list.items[edit.entry - skipped];
    if (entry?.kind === "string")
      return edit.kind === "replace"
        ? replaced(file.tokens, entry, edit.by)
        : removed(file.tokens, list, entry);
    skipped += list.items.length;
  }
  throw unsupported(["config"], `${edit.key} without an entry ${edit.entry}`);
}

function replaced(tokens: readonly Token[], entry: ConfigString, by: string): string {
  const texts = tokens.map(({ text }) => text);
  const quote = /^['"]/.exec(texts[entry.range.first]!)?.[0] ?? "'";
  texts[entry.range.first] = quoted(by, quote);
  return texts.join("");
}

/** Behind the last entry: on a line of its own where the last one has that. */
function added(tokens: readonly Token[], list: ConfigList, entry: string): string {
  const { first, last } = list.range;
  const before = list.items.at(-1);
  const quote = before && /^['"]/.exec(tokens[before.range.first]!.text)?.[0];
  const written = quoted(entry, quote ?? "'");
  const texts = tokens.map(({ text }) => text);
  if (!before) {
    texts[first] = `[ ${written}`;
    if (last === first + 1) texts[last] = " ]";
    return texts.join("");
  }
  const end = before.range.last;
  const comma = nextMeaning(tokens, end, last, ",");
  const indentation = lineStart(tokens, before.range.first, first);
  if (indentation === undefined) {
    if (comma === undefined) texts[end] += `, ${written}`;
    else texts[comma] = `, ${written},`;
    return texts.join("");
  }
  // The comment on the line of the last entry stays with it.
  if (comma === undefined) texts[end] += ",";
  const newline = newlineAfter(tokens, comma ?? end, last);
  const line = `\n${indentation}${written}${comma === undefined ? "" : ","}`;
  if (newline === undefined) texts[comma ?? end] += line;
  else texts[newline] = `${line}\n`;
  return texts.join("");
}

/** With its comma; with its whole line, comment included, where nothing else is on it. */
function removed(tokens: readonly Token[], list: ConfigList, entry: ConfigString): string {
  const { first, last } = list.range;
  const texts = tokens.map(({ text }) => text);
  const { range } = entry;
  const comma = nextMeaning(tokens, range.last, last, ",");
  const before = comma === undefined ? commaBefore(tokens, range.first, first) : undefined;
  const alone = lineStart(tokens, range.first, first) !== undefined;
  const newline = newlineAfter(tokens, comma ?? range.last, last);
  const from =
    alone && newline !== undefined ? startOfLine(tokens, range.first, first) : range.first;
  const to = alone && newline !== undefined ? newline : (comma ?? range.last);
  for (let at = from; at <= to; at++) texts[at] = "";
  if (before !== undefined) texts[before] = "";
  // One blank between two entries, not two.
  if (!alone && comma !== undefined && tokens[comma + 1]?.kind === "blank") texts[comma + 1] = "";
  if (before !== undefined && !alone)
    for (let at = before + 1; at < range.first; at++) texts[at] = "";
  return texts.join("");
}

/** The token of that kind behind `at`, before `end`, with nothing but blanks, comments and line ends between. */
function nextMeaning(
  tokens: readonly Token[],
  at: number,
  end: number,
  kind: Token["kind"],
): number | undefined {
  for (let next = at + 1; next < end; next++) {
    const token = tokens[next]!;
    if (token.kind === kind) return next;
    if (token.kind !== "blank" && token.kind !== "comment" && token.kind !== "newline")
      return undefined;
  }
  return undefined;
}

function commaBefore(tokens: readonly Token[], at: number, start: number): number | undefined {
  for (let before = at - 1; before > start; before--) {
    const { kind } = tokens[before]!;
    if (kind === ",") return before;
    if (kind !== "blank" && kind !== "comment" && kind !== "newline") return undefined;
  }
  return undefined;
}

/** The blanks before `at` when it is the first word of its line, inside the list that begins at `start`. */
function lineStart(tokens: readonly Token[], at: number, start: number): string | undefined {
  const before = tokens[at - 1];
  if (at - 1 > start && before?.kind === "newline") return "";
  const isIndented = before?.kind === "blank" && at - 2 > start;
  return isIndented && tokens[at - 2]!.kind === "newline" ? before.text : undefined;
}

function startOfLine(tokens: readonly Token[], at: number, start: number): number {
  return at - 1 > start && tokens[at - 1]!.kind === "blank" ? at - 1 : at;
}

/** The line end behind `at` with only blanks and a comment between, inside the list that ends at `end`. */
function newlineAfter(tokens: readonly Token[], at: number, end: number): number | undefined {
  for (let next = at + 1; next < end; next++) {
    const { kind } = tokens[next]!;
    if (kind === "newline") return next;
    if (kind !== "blank" && kind !== "comment") return undefined;
  }
  return undefined;
}

/** Takes a statement away: its line, where it is alone on it, else itself and its `;`. */
function blankStatement(
  tokens: readonly Token[],
  texts: string[],
  { first, last }: Assignment["range"],
): void {
  for (let at = first; at <= last; at++) texts[at] = "";
  let from = first - 1;
  while (tokens[from]?.kind === "blank") from -= 1;
  const startsLine = from < 0 || tokens[from]!.kind === "newline";
  let to = last + 1;
  while (tokens[to]?.kind === "blank") to += 1;
  const end = tokens[to]?.kind;
  if (end === ";") texts[to] = "";
  else if (startsLine && end === "newline") for (let at = from + 1; at <= to; at++) texts[at] = "";
}

/** At the end, on a line of its own. */
function withLine(tokens: readonly Token[], line: string): string {
  const text = printTokens(tokens);
  return `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${line}\n`;
}

function valueText(value: string | number): string {
  return typeof value === "number" ? String(value) : quoted(value, '"');
}

/** In quotes of the given kind. Control characters have no reliable escape in xl. */
function quoted(text: string, quote: string): string {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if ((code < 0x20 && code !== 9) || code === 0x7f)
      throw unsupported(["config"], "a control character in a value");
  }
  return `${quote}${text.replaceAll("\\", "\\\\").replaceAll(quote, `\\${quote}`)}${quote}`;
}

/** The text must now mean what was asked for, and nothing else may have changed. */
function assertMeans(before: string, after: string, edit: ConfigEdit): void {
  const file = parseConfig(after);
  const [was, is] = [meaning(parseConfig(before)), meaning(file)];
  const expected = new Map(was);
  const old = was.get(edit.key);
  const list = Array.isArray(old) ? [...old] : [];
  if (edit.kind === "add") list.push(edit.entry);
  if (edit.kind === "replace") list[edit.entry] = edit.by;
  if (edit.kind === "remove") list.splice(edit.entry, 1);
  expected.set(edit.key, edit.kind === "set" ? String(edit.value) : list);
  const same = JSON.stringify([...sorted(expected)]) === JSON.stringify([...sorted(is)]);
  if (file.problems.length > 0 || !same)
    throw unsupported(["config"], `a way of writing ${edit.key} that it cannot change safely`);
}

type Meaning = string | readonly string[];

function meaning(file: ConfigFile): Map<string, Meaning> {
  const entries = [...settingsOf(file)].map(([key, { value }]): [string, Meaning] => [
    key,
    value.kind === "string"
      ? value.text
      : value.items.map((item) =>
          item.kind === "string"
            ? item.text
            : stringEntries(item.items)
                .entries.map(({ text }) => text)
                .join("\n"),
        ),
  ]);
  return new Map(entries);
}

function sorted(map: ReadonlyMap<string, Meaning>): [string, Meaning][] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
