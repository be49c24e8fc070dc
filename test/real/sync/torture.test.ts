/**
 * Some of the cases of `npm run torture -- sync`, at fixed seeds: every way in which a side can end, on files and loop devices.
 * Each ends equal by sha256sum, or says that it is unfinished.
 */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeCase } from "../../../tools/torture/cases.ts";
import { runCase } from "../../../tools/torture/sync-case.ts";
import { need, needRoot, scratch } from "../../support/need.ts";

const SEEDS = [12, 48, 60, 126, 145];
/** The command is killed as its record gets its name; stopped on its way back, then killed in a flush. */
const COMMAND_SEEDS = [14, 89];
const MAIN = join(import.meta.dirname, "../../../src/cli/main.ts");

describe("copies that are killed, stopped, cut off and starved", () => {
  test("are of all kinds", () => {
    const attempts = SEEDS.flatMap((seed) => makeCase(seed).attempts);
    const actions = new Set(attempts.flatMap(({ fault }) => fault?.does ?? []));
    expect([...actions].toSorted()).toEqual(
      [
        "kill",
        "half",
        "power",
        "stop",
        "pause",
        "fail",
        "full",
        "cut-up",
        "cut-down",
        "stall",
      ].toSorted(),
    );
  });

  for (const seed of SEEDS)
    test(`seed ${seed}`, async () => {
      need("losetup", "flock", "sha256sum", "mkfifo");
      needRoot("loop devices");
      const report = await runCase(makeCase(seed), join(scratch(), "case"));
      expect(report.problems, report.log.join("\n")).toEqual([]);
    });

  for (const seed of COMMAND_SEEDS)
    test(`the command, seed ${seed}`, async () => {
      need("losetup", "flock", "sha256sum", "mkfifo", "strace");
      needRoot("loop devices");
      const domus = [process.execPath, MAIN];
      const report = await runCase(makeCase(seed), join(scratch(), "case"), domus);
      expect(report.problems, report.log.join("\n")).toEqual([]);
    });
});
