/**
 * The boot menu as a state machine: keys go in, a state or a decision comes out. No terminal here, and no clock: seconds
 * are told to it.
 */
import type { Key } from "./keys.ts";

export type MenuItem = { readonly title: string; readonly args: string; readonly problem?: string };

export type MenuState = {
  readonly items: readonly MenuItem[];
  readonly selected: number;
  /** Until the selected entry starts by itself; undefined once somebody has pressed a key. */
  readonly secondsLeft?: number;
  /** The arguments while they are being edited. */
  readonly edit?: LineEdit;
  /** What the last key was answered with. */
  readonly message?: string;
};

export type LineEdit = { readonly text: string; readonly cursor: number };

export type MenuStep =
  | { readonly kind: "go on"; readonly state: MenuState }
  | { readonly kind: "boot"; readonly index: number; readonly args?: string };

export type MenuInput = {
  readonly items: readonly MenuItem[];
  readonly chosen: number;
  /** -1, like undefined, waits for ever. */
  readonly timeoutSeconds?: number;
};

export function firstState({ items, chosen, timeoutSeconds }: MenuInput): MenuState {
  const waits = timeoutSeconds !== undefined && timeoutSeconds >= 0;
  return { items, selected: chosen, ...(waits && { secondsLeft: timeoutSeconds }) };
}

/** A second has gone by. */
export function tick(state: MenuState): MenuStep {
  if (state.secondsLeft === undefined) return { kind: "go on", state };
  const secondsLeft = state.secondsLeft - 1;
  if (secondsLeft <= 0) return { kind: "boot", index: state.selected };
  return { kind: "go on", state: { ...state, secondsLeft } };
}

export function press(before: MenuState, key: Key): MenuStep {
  // Any key stops the clock.
  const { secondsLeft: _clock, message: _message, ...state } = before;
  return state.edit ? pressInEdit(state, state.edit, key) : pressInList(state, key);
}

/** Where a key takes the mark, by the selected entry and the last one. */
const SELECT: Partial<Record<Key["name"], (selected: number, last: number) => number>> = {
  up: (selected) => selected - 1,
  down: (selected) => selected + 1,
  "page-up": () => 0,
  home: () => 0,
  "page-down": (_, last) => last,
  end: (_, last) => last,
};

function pressInList(state: MenuState, key: Key): MenuStep {
  const { items, selected } = state;
  const move = SELECT[key.name];
  if (move) return select(state, move(selected, items.length - 1));
  const letter = key.name === "text" ? key.text : "";
  if (key.name === "enter" || letter === "b") return boot(state, {});
  if (letter !== "a" && letter !== "e") return { kind: "go on", state };
  const text = items[selected]!.args;
  return { kind: "go on", state: { ...state, edit: { text, cursor: text.length } } };
}

function select(state: MenuState, to: number): MenuStep {
  const selected = Math.max(0, Math.min(state.items.length - 1, to));
  return { kind: "go on", state: { ...state, selected } };
}

function boot(state: MenuState, with_: { readonly args?: string }): MenuStep {
  const { problem } = state.items[state.selected]!;
  if (problem !== undefined) {
    const { edit: _edit, ...list } = state;
    return {
      kind: "go on",
      state: { ...list, message: `This entry cannot be started: ${problem}` },
    };
  }
  return { kind: "boot", index: state.selected, ...with_ };
}

const EDIT: Partial<Record<Key["name"], (edit: LineEdit) => LineEdit>> = {
  left: ({ text, cursor }) => ({ text, cursor: Math.max(0, cursor - 1) }),
  right: ({ text, cursor }) => ({ text, cursor: Math.min(text.length, cursor + 1) }),
  home: ({ text }) => ({ text, cursor: 0 }),
  end: ({ text }) => ({ text, cursor: text.length }),
  backspace: ({ text, cursor }) => without(text, Math.max(0, cursor - 1), cursor),
  delete: ({ text, cursor }) => without(text, cursor, cursor + 1),
  "kill-line": ({ text, cursor }) => without(text, cursor, text.length),
  "kill-start": ({ text, cursor }) => without(text, 0, cursor),
};

function without(text: string, from: number, to: number): LineEdit {
  return { text: text.slice(0, from) + text.slice(to), cursor: from };
}

function pressInEdit(state: MenuState, edit: LineEdit, key: Key): MenuStep {
  const { text, cursor } = edit;
  if (key.name === "enter") return boot(state, { args: text });
  if (key.name === "escape") {
    const { edit: _edit, ...list } = state;
    return { kind: "go on", state: list };
  }
  if (key.name === "text") {
    const typed = text.slice(0, cursor) + key.text + text.slice(cursor);
    const next = { text: typed, cursor: cursor + key.text.length };
    return { kind: "go on", state: { ...state, edit: next } };
  }
  const next = EDIT[key.name]?.(edit) ?? edit;
  return { kind: "go on", state: { ...state, edit: next } };
}
