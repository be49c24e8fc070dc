/**
 * `npm run fuzz -- sync [--rounds 100000] [--seed N]`: so many damaged streams into each side of a sync run, a thread for each side. A
 * bug is named by side and seed: `--seed N --rounds 1` shows it again. Ends with 1 when there was one.
 */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { SyncRounds } from "./sync-rounds.ts";
import type { Ends, Side } from "./sync-rounds.ts";

export type SyncFuzzOptions = { readonly rounds: number; readonly seed: number };
type Input = SyncFuzzOptions & { readonly side: Side; readonly place: SharedArrayBuffer };
type Report = { readonly seed: number; readonly bug: string } | { readonly ends: Ends };

/** A round that gives no turn to anything else for so long will never end. */
const HANG_MS = 120_000;
const MIB = 1_048_576;

/** The number of bugs. */
export async function fuzzSync(options: SyncFuzzOptions): Promise<number> {
  console.log(`fuzz sync: ${options.rounds} damaged streams into each side, seed ${options.seed}`);
  const before = process.memoryUsage.rss();
  let highest = 0;
  const watch = setInterval(() => {
    highest = Math.max(highest, process.memoryUsage.rss() - before);
  }, 200);
  const sides = ["destination", "source"] as const;
  const bugs = await Promise.all(sides.map((side) => fuzzSide(side, options)));
  clearInterval(watch);
  console.log(
    `${(highest / MIB).toFixed(0)} MiB above its start at the highest, both sides and all garbage`,
  );
  return bugs.reduce((sum, count) => sum + count, 0);
}

function fuzzSide(side: Side, options: SyncFuzzOptions): Promise<number> {
  const place = new SharedArrayBuffer(4);
  const input: Input = { ...options, side, place };
  const worker = new Worker(new URL(import.meta.url), { workerData: input });
  const at = new Int32Array(place);
  let [seen, since, bugs] = [0, Date.now(), 0];
  const watch = setInterval(() => {
    if (at[0] !== seen) [seen, since] = [at[0]!, Date.now()];
    else if (Date.now() - since > HANG_MS) {
      console.log(`BUG ${side} seed ${options.seed + seen}: hangs`);
      process.exit(1);
    }
  }, 500);
  worker.on("message", (report: Report) => {
    if ("bug" in report) {
      bugs += 1;
      console.log(`BUG ${side} seed ${report.seed}: ${report.bug}`);
      return;
    }
    const { done, failed, wrote } = report.ends;
    const written = side === "destination" ? `, ${wrote} had written by then` : "";
    console.log(
      `${side}: ${done} came to a good end, ${failed} to a failure${written}; ${bugs} bugs`,
    );
  });
  return new Promise((resolve) => {
    worker.on("error", (error) => {
      bugs += 1;
      console.log(`BUG ${side} seed ${options.seed + at[0]!}: ${error.stack ?? error.message}`);
    });
    worker.on("exit", () => {
      clearInterval(watch);
      resolve(bugs);
    });
  });
}

async function work({ side, rounds, seed: first, place }: Input): Promise<void> {
  const at = new Int32Array(place);
  const runs = await SyncRounds.for(side);
  for (let round = 0; round < rounds; round++) {
    Atomics.store(at, 0, round);
    const bug = await runs.run(first + round);
    if (bug !== undefined) parentPort!.postMessage({ seed: first + round, bug } satisfies Report);
  }
  parentPort!.postMessage({ ends: runs.ends } satisfies Report);
}

if (!isMainThread) await work(workerData as Input);
