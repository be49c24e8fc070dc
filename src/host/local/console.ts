/**
 * The console of a domain, through `xl console` (xen: tools/console/client/main.c): that knows which of its consoles is meant, and
 * has a lock against a second reader, who would get every other piece. It reads a pty; what nobody has read yet is kept there by
 * xenconsoled, up to 1 MiB. Nothing is ever written to it.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { ioFailure } from "../../base/failure.ts";
import { errnoOf } from "./errno.ts";

/** It ends with this process, however that ends: else it would keep the console from everybody until the guest's next word. */
const WITH_US = ["setpriv", "--pdeathsig", "TERM", "--"];

const MAX_STDERR = 4096;

/** As `ReadConsole` of guest/console. `io` when it cannot be read, with what xl says. */
export async function* readLocalConsole(
  domid: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (signal.aborted) return;
  const child = await start(["xl", "console", String(domid)]);
  const said: Buffer[] = [];
  let saidBytes = 0;
  child.stderr!.on("data", (chunk: Buffer) => {
    if (saidBytes < MAX_STDERR) said.push(chunk);
    saidBytes += chunk.length;
  });
  // Releases before 4.6 end when their input does: it stays open. xenconsole takes SIGTERM to give its lock back.
  const end = () => child.kill("SIGTERM");
  const ended = once(child, "close") as Promise<[number | null]>;
  signal.addEventListener("abort", end);
  let bytes = 0;
  try {
    for await (const chunk of child.stdout!) {
      bytes += (chunk as Uint8Array).length;
      yield chunk as Uint8Array;
    }
    const [code] = await ended;
    if (code === 0 || signal.aborted || bytes > 0) return;
    const text = Buffer.concat(said).toString("utf8", 0, MAX_STDERR).trim().split("\n").at(-1);
    throw ioFailure([`xl console ${domid}`], "read the console", text || `exit code ${code}`);
  } finally {
    signal.removeEventListener("abort", end);
    end();
    child.stdin!.destroy();
    child.stdout!.destroy();
    await ended;
  }
}

/** Without setpriv(1), which is in every util-linux since 2.24, by itself. */
async function start(argv: readonly string[]): Promise<ChildProcess> {
  const failures: unknown[] = [];
  for (const [program = "", ...args] of [[...WITH_US, ...argv], argv]) {
    const child = spawn(program, args, {
      env: { ...process.env, LC_ALL: "C" },
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin.on("error", () => {});
    try {
      await once(child, "spawn");
      return child;
    } catch (error) {
      failures.push(error);
      if (errnoOf(error) !== "ENOENT") break;
    }
  }
  const error = failures.at(-1);
  throw ioFailure(["xl console"], "start", errnoOf(error), error);
}
