/** What a command costs with everything that works for it: its own processes, and those of an ssh server's side. */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

export type Cost = {
  readonly wallMs: number;
  /** Of all processes on both sides, ssh and sshd among them. */
  readonly cpuMs: number;
  /** All of them together, at its highest as seen ten times a second: what is resident, shared libraries counted each time. */
  readonly totalMib: number;
  /** Of the largest process. */
  readonly largestMib: number;
};

const SAMPLE_MS = 100;
/** /proc counts processor time in these (sysconf(_SC_CLK_TCK), 100 on every Linux of today). */
const TICK_MS = 10;

/** Runs `command` in a shell. Fails with its stderr when it does not end with 0. */
export async function costOf(
  command: string,
  { serverPid, env = {} }: { readonly serverPid: number; readonly env?: NodeJS.ProcessEnv },
): Promise<Cost> {
  // Its sessions of before are to be gone and accounted for.
  await withoutChildren(serverPid);
  const cpuBefore = waitedCpuMs(serverPid) + waitedCpuMs(process.pid);
  const start = performance.now();
  const child = spawn("bash", ["-c", `set -o pipefail; ${command}`], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...env },
  });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-4000)));
  const peaks = { totalMib: 0, largestMib: 0 };
  const sampling = setInterval(() => sample([child.pid!, serverPid], peaks), SAMPLE_MS);
  const code = await new Promise((resolve) => child.on("close", resolve));
  const wallMs = performance.now() - start;
  clearInterval(sampling);
  await withoutChildren(serverPid);
  if (code !== 0) throw new Error(`${command}\nended with ${String(code)}: ${stderr}`);
  const cpuMs = waitedCpuMs(serverPid) + waitedCpuMs(process.pid) - cpuBefore;
  return { wallMs, cpuMs, ...peaks };
}

function sample(roots: readonly number[], peaks: { totalMib: number; largestMib: number }): void {
  let total = 0;
  const all = [...roots];
  for (const pid of all) {
    try {
      all.push(...childrenOf(pid));
      const status = readFileSync(`/proc/${pid}/status`, "latin1");
      const mib = (field: string) =>
        Number(new RegExp(`${field}:\\s*(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
      total += mib("VmRSS");
      peaks.largestMib = Math.max(peaks.largestMib, mib("VmHWM"));
    } catch {
      // It has ended meanwhile.
    }
  }
  peaks.totalMib = Math.max(peaks.totalMib, total);
}

function childrenOf(pid: number): readonly number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "latin1")
      .split(" ")
      .filter(Boolean)
      .map(Number),
  );
}

/** Processor time of all children that have ended and were waited for, and of theirs (proc(5): cutime, cstime). */
function waitedCpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) * TICK_MS;
}

async function withoutChildren(pid: number): Promise<void> {
  while (childrenOf(pid).length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
}
