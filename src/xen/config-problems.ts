/** What parsing a config's text brings up, said to people: syntax, keys nobody reads, keys given twice. */
import type { Finding } from "../base/finding.ts";
import { printable } from "../base/printable.ts";
import { countText } from "../base/units.ts";
import type { Where } from "../base/where.ts";
import { within } from "../base/where.ts";
import { isXmKey, keyKind, keySince, nearestKey } from "./config-keys.ts";
import type { ConfigReading } from "./config-reading.ts";
import { report, reportMisread } from "./config-reading.ts";
import type { Setting } from "./config-settings.ts";
import type { ConfigFile, ConfigProblem } from "./config-syntax.ts";
import type { XmCode } from "./xm-data.ts";
import { isXenAtLeast, xenRelease } from "./host-facts.ts";
import type { XenVersion } from "./host-facts.ts";

const REFUSED = "xl refuses the whole file, so the guest does not start.";

/** Each syntax problem of its own; Python and Windows line ends, which are all over a file, once each. */
export function syntaxFindings(file: ConfigFile): Finding[] {
  const findings = file.problems
    .filter(({ kind }) => kind === "syntax")
    .map(({ failure: { found, expected, ...at } }): Finding => ({
      code: "config-syntax",
      severity: "error",
      where: place(file.where, at),
      what: `Not the syntax of an xl config: found ${found}, expected ${expected}.`,
      why: REFUSED,
      next: `Correct line ${at.line}, then run domus check again.`,
    }));
  return [...pythonFinding(file), ...lineEndFinding(file), ...findings];
}

function place(where: Where, { line, column }: { line: number; column: number }): Where {
  return within(where, `line ${line}, column ${column}`);
}

function pythonFinding(file: ConfigFile): Finding[] {
  const problems = file.problems.filter(({ kind }) => kind === "python");
  const [first] = problems;
  if (!first) return [];
  return [
    {
      code: "config-xm-python",
      severity: "error",
      where: place(file.where, first.failure),
      what: `This is an xm config, written in Python: it has ${first.failure.found}${others(problems)}.`,
      why: `xl takes only plain values: quoted strings, numbers and [lists]. ${REFUSED}`,
      next: "Write the values out: True as 1, variables and expressions as the text that they stand for.",
    },
  ];
}

/** What of an xm config could not be read as data: each place once. */
export function xmCodeFindings(where: Where, code: readonly XmCode[]): Finding[] {
  return code.slice(0, MAX_CODE_FINDINGS).map(({ line, column, text }) => ({
    code: "config-xm-code",
    severity: "warning",
    where: place(where, { line, column }),
    what: `This is code, and domus does not run it: ${printable(text)}`,
    why: "domus went on with the assignments that are plain data, as if this were not there. What it sets, or changes, is not known.",
    next: "Write down as plain values what it comes to; the output of xm create -n on an old host shows it.",
  }));
}

const MAX_CODE_FINDINGS = 8;

function lineEndFinding(file: ConfigFile): Finding[] {
  const problems = file.problems.filter(({ kind }) => kind === "line-end");
  const [first] = problems;
  if (!first) return [];
  const path = file.where.at(-1) ?? "the file";
  return [
    {
      code: "config-syntax",
      severity: "error",
      where: place(file.where, first.failure),
      what: `The file has Windows line ends (CRLF)${others(problems)}.`,
      why: `A carriage return is an error to xl. ${REFUSED}`,
      next: `sed -i 's/\\r$//' ${path}`,
    },
  ];
}

function others(problems: readonly ConfigProblem[]): string {
  const more = problems.length - 1;
  return more === 0 ? "" : `, and on ${countText(more, "more line")}`;
}

/** Keys that xl passes over without a word, and values that a later line replaces. */
export function checkKeys(reading: ConfigReading, file: ConfigFile, xen?: XenVersion): void {
  for (const setting of reading.settings.values()) {
    if (keyKind(setting.key) === undefined) unknownKey(reading, setting.key);
    else if (xen) tooNew(reading, setting.key, xen);
    if (setting.overridden.length > 0) repeatedKey(reading, setting);
  }
  for (const { line } of file.droppedEscapes) {
    reading.findings.push({
      code: "config-value",
      severity: "warning",
      where: within(reading.where, `line ${line}`),
      what: "A string has an octal escape such as \\101; xl drops the character.",
      why: "xl starts the guest all the same, without what was meant here.",
      next: "Write the character itself.",
    });
  }
}

function unknownKey(reading: ConfigReading, key: string): void {
  const name = printable(key);
  if (isXmKey(key)) {
    report(reading, {
      code: "config-xm-key",
      severity: "note",
      key,
      what: `${name} was a key of the old xm; xl ignores it.`,
      why: "Whatever it did under xm no longer happens.",
      next: "Take the line out when nothing else needs it.",
    });
    return;
  }
  const near = key === "pvh" ? undefined : nearestKey(key);
  report(reading, {
    code: "config-unknown-key",
    severity: "warning",
    key,
    what: `xl does not know the key ${name}${near ? `; did you mean ${near}?` : "."}`,
    why: "xl ignores unknown keys without a word: what the line says does not happen.",
    next:
      key === "pvh"
        ? 'Write type = "pvh".'
        : near
          ? `Write ${near}, or take the line out.`
          : "Look the key up in man xl.cfg, or take the line out.",
  });
}

function tooNew(reading: ConfigReading, key: string, xen: XenVersion): void {
  const since = keySince(key);
  if (since === undefined || isXenAtLeast(xen, since)) return;
  report(reading, {
    code: "config-unknown-key",
    severity: "warning",
    key,
    what: `Xen ${xenRelease(xen)} does not know the key ${key}; it came with ${since}.`,
    why: "xl ignores unknown keys without a word: what the line says does not happen.",
    next: `Take the line out, or use it on Xen ${since} or later.`,
  });
}

function repeatedKey(reading: ConfigReading, { key, start, overridden }: Setting): void {
  const lines = overridden.map(({ line }) => line).join(", ");
  report(reading, {
    code: "config-repeated-key",
    severity: "warning",
    key,
    what: `${key} is given again on line ${start.line}; what line ${lines} says of it is lost.`,
    why: "xl takes the last value of a key and says nothing about the others.",
    next: `Keep one line for ${key}, or join values with +=.`,
  });
}

/** Values of keys that domus makes no use of: is each of the type that xl expects? */
export function checkKinds(reading: ConfigReading, alreadyRead: ReadonlySet<string>): void {
  for (const { key, value } of reading.settings.values()) {
    if (alreadyRead.has(key)) continue;
    const kind = keyKind(key);
    if (kind === undefined || kind.includes(" or ")) continue;
    const isList = value.kind === "list";
    if (isList === (kind === "list")) continue;
    const is = isList ? "a list" : "a single value";
    const expected = isList ? "a single value" : "a list";
    const next = isList ? "Take the brackets away." : `Put it in brackets: ${key} = [ '...' ].`;
    reportMisread(reading, key, `${key} is ${is}; xl expects ${expected} and ignores it.`, next);
  }
}
