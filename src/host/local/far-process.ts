/** The process at whose other end the far side of a sync session is: the system's ssh, or domus itself. */
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { existsSync } from "node:fs";
import { isSea } from "node:sea";
import { ioFailure, missing } from "../../base/failure.ts";
import { KIB } from "../../base/units.ts";
import { errnoOf } from "./errno.ts";

const MAX_STDERR_BYTES = 64 * KIB;

export type FarProcess = {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<{ readonly exitCode?: number; readonly stderr: string }>;
  readonly kill: () => void;
};

/**
 * Starts it with pipes. `missing` when there is no such program. ssh stays in our process group: it may have to ask for
 * a password on the terminal. What is domus itself does not get the terminal's Ctrl-C: we tell it to end.
 */
export async function startFar(argv: readonly string[], own: boolean): Promise<FarProcess> {
  const [program = "", ...args] = argv;
  const child = spawn(program, args, { stdio: "pipe", detached: own });
  const said: Buffer[] = [];
  let size = 0;
  child.stderr.on("data", (chunk: Buffer) => {
    said.push(chunk);
    size += chunk.length;
    // The last words count.
    while (size > MAX_STDERR_BYTES && said.length > 1) size -= said.shift()!.length;
  });
  const ended = new Promise<{ exitCode?: number; stderr: string }>((resolve) => {
    child.on("close", (code) => {
      const stderr = Buffer.concat(said).subarray(-MAX_STDERR_BYTES).toString("utf8");
      resolve({ ...(code !== null && { exitCode: code }), stderr });
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) => {
      if (errnoOf(error) === "ENOENT")
        reject(
          missing(["this host"], `program ${program}`, "Install openssh-client, or look at --ssh."),
        );
      else reject(ioFailure([program], "start", errnoOf(error), error));
    });
  });
  return {
    child,
    ended,
    kill: () => {
      child.kill("SIGKILL");
      // What it has started may hold the other ends for as long as it likes, and this process must not wait for that.
      for (const pipe of child.stdio) pipe?.destroy();
      child.unref();
    },
  };
}

/** What starts this very domus again: the executable, or Node with our main. */
export function ownCommand(): readonly string[] {
  if (isSea()) return [process.execPath];
  const main = new URL("../../cli/main.ts", import.meta.url);
  const program = existsSync(main) ? main.pathname : process.argv[1]!;
  return [process.execPath, ...optionsForFile(process.execArgv), program];
}

/**
 * Node's options for a process that runs a file. With the text of `node -e` it would run that instead, as this process does: copy,
 * and start the next one, without end.
 */
export function optionsForFile(options: readonly string[]): readonly string[] {
  return options.filter((option, i) => {
    const isValue = /^(-e|-p|-pe|--eval|--print|--input-type)$/.test(options[i - 1] ?? "");
    return !isValue && !/^(-e|-p|-pe|(--eval|--print|--input-type)(=.*)?)$/s.test(option);
  });
}
