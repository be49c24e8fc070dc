/** The menu as lines of text for a terminal of that size; the selected line is marked. Pure. */
import { printable } from "../../base/printable.ts";
import type { LineEdit, MenuState } from "./menu.ts";

export type Size = { readonly columns: number; readonly rows: number };

export type Screen = {
  readonly lines: readonly string[];
  /** Index of the line to be shown in reverse. */
  readonly marked?: number;
  /** Where the cursor is to stand, from 0; hidden where there is none. */
  readonly cursor?: { readonly line: number; readonly column: number };
};

const HEAD_LINES = 2;
const FOOT_LINES = 4;

export function drawMenu(state: MenuState, disk: string, { columns, rows }: Size): Screen {
  const width = Math.max(20, columns);
  const room = Math.max(1, rows - HEAD_LINES - FOOT_LINES);
  const first = Math.max(0, Math.min(state.selected - (room >> 1), state.items.length - room));
  const shown = state.items.slice(first, first + room);
  const list = shown.map(({ title, problem }) =>
    fit(
      `  ${printable(title)}${problem === undefined ? "" : " (cannot be started)"}`,
      width,
    ).padEnd(width),
  );
  const head = [fit(`domus-pygrub: what shall ${printable(disk)} start?`, width), ""];
  if (state.edit) return editing(state.edit, [...head, ...list], width);
  const foot = [
    "",
    fit(statusText(state), width),
    fit("Up and Down select, Enter starts, a edits the arguments.", width),
  ];
  return { lines: [...head, ...list, ...foot], marked: HEAD_LINES + state.selected - first };
}

function statusText({ message, secondsLeft, items, selected }: MenuState): string {
  if (message !== undefined) return printable(message);
  if (secondsLeft !== undefined) return `The marked entry starts in ${secondsLeft} s.`;
  return `Entry ${selected + 1} of ${items.length}`;
}

function editing({ text, cursor }: LineEdit, above: readonly string[], width: number): Screen {
  // One column for each UTF-16 unit, so that the cursor stays where the text is.
  const plain = text.replace(/[^ -~\u00a1-\ud7ff]/g, "?");
  const left = Math.max(0, cursor - (width - 4));
  const lines = [
    ...above,
    "",
    fit("Arguments (Enter starts with them, Escape goes back):", width),
    `> ${plain.slice(left, left + width - 3)}`,
  ];
  return { lines, cursor: { line: lines.length - 1, column: 2 + cursor - left } };
}

function fit(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}>`;
}
