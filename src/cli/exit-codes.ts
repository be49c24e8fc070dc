import { ExitCode as StricliExit } from "@stricli/core";

/** What domus ends with; documented in docs/reference/exit-codes.md, the same for every command. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  /** Done, and there are findings of severity error. */
  findings: 3,
  /** Refused, because going on could lose data. */
  refused: 4,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** stricli's own codes are negative: wrong words on the command line are `usage`, the rest is a failure. */
export function exitCodeOf(code: string | number | null | undefined): number {
  const number = Number(code ?? 0);
  if (number === StricliExit.UnknownCommand || number === StricliExit.InvalidArgument) {
    return EXIT.usage;
  }
  return number < 0 ? EXIT.failed : number;
}
