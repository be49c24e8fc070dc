/**
 * `npm test`: the whole suite, after seeing to it that the programs it uses are there. Real Xen hosts wait for their emulated
 * processor most of the time, and the other tests use one: they run side by side. With arguments, one vitest that gets them.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { PACKAGES } from "../lab/packages.ts";
import { ensurePrograms } from "./programs.ts";

// Real kernels, and what only some tests read, are fetched by the tests through apt.
ensurePrograms(PACKAGES);
const given = process.argv.slice(2);
const runs = given.length > 0 ? [given] : [projects("unit", "real"), projects("xen")];
const codes = await Promise.all(runs.map(runVitest));
process.exitCode = Math.max(...codes);

function projects(...names: readonly string[]): readonly string[] {
  return names.flatMap((name) => ["--project", name]);
}

function runVitest(args: readonly string[]): Promise<number> {
  const vitest = join(import.meta.dirname, "..", "node_modules", "vitest", "vitest.mjs");
  const child = spawn(process.execPath, [vitest, "run", ...args], { stdio: "inherit" });
  return new Promise((resolve) => {
    child.on("close", (code) => {
      const how = code === 0 ? "passed" : "FAILED";
      console.log(`\n${how}: vitest run ${args.join(" ")}`);
      resolve(code ?? 1);
    });
  });
}
