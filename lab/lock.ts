/** A lock between processes that goes away with its holder, however that one ends. */
import { spawn } from "node:child_process";
import { once } from "node:events";

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
