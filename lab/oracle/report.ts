/** The oracle's table, and the texts that were really seen. Pure. */
import type { LabRelease } from "../releases.ts";
import { RELEASES } from "../releases.ts";
import type { OracleCase } from "./case.ts";
import type { Comparison } from "./compare.ts";
import type { Observation } from "./observe.ts";
import type { Prediction } from "./predict.ts";

export type OracleResult = {
  readonly release: LabRelease;
  readonly one: OracleCase;
  readonly said: Prediction;
  readonly seen: Observation;
  readonly comparison: Comparison;
};

/** `fails: kernel-packing` */
export function predictedText({ verdict, findings }: Prediction): string {
  const wanted = verdict === "fails" ? "error" : "warning";
  const codes = findings.filter(({ severity }) => severity === wanted).map(({ code }) => code);
  const named = verdict === "boots" ? [] : [...new Set(codes)].slice(0, 2);
  return named.length === 0 ? verdict : `${verdict}: ${named.join(", ")}`;
}

/** One row a case, in columns; those that do not agree end in what is wrong. */
export function resultTable(results: readonly OracleResult[]): string {
  const rows = results.map(({ release, one, said, seen, comparison }) => [
    RELEASES[release].xen,
    one.name,
    predictedText(said),
    seen.outcome,
    seen.seconds.toFixed(0),
    comparison.agrees ? "" : `${wrong(seen)}: ${comparison.problems.join("; ")}`,
  ]);
  const all = [["Xen", "case", "predicted", "seen", "s", ""], ...rows];
  const widths = all[0]!.map((_, at) => Math.max(...all.map((row) => row[at]!.length)));
  return all
    .map((row) => row.map((cell, at) => cell.padEnd(at === 5 ? 0 : widths[at]!)).join("  "))
    .map((line) => line.trimEnd())
    .join("\n");
}

function wrong({ outcome }: Observation): string {
  return outcome === "lost" ? "LOST" : "DISAGREES";
}

/** How many, and how they ended. */
export function summary(results: readonly OracleResult[]): string {
  const count = (test: (one: OracleResult) => boolean) => results.filter(test).length;
  const agreed = count(({ comparison }) => comparison.agrees);
  const open = count(({ comparison }) => comparison.open);
  const booted = count(({ seen }) => seen.outcome === "userland");
  const lost = count(({ seen }) => seen.outcome === "lost");
  return `${results.length} guests: ${agreed} as predicted (${open} of them left open), ${results.length - agreed} not; ${booted} booted, ${results.length - booted - lost} did not${lost === 0 ? "" : `; ${lost} that nobody saw`}`;
}

/** The lines that say why a guest did not boot; empty when it did. */
export function decisiveLines({ seen }: OracleResult): string[] {
  if (seen.outcome === "userland" || seen.outcome === "built") return [];
  if (seen.outcome === "lost") return seen.xl.split("\n");
  return [...keyLines(seen.xl, XL_LINES), ...keyLines(seen.console, CONSOLE_LINES)];
}

const XL_LINES = /error|panic|fail|unable|traceback|no such|missing/i;
const CONSOLE_LINES =
  /Initramfs unpacking failed|VFS: |Kernel panic|Out of memory|deadlocked|mount: |domus-lab: |modprobe: /;

function keyLines(text: string, wanted: RegExp): string[] {
  const lines = text.split("\n").filter((line) => wanted.test(line));
  return [...new Set(lines.map((line) => line.trim()))].slice(0, 12);
}

/** Each error text that was seen, once, with the first case that showed it. */
export function seenTexts(results: readonly OracleResult[]): string {
  return results
    .map((result) => ({ result, lines: decisiveLines(result) }))
    .filter(({ lines }) => lines.length > 0)
    .map(({ result: { release, one }, lines }) =>
      [`${RELEASES[release].xen} ${one.name}`, ...lines.map((line) => `    ${line}`)].join("\n"),
    )
    .join("\n");
}

/** What findings quote and nobody saw: in case the text of a rule is wrong. */
export function unseenQuotes(results: readonly OracleResult[]): string {
  return results
    .flatMap(({ release, one, comparison }) =>
      comparison.quoted
        .filter(({ seen }) => !seen)
        .map(({ text }) => `${RELEASES[release].xen} ${one.name}: "${text}"`),
    )
    .join("\n");
}

/** For `--json`. */
export function resultJson({ release, one, said, seen, comparison }: OracleResult): unknown {
  return {
    release,
    xen: RELEASES[release].xen,
    case: one.name,
    predicted: {
      verdict: said.verdict,
      memoryMib: said.memoryMib,
      findings: said.findings.map(({ code, severity }) => ({ code, severity })),
    },
    seen: { outcome: seen.outcome, seconds: seen.seconds, xl: seen.xl, console: seen.console },
    agrees: comparison.agrees,
    problems: comparison.problems,
    quoted: comparison.quoted,
  };
}
