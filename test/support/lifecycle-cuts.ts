/** All places where a command can be cut off that works on a Xen in memory. */
import { expect } from "vitest";
import type { Cut, CutKind } from "./fake-process.ts";
import type { FakeXen } from "./fake-xen.ts";
import type { Command } from "./lifecycle-commands.ts";

const AT_EFFECTS: readonly CutKind[] = ["before", "after", "power before", "power after"];
const AT_XL: readonly CutKind[] = ["during", "xl", "both", "power during"];

export async function done(world: FakeXen, command: Command) {
  const ran = await world.process(command);
  if (ran.outcome === "failed") throw ran.error;
  expect(ran.outcome).toBe("done");
  return ran;
}

/** All cuts of a command that works without one. */
export async function cutsOf(world: FakeXen, command: Command): Promise<Cut[]> {
  const { effects, xlRuns } = await done(world, command);
  const at = (count: number, kinds: readonly CutKind[]) =>
    Array.from({ length: count }, (_, n) => kinds.map((kind) => ({ at: n + 1, kind }))).flat();
  return [...at(effects, AT_EFFECTS), ...at(xlRuns, AT_XL)];
}

export const cutText = ({ at, kind }: Cut) => `${kind} ${at}`;
