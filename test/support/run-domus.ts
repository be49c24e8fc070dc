/** Runs `domus` from these sources as a process of its own. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { MAIN, NODE } from "./sshd.ts";

export type DomusRun = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
};

export type DomusOptions = {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly uid?: number;
  readonly stdin?: "ignore" | number;
  readonly stdout?: "pipe" | number;
  /** Called with each line of stdout as it comes. */
  readonly onLine?: (line: string, child: ChildProcess) => void;
};

export function runDomus(argv: readonly string[], options: DomusOptions = {}): Promise<DomusRun> {
  const child = spawn(NODE, [MAIN, ...argv], {
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    ...(options.uid !== undefined && { uid: options.uid, gid: options.uid }),
    env: { ...process.env, NO_COLOR: "1", ...options.env },
    stdio: [options.stdin ?? "ignore", options.stdout ?? "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  let line = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
    const lines = (line + chunk.toString()).split("\n");
    line = lines.pop()!;
    for (const one of lines) options.onLine?.(one, child);
  });
  child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve) =>
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr })),
  );
}

/** As `runDomus`, after a run to the same destination that was cut off: its other side may take a moment to let go. */
export async function runDomusAgain(argv: readonly string[]): Promise<DomusRun> {
  for (let left = 60; ; left--) {
    const run = await runDomus(argv);
    // Refused: it is still in use.
    if (left === 0 || run.code !== 4) return run;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}
