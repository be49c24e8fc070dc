/**
 * /var/log/apt/history.log: one block a run, `Start-Date`, `Commandline`, ..., `End-Date`, times in local time without
 * a zone, as in dpkg.log. It adds the command to dpkg's changes; the changes themselves are dpkg.log's.
 */
import { logLines, parseLogTime } from "./log-text.ts";
import type { LogText } from "./log-text.ts";
import type { PackageChange } from "./package-change.ts";

export type AptRun = {
  /** Seconds since 1970, as `PackageChange.time`. */
  readonly start: number;
  /** Undefined when apt was cut off. */
  readonly end?: number;
  readonly command: string;
};

const FIELD = /^(Start-Date|End-Date|Commandline): (.*)$/;

/** Runs without a command line (a program that uses libapt) are left out. */
export function parseAptHistory(log: LogText): AptRun[] {
  const runs: AptRun[] = [];
  let start: number | undefined;
  let command: string | undefined;
  let end: number | undefined;
  function close(): void {
    if (start !== undefined && command !== undefined) {
      runs.push({ start, command, ...(end !== undefined && { end }) });
    }
    start = command = end = undefined;
  }
  for (const line of logLines(log)) {
    const [, name, value] = FIELD.exec(line.text) ?? [];
    if (name === undefined || value === undefined) continue;
    if (name === "Start-Date") {
      close();
      start = parseLogTime(value)?.time;
    } else if (name === "End-Date") end = parseLogTime(value)?.time;
    else command = value;
  }
  close();
  return runs;
}

/** How long a run that has no end is believed to have gone on. */
const CUT_OFF_SECONDS = 3600;

/** The dpkg changes of `changes` with the command of the run that they fall into; others as they are. */
export function withCommands(
  changes: readonly PackageChange[],
  runs: readonly AptRun[],
): PackageChange[] {
  const sorted = runs.toSorted((a, b) => a.start - b.start);
  return changes.map((change) => {
    if (change.manager !== "dpkg" || change.command !== undefined) return change;
    const run = lastStarted(sorted, change.time);
    if (!run || change.time > (run.end ?? run.start + CUT_OFF_SECONDS)) return change;
    return { ...change, command: run.command };
  });
}

/** The last run that started at `time` or before. */
function lastStarted(runs: readonly AptRun[], time: number): AptRun | undefined {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (runs[middle]!.start <= time) low = middle + 1;
    else high = middle;
  }
  return runs[low - 1];
}
