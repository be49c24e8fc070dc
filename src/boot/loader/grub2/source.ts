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

/** Takes the lines of `text`, each with the number that `number` gives it by its index; 0 leaves it out. */
function fromLines(origin: Origin, text: string, number: (index: number, line: string) => number) {
  const kept: string[] = [];
  const starts: number[] = [];
  const numbers: number[] = [];
  let at = 0;
  for (const [index, line] of text.split("\n").entries()) {
    const found = number(index, line);
    if (found === 0) continue;
    kept.push(line);
    starts.push(at);
    numbers.push(found);
    at += line.length + 1;
  }
  return { ...origin, text: kept.length > 0 ? `${kept.join("\n")}\n` : "", starts, numbers };
}

/** The text of a configuration file. */
export function configSource(text: string, origin: Origin): Source {
  const clean = text.replace(/\0[^\n]*|\r/g, "");
  // A final line feed ends the last line, it does not begin another.
  const lines = clean.endsWith("\n") ? clean.slice(0, -1) : clean;
  return fromLines(origin, lines, (index, line) => (line.startsWith("#") ? 0 : index + 1));
}

/** Text that a command runs (`eval`, a BLS entry); it counts as being on `line`. */
export function commandSource(text: string, origin: Origin & { readonly line: number }): Source {
  return fromLines({ where: origin.where, path: origin.path }, text, () => origin.line);
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
    text,
    (index) => source.numbers[first + index] ?? 1,
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
