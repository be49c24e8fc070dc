/** What is used and free on a guest's disks, and what a copy of them would have to move. */
import { attempt } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import type { VolumeFacts } from "../../check/facts.ts";
import type { Content, Volume } from "../../disk/content.ts";
import type { FileSystem } from "../../disk/fs/filesystem.ts";
import type { OpenDisk } from "./open-disks.ts";

export type VolumeSpace = {
  /** The name in the guest: `xvda1`. */
  readonly device: string;
  /** `ext4`, `swap`, `LUKS2`, ... */
  readonly format: string;
  readonly label: string;
  readonly sizeBytes: number;
  /** Of a filesystem: its extents in use, metadata included. Absent where it cannot be told. */
  readonly usedBytes?: number;
  readonly freeBytes?: number;
  readonly inodes?: FileSystem["inodes"];
  /** Why `usedBytes` is not known. */
  readonly failure?: Failure;
  /** What of it a copy needs: what is used of a filesystem, nothing of swap, all of what cannot be read. */
  readonly copyBytes: number;
};

export type DiskSpace = {
  readonly vdev: string;
  readonly target: string;
  /** Why the disk as a whole could not be read. */
  readonly failure?: Failure;
  readonly sizeBytes: number;
  readonly volumes: readonly VolumeSpace[];
  /** For all its volumes, and the boot code and table in front of the first partition. */
  readonly copyBytes: number;
};

/** Reads the allocation maps of every filesystem. A logical volume is listed with the first disk that it lies on. */
export async function measureDisks(
  disks: readonly OpenDisk[],
  signal?: AbortSignal,
): Promise<DiskSpace[]> {
  const spaces: DiskSpace[] = [];
  for (const disk of disks) spaces.push(await measureDisk(disk, signal));
  return spaces;
}

async function measureDisk(disk: OpenDisk, signal?: AbortSignal): Promise<DiskSpace> {
  const { facts, volume, assembled } = disk;
  const { spec, target, failure } = facts;
  const roots = volume ? [volume, ...assembled] : assembled;
  const volumes: VolumeSpace[] = [];
  let copyBytes = roots.reduce((sum, one) => sum + inFront(one), 0);
  let index = 0;
  for (const root of roots) {
    for (const one of [root, ...root.children]) {
      const own = facts.volumes[index++]!;
      // Partitions inside of a filesystem, on images that boot from anything, are a part of it.
      if (one !== root && root.content.kind === "filesystem") continue;
      const space = await measureVolume(one, own, signal);
      copyBytes += space.copyBytes;
      if (one.content.kind !== "table") volumes.push(space);
    }
  }
  return {
    vdev: spec.vdev,
    target,
    sizeBytes: volume?.source.size ?? 0,
    volumes,
    copyBytes,
    ...(failure && { failure }),
  };
}

/** The table, and the boot loader that lies behind it. */
function inFront({ content, children }: Volume): number {
  if (content.kind === "filesystem") return 0;
  const offsets = children.flatMap(({ partition }) => partition?.offset ?? []);
  return offsets.length === 0 ? 0 : Math.min(...offsets);
}

async function measureVolume(
  { content, source }: Volume,
  facts: VolumeFacts,
  signal?: AbortSignal,
): Promise<VolumeSpace> {
  const base = {
    device: facts.device ?? "?",
    format: facts.format,
    label: facts.label,
    sizeBytes: source.size,
  };
  if (content.kind !== "filesystem") {
    return { ...base, copyBytes: copyOf(content, source.size, facts.assembled === true) };
  }
  const { fs } = content;
  const used = await attempt(() => usedBytes(fs, signal));
  const inodes = fs.inodes ? { inodes: fs.inodes } : {};
  if (!used.ok) return { ...base, ...inodes, failure: used.failure, copyBytes: source.size };
  // Not of the volume: what the filesystem does not reach is not free for files.
  const freeBytes = Math.max(0, Math.min(fs.sizeBytes, source.size) - used.value);
  return { ...base, ...inodes, usedBytes: used.value, freeBytes, copyBytes: used.value };
}

/** What is not a filesystem. A member that was put together is counted by what was made of it. */
function copyOf(
  content: Exclude<Content, { kind: "filesystem" }>,
  sizeBytes: number,
  assembled: boolean,
): number {
  switch (content.kind) {
    case "empty":
    case "swap":
    case "table":
      return 0;
    case "member":
      return assembled ? 0 : sizeBytes;
    case "named":
    case "unknown":
      return sizeBytes;
  }
}

async function usedBytes(fs: FileSystem, signal?: AbortSignal): Promise<number> {
  let sum = 0;
  for await (const { length } of fs.usedExtents(signal)) sum += length;
  return sum;
}
