/**
 * Which entry GRUB 0.97 starts by itself (stage2/stage2.c cmain, run_menu): `default`, an index or `saved`; one that
 * is beyond the menu is the first. When the entry fails, those of `fallback` are tried in order.
 */
import type { LoaderResult } from "../loader.ts";
import { quoted } from "../boot-file.ts";
import type { Command } from "./parser.ts";
import type { Ran } from "./run-entry.ts";

export type ChooseInput = {
  readonly settings: readonly Command[];
  readonly ran: readonly Ran[];
  /** Content of the file `default` beside the menu. */
  readonly saved: string | undefined;
};

export type Choice = Pick<LoaderResult, "chosen" | "because" | "timeout"> & {
  /** Indexes of what is tried, in order. */
  readonly tried: readonly number[];
  /** What `default` says, where that is no entry of the menu. */
  readonly unmatched?: string;
};

/** MAX_FALLBACK_ENTRIES */
const MAX_FALLBACKS = 8;

export function chooseLegacy({ settings, ran, saved }: ChooseInput): Choice {
  const timeout = parseNumber(last(settings, "timeout")?.argument ?? "") ?? -1;
  if (ran.length === 0) return { because: "the menu has no entries", timeout, tried: [] };
  const wanted = wantedEntry(settings, saved, ran.length);
  const tried: number[] = [wanted.index];
  let text = wanted.because;
  let started = startsWith(ran, wanted.index);
  const fallback = last(settings, "fallback");
  if (!started) text += `; ${whyFails(ran[wanted.index]!)}`;
  for (const index of fallbacks(fallback, ran.length)) {
    if (started) break;
    tried.push(index);
    text += `; then fallback in line ${fallback!.line}`;
    started = startsWith(ran, index);
    if (!started) text += `: ${whyFails(ran[index]!)}`;
  }
  if (timeout < 0) text += "; GRUB waits for a key, as there is no timeout";
  if (!started && !fallback) text += "; there is no fallback";
  // When nothing starts, the entry that is tried first is what has to be mended.
  const chosen = started ? tried.at(-1)! : wanted.index;
  const { unmatched } = wanted;
  return { chosen, because: text, timeout, tried, ...(unmatched !== undefined && { unmatched }) };
}

function startsWith(ran: readonly Ran[], index: number): boolean {
  return ran[index]?.outcome !== "fails";
}

function wantedEntry(
  settings: readonly Command[],
  saved: string | undefined,
  count: number,
): { index: number; because: string; unmatched?: string } {
  const setting = last(settings, "default");
  if (!setting) return { index: 0, because: "first entry: no default is set" };
  const line = `line ${setting.line}`;
  if (setting.argument === "saved") {
    const number = parseNumber(saved ?? "");
    if (number === undefined) {
      return { index: 0, because: `first entry: default saved in ${line}, and none is saved` };
    }
    const because = `default saved in ${line}, which is ${number}`;
    return number < count
      ? { index: number, because }
      : { index: 0, because: `first entry: ${because}, beyond the menu`, unmatched: because };
  }
  const text = `default=${quoted(setting.argument)} in ${line}`;
  const number = parseNumber(setting.argument);
  if (number !== undefined && number < count) return { index: number, because: text };
  return { index: 0, because: `first entry: ${text} matches no entry`, unmatched: text };
}

function fallbacks(setting: Command | undefined, count: number): number[] {
  const numbers = (setting?.argument ?? "").split(" ").filter(Boolean).slice(0, MAX_FALLBACKS);
  const indexes = numbers.map(parseNumber);
  // A word that is no number, or one beyond the menu, ends the list.
  const end = indexes.findIndex((index) => index === undefined || index >= count);
  return (end < 0 ? indexes : indexes.slice(0, end)) as number[];
}

/** What is set last counts. */
function last(settings: readonly Command[], name: string): Command | undefined {
  return settings.findLast((one) => one.name === name);
}

/** As safe_parse_maxint: decimal or 0x, what follows does not matter. */
function parseNumber(text: string): number | undefined {
  const match = /^(0x[0-9a-f]{1,8}|\d{1,10})/i.exec(text.trimStart());
  const value = match ? Number(match[0]) : undefined;
  return value !== undefined && value <= 0x7fffffff ? value : undefined;
}

function whyFails({ boot }: Ran): string {
  const { missing, problem, title } = boot;
  const name = quoted(title);
  if (missing[0]) return `${name} names ${missing[0].path}, which is not there`;
  return problem === undefined ? `${name} loads no kernel` : `${name} fails: ${problem}`;
}
