/**
 * `npm run build`: makes `dist/domus`, one executable that needs no Node.js, and its other name `dist/domus-pygrub`.
 *
 * rolldown bundles the sources of each into one CommonJS file, Node turns both into a single-executable blob (with V8's
 * code cache, so that starting compiles nothing: build/program.ts), and postject puts the blob into a copy of the Node
 * binary. Two bundles, because loading one takes the longer the more is in it, and domus-pygrub needs a part only.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { rolldown } from "rolldown";
import { makePrograms } from "./build/program.ts";
import type { Bundle } from "./build/program.ts";

const ROOT = join(import.meta.dirname, "..");
const DIST = join(ROOT, "dist");
const NODE = join(ROOT, "node_modules", "node", "bin", "node");
/** The marker that Node looks for in its own binary (nodejs.org/api/single-executable-applications.html). */
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";
/** Stands for the digest until that is known. */
const BUILD_MARK = "(digest of this build)";

async function bundle(entry: string, to: string): Promise<void> {
  const build = await rolldown({
    input: join(ROOT, entry),
    platform: "node",
    // What is not needed at run time must not be looked for: everything is in the one file.
    external: /^node:/,
    transform: { define: { DOMUS_BUILD: JSON.stringify(BUILD_MARK) } },
    logLevel: "warn",
  });
  await build.write({
    file: to,
    format: "cjs",
    codeSplitting: false,
    minify: { compress: true, mangle: false },
  });
  await build.close();
  writeFileSync(to, withLateModules(readFileSync(to, "utf8")));
}

/**
 * Loads Node's own modules when they are first used, not when domus starts: all of them take as long as the rest of a
 * short command (measured). The bundler declares each once, as `node_crypto = require("node:crypto")`.
 */
function withLateModules(text: string): string {
  const names = new Set<string>();
  const declared = text.replaceAll(
    /\b(node_\w+)=require\(("node:[\w/]+")\)/g,
    (_match, name: string, module: string) => {
      names.add(name);
      return `${name}=lateModule(${module})`;
    },
  );
  const used = declared.replaceAll(
    /(\bnew )?\b(node_\w+)\b(?!=lateModule)(\.?)/g,
    (match, made: string | undefined, name: string, dot: string) => {
      // A name of ours, as fields on disk have them.
      if (!names.has(name)) return match;
      if (dot === "") throw new Error(`the bundle uses ${name} in an unknown way`);
      // `new node_tty().ReadStream()` would make an object of the function
      return made === undefined ? `${name}().` : `new (${name}()).`;
    },
  );
  return `${used}\nfunction lateModule(name){let loaded;return()=>loaded??=require(name)}\n`;
}

/**
 * Puts a digest of the whole program into it. What one build has found out and kept is of no use to another
 * (docs/design/facts-cache.md).
 */
function sign(script: string): void {
  const text = readFileSync(script, "utf8");
  if (!text.includes(BUILD_MARK)) throw new Error("the bundle has lost its build mark");
  const digest = createHash("sha256").update(process.version).update(text).digest("hex");
  writeFileSync(script, text.replaceAll(BUILD_MARK, digest));
}

function executable(bundles: readonly Bundle[], to: string): void {
  const blob = `${to}.blob`;
  const { main, assets, files } = makePrograms(bundles, dirname(to), NODE);
  const config = `${to}.sea.json`;
  writeFileSync(
    config,
    JSON.stringify({
      main,
      assets,
      output: blob,
      disableExperimentalSEAWarning: true,
      // A dom0's NODE_OPTIONS are for other programs.
      execArgvExtension: "none",
    }),
  );
  execFileSync(NODE, ["--experimental-sea-config", config], { stdio: "pipe" });
  copyFileSync(NODE, to);
  const postject = join(ROOT, "node_modules", "postject", "dist", "cli.js");
  // Its warnings about section names of the Node binary mean nothing; a failure throws with all that it said.
  execFileSync(NODE, [postject, to, "NODE_SEA_BLOB", blob, "--sentinel-fuse", FUSE], {
    stdio: "pipe",
  });
  chmodSync(to, 0o755);
  for (const file of [blob, config, ...files]) rmSync(file);
}

mkdirSync(DIST, { recursive: true });
// Elsewhere first: who runs what is there, or packs it up, finds the old or the new one, whole. The dot keeps the lab from
// taking the directory for a program.
const making = mkdtempSync(join(DIST, ".making-"));
try {
  const domus = join(making, "domus.cjs");
  const pygrub = join(making, "domus-pygrub.cjs");
  await bundle("src/cli/main.ts", domus);
  sign(domus);
  await bundle("src/pygrub/main.ts", pygrub);
  executable(
    [
      { name: "domus", script: domus },
      { name: "domus-pygrub", script: pygrub },
    ],
    join(making, "domus"),
  );
  // Its other name, which is what it goes by.
  symlinkSync("domus", join(making, "domus-pygrub"));
  for (const name of ["domus.cjs", "domus-pygrub.cjs", "domus", "domus-pygrub"])
    renameSync(join(making, name), join(DIST, name));
} finally {
  rmSync(making, { recursive: true });
}
const target = join(DIST, "domus");
console.log(`${target}: ${(statSync(target).size / 1048576).toFixed(0)} MiB`);
