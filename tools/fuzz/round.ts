/** One run of one target with one damage, judged: a value or a `FailureError`, in time, in memory. */
import { FailureError } from "../../src/base/failure.ts";
import { randomSource } from "../../test/support/mutate.ts";
import { anatomy, damage, fieldsOf } from "./damage.ts";
import type { Anatomy } from "./damage.ts";
import { newOutcome } from "./outcome.ts";
import type { Outcome } from "./outcome.ts";
import { holds } from "./seals/seal.ts";
import type { Target } from "./targets.ts";

export const LIMITS = { milliseconds: 2000, memoryMib: 256 } as const;

export type Prepared = {
  readonly target: Target;
  readonly input: Uint8Array;
  readonly body: Anatomy;
};

/** Fails when the undamaged input is not read without a failure: little would be tested. */
export async function prepare(target: Target): Promise<Prepared> {
  // A buffer of its own: places in it are places in the input.
  const input = Uint8Array.from(target.seed());
  const outcome = newOutcome();
  const fields = await fieldsOf(input, () => target.read(input, outcome));
  if (outcome.opened === 0 || outcome.refused > 0 || outcome.unreadable > 0) {
    throw new Error(`the seed of ${target.name} is not read well: ${JSON.stringify(outcome)}`);
  }
  const seals = (target.seals?.(input) ?? []).filter((seal) => holds(input, seal));
  return {
    target,
    input,
    body: anatomy([...fields, ...(target.places?.(input, fields) ?? [])], seals),
  };
}

export type Round = {
  readonly outcome: Outcome;
  readonly bug?: string;
  /** Of processor time. */
  readonly milliseconds: number;
};

export async function round({ target, input, body }: Prepared, seed: number): Promise<Round> {
  const wound = damage(input, body, randomSource(scattered(seed)));
  const outcome = newOutcome();
  // Processor time, of the process: a busy machine makes nothing slow, and zlib works in other threads.
  const start = process.cpuUsage();
  const ended = (text?: string): Round => {
    const { user, system } = process.cpuUsage(start);
    const milliseconds = (user + system) / 1000;
    const slow = milliseconds > LIMITS.milliseconds && `took ${milliseconds.toFixed(0)} ms`;
    const bug = text ?? (slow || undefined);
    return { outcome, milliseconds, ...(bug && { bug: `${wound.what}: ${bug}` }) };
  };
  try {
    await target.read(input, outcome);
    return ended();
  } catch (error) {
    if (error instanceof FailureError) {
      outcome.refused += 1;
      return ended();
    }
    return ended(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    wound.undo();
  }
}

/** Seeds that follow each other would begin with nearly the same choices: murmur3's last step takes them apart. */
function scattered(seed: number): number {
  let state = Math.imul(seed ^ (seed >>> 16), 0x85eb_ca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2_ae35);
  return state ^ (state >>> 16);
}
