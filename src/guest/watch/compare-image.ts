/** Whether the disks of a saved guest are still what they were, at the moment when somebody restores it. */
import { attempt, attemptSync } from "../../base/failure.ts";
import type { Host } from "../../host/host.ts";
import type { ImageRecord } from "../../host/records.ts";
import { compareFingerprints } from "../fingerprint/compare.ts";
import { fingerprintDisks } from "../fingerprint/fingerprint.ts";
import { parseFingerprint } from "../fingerprint/parse-fingerprint.ts";
import type { DisksThen } from "./alarms.ts";

/** Reads up to 256 MiB of each disk. */
export async function compareImage(host: Host, record: ImageRecord): Promise<DisksThen> {
  const disks = record.disks.filter(({ readonly }) => !readonly);
  const then = attemptSync(() =>
    disks.map(({ fingerprint, vdev }) => parseFingerprint(fingerprint, [record.path, vdev])),
  );
  if (!then.ok || disks.length === 0) return { verdict: "unknown", changes: [] };
  const now = await attempt(() => fingerprintDisks(host, disks));
  if (!now.ok) return { verdict: "unknown", changes: [] };
  const all = then.value.map((one, index) => compareFingerprints(one, now.value[index]!));
  const changes = all.flatMap((one) => one.changes);
  if (changes.length > 0) return { verdict: "changed", changes };
  return { verdict: all.every(({ same }) => same) ? "unchanged" : "unknown", changes: [] };
}
