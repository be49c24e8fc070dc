/**
 * `npm run torture -- lifecycle [--runs N] [--seed N] [--keep]`: a guest on a lab host's real Xen that is saved, restored, started
 * and written down; each time domus, its xl or the whole host is killed somewhere, at a counted call or after a part of the time
 * that the command takes. After the next command records and reality have to agree (lifecycle-case.ts). A run that went wrong is
 * named by its seed; what it met depends on the moment, so the same seed may meet something else the next time. A host on which
 * something was wrong is made anew; with `--keep` it stays as it is, and the runs end.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LAB_PACKAGES } from "../../lab/packages.ts";
import { ensurePrograms } from "../programs.ts";
import { LifecycleCase } from "./lifecycle-case.ts";
import { makeRound } from "./lifecycle-rounds.ts";

export type TortureOptions = {
  readonly runs: number;
  /** Of the first run. */
  readonly seed: number;
  readonly keep: boolean;
};

/** Returns the exit code: 1 when something was wrong. */
export async function tortureLifecycle({
  runs,
  seed: first,
  keep,
}: TortureOptions): Promise<number> {
  ensurePrograms(LAB_PACKAGES);
  const dir = mkdtempSync(join(tmpdir(), "domus-torture-"));
  const start = performance.now();
  const counts = new Map<string, number>();
  const bad: number[] = [];
  let which: LifecycleCase | undefined;
  let done = 0;
  try {
    for (let seed = first; seed < first + runs; seed++) {
      which ??= await LifecycleCase.open(`torture-${first}`, dir);
      const round = makeRound(seed);
      const report = await which.round(round);
      done++;
      const { victim } = round.blow;
      const kind = `${victim} in ${report.action}${report.hit ? "" : " (missed)"}`;
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      const seconds = Math.round((performance.now() - start) / 1000);
      console.log(
        `${seconds} s, seed ${seed}: ${kind}: ${report.problems.length === 0 ? "good" : "WRONG"}`,
      );
      if (report.problems.length === 0) continue;
      bad.push(seed);
      for (const line of [...report.problems, ...report.log]) console.log(`  ${line}`);
      if (keep) break;
      await which[Symbol.asyncDispose]();
      which = undefined;
    }
  } finally {
    if (!(keep && bad.length > 0)) await which?.[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  }
  for (const [kind, count] of counts) console.log(`${count} ${kind}`);
  console.log(
    `${done} runs, ${bad.length} wrong${bad.length > 0 ? ` (seeds ${bad.join(", ")})` : ""}`,
  );
  return bad.length > 0 ? 1 : 0;
}
