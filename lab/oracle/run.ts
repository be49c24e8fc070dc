/** Runs the cases of one release on one lab host: files once, three guests at a time. */
import { mkdirSync, rmSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDir } from "../debian.ts";
import type { LabHost } from "../host.ts";
import { ORACLE_DIRECTORY, type OracleCase } from "./case.ts";
import { compare } from "./compare.ts";
import { installScript, observe } from "./observe.ts";
import { hostFacts, predict, sharedFacts, type Predicting } from "./predict.ts";
import type { OracleResult } from "./report.ts";
import { stageCase, type StagedCase } from "./stage.ts";

/** While guests compute, dom0 builds others; much of the time all wait for each other. */
const LANES = 3;

export type RunHooks = {
  readonly say?: (line: string) => void;
  /** Told of every result when it is there. */
  readonly done?: (result: OracleResult) => void;
  /** No guest is begun after that time. */
  readonly limitMs?: number;
};

/** The cases' results, in their order; fewer when the time is up. The host is up and has none of the oracle's files yet. */
export async function runCases(
  host: LabHost,
  cases: readonly OracleCase[],
  { say = () => undefined, done = () => undefined, limitMs = Infinity }: RunHooks = {},
): Promise<OracleResult[]> {
  const stage = join(cacheDir("lab", "oracle", "stages"), host.name);
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(join(stage, ORACLE_DIRECTORY, "configs"), { recursive: true });
  const started = performance.now();
  const isTimeLeft = () => performance.now() - started < limitMs;
  try {
    const staged = cases.map((one, index) => stageCase(stage, one, `oracle${index + 1}`));
    say(`${host.release}: copying the files of ${cases.length} guests`);
    await host.copyIn(join(stage, ORACLE_DIRECTORY), "/srv");
    await installScript(host);
    const predicting = { stage, xen: await hostFacts(host), cache: sharedFacts() };
    const results: OracleResult[] = [];
    const todo = [...staged.entries()];
    const lane = async () => {
      for (let next = todo.shift(); next && isTimeLeft(); next = todo.shift()) {
        const [index, one] = next;
        results[index] = await runOne(host, predicting, one);
        done(results[index]);
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    return results.filter((one) => one !== undefined);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

async function runOne(
  host: LabHost,
  predicting: Predicting,
  staged: StagedCase,
): Promise<OracleResult> {
  const said = await predict(predicting, staged);
  const config = readFileSync(join(predicting.stage, staged.configPath), "utf8");
  const seen = await observe(host, staged, config);
  const { one } = staged;
  return { release: host.release, one, said, seen, comparison: compare(one, said, seen) };
}
