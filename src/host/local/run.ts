import { spawn } from "node:child_process";
import { ioFailure } from "../../base/failure.ts";
import { MIB } from "../../base/units.ts";
import type { Ran, RunOptions } from "../host.ts";
import { errnoOf } from "./errno.ts";
import { noProgram, programEnv } from "./programs.ts";
import { runSurviving } from "./run-surviving.ts";

/**
 * Runs a program, without a shell, to its end. A non-zero exit is not a failure: the caller judges it.
 * `missing` when there is no such program.
 */
export function runLocal(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  if (options.survives) return runSurviving(argv, options);
  const [program = "", ...args] = argv;
  const limit = options.maxOutputBytes ?? 16 * MIB;
  const where = [program];
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: programEnv(),
      ...(options.signal && { signal: options.signal }),
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let size = 0;
    const collect = (into: Buffer[]) => (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) into.push(chunk);
      else child.kill();
    };
    child.stdout.on("data", collect(out));
    child.stderr.on("data", collect(err));
    // A program that ends without reading its input is no error of ours.
    child.stdin.on("error", () => {});
    child.stdin.end(options.stdin ?? "");
    child.on("error", (error) => {
      if (options.signal?.aborted) reject(options.signal.reason as Error);
      else if (errnoOf(error) === "ENOENT") reject(noProgram(program));
      else reject(ioFailure(where, "start", errnoOf(error), error));
    });
    child.on("close", (code) => {
      if (size > limit) {
        reject(ioFailure(where, "read its output", `more than ${limit} bytes`));
        return;
      }
      const text = (parts: Buffer[]) => Buffer.concat(parts).toString("utf8");
      resolve({ argv, exitCode: code ?? 128, stdout: text(out), stderr: text(err) });
    });
  });
}
