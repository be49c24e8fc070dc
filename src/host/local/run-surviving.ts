/**
 * Runs a program so that it comes to its end whatever becomes of this process. Its output goes to files without a name: a
 * broken pipe would kill it at its next word.
 */
import { spawn } from "node:child_process";
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ioFailure } from "../../base/failure.ts";
import { MIB } from "../../base/units.ts";
import type { Ran, RunOptions } from "../host.ts";
import { errnoOf } from "./errno.ts";
import { noProgram, programEnv } from "./programs.ts";

/** As `runLocal`; a signal that is aborted does not end it. */
export async function runSurviving(
  argv: readonly string[],
  { stdin = "", maxOutputBytes = 16 * MIB }: RunOptions = {},
): Promise<Ran> {
  const [program = "", ...args] = argv;
  const descriptors = namelessFiles(3);
  const [input = -1, output = -1, errors = -1] = descriptors;
  try {
    // The program reads from where the file's position is, which a write to a place does not move.
    writeSync(input, stdin, 0);
    const exitCode = await new Promise<number>((resolve, reject) => {
      const child = spawn(program, args, {
        env: programEnv(),
        stdio: [input, output, errors],
        detached: true,
      });
      child.on("error", (error) => {
        if (errnoOf(error) === "ENOENT") reject(noProgram(program));
        else reject(ioFailure([program], "start", errnoOf(error), error));
      });
      child.on("exit", (code) => resolve(code ?? 128));
    });
    const [stdout, stderr] = [output, errors].map((fd) => textOf(fd, program, maxOutputBytes));
    return { argv, exitCode, stdout: stdout!, stderr: stderr! };
  } finally {
    for (const fd of descriptors) closeSync(fd);
  }
}

function namelessFiles(count: number): number[] {
  const open: number[] = [];
  try {
    const directory = mkdtempSync(join(tmpdir(), "domus-run-"));
    try {
      for (let i = 0; i < count; i++) open.push(openSync(join(directory, String(i)), "wx+", 0o600));
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
    return open;
  } catch (error) {
    for (const fd of open) closeSync(fd);
    throw ioFailure([tmpdir()], "make a file", errnoOf(error), error);
  }
}

function textOf(fd: number, program: string, limitBytes: number): string {
  const { size } = fstatSync(fd);
  if (size > limitBytes)
    throw ioFailure([program], "read its output", `more than ${limitBytes} bytes`);
  const bytes = Buffer.alloc(size);
  let read = 0;
  while (read < size) {
    const more = readSync(fd, bytes, read, size - read, read);
    if (more === 0) break;
    read += more;
  }
  return bytes.toString("utf8", 0, read);
}
