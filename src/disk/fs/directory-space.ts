/**
 * Directories of one filesystem do not share blocks, so together they are no larger than its device. Where many lead to
 * the same blocks, the work to list them all would grow with the square of the device.
 */
import { Budget } from "../../base/budget.ts";
import { overLimit } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";

/** Numbers that are remembered; no tree in use is near it. */
const MAX_DIRECTORIES = 1 << 20;

export type DirectorySpace = {
  /** `limit` when there is no room for another directory. To be asked before one is read. */
  admit(number: number): void;
  /** Counts a directory when it is seen for the first time; `limit` when all together are too large. */
  claim(number: number, sizeBytes: number): void;
};

export function directorySpace(deviceBytes: number, where: Where): DirectorySpace {
  const known = new Set<number>();
  const budget = new Budget(deviceBytes, where, "the size of all directories together");
  function admit(number: number): void {
    if (known.has(number)) return;
    budget.spend(0);
    if (known.size < MAX_DIRECTORIES) return;
    throw overLimit(where, "the number of directories", String(MAX_DIRECTORIES));
  }
  return {
    admit,
    claim(number, sizeBytes) {
      if (known.has(number)) return;
      admit(number);
      budget.spend(sizeBytes);
      known.add(number);
    },
  };
}
