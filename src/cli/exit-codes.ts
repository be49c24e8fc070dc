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
