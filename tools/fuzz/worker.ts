/** The fuzzer's worker: runs rounds, and tells which one it is in, so that a hang can be named and ended. */
import { parentPort, workerData } from "node:worker_threads";
import { collectGarbage, peakMib, resetPeak, residentMib } from "./memory.ts";
import { addOutcome, newOutcome } from "./outcome.ts";
import type { Outcome } from "./outcome.ts";
import { LIMITS, prepare, round } from "./round.ts";
import type { Prepared, Round } from "./round.ts";
import { TARGETS } from "./targets.ts";

export type WorkerInput = {
  readonly names: readonly string[];
  readonly firstSeed: number;
  /** Wall time after which no round is begun. */
  readonly untilMs: number;
  readonly maxRounds: number;
  /** [seed, index of the target, whether to end]: where the worker is, and what is wanted of it. */
  readonly progress: SharedArrayBuffer;
};

/** What came of all rounds of a target. */
export type Tally = {
  /** Checksums that are set right again after damage. */
  readonly seals: number;
  rounds: number;
  /** Rounds of which nothing was opened. */
  refusedWhole: number;
  readonly outcome: Outcome;
  worstMs: number;
  /** Above what the process had when the round began. */
  worstMib: number;
};

export type WorkerReport =
  | { readonly kind: "bug"; readonly target: string; readonly seed: number; readonly text: string }
  | {
      readonly kind: "done";
      readonly tallies: Readonly<Record<string, Tally>>;
      /** The most that the process had above what it began with, garbage included. */
      readonly highestMib: number;
    };

/**
 * What a round takes is its peak above what the process had when it began. Memory that earlier rounds left for the
 * collector could hide some of it: when the process as a whole has too much, the round is run again without.
 */
class MemoryWatch {
  /** Of the process before any round. */
  readonly #first: number;
  #begin = 0;
  /** The highest of the process above what it had at first. */
  highestMib = 0;

  constructor() {
    collectGarbage();
    this.#first = residentMib();
    this.begin();
  }

  begin(): void {
    resetPeak();
    this.#begin = residentMib();
  }

  /** In MiB, of the round since `begin`. */
  async taken(again: () => Promise<unknown>): Promise<number> {
    const peak = peakMib();
    this.highestMib = Math.max(this.highestMib, peak - this.#first);
    if (peak - this.#first <= LIMITS.memoryMib) return Math.max(0, peak - this.#begin);
    collectGarbage();
    this.begin();
    await again();
    const alone = Math.max(0, peakMib() - this.#begin);
    collectGarbage();
    return alone;
  }
}

async function main(): Promise<void> {
  const { names, firstSeed, untilMs, maxRounds, progress } = workerData as WorkerInput;
  const place = new Int32Array(progress);
  const report = (message: WorkerReport) => parentPort!.postMessage(message);
  const prepared: Prepared[] = [];
  for (const target of TARGETS.filter((one) => names.includes(one.name)))
    prepared.push(await prepare(target));
  const tallies: Record<string, Tally> = Object.fromEntries(
    prepared.map(({ target, body }) => [target.name, newTally(body.seals.length)]),
  );
  const memory = new MemoryWatch();
  for (let seed = firstSeed; seed < firstSeed + maxRounds && Date.now() < untilMs; seed++) {
    if (Atomics.load(place, 2) !== 0) break;
    const index = seed % prepared.length;
    const one = prepared[index]!;
    Atomics.store(place, 1, index);
    Atomics.store(place, 0, seed);
    const bug = (text: string) => report({ kind: "bug", target: one.target.name, seed, text });
    memory.begin();
    const ran = await round(one, seed);
    const mib = await memory.taken(() => round(one, seed));
    if (ran.bug) bug(ran.bug);
    if (mib > LIMITS.memoryMib) bug(`${mib.toFixed(0)} MiB at its highest`);
    count(tallies[one.target.name]!, ran, mib);
  }
  report({ kind: "done", tallies, highestMib: memory.highestMib });
}

function newTally(seals: number): Tally {
  return { seals, rounds: 0, refusedWhole: 0, outcome: newOutcome(), worstMs: 0, worstMib: 0 };
}

function count(tally: Tally, { outcome, milliseconds }: Round, mib: number): void {
  tally.rounds += 1;
  if (outcome.opened === 0) tally.refusedWhole += 1;
  addOutcome(tally.outcome, outcome);
  tally.worstMs = Math.max(tally.worstMs, milliseconds);
  tally.worstMib = Math.max(tally.worstMib, mib);
}

await main();
