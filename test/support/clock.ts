/** A clock that goes on only when somebody sleeps, at once. */
import { setImmediate } from "node:timers/promises";
import type { Clock } from "../../src/base/clock.ts";

export type FakeClock = Clock & {
  /** All sleeps that were asked for, in ms. */
  readonly slept: readonly number[];
};

export function fakeClock(): FakeClock {
  let now = 0;
  const slept: number[] = [];
  return {
    slept,
    now: () => now,
    async sleep(ms, signal) {
      // What else is going on has its turn first.
      await setImmediate();
      if (signal?.aborted) return;
      slept.push(ms);
      now += ms;
    },
  };
}
