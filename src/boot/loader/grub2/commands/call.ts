import type { Machine } from "../machine.ts";
import type { Block } from "../source.ts";
import type { Word } from "../word.ts";

/** One command as it is run. */
export type Call = {
  readonly name: string;
  /** Without the name (and without a `!` before it). */
  readonly args: readonly string[];
  /** As written, the name included. */
  readonly words: readonly Word[];
  readonly block?: Block;
  readonly line: number;
};

/** Returns a status: 0 for success, else one of GRUB's error numbers. */
export type CommandFunction = (machine: Machine, call: Call) => number | Promise<number>;
export type CommandTable = readonly (readonly [name: string, run: CommandFunction])[];
