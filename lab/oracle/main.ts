/** `npm run oracle`: what check predicts of guests, against what becomes of them on real Xen. See docs/design/oracle.md. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensurePrograms } from "../../tools/programs.ts";
import { freshHost } from "../host.ts";
import { PACKAGES } from "../packages.ts";
import { isLabRelease, RELEASES, type LabRelease } from "../releases.ts";
import type { OracleCase } from "./case.ts";
import { CASES } from "./cases.ts";
import { fixtureOf } from "./fixture.ts";
import { resultJson, resultTable, seenTexts, summary, unseenQuotes } from "./report.ts";
import type { OracleResult } from "./report.ts";
import { runCases } from "./run.ts";

const USAGE = `npm run oracle -- [--cases subset|all] [--release bookworm|bullseye|trixie] [--filter WORD]
                  [--json] [--save DIR] [--list]

--cases   subset (the default): what CI runs, on Xen 4.17; all: everything, on three releases of Xen
--filter  only the cases with WORD in their name
--save    keep what xl and the guests' consoles said, one file per kind of failure and release
--list    only say which cases there are`;

const OPTIONS = {
  cases: { type: "string", default: "subset" },
  release: { type: "string" },
  filter: { type: "string", default: "" },
  json: { type: "boolean", default: false },
  save: { type: "string" },
  list: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

const say = (line: string): void => void process.stderr.write(`oracle: ${line}\n`);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

type Flags = {
  readonly cases: string;
  readonly release?: string;
  readonly filter: string;
};

function releases({ cases, release }: Flags): LabRelease[] {
  if (release !== undefined && !isLabRelease(release)) {
    throw new Error(`--release is one of ${Object.keys(RELEASES).join(", ")}`);
  }
  if (cases !== "subset" && cases !== "all") throw new Error("--cases is subset or all");
  if (release !== undefined) return [release];
  return cases === "subset" ? ["bookworm"] : (Object.keys(RELEASES) as LabRelease[]);
}

function casesOf(flags: Flags, release: LabRelease): OracleCase[] {
  return CASES.filter(
    (one) =>
      one.releases.includes(release) &&
      (flags.cases === "all" || one.subset === true) &&
      one.name.includes(flags.filter),
  );
}

async function runRelease(release: LabRelease, cases: readonly OracleCase[]) {
  const host = await freshHost({ name: `oracle-${release}`, release, say });
  try {
    const started = performance.now();
    const results = await runCases(host, cases, { say, done: tell });
    const seconds = (performance.now() - started) / 1000;
    say(`${release}: ${results.length} guests in ${seconds.toFixed(0)} s`);
    return results;
  } finally {
    await host.remove();
  }
}

function tell({ release, one, seen, comparison }: OracleResult): void {
  const words = comparison.agrees ? "as predicted" : comparison.problems.join("; ");
  say(`${release} ${one.name}: ${seen.outcome}, ${words} (${seen.seconds.toFixed(0)} s)`);
}

function save(directory: string, results: readonly OracleResult[]): void {
  mkdirSync(directory, { recursive: true });
  const files = new Map<string, string>();
  for (const { name, text } of results.flatMap((one) => fixtureOf(one) ?? [])) {
    if (!files.has(name)) files.set(name, text);
  }
  for (const [name, text] of files) writeFileSync(join(directory, `${name}.txt`), text);
  say(`${files.size} texts saved in ${directory}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) return print(USAGE);
  const results: OracleResult[] = [];
  if (!values.list) ensurePrograms(PACKAGES);
  for (const release of releases(values)) {
    const cases = casesOf(values, release);
    if (values.list) for (const { name } of cases) print(`${RELEASES[release].xen}  ${name}`);
    else if (cases.length > 0) results.push(...(await runRelease(release, cases)));
  }
  if (values.list) return;
  if (values.save !== undefined) save(values.save, results);
  if (values.json) {
    print(JSON.stringify({ summary: summary(results), results: results.map(resultJson) }, null, 2));
  } else {
    print(resultTable(results));
    print(`\nSeen:\n${seenTexts(results)}`);
    print(`\nQuoted by findings and not seen:\n${unseenQuotes(results)}`);
    print(`\n${summary(results)}`);
  }
  if (results.some(({ comparison }) => !comparison.agrees)) process.exitCode = 1;
}

await main().catch((error: unknown) => {
  process.stderr.write(`oracle: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
});
