/**
 * GRUB script text as GRUB's reader sees it: a list of lines. The reader of a configuration file drops carriage
 * returns and every line that begins with `#`, even inside a quoted string (grub-core/normal/main.c
 * read_config_file_getline), and C strings end a line at a NUL. Line numbers of the file are kept for messages.
 */
import type { Where } from "../../../base/where.ts";

export type Source = {
  /** The file, for failures. */
  readonly where: Where;
  /** For people: the path inside the guest. */
  readonly path: string;
  /** Empty, or ends in a line feed. */
  readonly text: string;
  /** Offset in `text` of each line. */
  readonly starts: readonly number[];
  /** Number in the file of each line, from 1. */
  readonly numbers: readonly number[];
};

type Origin = { readonly where: Where; readonly path: string };

function fromLines(origin: Origin, lines: Iterable<readonly [string, number]>): Source {
  const kept: string[] = [];
  const starts: number[] = [];
  const numbers: number[] = [];
  let at = 0;
  for (const [line, number] of lines) {
    kept.push(line, "\n");
    starts.push(at);
    numbers.push(number);
    at += line.length + 1;
  }
  return { ...origin, text: kept.join(""), starts, numbers };
}

function cut(line: string): string {
  const nul = line.indexOf("\0");
  return (nul < 0 ? line : line.slice(0, nul)).replaceAll("\r", "");
}

/** The text of a configuration file. */
export function configSource(text: string, origin: Origin): Source {
  const lines = text.split("\n");
  // A final line feed ends the last line, it does not begin another.
  if (lines.at(-1) === "") lines.pop();
  return fromLines(
    origin,
    lines.flatMap((line, i) => (line.startsWith("#") ? [] : [[cut(line), i + 1] as const])),
  );
}

/** Text that a command runs (`eval`, a BLS entry); it counts as being on `line`. */
export function commandSource(text: string, origin: Origin & { readonly line: number }): Source {
  return fromLines(
    { where: origin.where, path: origin.path },
    text.split("\n").map((line) => [line, origin.line] as const),
  );
}

/** A part of a text, between two offsets: the body of a menu entry, cut out when it is run. */
export type Block = { readonly source: Source; readonly start: number; readonly end: number };

export function wholeBlock(source: Source): Block {
  return { source, start: 0, end: source.text.length };
}

export function blockSource({ source, start, end }: Block): Source {
  const first = lineIndex(source, start);
  const text = source.text.slice(start, end);
  return fromLines(
    { where: source.where, path: source.path },
    text.split("\n").map((line, i) => [line, source.numbers[first + i] ?? 1] as const),
  );
}

function lineIndex(source: Source, offset: number): number {
  let low = 0;
  let high = source.starts.length;
  while (low + 1 < high) {
    const middle = (low + high) >>> 1;
    if (source.starts[middle]! <= offset) low = middle;
    else high = middle;
  }
  return low;
}

/** Line in the file and column, from 1. */
export function positionOf(source: Source, offset: number): { line: number; column: number } {
  const index = lineIndex(source, offset);
  return {
    line: source.numbers[index] ?? 1,
    column: offset - (source.starts[index] ?? 0) + 1,
  };
}

/** The offset just after the line that holds `offset`. */
export function endOfLine(source: Source, offset: number): number {
  const end = source.text.indexOf("\n", offset);
  return end < 0 ? source.text.length : end + 1;
}
