/**
 * Opens a guest's disks the way its domain would see them and says what is on each. Nothing is mounted, nothing is
 * written; a disk that cannot be read is a fact, not an end.
 */
import { attempt, isAbsent, unsupported } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import type { Finding } from "../../base/finding.ts";
import type { BootVolume } from "../../boot/loader/loader.ts";
import type { DiskFacts } from "../../check/facts.ts";
import { cachedSource } from "../../disk/cache.ts";
import type { Volume } from "../../disk/content.ts";
import type { BlockDevice } from "../../disk/source.ts";
import { readVolumes } from "../../disk/tree.ts";
import type { Host } from "../../host/host.ts";
import type { DiskSpec } from "../../xen/disk-spec.ts";
import { volumeFacts } from "./volume-facts.ts";

export type OpenDisk = {
  readonly facts: DiskFacts;
  /** The disk and what is inside it, when it could be read. */
  readonly volume?: Volume;
  /** Filesystems on it, for loaders. */
  readonly bootVolumes: readonly BootVolume[];
};

export type OpenDisks = AsyncDisposable & { readonly disks: readonly OpenDisk[] };

/** Opens all of them. The result owns the devices: dispose it when the guest is done with. */
export async function openDisks(
  host: Host,
  specs: readonly DiskSpec[],
  signal?: AbortSignal,
): Promise<OpenDisks> {
  await using devices = new AsyncDisposableStack();
  const disks: OpenDisk[] = [];
  for (const [index, spec] of specs.entries()) {
    disks.push(await openDisk({ host, spec, index, devices, ...(signal && { signal }) }));
  }
  const owned = devices.move();
  return { disks, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

type OpenOptions = {
  readonly host: Host;
  readonly spec: DiskSpec;
  /** Its place among the guest's disks: GRUB's hd0, hd1. */
  readonly index: number;
  readonly devices: AsyncDisposableStack;
  readonly signal?: AbortSignal;
};

async function openDisk(options: OpenOptions): Promise<OpenDisk> {
  const { host, spec, index, devices, signal } = options;
  const target = diskTarget(spec);
  const base = { spec, target, volumes: [], findings: [] };
  if (spec.target === "") {
    return { facts: { ...base, state: "empty-cdrom" }, bootVolumes: [] };
  }
  const declined = whyNotRead(spec);
  if (declined) {
    return { facts: { ...base, state: "not-read", failure: declined }, bootVolumes: [] };
  }
  const opened = await attempt(async () => {
    const device = devices.use(await host.openBlock(target));
    const source = cachedSource({ ...device, where: [spec.vdev], read: device.read });
    const volume = await readVolumes(source, {
      ...(signal && { signal }),
      ...sectorSize(device),
    });
    return volume;
  });
  if (!opened.ok) {
    const state = isAbsent(opened.failure) ? "missing" : "unreadable";
    return { facts: { ...base, state, failure: opened.failure }, bootVolumes: [] };
  }
  const volume = opened.value;
  const facts: DiskFacts = {
    ...base,
    state: "read",
    volumes: await volumeFacts(volume, spec.vdev),
    findings: findingsIn(volume),
  };
  return { facts, volume, bootVolumes: bootVolumesOf(volume, spec.vdev, index) };
}

/** libxl takes a target without a leading slash to be below /dev (libxl: libxl__device_disk_setdefault). */
export function diskTarget(spec: DiskSpec): string {
  return spec.target === "" || /^\.?\//.test(spec.target) ? spec.target : `/dev/${spec.target}`;
}

/** A regular file says nothing about sectors: the disk in it may have been made for either size. */
function sectorSize(device: BlockDevice): { sectorSizeBytes?: number } {
  return device.blockSize === 512 ? {} : { sectorSizeBytes: device.blockSize };
}

function whyNotRead(spec: DiskSpec): Failure | undefined {
  const where = [spec.vdev];
  if (spec.script !== undefined) {
    return unsupported(where, `a disk that the script ${spec.script} attaches`).failure;
  }
  if (spec.backend !== undefined && spec.backend !== "0") {
    return unsupported(where, `a disk of the backend domain ${spec.backend}`).failure;
  }
  if (spec.format !== "raw") return unsupported(where, `the ${spec.format} disk format`).failure;
  return undefined;
}

function findingsIn(volume: Volume): Finding[] {
  const { content } = volume;
  const own =
    content.kind === "table"
      ? content.table.findings
      : content.kind === "filesystem"
        ? content.fs.notes
        : [];
  return [...own, ...volume.children.flatMap(findingsIn)];
}

function bootVolumesOf(volume: Volume, vdev: string, diskIndex: number): BootVolume[] {
  const found: BootVolume[] = [];
  const add = (inner: Volume, tableType?: "mbr" | "gpt") => {
    if (inner.content.kind !== "filesystem") return;
    found.push({
      fs: inner.content.fs,
      vdev,
      diskIndex,
      ...(inner.partition && { partition: inner.partition }),
      ...(tableType && { tableType }),
    });
  };
  add(volume);
  const type = volume.content.kind === "table" ? volume.content.table.type : undefined;
  for (const child of volume.children) add(child, type);
  return found;
}
