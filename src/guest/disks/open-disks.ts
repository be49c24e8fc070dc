/**
 * Opens a guest's disks the way its domain would see them and says what is on each. Nothing is mounted, nothing is
 * written; a disk that cannot be read is a fact, not an end.
 */
import { attempt, isAbsent, unsupported } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import type { Finding } from "../../base/finding.ts";
import type { BootVolume } from "../../boot/loader/loader.ts";
import type { DiskFacts } from "../../check/facts.ts";
import { assembleVolumes } from "../../disk/assemble.ts";
import type { Assembled } from "../../disk/assemble.ts";
import { tableOf } from "../../disk/content.ts";
import type { Volume } from "../../disk/content.ts";
import type { BlockDevice } from "../../disk/source.ts";
import { isPastEnd, pastEndFinding } from "../../disk/fs/cut-off.ts";
import { readVolumes } from "../../disk/tree.ts";
import type { Host } from "../../host/host.ts";
import type { DiskSpec } from "../../xen/disk-spec.ts";
import { assembledBootVolumes, diskBootVolumes } from "./boot-volumes.ts";
import { backingOpener } from "./open-backing.ts";
import { imageAsRaw, isImageFormat, openDiskImage, rawAsImage } from "./open-image.ts";
import { assembledFacts, diskVolumeFacts } from "./volume-facts.ts";

export type OpenDisk = {
  /** Its `volumes`: the disk, its partitions, then each of `assembled` with its partitions. */
  readonly facts: DiskFacts;
  /** The disk and what is inside it, when it could be read. */
  readonly volume?: Volume;
  /** Logical volumes and arrays of which this disk has the first part. */
  readonly assembled: readonly Volume[];
  /** Filesystems on it and in `assembled`, for loaders. */
  readonly bootVolumes: readonly BootVolume[];
  /** Whether every place was read where a filesystem could be; otherwise an absence proves nothing. */
  readonly complete: boolean;
};

export type OpenDisks = AsyncDisposable & { readonly disks: readonly OpenDisk[] };

export type DiskOptions = {
  /**
   * Whether a disk has the sectors that a guest would see: those of its device, and 512 bytes for files, as Xen's
   * backends have them. False where a file is looked at by itself: it may be the copy of a disk of either kind.
   */
  readonly asGuest?: boolean;
  /** Directories in which the backing files of images may lie; none: no image that has one is read. */
  readonly backing?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** Opens all of them. The result owns the devices: dispose it when the guest is done with. */
export async function openDisks(
  host: Host,
  specs: readonly DiskSpec[],
  options: DiskOptions = {},
): Promise<OpenDisks> {
  const { signal } = options;
  await using devices = new AsyncDisposableStack();
  const opened: Opened[] = [];
  for (const spec of specs) {
    opened.push(await openDisk({ host, spec, devices, ...options }));
  }
  const trees = opened.flatMap((disk) => disk.volume ?? []);
  const assembled = await assembleVolumes(trees, signal ? { signal } : {});
  const disks = await describe(opened, assembled);
  const owned = devices.move();
  return { disks, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

type OpenOptions = DiskOptions & {
  readonly host: Host;
  readonly spec: DiskSpec;
  readonly devices: AsyncDisposableStack;
};

/** A disk by itself, before anything is put together from several. */
type Opened = {
  readonly spec: DiskSpec;
  readonly target: string;
  readonly state: DiskFacts["state"];
  readonly failure?: Failure;
  readonly volume?: Volume;
  readonly deviceReadOnly?: boolean;
  /** About the disk as an image. */
  readonly findings: readonly Finding[];
};

async function openDisk(options: OpenOptions): Promise<Opened> {
  const { host, spec, devices, signal, asGuest = true } = options;
  const target = diskTarget(spec);
  const base = { spec, target, findings: [] };
  if (spec.target === "") return { ...base, state: "empty-cdrom" };
  const declined = whyNotRead(spec);
  if (declined) return { ...base, state: "not-read", failure: declined };
  const findings: Finding[] = [];
  const noticed: { deviceReadOnly?: boolean } = {};
  const opened = await attempt(async () => {
    const device = devices.use(await host.openBlock(target));
    if (device.readOnly) noticed.deviceReadOnly = true;
    findings.push(...(await rawAsImage(device, spec, signal)));
    const openBacking = backingFor(options, target);
    const image = await openDiskImage(device, spec, {
      ...(openBacking && { openBacking }),
      ...(signal && { signal }),
    });
    findings.push(...image.findings);
    const context = { ...(signal && { signal }), ...sectorSize(device, asGuest) };
    const volume = await readVolumes(image.source, context);
    findings.push(...(await imageAsRaw(spec, volume, signal)));
    return volume;
  });
  const known = { ...base, findings, ...noticed };
  if (opened.ok) return { ...known, state: "read", volume: opened.value };
  const { failure } = opened;
  const isOther = failure.kind === "unsupported" && isImageFormat(spec.format);
  const state = isOther ? "not-read" : isAbsent(failure) ? "missing" : "unreadable";
  return { ...known, state, failure };
}

function backingFor(options: OpenOptions, imagePath: string) {
  const { host, devices, spec, backing: allowed = [], signal } = options;
  if (allowed.length === 0) return undefined;
  return backingOpener({ host, devices, allowed, imagePath, where: [spec.vdev], signal });
}

/** Puts what lies on several disks to the first of them. */
async function describe(opened: readonly Opened[], assembled: Assembled): Promise<OpenDisk[]> {
  const homes = homesOf(opened, assembled.volumes);
  const opaque = new Set(assembled.opaque);
  const disks: OpenDisk[] = [];
  for (const [index, disk] of opened.entries()) {
    const { spec, target, state, failure, volume, deviceReadOnly } = disk;
    const place = { vdev: spec.vdev, index };
    const own = assembled.volumes.filter((one) => homes.get(one) === index);
    const volumes = volume ? await diskVolumeFacts(volume, spec.vdev, { opaque }) : [];
    for (const one of own) volumes.push(...(await assembledFacts(one, { opaque })));
    const inside = volume ? [volume, ...own] : [];
    const about = assembled.findings.filter((one) => diskOf(one, opened) === index);
    disks.push({
      facts: {
        spec,
        target,
        state,
        volumes,
        findings: [...disk.findings, ...inside.flatMap(findingsIn), ...about],
        ...(failure && { failure }),
        ...(deviceReadOnly && { deviceReadOnly }),
      },
      ...(volume && { volume }),
      assembled: own,
      bootVolumes: [
        ...(volume ? diskBootVolumes(volume, place) : []),
        ...own.flatMap((one) => assembledBootVolumes(one, place)),
      ],
      complete:
        state === "empty-cdrom" || (volume !== undefined && inside.every(isReadThrough(opaque))),
    });
  }
  return disks;
}

/** The first of the disks that each volume lies on. Members come before what was made of them. */
function homesOf(opened: readonly Opened[], made: readonly Volume[]): Map<Volume, number> {
  const homes = new Map<Volume, number>();
  const settle = (volume: Volume, home: number) => {
    for (const one of [volume, ...volume.children]) homes.set(one, home);
  };
  for (const [index, { volume }] of opened.entries()) if (volume) settle(volume, index);
  for (const volume of made) {
    const under = volume.assembly?.under ?? [];
    settle(volume, Math.min(...under.map((member) => homes.get(member) ?? Infinity)));
  }
  return homes;
}

/** Findings about a group as a whole name no disk: they go to the first that was read. */
function diskOf({ where }: Finding, opened: readonly Opened[]): number {
  const named = opened.findIndex((disk) => disk.spec.vdev === where[0]);
  return named >= 0 ? named : opened.findIndex((disk) => disk.volume !== undefined);
}

function isReadThrough(opaque: ReadonlySet<Volume>) {
  return (volume: Volume): boolean =>
    [volume, ...volume.children].every(({ content }, index, all) => {
      if (content.kind === "member") return !opaque.has(all[index]!);
      return content.kind !== "named" && content.kind !== "unknown";
    });
}

/** libxl takes a target without a leading slash to be below /dev (libxl: libxl__device_disk_setdefault). */
export function diskTarget(spec: DiskSpec): string {
  return spec.target === "" || /^\.?\//.test(spec.target) ? spec.target : `/dev/${spec.target}`;
}

/** Of itself a regular file says nothing about sectors. */
function sectorSize(device: BlockDevice, asGuest: boolean): { sectorSizeBytes?: number } {
  return asGuest || device.blockSize !== 512 ? { sectorSizeBytes: device.blockSize } : {};
}

function whyNotRead(spec: DiskSpec): Failure | undefined {
  const where = [spec.vdev];
  if (spec.script !== undefined) {
    return unsupported(where, `a disk that the script ${spec.script} attaches`).failure;
  }
  if (spec.backend !== undefined && spec.backend !== "0") {
    return unsupported(where, `a disk of the backend domain ${spec.backend}`).failure;
  }
  if (spec.format !== "raw" && !isImageFormat(spec.format)) {
    return unsupported(where, `the ${spec.format} disk format`).failure;
  }
  return undefined;
}

function findingsIn(volume: Volume): Finding[] {
  const { content, tried, children } = volume;
  const table = tableOf(content)?.findings ?? [];
  const own = content.kind === "filesystem" ? content.fs.notes : [];
  // The partition of a hybrid image that shows the image has nothing new to say.
  const isNew = ({ content: inside }: Volume) =>
    content.kind !== "filesystem" ||
    inside.kind !== "filesystem" ||
    inside.fs.kind !== content.fs.kind;
  const cut = tried.flatMap(({ name, failure }) =>
    content.kind === "unknown" && isPastEnd(failure) ? [pastEndFinding(name, failure)] : [],
  );
  return [...own, ...table, ...cut, ...children.filter(isNew).flatMap(findingsIn)];
}
