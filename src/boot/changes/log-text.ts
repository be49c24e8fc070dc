/** What the package managers' logs have in common: lines, and times with or without a zone. */
import type { Where } from "../../base/where.ts";

/** A log, or the newest part of it. */
export type LogText = {
  readonly text: string;
  /** Ends with the path of the file. */
  readonly where: Where;
  /** Set when the beginning was left out because of a limit: line numbers then count from the cut. */
  readonly cut?: boolean;
  /** When the file was last written, in seconds since 1970: some logs have no year. */
  readonly writtenAt?: number;
};

export type LogLine = { readonly text: string; readonly where: Where };

/** The longest real line is an `Upgrade:` of apt, and nobody needs more of it than its beginning. */
const MAX_LINE = 4096;

/** Lines longer than 4096 characters are cut there: no line that is looked for is longer. */
export function* logLines(log: LogText): Generator<LogLine> {
  let start = 0;
  for (let number = 1; start < log.text.length; number++) {
    const feed = log.text.indexOf("\n", start);
    const end = feed < 0 ? log.text.length : feed;
    const at = log.cut ? `line ${number} of the part that was read` : `line ${number}`;
    const text = log.text.slice(start, Math.min(end, start + MAX_LINE)).trimEnd();
    yield { text, where: [...log.where, at] };
    start = end + 1;
  }
}

export type LogTime = { readonly time: number; readonly zoneKnown: boolean };

const TIME =
  /^(\d{4})-(\d\d)-(\d\d)[T ]\s?(\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?\s?(Z|[+-]\d\d(?::?\d\d)?)?$/;

/**
 * `2017-07-20 10:35`, `2019-09-20T12:00:00+0200`, `2023-06-20  10:00:00`. Without an offset the text is taken as UTC
 * and `zoneKnown` is false: it may be wrong by up to 14 hours. Undefined when it is no such time.
 */
export function parseLogTime(text: string): LogTime | undefined {
  const match = TIME.exec(text);
  if (!match) return undefined;
  const [year, month, day, hour, minute, second] = match
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  const ms = Date.UTC(year!, month! - 1, day, hour, minute, second);
  // Date.UTC carries over: 31 February would be a day in March. A leap second may carry.
  if (new Date(ms).getUTCDate() !== day && second !== 60) return undefined;
  if (month! < 1 || month! > 12 || hour! > 23 || minute! > 59 || second! > 60) return undefined;
  const zone = match[7];
  return { time: ms / 1000 - offsetSeconds(zone), zoneKnown: zone !== undefined };
}

function offsetSeconds(zone: string | undefined): number {
  if (zone === undefined || zone === "Z") return 0;
  const digits = zone.replace(":", "").slice(1).padEnd(4, "0");
  const seconds = Number(digits.slice(0, 2)) * 3600 + Number(digits.slice(2)) * 60;
  return zone.startsWith("-") ? -seconds : seconds;
}
