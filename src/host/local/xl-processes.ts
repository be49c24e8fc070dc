/** Which programs of xl are at work on something. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** What watches a domain after it was made has the same words on its command line, and writes to its log (xen: tools/xl/xl_utils.c). */
const MONITOR_LOG = /\/xl-[^/]*\.log(?:\.\d+)?$/;

/** The pids of processes of xl that have this word on their command line, monitors of domains left out. */
export function xlProcessesWith(word: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const [program = "", ...words] = (read(`/proc/${pid}/cmdline`) ?? "").split("\0");
      // What xl runs as has the path of its release in it.
      return /(?:^|\/)xl$/.test(program) && words.includes(word) && !isMonitor(pid);
    })
    .map(Number);
}

function isMonitor(pid: string): boolean {
  try {
    return MONITOR_LOG.test(readlinkSync(`/proc/${pid}/fd/1`));
  } catch {
    return false;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
