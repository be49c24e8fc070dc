/**
 * The most memory that the process had at any moment, not what is left when it is done: the kernel keeps that peak, and
 * on Linux it can be set back. See proc(5), /proc/pid/clear_refs, and getrusage(2).
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const MIB = 1024 * 1024;

const clearRefs = (() => {
  try {
    return openSync("/proc/self/clear_refs", "w");
  } catch {
    // Elsewhere the peak is the process's for good: a round shows when it is larger than all before.
    return undefined;
  }
})();
if (clearRefs !== undefined) process.on("exit", () => closeSync(clearRefs));

/** From now on `peakMib` tells of what comes. */
export function resetPeak(): void {
  if (clearRefs !== undefined) writeSync(clearRefs, "5");
}

/** Resident memory of the process at its highest since `resetPeak`. */
export const peakMib = (): number => process.resourceUsage().maxRSS / 1024;

/** Resident memory now. */
export const residentMib = (): number => process.memoryUsage.rss() / MIB;

setFlagsFromString("--expose-gc");
export const collectGarbage = runInNewContext("gc") as () => void;
