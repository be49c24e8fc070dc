/**
 * `npm run torture -- lifecycle [--runs N] [--seed N] [--keep]`: see torture/lifecycle.ts.
 * `npm run torture -- watch [--runs N] [--seed N]`: see torture/watch.ts.
 *
 * `npm run torture -- sync [--runs N] [--seed N] [--dir DIR] [--domus FILE | --library]`: copies that are killed, stopped,
 * cut off and starved of disk at counted places, and then completed. Each has to end equal by sha256sum, or say that it is
 * unfinished. A run that went wrong is shown again by its seed: `--runs 1 --seed N`. Ends with 1 when there was one.
 *
 * The command itself is tried, with strace: from the sources, or the executable FILE, which starts faster. With `--library` it is
 * engine, record and devices, with faults inside of them. Needs root, for loop devices.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ensurePrograms } from "./programs.ts";
import { makeCase } from "./torture/cases.ts";
import { tortureLifecycle } from "./torture/lifecycle.ts";
import { runCase } from "./torture/sync-case.ts";
import { tortureWatch } from "./torture/watch.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: "string" },
    seed: { type: "string", default: "1" },
    dir: { type: "string" },
    domus: { type: "string" },
    library: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
  },
});
const what = positionals.join(" ");
if (what !== "sync" && what !== "lifecycle" && what !== "watch") {
  console.error(
    "There are three things to torture: npm run torture -- sync|lifecycle|watch [--runs N] [--seed N]",
  );
  process.exit(2);
}
if (what === "watch") {
  const { runs = "200", seed } = values;
  process.exit(await tortureWatch({ runs: Number(runs), seed: Number(seed) }));
}
if (what === "lifecycle") {
  const { runs = "50", seed, keep } = values;
  process.exit(await tortureLifecycle({ runs: Number(runs), seed: Number(seed), keep }));
}
ensurePrograms({
  losetup: "mount",
  flock: "util-linux",
  sha256sum: "coreutils",
  mkfifo: "coreutils",
  strace: "strace",
});

const directory = mkdtempSync(join(values.dir ?? tmpdir(), "domus-torture-"));
const totals = { attempts: 0, struck: 0, resumed: 0, finishedWithFault: 0 };
const main = [process.execPath, resolve(import.meta.dirname, "../src/cli/main.ts")];
const level = values.library ? "library" : values.domus ? [resolve(values.domus)] : main;
const bad: number[] = [];
const runs = Number(values.runs ?? 200);
const start = performance.now();
for (let seed = Number(values.seed); seed < Number(values.seed) + runs; seed++) {
  const which = makeCase(seed);
  const report = await runCase(which, join(directory, String(seed)), level);
  totals.attempts += report.attempts;
  totals.struck += report.struck;
  totals.resumed += report.resumed;
  totals.finishedWithFault += report.finishedWithFault;
  if (report.problems.length === 0) continue;
  bad.push(seed);
  const { attempts: _, ...about } = which;
  console.log(`BUG seed ${seed} ${JSON.stringify(about)}`);
  for (const problem of report.problems) console.log(`  ${problem}`);
  for (const line of report.log) console.log(`  ${line}`);
}
rmSync(directory, { recursive: true, force: true });
const seconds = Math.round((performance.now() - start) / 1000);
console.log(
  `${runs} runs in ${seconds} s, ${bad.length} wrong${bad.length > 0 ? ` (seeds ${bad.join(", ")})` : ""}: ` +
    `${totals.attempts} attempts, ${totals.struck} faults came to be, ${totals.finishedWithFault} attempts finished in spite of one, ` +
    `${totals.resumed} went on with what the record knew`,
);
process.exitCode = bad.length > 0 ? 1 : 0;
