/** The fuzzer's worker: runs rounds, and tells which one it is in, so that a hang can be named and ended. */
import { parentPort, workerData } from "node:worker_threads";
import { LIMITS, prepare, round } from "./round.ts";
import { TARGETS } from "./targets.ts";

export type WorkerInput = {
  readonly names: readonly string[];
  readonly firstSeed: number;
  /** Wall time after which no round is begun. */
  readonly untilMs: number;
  readonly maxRounds: number;
  /** [seed, index of the target]: where the worker is. */
  readonly progress: SharedArrayBuffer;
};

export type WorkerReport =
  | { readonly kind: "bug"; readonly target: string; readonly seed: number; readonly text: string }
  | {
      readonly kind: "done";
      readonly rounds: Readonly<
        Record<string, readonly [rounds: number, failed: number, worstMs: number]>
      >;
      readonly peakMib: number;
      /** The target and seed of that peak. */
      readonly largest: string;
    };

const memoryMib = () => {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / 1048576;
};

async function main(): Promise<void> {
  const { names, firstSeed, untilMs, maxRounds, progress } = workerData as WorkerInput;
  const place = new Int32Array(progress);
  const report = (message: WorkerReport) => parentPort!.postMessage(message);
  const prepared = [];
  for (const target of TARGETS.filter((one) => names.includes(one.name)))
    prepared.push(await prepare(target));
  const counts: Record<string, [number, number, number]> = Object.fromEntries(
    names.map((name) => [name, [0, 0, 0]]),
  );
  const before = memoryMib();
  let peakMib = 0;
  let largest = "";
  for (let seed = firstSeed; seed < firstSeed + maxRounds && Date.now() < untilMs; seed++) {
    const index = seed % prepared.length;
    const one = prepared[index]!;
    Atomics.store(place, 1, index);
    Atomics.store(place, 0, seed);
    const { failed, bug, milliseconds } = await round(one, seed);
    const count = counts[one.target.name]!;
    count[0] += 1;
    count[1] += failed ? 1 : 0;
    count[2] = Math.max(count[2], milliseconds);
    if (bug) report({ kind: "bug", target: one.target.name, seed, text: bug });
    const grown = memoryMib() - before;
    if (grown > peakMib) [peakMib, largest] = [grown, `${one.target.name} seed ${seed}`];
    if (grown > LIMITS.heapMib) {
      report({
        kind: "bug",
        target: one.target.name,
        seed,
        text: `memory grew by ${grown.toFixed(0)} MiB`,
      });
    }
  }
  report({ kind: "done", rounds: counts, peakMib, largest });
}

await main();
