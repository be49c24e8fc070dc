/** Fingerprints of a guest's disks as part of its save: taken, taken again after QEMU has ended, set against the disks now. */
import { commandFailed } from "../../base/failure.ts";
import type { Host } from "../../host/host.ts";
import type { ImageRecord, RecordedDisk } from "../../host/records.ts";
import type { DiskSpec } from "../../xen/disk-spec.ts";
import type { SummaryDisk } from "../../xen/domain-summary.ts";
import { compareContent } from "../fingerprint/compare.ts";
import { fingerprintDisks } from "../fingerprint/fingerprint.ts";
import { parseFingerprint } from "../fingerprint/parse-fingerprint.ts";
import type { DiskFingerprint } from "../fingerprint/types.ts";
import type { DiskProof, ImageProof } from "../inventory/facts.ts";
import { proveDisks } from "../inventory/image-proof.ts";
import { targetPath } from "../inventory/read-backings.ts";
import type { ImageFile } from "./image-file.ts";

/** Those that hold data of the guest: no empty drive. */
export function disksOf(image: ImageFile): readonly SummaryDisk[] {
  return (image.image.config?.guest?.disks ?? []).filter(({ target }) => target !== "");
}

/** Of all that the guest may write to and that is a path of dom0. The guest must not run; `failed` when one is written to. */
export async function fingerprintSaved(
  host: Host,
  disks: readonly SummaryDisk[],
  signal?: AbortSignal,
): Promise<RecordedDisk[]> {
  const taken = await fingerprintsOf(host, disks, signal);
  return disks.map((disk) => {
    const { vdev, readonly } = disk;
    const path = targetPath(disk);
    const fingerprint = taken.get(disk);
    if (fingerprint?.moving)
      throw commandFailed([path ?? vdev], {
        what: `The disk ${vdev} (${path}) is being written to although the guest is paused.`,
        why: "Somebody else has it open for writing: the image would not fit it a moment later.",
        next: "Find out who: fuser -v, lsblk, xl block-list of other guests. Then save again.",
      });
    return { vdev, path: path ?? disk.target, readonly, ...(fingerprint && { fingerprint }) };
  });
}

async function fingerprintsOf(
  host: Host,
  disks: readonly SummaryDisk[],
  signal?: AbortSignal,
): Promise<Map<SummaryDisk, DiskFingerprint>> {
  const read = disks.filter((disk) => !disk.readonly && targetPath(disk) !== undefined);
  if (read.length === 0) return new Map();
  const taken = await fingerprintDisks(
    host,
    read.map((disk) => ({
      path: targetPath(disk)!,
      format: disk.format as DiskSpec["format"],
    })),
    signal ? { signal } : {},
  );
  return new Map(read.map((disk, index) => [disk, taken[index]!]));
}

/**
 * The disks of a record as they are once the guest's domain is gone: QEMU writes to an image file as it ends. Only where what
 * the guest sees is the same; else the old fingerprint stays, and says so at the restore.
 */
export async function settledDisks(
  host: Host,
  record: ImageRecord,
  image: ImageFile,
): Promise<readonly RecordedDisk[]> {
  const disks = disksOf(image);
  if (!disks.some(({ format, readonly }) => format !== "raw" && !readonly)) return record.disks;
  const now = await fingerprintsOf(host, disks);
  const byVdev = new Map(disks.map((disk) => [disk.vdev, disk]));
  return record.disks.map((recorded) => {
    const disk = byVdev.get(recorded.vdev);
    const fingerprint = disk && now.get(disk);
    // Nobody but QEMU may write to a device without the guest.
    if (!fingerprint || disk.format === "raw" || fingerprint.moving) return recorded;
    if (recorded.fingerprint === undefined) return recorded;
    const then = parseFingerprint(recorded.fingerprint, [record.path, recorded.vdev]);
    return compareContent(then, fingerprint).same ? { ...recorded, fingerprint } : recorded;
  });
}

/** What the recorded fingerprints say now of all disks that the image would write to, also of those that the record does not have. */
export async function proofOf(
  host: Host,
  record: ImageRecord,
  image: ImageFile,
  signal?: AbortSignal,
): Promise<ImageProof> {
  const proof = await proveDisks(host, { ...image, restoredAtBoot: false, record }, signal);
  const unknown = disksOf(image)
    .filter((disk) => !disk.readonly && !isProven(disk, record, proof))
    .map((disk): DiskProof => {
      const { vdev, target } = disk;
      const doubts = ["No fingerprint of it was taken when it was saved."];
      const path = targetPath(disk) ?? target;
      return { vdev, path, same: false, proof: "none", changes: [], doubts };
    });
  if (unknown.length === 0) return proof;
  const verdict = proof.verdict === "changed" ? "changed" : "unknown";
  return { verdict, disks: [...proof.disks, ...unknown] };
}

function isProven(disk: SummaryDisk, { disks }: ImageRecord, proof: ImageProof): boolean {
  const path = targetPath(disk) ?? disk.target;
  const recorded = disks.find((one) => one.vdev === disk.vdev && one.path === path);
  return recorded !== undefined && proof.disks.some(({ vdev }) => vdev === disk.vdev);
}
