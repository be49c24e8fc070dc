/**
 * `npm test`: the whole suite, after seeing to it that the programs it uses are there. Real Xen hosts wait for their emulated
 * processor most of the time, and the other tests use one: they run side by side. What failed is said again at the end, where it
 * is found. With arguments, one vitest that gets them.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { PACKAGES } from "../lab/packages.ts";
import { ensurePrograms } from "./programs.ts";

/** Of `npm test`: what an emulated machine is too slow for, and not reliable enough, to be tried each time. */
const LEFT_OUT =
  "left out: guests on real Xen that need hardware virtualisation. To try them: npm run test:hvm";

/** Of each failure; all of it stands in the output above. */
const LINES_OF_FAILURE = 30;

/** What vitest's json reporter writes, as far as it is read here. */
type Report = {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
};

// Real kernels, and what only some tests read, are fetched by the tests through apt.
ensurePrograms(PACKAGES);
const given = process.argv.slice(2);
const runs = given.length > 0 ? [given] : [projects("unit", "real"), projects("xen")];
const reports = mkdtempSync(join(tmpdir(), "domus-tests-"));
try {
  const ended = await Promise.all(runs.map((args, index) => runVitest(args, `${index}.json`)));
  for (const { report } of ended) for (const line of failures(report)) console.log(line);
  for (const { args, code } of ended)
    console.log(`${code === 0 ? "passed" : "FAILED"}: vitest run ${args.join(" ")}`);
  if (given.length === 0) console.log(LEFT_OUT);
  process.exitCode = Math.max(...ended.map(({ code }) => code));
} finally {
  rmSync(reports, { recursive: true, force: true });
}

function projects(...names: readonly string[]): readonly string[] {
  return names.flatMap((name) => ["--project", name]);
}

type Ended = {
  readonly args: readonly string[];
  readonly code: number;
  /** File name. */
  readonly report: string;
};

function runVitest(args: readonly string[], name: string): Promise<Ended> {
  const vitest = join(import.meta.dirname, "..", "node_modules", "vitest", "vitest.mjs");
  const report = join(reports, name);
  const how = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const child = spawn(process.execPath, [vitest, "run", ...how, ...args], { stdio: "inherit" });
  return new Promise((resolve) => {
    child.on("close", (code) => resolve({ args, code: code ?? 1, report }));
  });
}

function failures(file: string): string[] {
  let report: Report;
  try {
    report = JSON.parse(readFileSync(file, "utf8")) as Report;
  } catch (error) {
    return [`vitest left no report: ${String(error)}`];
  }
  return report.testResults.flatMap(({ name, message, assertionResults }) => {
    const failed = assertionResults.filter(({ status }) => status === "failed");
    const told = failed.map(({ fullName, failureMessages = [] }) => ({
      about: `${name}: ${fullName}`,
      text: failureMessages.join("\n"),
    }));
    // A file that could not be loaded, or a hook, has no test that failed.
    if (told.length === 0 && message !== "") told.push({ about: name, text: message });
    return told.flatMap(({ about, text }) => [
      "",
      `FAILED ${about}`,
      ...linesOf(text).slice(0, LINES_OF_FAILURE),
    ]);
  });
}

/** Without vitest's own calls. */
function linesOf(text: string): string[] {
  const lines = stripVTControlCharacters(text).split("\n");
  return lines.filter((line) => !/^\s+at .*\/node_modules\//.test(line));
}
