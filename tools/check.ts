/** `npm run check`: everything that is fast enough to run before every commit. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const bin = (name: string) => join(import.meta.dirname, "..", "node_modules", ".bin", name);

/** Each step's own output is shown when it fails; one line otherwise. */
const STEPS: readonly (readonly [name: string, argv: readonly string[]])[] = [
  ["types", [bin("tsc")]],
  ["lint", [bin("oxlint"), "--type-aware", "--deny-warnings"]],
  ["format", [bin("oxfmt"), "--check", "."]],
  ["layers", [process.execPath, join(import.meta.dirname, "layers.ts")]],
  ["findings", [process.execPath, join(import.meta.dirname, "findings-index.ts"), "--check"]],
  ["commands", [process.execPath, join(import.meta.dirname, "commands-doc.ts"), "--check"]],
  ["unit", [bin("vitest"), "run", "--project", "unit", "--reporter=dot"]],
];

let failed = false;
for (const [name, argv] of STEPS) {
  if (!existsSync(argv.at(1)?.endsWith(".ts") ? argv[1]! : argv[0]!)) {
    console.error(`${name}: ${argv[0]} is not there: run npm ci`);
    failed = true;
    continue;
  }
  const start = performance.now();
  const ran = spawnSync(argv[0]!, argv.slice(1), { encoding: "utf8", maxBuffer: 1 << 28 });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${ran.status === 0 ? "ok    " : "FAILED"} ${name.padEnd(9)} ${seconds} s`);
  if (ran.status !== 0) {
    failed = true;
    console.log(ran.stdout + ran.stderr);
  } else if (name === "unit") console.log(ran.stdout.trim().split("\n").slice(-5).join("\n"));
}
process.exitCode = failed ? 1 : 0;
