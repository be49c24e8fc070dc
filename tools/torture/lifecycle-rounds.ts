/** What is done to a guest in a round, made up from a seed. Plain data. */
import { randomSource } from "../../test/support/mutate.ts";
import type { Blow, Victim } from "./lifecycle-strike.ts";

/** What a person would do next with a guest in that state. */
export type Action = "save" | "persist" | "restore" | "start" | "discard";

export type Round = {
  readonly seed: number;
  readonly blow: Blow;
  /** When the guest runs, and when it is saved; a guest that is stopped is started. */
  readonly running: Action;
  readonly saved: Action;
  /** The next command comes at once, while what the blow left behind may still be at work. */
  readonly atOnce: boolean;
};

/** Calls of xl that a command makes at most, about. */
const CALLS = 16;

export function makeRound(seed: number): Round {
  const random = randomSource(seed * 2654435761);
  // The first ones are alike for seeds that are.
  for (let i = 0; i < 8; i++) random(2);
  const oneOf = <T>(all: readonly T[]) => all[random(all.length)]!;
  const victim: Victim = oneOf(["domus", "domus", "domus", "xl", "xl", "power"]);
  return {
    seed,
    blow: {
      victim,
      place:
        random(2) === 0
          ? { kind: "call", at: 1 + random(CALLS), when: oneOf(["before", "after"]) }
          : { kind: "delay", part: random(1000) / 1000 },
    },
    running: oneOf(["save", "save", "save", "persist"]),
    saved: oneOf(["restore", "restore", "restore", "discard"]),
    atOnce: random(2) === 0,
  };
}

/** The words of the command. */
export function commandOf(action: Action, guest: string): string {
  if (action === "discard") return `domus start --discard-image ${guest}`;
  return `domus ${action} ${guest}`;
}
