/** Takes fingerprints of a guest's disks. Docs: docs/design/fingerprint.md. */
import { attempt } from "../../base/failure.ts";
import { GIB, MIB } from "../../base/units.ts";
import { encodeText } from "../../bytes/text.ts";
import { assembleVolumes } from "../../disk/assemble.ts";
import type { Assembled } from "../../disk/assemble.ts";
import { cachedSource } from "../../disk/cache.ts";
import type { Volume } from "../../disk/content.ts";
import { openImage } from "../../disk/image/formats.ts";
import type { ByteSource } from "../../disk/source.ts";
import { readVolumes } from "../../disk/tree.ts";
import type { Host } from "../../host/host.ts";
import type { DiskObservation } from "../../host/disk-observation.ts";
import { streamDigest } from "../../sync/stream-digest.ts";
import type { DiskSpec } from "../../xen/disk-spec.ts";
import { isImageFormat } from "../disks/open-image.ts";
import { sameWrites } from "./compare-writes.ts";
import { volumesOf } from "./disk-volumes.ts";
import type { NamedVolume } from "./disk-volumes.ts";
import { isContainer, planVolume } from "./plan-volume.ts";
import { countedSource, digestRegion } from "./region-reader.ts";
import { shallowProbers } from "./shallow-probers.ts";
import { counterText } from "./text.ts";
import { FINGERPRINT_VERSION } from "./types.ts";
import type { DiskFingerprint, FingerprintLimits, VolumeFingerprint } from "./types.ts";
import type { VolumePlan } from "./volume-plan.ts";

export type DiskToFingerprint = {
  /** As libxl opens it. */
  readonly path: string;
  /** Of the file or device; raw by default. An image that cannot be read as one is taken as it is. */
  readonly format?: DiskSpec["format"];
};

export type FingerprintOptions = {
  readonly signal?: AbortSignal;
  /** For tests. */
  readonly limits?: Partial<FingerprintLimits>;
};

const LIMITS: FingerprintLimits = {
  diskBytes: 256 * MIB,
  readBytes: GIB / 2,
  wholeBytes: 64 * MIB,
};
/** How often a disk is read that is written to meanwhile. */
const ATTEMPTS = 3;
/** Characters: it has text from the disk in it. */
const MAX_NOTE = 1000;
/** Small regions come on top of the share of a volume; what the share is spent on is at most this much of it. */
const LEAST_SHARE = MIB;

/** As `fingerprintDisks`, of one. */
export async function fingerprintDisk(
  host: Host,
  disk: DiskToFingerprint,
  options: FingerprintOptions = {},
): Promise<DiskFingerprint> {
  const [only] = await fingerprintDisks(host, [disk], options);
  return only!;
}

/**
 * Of all disks of a guest, in their order: logical volumes and arrays that lie on several belong to the first. The guest must
 * not run meanwhile. Failures: a disk that cannot be opened (`io`, `unsupported`); nothing that is on one.
 */
export async function fingerprintDisks(
  host: Host,
  disks: readonly DiskToFingerprint[],
  options: FingerprintOptions = {},
): Promise<DiskFingerprint[]> {
  for (let attempts = 1; ; attempts++) {
    const before = await observeAll(host, disks);
    const taken = await readDisks(host, disks, options);
    const after = await observeAll(host, disks);
    const moved = before.map((one, i) => isMoving(one, after[i]));
    if (attempts < ATTEMPTS && moved.includes(true)) continue;
    return taken.map((one, i) => ({
      ...one,
      ...(after[i] && { identity: after[i].identity }),
      ...(after[i]?.writes && { writes: after[i].writes }),
      ...(moved[i] && { moving: true as const }),
    }));
  }
}

function observeAll(host: Host, disks: readonly DiskToFingerprint[]) {
  return Promise.all(disks.map(async ({ path }) => host.observeDisk?.(path)));
}

/** Where the system cannot tell, nothing is known of a movement either. */
function isMoving(before: DiskObservation | undefined, after: DiskObservation | undefined) {
  if (!before || !after) return false;
  if (before.identity !== after.identity) return true;
  return sameWrites(before.writes, after.writes).verdict === "written";
}

/** A disk, open, and what is on it. */
type Opened = {
  readonly counted: ReturnType<typeof countedSource>;
  readonly tree: Volume;
};

async function readDisks(
  host: Host,
  disks: readonly DiskToFingerprint[],
  options: FingerprintOptions,
): Promise<DiskFingerprint[]> {
  const limits = { ...LIMITS, ...options.limits };
  const context = { probers: shallowProbers, ...(options.signal && { signal: options.signal }) };
  await using devices = new AsyncDisposableStack();
  const opened: Opened[] = [];
  for (const disk of disks) {
    const device = devices.use(await host.openBlock(disk.path));
    const counted = countedSource(device, limits.readBytes);
    const source = await guestBytes(counted, disk.format, options.signal);
    const tree = await readVolumes(source, { ...context, sectorSizeBytes: device.blockSize });
    opened.push({ counted, tree });
  }
  const trees = opened.map(({ tree }) => tree);
  const assembled = await assembleVolumes(trees, context);
  const taken: DiskFingerprint[] = [];
  for (const [index, one] of opened.entries()) {
    const volumes = volumesOf(index, trees, assembled.volumes);
    taken.push(await digestDisk(one, volumes, { ...options, assembled, limits }));
  }
  return taken;
}

/** What the guest sees of the disk. */
async function guestBytes(
  file: ByteSource,
  format: DiskSpec["format"] | undefined,
  signal: AbortSignal | undefined,
): Promise<ByteSource> {
  if (format === undefined || !isImageFormat(format)) return file;
  const options = { where: file.where, ...(signal && { signal }) };
  const image = await attempt(() => openImage(format, cachedSource(file), options));
  return image.ok ? image.value.source : file;
}

type DigestOptions = {
  readonly signal?: AbortSignal;
  readonly assembled: Assembled;
  readonly limits: FingerprintLimits;
};

async function digestDisk(
  { counted, tree }: Opened,
  volumes: readonly NamedVolume[],
  { assembled, limits, signal }: DigestOptions,
): Promise<DiskFingerprint> {
  const holders = volumes.filter(({ volume }) => isContainer(volume)).length;
  const share = Math.max(
    LEAST_SHARE,
    Math.floor(limits.diskBytes / Math.max(1, volumes.length - holders)),
  );
  const options = {
    limitBytes: share,
    wholeBytes: Math.min(limits.wholeBytes, share),
    isAssembled: (volume: Volume) => !assembled.opaque.includes(volume),
    ...(signal && { signal }),
  };
  const fingerprints: VolumeFingerprint[] = [];
  for (const { name, volume } of volumes) {
    const plan = await planVolume(volume, options);
    fingerprints.push(await digestVolume(name, volume.source.size, plan, signal));
  }
  return {
    version: FINGERPRINT_VERSION,
    takenAtMs: Date.now(),
    sizeBytes: tree.source.size,
    digest: digestOf(fingerprints),
    volumes: fingerprints,
    counters: fingerprints.flatMap((one) => counterText(one) ?? []),
    readBytes: counted.readBytes,
  };
}

async function digestVolume(
  name: string,
  sizeBytes: number,
  { format, depth, counter, regions, note }: VolumePlan,
  signal: AbortSignal | undefined,
): Promise<VolumeFingerprint> {
  const digested = [];
  for (const region of regions) digested.push(await digestRegion(region, signal));
  const unread = digested.some(({ digest }) => digest === undefined);
  return {
    name,
    format,
    sizeBytes,
    depth: unread && depth !== "container" ? "sample" : depth,
    ...(counter && { counter }),
    regions: digested,
    ...(note !== undefined && { note: note.slice(0, MAX_NOTE) }),
  };
}

/** All that decides whether two contents are the same; not the notes. */
function digestOf(volumes: readonly VolumeFingerprint[]): string {
  const digest = streamDigest();
  for (const { name, format, sizeBytes, regions } of volumes) {
    digest.update(encodeText(JSON.stringify([name, format, sizeBytes, regions])));
  }
  return digest.hex(32);
}
