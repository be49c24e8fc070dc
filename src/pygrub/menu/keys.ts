/* oxlint-disable no-control-regex -- control sequences are what this file reads */
/**
 * What a terminal sends for a key, as a key. vt100 and xterm (ECMA-48 control sequences; both forms of the arrow keys).
 * Sequences may be cut between two reads, so what is left over is handed back.
 */

export type Key =
  | { readonly name: "text"; readonly text: string }
  | {
      readonly name:
        | "up"
        | "down"
        | "left"
        | "right"
        | "home"
        | "end"
        | "page-up"
        | "page-down"
        | "enter"
        | "escape"
        | "backspace"
        | "delete"
        | "kill-line"
        | "kill-start"
        | "interrupt"
        | "other";
    };

const SEQUENCES: Readonly<Record<string, Key["name"]>> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  H: "home",
  F: "end",
  "1~": "home",
  "7~": "home",
  "4~": "end",
  "8~": "end",
  "3~": "delete",
  "5~": "page-up",
  "6~": "page-down",
};

/** As readline has them. */
const CONTROLS: Readonly<Record<string, Key["name"]>> = {
  "\r": "enter",
  "\n": "enter",
  "\x7f": "backspace",
  "\b": "backspace",
  "\x01": "home",
  "\x05": "end",
  "\x02": "left",
  "\x06": "right",
  "\x10": "up",
  "\x0e": "down",
  "\x04": "delete",
  "\x0b": "kill-line",
  "\x15": "kill-start",
  "\x03": "interrupt",
};

/** `rest`: the beginning of a sequence whose end has not come yet; a lone escape is one until nothing follows it. */
export function parseKeys(input: string): { readonly keys: readonly Key[]; readonly rest: string } {
  const keys: Key[] = [];
  let at = 0;
  while (at < input.length) {
    const char = input[at]!;
    if (char !== "\x1b") {
      keys.push(plainKey(char));
      at += 1;
      continue;
    }
    const tail = input.slice(at);
    if (/^\x1b(?:[[O][0-9;]*)?$/.test(tail)) return { keys, rest: tail };
    const sequence = /^\x1b[[O]([0-9;]*[A-Za-z~])/.exec(tail);
    if (!sequence) {
      keys.push({ name: "escape" });
      at += 1;
      continue;
    }
    keys.push({ name: SEQUENCES[sequence[1]!] ?? "other" } as Key);
    at += sequence[0].length;
  }
  return { keys, rest: "" };
}

function plainKey(char: string): Key {
  const control = CONTROLS[char];
  if (control !== undefined) return { name: control } as Key;
  return char < " " ? { name: "other" } : { name: "text", text: char };
}
