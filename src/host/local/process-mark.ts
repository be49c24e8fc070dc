/** What tells a process from all others of this machine, also after its pid was given again or the host was started anew. */
import { readFileSync } from "node:fs";
import type { Operation } from "../records.ts";
import { readBootId } from "./boot-id.ts";

export type ProcessMark = Pick<Operation, "pid" | "pidStarted" | "bootId">;

export function ownMark(): ProcessMark {
  return {
    pid: process.pid,
    pidStarted: startOf("self") ?? "",
    bootId: readBootId() ?? "",
  };
}

/** False for one that has ended, and for a zombie: it does nothing any more. */
export function isMarkAlive({ pid, pidStarted, bootId }: ProcessMark): boolean {
  if (bootId !== (readBootId() ?? "")) return false;
  return startOf(String(pid)) === pidStarted;
}

/** Field 22 of /proc/PID/stat, in clock ticks since the host's start (man 5 proc_pid_stat). */
function startOf(pid: string): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  // The program's name is in brackets, and can have blanks and brackets in it.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields?.[0] === "Z" || fields?.[0] === "X" ? undefined : fields?.[19];
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}
