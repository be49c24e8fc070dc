/**
 * A copy by the command itself: `domus sync`, its far side, and the transport between them, in place of ssh. What goes wrong is done
 * by strace at a counted system call of one of them, so it needs no help from the code that is tried.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CommandFault } from "./cases.ts";
import type { Ended, SideEnd } from "./wire.ts";

const HANG_MS = 180_000;
const POLL_MS = 20;
/** Several times the `--timeout` of those that may notice. */
const PATIENCE_MS = 15_000;

export type CommandOrder = {
  /** What starts domus. */
  readonly domus: readonly string[];
  /** For the pipes' and processes' names. */
  readonly directory: string;
  readonly source: string;
  readonly destination: string;
  /** The far side is the source. */
  readonly pull: boolean;
  readonly keepIndex: boolean;
  readonly full: boolean;
  readonly stateDirectory: string;
  readonly fault?: CommandFault;
};

/**
 * What stands for ssh: the far side, with a process in each direction that can be killed by itself. Nobody else holds the pipes, so that
 * each end shows at the other.
 */
const TRANSPORT = `for command; do :; done
rm -f up down
mkfifo up down
exec 3<&0
sh -c 'echo $$ > up.pid; exec $UP cat' <&3 >up 3<&- &
sh -c 'echo $$ > far.pid; eval "exec $FAR $1"' sh "$command" <up >down 3<&- &
sh -c 'echo $$ > down.pid; exec $DOWN cat' <down 3<&- &
exec <&- >&- 3<&-
wait
`;
const PROCESSES = ["up", "far", "down"] as const;

export async function runCommand(order: CommandOrder): Promise<Ended> {
  const { directory, fault } = order;
  for (const name of PROCESSES) rmSync(join(directory, `${name}.pid`), { force: true });
  writeFileSync(join(directory, "transport"), TRANSPORT);
  const traced = (name: CommandFault["process"]) => (fault?.process === name ? strace(fault) : "");
  const child = spawn("sh", ["-c", `exec ${traced("near")} "$@"`, "sh", ...argvOf(order)], {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, UP: traced("up"), FAR: traced("far"), DOWN: traced("down") },
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-20_000)));
  let closed = false;
  child.once("exit", () => (closed = true));
  const near = { pid: child.pid!, gone: () => closed };
  const far = { pid: () => pidOf(directory, "far"), gone: () => isGone(pidOf(directory, "far")) };
  const hung = await end({
    near,
    far,
    directory,
    stops: fault?.action === "STOP" ? fault : undefined,
  });
  const how = nearEnd(child.exitCode, child.signalCode, said);
  const side: SideEnd = { how: hung ? "hung" : how, known: 0, stderr: said };
  const struck =
    fault !== undefined && existsSync(join(directory, "trace")) && hasStruck(directory);
  return { source: side, destination: side, struck };
}

function argvOf(order: CommandOrder): string[] {
  const { source, destination, pull, keepIndex, full, stateDirectory, directory, fault } = order;
  return [
    ...order.domus,
    "sync",
    "--ssh",
    `sh ${join(directory, "transport")}`,
    "--far-domus",
    order.domus.join(" "),
    "--state-dir",
    stateDirectory,
    "--timeout",
    fault?.action === "STOP" ? "4" : "100",
    ...(keepIndex ? ["--keep-index"] : []),
    ...(full ? ["--full"] : []),
    pull ? `far:${source}` : source,
    pull ? destination : `far:${destination}`,
  ];
}

function strace({ call, at, action }: CommandFault): string {
  const what = action.startsWith("E") ? `error=${action}` : `signal=${action}`;
  // -b: threads, but not the programs that it starts.
  return `strace -f -b execve -qq -o trace -e trace=${call} -e inject=${call}:${what}:when=${at}`;
}

function hasStruck(directory: string): boolean {
  return /INJECTED|SIGKILL|SIGSTOP/.test(readFileSync(join(directory, "trace"), "utf8"));
}

type Ending = {
  readonly near: { readonly pid: number; gone(): boolean };
  readonly far: { pid(): number | undefined; gone(): boolean };
  readonly directory: string;
  readonly stops: CommandFault | undefined;
};

/** Until all of them are gone. What is stopped goes on when another process has noticed and ended. True when that never comes. */
async function end({ near, far, directory, stops }: Ending): Promise<boolean> {
  const until = performance.now() + HANG_MS;
  let aloneSince: number | undefined;
  while (performance.now() < until) {
    const farGone = far.gone();
    if (near.gone() && farGone) {
      for (const name of ["up", "down"] as const) signal(pidOf(directory, name), "SIGKILL");
      return false;
    }
    // One that is stopped before there is another side, or before it said what is wanted of that one, has nobody who notices.
    const alone = stops?.process === "near" && isStopped(near.pid);
    aloneSince = alone ? (aloneSince ?? performance.now()) : undefined;
    const noticed = alone
      ? farGone || performance.now() - aloneSince! > PATIENCE_MS
      : near.gone() && stops?.process !== "near";
    if (stops && noticed)
      for (const pid of [near.pid, ...PROCESSES.map((name) => pidOf(directory, name))])
        for (const one of pid === undefined ? [] : [pid, ...childrenOf(pid)])
          signal(one, "SIGCONT");
    // Nobody holds the pipe of a far side that never came to be.
    if (near.gone() && far.pid() === undefined) return false;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  for (const pid of [near.pid, ...PROCESSES.map((name) => pidOf(directory, name))])
    for (const one of pid === undefined ? [] : [...childrenOf(pid), pid]) signal(one, "SIGKILL");
  return true;
}

function nearEnd(
  code: number | null,
  signalled: NodeJS.Signals | null,
  said: string,
): SideEnd["how"] {
  if (signalled === "SIGKILL") return "killed";
  if (/^ {4}at .*\.ts:\d+/m.test(said)) return "crashed";
  return code === 0 ? "done" : "failed";
}

function pidOf(directory: string, name: string): number | undefined {
  const path = join(directory, `${name}.pid`);
  const pid = existsSync(path) ? Number(readFileSync(path, "utf8")) : 0;
  return pid > 0 ? pid : undefined;
}

/** It, or what strace runs as it. */
function isStopped(pid: number): boolean {
  return [pid, ...childrenOf(pid)].some((one) => stateOf(one) === "T" || stateOf(one) === "t");
}

function isGone(pid: number | undefined): boolean {
  if (pid === undefined) return true;
  return ["Z", "X", ""].includes(stateOf(pid));
}

/** As in /proc/PID/stat; empty when there is no such process. */
function stateOf(pid: number): string {
  try {
    return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1] ?? "";
  } catch {
    return "";
  }
}

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return text === "" ? [] : text.split(" ").map(Number);
  } catch {
    return [];
  }
}

function signal(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined || isGone(pid)) return;
  try {
    process.kill(pid, name);
  } catch {
    // Gone in between.
  }
}
