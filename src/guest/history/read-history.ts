/** What changed in a guest, from the package logs on its disks. */
import { attempt } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import { readChanges } from "../../boot/changes/read-changes.ts";
import type { PackageChange } from "../../boot/changes/package-change.ts";
import { fileSystems } from "../disks/choose-file-system.ts";
import type { Target } from "../disks/open-target.ts";

export type History = {
  /** Oldest first. */
  readonly changes: readonly PackageChange[];
  /** Filesystems whose logs could not be read, and why. */
  readonly failures: readonly Failure[];
  /** Devices of the filesystems that were looked at. */
  readonly lookedAt: readonly string[];
};

/** Every filesystem is asked: /var may be one of its own. */
export async function readHistory(target: Target, signal?: AbortSignal): Promise<History> {
  const changes: PackageChange[] = [];
  const failures: Failure[] = [];
  const all = fileSystems(target);
  for (const { volume } of all) {
    const read = await attempt(() => readChanges(volume.fs, signal ? { signal } : {}));
    if (read.ok) changes.push(...read.value);
    else failures.push(read.failure);
  }
  changes.sort((a, b) => a.time - b.time);
  return { changes, failures, lookedAt: all.map((one) => one.device) };
}
