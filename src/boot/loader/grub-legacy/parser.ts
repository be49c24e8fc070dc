/**
 * menu.lst, the configuration of GRUB 0.97: lines of commands, those before the first `title` run when the menu is
 * read, the others belong to the entry above them. Facts: stage2/stage2.c (get_line_from_config, cmain) and
 * stage2/cmdline.c (find_command, skip_to).
 */
import { COMMANDS } from "./commands.ts";

export type Command = {
  readonly name: string;
  /** What follows, blanks before it removed. */
  readonly argument: string;
  /** From 1. */
  readonly line: number;
};

export type Entry = {
  readonly title: string;
  readonly line: number;
  readonly commands: readonly Command[];
};

export type Menu = {
  /** Commands before the first title. */
  readonly settings: readonly Command[];
  readonly entries: readonly Entry[];
  /** Words that are no command: GRUB passes such lines over without a word, in entries as well. */
  readonly unknown: readonly Command[];
};

/** NEW_HEAPSIZE: what comes later in a line is not seen. */
const MAX_LINE = 1500;

/** Takes any text; linear in its length. */
export function parseMenu(text: string): Menu {
  const settings: Command[] = [];
  const unknown: Command[] = [];
  const entries: { title: string; line: number; commands: Command[] }[] = [];
  for (const { text: line, number } of configLines(text)) {
    const command = { ...splitCommand(line), line: number };
    if (!COMMANDS.has(command.name)) {
      unknown.push(command);
    } else if (command.name === "title") {
      entries.push({ title: command.argument, line: number, commands: [] });
    } else {
      (entries.at(-1)?.commands ?? settings).push(command);
    }
  }
  // A title without a command is overwritten by the next one.
  return { settings, unknown, entries: entries.filter((entry) => entry.commands.length > 0) };
}

/** `default=2` is as good as `default 2`. */
function splitCommand(line: string): { name: string; argument: string } {
  const end = line.search(/[ =]/);
  if (end < 0) return { name: line, argument: "" };
  return { name: line.slice(0, end), argument: line.slice(end).replace(/^[ =]+/, "") };
}

/** The first word, where `=` does not end it, and what follows. */
export function nextWord(text: string): { word: string; rest: string } {
  const end = text.indexOf(" ");
  if (end < 0) return { word: text, rest: "" };
  return { word: text.slice(0, end), rest: text.slice(end).replace(/^ +/, "") };
}

type Line = { readonly text: string; readonly number: number };

/** Without blank lines, comments and leading blanks; a backslash before the end continues even a comment. */
function* configLines(text: string): Generator<Line> {
  const clean = text.replace(/\r/g, "").replace(/[\t\0]/g, " ");
  let open = "";
  let start = 0;
  for (const [index, raw] of `${clean}\n`.split("\n").entries()) {
    if (open === "") start = index + 1;
    const continued = raw.endsWith("\\");
    const piece = continued ? `${raw.slice(0, -1)} ` : raw;
    // What does not fit is dropped at once, so that the time stays linear.
    const line = (open + (open === "" ? piece.replace(/^ +/, "") : piece)).slice(0, MAX_LINE);
    open = continued ? line : "";
    if (!continued && line !== "" && !line.startsWith("#")) yield { text: line, number: start };
  }
}
