/** What changed in a guest, from the package logs on its disks. */
import { attempt } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import { readChangeLogs } from "../../boot/changes/read-changes.ts";
import type { PackageChange } from "../../boot/changes/package-change.ts";
import { fileSystems } from "../disks/choose-file-system.ts";
import type { Target } from "../disks/open-target.ts";

export type History = {
  /** Oldest first. */
  readonly changes: readonly PackageChange[];
  /** Filesystems whose logs could not be read, and why. */
  readonly failures: readonly Failure[];
  /** Databases of package managers that are there and are not read. */
  readonly unread: readonly string[];
  /** Devices of the filesystems that were looked at. */
  readonly lookedAt: readonly string[];
};

/** Every filesystem is asked: /var may be one of its own. */
export async function readHistory(target: Target, signal?: AbortSignal): Promise<History> {
  const changes: PackageChange[] = [];
  const failures: Failure[] = [];
  const unread: string[] = [];
  const all = fileSystems(target);
  for (const { volume } of all) {
    const read = await attempt(() => readChangeLogs(volume.fs, signal ? { signal } : {}));
    if (!read.ok) {
      failures.push(read.failure);
      continue;
    }
    for (const change of read.value.changes) changes.push(change);
    for (const { failure } of read.value.logs) if (failure) failures.push(failure);
    unread.push(...read.value.unread);
  }
  changes.sort((a, b) => a.time - b.time);
  return { changes, failures, unread, lookedAt: all.map((one) => one.device) };
}
