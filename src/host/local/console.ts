/**
 * The console of a domain, through `xl console` (xen: tools/console/client/main.c): that knows which of its consoles is meant, and
 * has a lock against a second reader, who would get every other piece. It reads a pty; what nobody has read yet is kept there by
 * xenconsoled, up to 1 MiB. Nothing is ever written to it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { ioFailure } from "../../base/failure.ts";
import { errnoOf } from "./errno.ts";

/**
 * It ends with this process, however that ends: else it would keep the console from everybody until the guest's next word. Since
 * util-linux 2.33; where setpriv(1) has not got that, or is not there, it is read all the same.
 */
const WITH_US = ["setpriv", "--pdeathsig", "TERM", "--"];

const MAX_STDERR = 4096;

/**
 * xenconsole only notes a SIGTERM: one that comes while it looks for its pty, or right before it waits, is not heard before the
 * domain's next word, which never comes when the domain has gone (xen: get_pty_fd, console_loop). Its lock goes with it.
 */
const DEAF_MS = 2000;

/** As `ReadConsole` of guest/console. `io` when it cannot be read, with what xl says. */
export async function* readLocalConsole(
  domid: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const argv = ["xl", "console", String(domid)];
  const failed = yield* read([...WITH_US, ...argv], signal);
  if (failed === undefined) return;
  const why = failed.startsWith("setpriv: ") ? yield* read(argv, signal) : failed;
  if (why !== undefined) throw ioFailure([argv.join(" ")], "read the console", why);
}

/** All that the program writes. Returns why there was nothing, when it failed. */
async function* read(
  [program = "", ...args]: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, string | undefined> {
  if (signal.aborted) return undefined;
  const child = spawn(program, args, {
    env: { ...process.env, LC_ALL: "C" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.on("error", () => {});
  const said: Buffer[] = [];
  let saidBytes = 0;
  child.stderr.on("data", (chunk: Buffer) => {
    if (saidBytes < MAX_STDERR) said.push(chunk);
    saidBytes += chunk.length;
  });
  try {
    await once(child, "spawn");
  } catch (error) {
    return `${program}: ${errnoOf(error)}`;
  }
  // Releases before 4.6 end when their input does: it stays open. xenconsole takes SIGTERM to give its lock back.
  let killing: NodeJS.Timeout | undefined;
  const end = () => {
    child.kill("SIGTERM");
    killing ??= setTimeout(() => child.kill("SIGKILL"), DEAF_MS);
  };
  const ended = once(child, "close") as Promise<[number | null]>;
  signal.addEventListener("abort", end);
  let bytes = 0;
  try {
    for await (const chunk of child.stdout) {
      bytes += (chunk as Uint8Array).length;
      yield chunk as Uint8Array;
    }
    const [code] = await ended;
    if (code === 0 || signal.aborted || bytes > 0) return undefined;
    const text = Buffer.concat(said).toString("utf8", 0, MAX_STDERR).trim().split("\n");
    // setpriv adds a line on how to use it.
    const line = text[0]!.startsWith("setpriv: ") ? text[0] : text.at(-1);
    return line || `exit code ${code}`;
  } finally {
    signal.removeEventListener("abort", end);
    end();
    child.stdin.destroy();
    child.stdout.destroy();
    await ended;
    clearTimeout(killing);
  }
}
