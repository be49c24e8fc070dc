/**
 * Reading typed values from a config as xl does, and keeping what an admin should hear about it: a value of the wrong
 * type xl only warns about, among the lines that scroll by, and goes on as if the key were not there.
 */
import type { Finding, Severity } from "../base/finding.ts";
import { printable } from "../base/printable.ts";
import type { Where } from "../base/where.ts";
import { within } from "../base/where.ts";
import type { Settings } from "./config-settings.ts";
import { parseLong, stringEntries } from "./config-settings.ts";
import type { ConfigString } from "./config-syntax.ts";

export type ConfigReading = {
  readonly where: Where;
  readonly settings: Settings;
  /** Added to while reading. */
  readonly findings: Finding[];
};

/** Where a key stands: `["/etc/xen/pandora.cfg", "line 3"]`; the file itself for a key that is not there. */
export function whereOf(reading: ConfigReading, key: string): Where {
  const setting = reading.settings.get(key);
  return setting ? within(reading.where, `line ${setting.start.line}`) : reading.where;
}

type Note = {
  readonly code: string;
  readonly severity: Severity;
  readonly key: string;
  readonly what: string;
  readonly why: string;
  readonly next: string;
};

export function report(reading: ConfigReading, note: Note): void {
  const { key, ...rest } = note;
  reading.findings.push({ ...rest, where: whereOf(reading, key) });
}

/** `xl create` ends with an error. */
export function reportRefused(
  reading: ConfigReading,
  key: string,
  what: string,
  next: string,
): void {
  const why = "xl create fails on it, so the guest does not start.";
  report(reading, { code: "config-value", severity: "error", key, what, why, next });
}

/** xl reads something else than was meant, or nothing, and starts the guest. */
export function reportMisread(
  reading: ConfigReading,
  key: string,
  what: string,
  next: string,
): void {
  const why = "xl starts the guest all the same, without what was meant here.";
  report(reading, { code: "config-value", severity: "warning", key, what, why, next });
}

/** Undefined when the key is not there, or is a list. */
export function textOf(reading: ConfigReading, key: string): string | undefined {
  const setting = reading.settings.get(key);
  if (!setting) return undefined;
  if (setting.value.kind === "string") return setting.value.text;
  reportMisread(
    reading,
    key,
    `${key} is a list; xl expects a single value and ignores it.`,
    `Write ${key} = "..." without brackets.`,
  );
  return undefined;
}

/** Undefined when the key is not there, or is no number. Numbers beyond 2^53 come out rounded. */
export function numberOf(reading: ConfigReading, key: string): number | undefined {
  const text = textOf(reading, key);
  if (text === undefined) return undefined;
  if (reading.settings.get(key)!.added) {
    const what = `${key} is given with +=, which xl does not take for numbers; it ignores ${key}.`;
    reportMisread(reading, key, what, `Write ${key} = ${printable(text)} once.`);
    return undefined;
  }
  const number = parseLong(text);
  if (number === undefined) {
    const what = `${key} = ${printable(text)} is not a number to xl; it ignores ${key}.`;
    const next = `Write a plain number: ${key} = ${/^\s*\d+/.exec(text)?.[0].trim() ?? "1"}.`;
    reportMisread(reading, key, what, next);
    return undefined;
  }
  if (/^\s*[+-]?0[0-7]+$/.test(text)) {
    const what = `${key} = ${printable(text)} starts with 0: xl reads it as octal, which is ${number}.`;
    reportMisread(
      reading,
      key,
      what,
      `Write ${key} = ${number}, or the number without its leading 0.`,
    );
  }
  return Number(number);
}

/** True, false, or undefined for the default. */
export function flagOf(reading: ConfigReading, key: string): boolean | undefined {
  const number = numberOf(reading, key);
  return number === undefined ? undefined : number !== 0;
}

/** The strings of a list; empty when the key is not there or no list. `next` says how to write it as a list. */
export function entriesOf(reading: ConfigReading, key: string): ConfigString[] {
  const setting = reading.settings.get(key);
  if (!setting) return [];
  if (setting.value.kind === "string") {
    const what = `${key} is a single value; xl expects a list and ignores it.`;
    reportMisread(reading, key, what, `Put it in brackets: ${key} = [ '...' ].`);
    return [];
  }
  const { entries, lost } = stringEntries(setting.value.items);
  if (lost.length > 0) {
    const line = lost[0]!.start.line;
    const what = `${key} has a list inside the list on line ${line}: xl stops there and drops ${lost.length} of its entries.`;
    reportMisread(reading, key, what, "Take the inner brackets away.");
  }
  return entries;
}

/** The text of a key, when it is one of `choices`; otherwise xl refuses the config. */
export function choiceOf<T extends string>(
  reading: ConfigReading,
  key: string,
  choices: readonly T[],
): T | undefined {
  const text = textOf(reading, key);
  if (text === undefined) return undefined;
  const choice = choices.find((name) => name === text);
  if (choice === undefined) {
    const next = `Use one of ${choices.map((name) => `"${name}"`).join(", ")}.`;
    reportRefused(reading, key, `${key} = "${printable(text)}" is nothing that xl knows.`, next);
  }
  return choice;
}

/** xl compares only as many letters as the user wrote: `h` and the empty text are hvm, `p` is pv. */
export function byPrefix<T extends string>(text: string, names: readonly T[]): T | undefined {
  return names.find((name) => name.startsWith(text));
}
