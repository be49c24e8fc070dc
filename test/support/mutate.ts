/**
 * Mutation tests: valid input, damaged in every way that damage usually looks, must give a value or a
 * `FailureError`, within bounds on time and memory. A TypeError, RangeError or a hang is a bug.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { FailureError } from "../../src/base/failure.ts";

/** xorshift32: small, seeded, the same everywhere. */
export function randomSource(seed: number): (below: number) => number {
  let state = seed | 0 || 0x9e3779b9;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const EDGES = [0, 1, 0x7f, 0x80, 0xff];

/** A damaged copy: flipped bits, edge values in 1, 2, 4 and 8 byte fields, copied, swapped and cut-off runs. */
export function mutate(input: Uint8Array, random: (below: number) => number): Uint8Array {
  let out = Uint8Array.from(input);
  const count = 1 + random(4);
  for (let i = 0; i < count && out.length > 0; i++) {
    const at = random(out.length);
    const width = Math.min(1 << random(4), out.length - at);
    switch (random(6)) {
      case 0:
        out[at] = out[at]! ^ (1 << random(8));
        break;
      case 1:
        out.fill(EDGES[random(EDGES.length)]!, at, at + width);
        break;
      case 2: {
        for (let j = 0; j < width; j++) out[at + j] = random(256);
        break;
      }
      case 3: {
        const length = Math.min(1 + random(64), out.length - at);
        out.copyWithin(random(out.length - length + 1), at, at + length);
        break;
      }
      case 4:
        out[at] = (out[at]! + (random(2) === 0 ? 1 : 255)) & 0xff;
        break;
      default:
        if (random(8) === 0) out = out.slice(0, at);
    }
  }
  return out;
}

export type MutationRun = { readonly values: number; readonly failures: number };

/**
 * Runs `parse` over `count` damaged copies of each input. `maxMs` bounds each single run (default 2000),
 * `maxHeapMib` the growth of heap and buffers in a single run, and what all runs together leave behind
 * (default 256).
 */
export async function survivesMutation(
  inputs: readonly Uint8Array[],
  parse: (bytes: Uint8Array) => unknown,
  options: { count?: number; seed?: number; maxMs?: number; maxHeapMib?: number } = {},
): Promise<MutationRun> {
  const { count = 300, seed = 1, maxMs = 2000, maxHeapMib = 256 } = options;
  const random = randomSource(seed);
  collectGarbage();
  const before = memoryMib();
  let values = 0;
  let failures = 0;
  for (const [which, input] of inputs.entries()) {
    for (let i = 0; i < count; i++) {
      const damaged = mutate(input, random);
      const label = `input ${which}, mutation ${i}, seed ${seed}`;
      // Processor time: what a busy machine makes of it says nothing about the code.
      const start = process.cpuUsage();
      const base = memoryMib();
      try {
        await parse(damaged);
        values += 1;
      } catch (error) {
        if (!(error instanceof FailureError))
          throw new Error(`${label}: a bug, not a failure`, { cause: error });
        failures += 1;
      }
      const { user, system } = process.cpuUsage(start);
      const took = (user + system) / 1000;
      if (took > maxMs) throw new Error(`${label}: took ${took.toFixed(0)} ms, bound ${maxMs}`);
      const grown = memoryMib() - base;
      if (grown > maxHeapMib)
        throw new Error(`${label}: grew by ${grown.toFixed(0)} MiB, bound ${maxHeapMib}`);
      // What earlier runs left for the collector is not this run's; what it cannot collect is a leak.
      if (memoryMib() - before > maxHeapMib) {
        collectGarbage();
        const kept = memoryMib() - before;
        if (kept > maxHeapMib)
          throw new Error(`${label}: ${kept.toFixed(0)} MiB kept, bound ${maxHeapMib}`);
      }
    }
  }
  return { values, failures };
}

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

function memoryMib(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / 1048576;
}
