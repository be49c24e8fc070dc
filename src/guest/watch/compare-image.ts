/** Whether the disks of a saved guest are still what they were, at the moment when somebody restores it. */
import { attempt, attemptSync } from "../../base/failure.ts";
import type { Finding } from "../../base/finding.ts";
import type { Host } from "../../host/host.ts";
import type { EventKind, GuestEvent, ImageRecord } from "../../host/records.ts";
import { compareFingerprints } from "../fingerprint/compare.ts";
import { fingerprintDisks } from "../fingerprint/fingerprint.ts";
import { parseFingerprint } from "../fingerprint/parse-fingerprint.ts";
import { lookAtDomain } from "../lifecycle/domain-command.ts";
import type { DisksThen } from "./alarms.ts";

export type RestoredGuest = {
  readonly domid: number;
  /** The guest's newest. */
  readonly events: readonly GuestEvent[];
};

/** It ran from its disks. */
const STARTS: ReadonlySet<EventKind> = new Set(["started", "rebooted"]);

/** Reads up to 256 MiB of each disk. */
export async function compareImage(
  host: Host,
  record: ImageRecord,
  { domid, events }: RestoredGuest,
): Promise<DisksThen> {
  const disks = record.disks.filter(({ readonly }) => !readonly);
  const then = attemptSync(() =>
    disks.map(({ fingerprint, vdev }) => parseFingerprint(fingerprint, [record.path, vdev])),
  );
  if (!then.ok || disks.length === 0) return { verdict: "unknown", changes: [] };
  const now = await attempt(() => fingerprintDisks(host, disks));
  if (!now.ok) return { verdict: "unknown", changes: [] };
  const all = then.value.map((one, index) => compareFingerprints(one, now.value[index]!));
  const changes = all.flatMap((one) => one.changes);
  if (changes.length === 0)
    return { verdict: all.every(({ same }) => same) ? "unchanged" : "unknown", changes };
  if (events.some((event) => hasRunFromDisks(event, record)))
    return { verdict: "changed", changes };
  // xl lets it run at the end of the restore. What it wrote then is no reason to destroy it.
  const row = await attempt(() => lookAtDomain(host, domid));
  const hasRun = !row.ok || row.value?.state !== "paused" || row.value.cpuSeconds > 0;
  return { verdict: hasRun ? "perhaps changed" : "changed", changes };
}

/** Since the save: its start was seen, or a watcher that came later found it running beside the image. */
function hasRunFromDisks({ kind, atMs, detail }: GuestEvent, { savedAtMs, path }: ImageRecord) {
  // What the watcher has caught up with may be as old as its last look before.
  const { notBeforeMs } = detail;
  if (STARTS.has(kind)) return (typeof notBeforeMs === "number" ? notBeforeMs : atMs) > savedAtMs;
  const { code, where } = detail as Partial<Finding>;
  return kind === "alarm" && code === "image-bypassed" && where?.[0] === path;
}
