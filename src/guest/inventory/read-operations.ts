/** Changes that domus has begun, and whether somebody still works on them. */
import { attempt } from "../../base/failure.ts";
import { decodeText } from "../../bytes/text.ts";
import type { Host } from "../../host/host.ts";
import type { Operation } from "../../host/records.ts";
import { readBootId } from "../config/boot-id.ts";
import type { OperationFact } from "./facts.ts";

/** Of /proc/PID/stat, counted from the one behind the name: its 22nd (proc_pid_stat(5)). */
const STARTTIME = 19;

export async function readOperations(
  host: Host,
  operations: readonly Operation[],
): Promise<OperationFact[]> {
  if (operations.length === 0) return [];
  const read = host.live ? await attempt(() => readBootId(host)) : undefined;
  const bootId = read?.ok ? read.value : undefined;
  return Promise.all(
    operations.map(async (operation) => ({
      operation,
      running: operation.bootId === bootId && (await isThere(host, operation)),
    })),
  );
}

/** A number is given again: only with the time of its start is it the same process. A zombie does nothing any more. */
async function isThere(host: Host, { pid, pidStarted }: Operation): Promise<boolean> {
  const stat = await line(host, `/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? [];
  return !/^[ZX]/.test(fields[0] ?? "") && fields[STARTTIME] === pidStarted;
}

async function line(host: Host, path: string): Promise<string | undefined> {
  const read = await attempt(() => host.readFile(path, 65_536));
  return read.ok ? decodeText(read.value).trim() : undefined;
}
