/** `npm run oracle`: what check predicts of guests, against what becomes of them on real Xen. See docs/design/oracle.md. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
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
                  [--minutes N] [--json] [--save DIR] [--list]

--cases   subset (the default): what CI runs, on Xen 4.17; all: everything, on three releases of Xen
--filter  only the cases whose name has WORD in it, a regular expression
--minutes begin no guest after that time, counted for each release
--save    keep what xl and the guests' consoles said, one file per kind of failure and release
--list    only say which cases there are`;

const OPTIONS = {
  cases: { type: "string", default: "subset" },
  release: { type: "string" },
  filter: { type: "string", default: "" },
  json: { type: "boolean", default: false },
  minutes: { type: "string", default: "600" },
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
  readonly minutes: string;
  readonly save?: string;
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
      new RegExp(flags.filter).test(one.name),
  );
}

async function runRelease(
  release: LabRelease,
  cases: readonly OracleCase[],
  flags: Flags,
): Promise<OracleResult[]> {
  const host = await freshHost({ name: `oracle-${release}`, release, say });
  try {
    const started = performance.now();
    const done = (result: OracleResult) => {
      tell(result);
      if (flags.save !== undefined) save(flags.save, result);
    };
    const hooks = { say, done, limitMs: Number(flags.minutes) * 60_000 };
    const results = await runCases(host, cases, hooks);
    const seconds = (performance.now() - started) / 1000;
    say(`${release}: ${results.length} of ${cases.length} guests in ${seconds.toFixed(0)} s`);
    return results;
  } finally {
    await host.remove();
  }
}

function tell({ release, one, seen, comparison }: OracleResult): void {
  const words = comparison.agrees ? "as predicted" : comparison.problems.join("; ");
  say(`${release} ${one.name}: ${seen.outcome}, ${words} (${seen.seconds.toFixed(0)} s)`);
}

/** The first case of its kind is kept. */
function save(directory: string, result: OracleResult): void {
  const fixture = fixtureOf(result);
  if (!fixture) return;
  mkdirSync(directory, { recursive: true });
  const file = join(directory, `${fixture.name}.txt`);
  if (!existsSync(file)) writeFileSync(file, fixture.text);
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) return print(USAGE);
  const results: OracleResult[] = [];
  if (!values.list) ensurePrograms(PACKAGES);
  for (const release of releases(values)) {
    const cases = casesOf(values, release);
    if (values.list) for (const { name } of cases) print(`${RELEASES[release].xen}  ${name}`);
    else if (cases.length > 0) results.push(...(await runRelease(release, cases, values)));
  }
  if (values.list) return;
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
