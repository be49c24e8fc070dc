/** A lock between processes that goes away with its holder, however that one ends. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";

/**
 * Runs `work` while holding flock(2) on `path`, waiting for another holder to end. The lock is held by a child whose
 * stdin is ours: it ends, and the kernel frees the lock, when this process does.
 */
export async function withLock<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  const holder = spawn("flock", [path, "sh", "-c", "echo; cat"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(holder, "close");
  try {
    await Promise.race([
      once(holder.stdout, "data"),
      ended.then(() => {
        throw new Error(`flock ${path} failed`);
      }),
    ]);
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}

/** As `withLock`. The lock is on a descriptor of this process's, which flock(1) inherits: it ends with this process at the latest. */
export function withLockSync<T>(path: string, work: () => T): T {
  const lock = openSync(path, "w");
  try {
    execFileSync("flock", ["-x", "3"], { stdio: ["ignore", "ignore", "inherit", lock] });
    return work();
  } finally {
    closeSync(lock);
  }
}
