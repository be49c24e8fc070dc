/** `npm test`: the whole suite, after seeing to it that the programs it uses are there. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { PACKAGES } from "../lab/packages.ts";
import { ensurePrograms } from "./programs.ts";

// Real kernels, and what only some tests read, are fetched by the tests through apt.
ensurePrograms(PACKAGES);
const vitest = join(import.meta.dirname, "..", "node_modules", "vitest", "vitest.mjs");
const ran = spawnSync(process.execPath, [vitest, "run", ...process.argv.slice(2)], {
  stdio: "inherit",
});
process.exitCode = ran.status ?? 1;
