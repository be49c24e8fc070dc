// `node tools/run.mjs SCRIPT.ts [ARG ...]` - runs a script of the project with the project's own Node.
// Plain JavaScript without dependencies: it is what an older system Node (20 or newer) starts on a fresh clone.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

/** Installs the packages when they are absent or of another lock file. */
function install() {
  const installed = join(root, "node_modules", ".domus-lock");
  const wanted = readFileSync(join(root, "package-lock.json"), "utf8");
  if (existsSync(installed) && readFileSync(installed, "utf8") === wanted) return;
  console.error("domus: installing npm packages into node_modules (npm ci)");
  const ran = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    // npm's own talk goes to stderr, so that stdout stays the script's
    stdio: ["ignore", 2, 2],
  });
  if (ran.status !== 0) process.exit(ran.status ?? 1);
  spawnSync("cp", ["package-lock.json", installed], { cwd: root });
}

install();
const node = join(root, "node_modules", "node", "bin", "node");
const [script, ...args] = process.argv.slice(2);
const ran = spawnSync(node, [join(root, script), ...args], {
  stdio: "inherit",
  env: { ...process.env, PATH: `${join(root, "node_modules", "node", "bin")}:${process.env.PATH}` },
});
process.exit(ran.signal ? 130 : (ran.status ?? 1));
