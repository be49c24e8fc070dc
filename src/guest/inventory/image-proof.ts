/** Whether the disks of a saved guest are what they were, by the fingerprints in the record of its image. */
import { attempt, attemptSync, failureText } from "../../base/failure.ts";
import type { Result } from "../../base/failure.ts";
import { printable } from "../../base/printable.ts";
import type { Host } from "../../host/host.ts";
import type { ImageRecord, RecordedDisk } from "../../host/records.ts";
import type { DiskSpec } from "../../xen/disk-spec.ts";
import { compareFingerprints } from "../fingerprint/compare.ts";
import type { Proof } from "../fingerprint/compare.ts";
import { sameWrites } from "../fingerprint/compare-writes.ts";
import { fingerprintDisks } from "../fingerprint/fingerprint.ts";
import { parseFingerprint } from "../fingerprint/parse-fingerprint.ts";
import type { DiskFingerprint } from "../fingerprint/types.ts";
import type { DiskProof, ImageFact, ImageProof } from "./facts.ts";

/** Equal by these is equal. */
const CERTAIN: ReadonlySet<Proof> = new Set(["counters", "whole", "times", "commits"]);

/** Images that are to be restored: of others it does not matter. */
export function isWaiting({ record, image }: ImageFact): boolean {
  return record?.state === "waiting" && image !== undefined;
}

/**
 * By what the system counts and by the times of files, without reading a disk: undefined unless that shows a write, as nothing is
 * flushed, so that it does not prove the contrary.
 */
export async function peekAtDisks(
  host: Host,
  record: ImageRecord,
): Promise<ImageProof | undefined> {
  if (!host.observeDisk) return undefined;
  const disks: DiskProof[] = [];
  for (const { vdev, path, before } of recordedDisks(record)) {
    if (!before.ok) continue;
    const now = await attempt(() => host.observeDisk!(path, { settle: false }));
    const verdict = sameWrites(before.value.writes, now.ok ? now.value.writes : undefined);
    if (verdict.verdict !== "written") continue;
    const changes = [printable(verdict.what)];
    disks.push({ vdev, path, same: false, proof: verdict.by, changes, doubts: [] });
  }
  return disks.length > 0 ? { verdict: "changed", disks } : undefined;
}

/** By new fingerprints: reads up to 256 MiB of each disk. The guest must not run. */
export async function proveDisks(
  host: Host,
  fact: ImageFact & { readonly record: ImageRecord },
  signal?: AbortSignal,
): Promise<ImageProof> {
  const recorded = recordedDisks(fact.record);
  const formats = new Map(
    (fact.image?.config?.guest?.disks ?? []).map(({ vdev, format }) => [vdev, format]),
  );
  const toRead = recorded.map(({ vdev, path }) => {
    const format = formats.get(vdev) as DiskSpec["format"] | undefined;
    return { path, ...(format !== undefined && { format }) };
  });
  const taken = await attempt(() => fingerprintDisks(host, toRead, signal ? { signal } : {}));
  const disks = recorded.map(({ vdev, path, before }, index): DiskProof => {
    const failure = before.ok ? (taken.ok ? undefined : taken.failure) : before.failure;
    if (failure || !before.ok || !taken.ok)
      return unknown({ vdev, path }, printable(failureText(failure!)));
    return { vdev, path, ...compareFingerprints(before.value, taken.value[index]!) };
  });
  const without = writable(fact.record).filter(({ fingerprint }) => fingerprint === undefined);
  const all = [
    ...disks,
    ...without.map((disk) => unknown(disk, "No fingerprint of it was taken when it was saved.")),
  ];
  return { verdict: verdictOf(all), disks: all };
}

function verdictOf(disks: readonly DiskProof[]): ImageProof["verdict"] {
  if (disks.some(({ changes }) => changes.length > 0)) return "changed";
  const isCertain = ({ same, proof }: DiskProof) => same && CERTAIN.has(proof);
  return disks.every(isCertain) ? "unchanged" : "unknown";
}

function unknown({ vdev, path }: Pick<DiskProof, "vdev" | "path">, doubt: string): DiskProof {
  return { vdev, path, same: false, proof: "none", changes: [], doubts: [doubt] };
}

type Recorded = Pick<RecordedDisk, "vdev" | "path"> & {
  readonly before: Result<DiskFingerprint>;
};

/** Those with a fingerprint, in their order: what lies on several disks is put together from all of them. */
function recordedDisks(record: ImageRecord): Recorded[] {
  return writable(record)
    .filter(({ fingerprint }) => fingerprint !== undefined)
    .map(({ vdev, path, fingerprint }) => ({
      ...{ vdev, path },
      before: attemptSync(() => parseFingerprint(fingerprint, [record.path, vdev])),
    }));
}

function writable({ disks }: ImageRecord): readonly RecordedDisk[] {
  return disks.filter(({ readonly }) => !readonly);
}
