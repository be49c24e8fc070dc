/** Names in directories, so many and no more. */
import { attempt, isAbsent, overLimit } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import type { Host } from "../../host/host.ts";

/** The largest directory that is looked through. */
const MAX_NAMES = 4096;

/** How many files are looked at at once: each is a few calls of the system that wait for a disk. */
export const AT_A_TIME = 16;

/** The paths of what is in a directory; empty when there is none. What could not be read is told to `failures`. */
export async function pathsIn(
  host: Host,
  directory: string,
  failures: Failure[],
): Promise<readonly string[]> {
  const listed = await attempt(() => host.list(directory));
  if (!listed.ok) {
    if (!isAbsent(listed.failure)) failures.push(listed.failure);
    return [];
  }
  const names = listed.value;
  if (names.length > MAX_NAMES) {
    failures.push(overLimit([directory], "files in one directory", String(MAX_NAMES)).failure);
  }
  const base = directory === "/" ? "" : directory.replace(/\/+$/, "");
  return names.slice(0, MAX_NAMES).map((name) => `${base}/${name}`);
}
