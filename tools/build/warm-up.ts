/**
 * `warm-up.ts PROGRAM CACHE NAME [ARG ...]`: runs a program as the executable does, and writes V8's code cache of it, with
 * the functions that the run has called. A cache made without a run has none but the outermost.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Script } from "node:vm";

const [, , program = "", cache = "", name = "", ...args] = process.argv;
const script = new Script(readFileSync(program, "latin1"), { filename: `${name}.cjs` });
process.argv = [process.execPath, name, ...args];
// Its output is of no interest.
process.stdout.write = () => true;
process.on("exit", () => writeFileSync(cache, script.createCachedData()));
const module = { exports: {} };
const run = script.runInThisContext() as (...names: unknown[]) => void;
run(module.exports, createRequire(import.meta.url), module, `${name}.cjs`, ".");
