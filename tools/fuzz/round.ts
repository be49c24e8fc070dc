/** One run of one target with one damage, judged: a value or a `FailureError`, in time, in memory. */
import { FailureError } from "../../src/base/failure.ts";
import { randomSource } from "../../test/support/mutate.ts";
import { damage, fieldsOf } from "./damage.ts";
import type { Field } from "./damage.ts";
import type { Target } from "./targets.ts";

export const LIMITS = { milliseconds: 2000, heapMib: 256 } as const;

export type Prepared = {
  readonly target: Target;
  readonly input: Uint8Array;
  readonly fields: readonly Field[];
};

/** The undamaged input must be read without a failure: else the fuzzer would test nothing. */
export async function prepare(target: Target): Promise<Prepared> {
  // A buffer of its own: places in it are places in the input.
  const input = Uint8Array.from(target.seed());
  const fields = await fieldsOf(input, () => target.read(input));
  return { target, input, fields: [...fields, ...(target.places?.(input) ?? [])] };
}

export type Round = {
  readonly failed: boolean;
  readonly bug?: string;
  readonly milliseconds: number;
};

export async function round({ target, input, fields }: Prepared, seed: number): Promise<Round> {
  const wound = damage(input, fields, randomSource(seed));
  // Processor time, of the process: a busy machine makes nothing slow, and zlib works in other threads.
  const start = process.cpuUsage();
  const took = () => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  };
  try {
    await target.read(input);
    return judged(wound.what, false, took());
  } catch (error) {
    if (error instanceof FailureError) return judged(wound.what, true, took());
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { failed: true, bug: `${wound.what}: ${text}`, milliseconds: took() };
  } finally {
    wound.undo();
  }
}

function judged(what: string, failed: boolean, milliseconds: number): Round {
  if (milliseconds <= LIMITS.milliseconds) return { failed, milliseconds };
  return { failed, milliseconds, bug: `${what}: took ${milliseconds.toFixed(0)} ms` };
}
