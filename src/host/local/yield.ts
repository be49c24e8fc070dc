/** Lets everything else on the machine go first: the lowest priority of the processor and of the disk. */
import { readdirSync } from "node:fs";
import { setPriority } from "node:os";
import { attempt } from "../../base/failure.ts";
import { errnoOf } from "./errno.ts";
import { runLocal } from "./run.ts";

const LOWEST = 19;

/**
 * Of this process: both priorities belong to threads in Linux, and new ones have that of who starts them. Without the
 * program ionice, or where it is not allowed, the disk is shared as before.
 */
export async function yieldToOthers(): Promise<void> {
  const threads = readdirSync("/proc/self/task");
  for (const thread of threads) {
    try {
      setPriority(Number(thread), LOWEST);
    } catch (error) {
      // It ended meanwhile.
      if (errnoOf(error) !== "ERR_SYSTEM_ERROR") throw error;
    }
  }
  await attempt(() => runLocal(["ionice", "-c", "3", "-p", ...threads]));
}
