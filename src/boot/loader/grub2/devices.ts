/**
 * GRUB's names for disks and partitions, and files on them. Only filesystems that domus could open are known here;
 * a name of anything else leads nowhere, as it would in GRUB when a driver is missing.
 */
import { attempt, FailureError } from "../../../base/failure.ts";
import type { Budget } from "../../../base/budget.ts";
import { findPath, readFile } from "../../../disk/fs/resolve.ts";
import type { Inode } from "../../../disk/fs/filesystem.ts";
import type { BootFile, BootVolume } from "../loader.ts";
import { readNumber } from "./number.ts";

export type Devices = {
  readonly volumes: readonly BootVolume[];
  /** Each look at a filesystem costs one. */
  readonly budget: Budget;
  readonly signal: AbortSignal | undefined;
};

/** The name that GRUB would give: `hd0`, `hd0,gpt2`, `lvm/vg0-root`. */
export function deviceName(volume: BootVolume): string {
  if (volume.grubName !== undefined) return volume.grubName;
  const disk = `hd${volume.diskIndex}`;
  if (!volume.partition) return disk;
  return `${disk},${volume.tableType === "gpt" ? "gpt" : "msdos"}${volume.partition.number}`;
}

/** The filesystem on the device that GRUB calls `name`, without parentheses. */
export function findDevice(devices: Devices, name: string): BootVolume | undefined {
  return devices.volumes.find((volume) => isNamed(volume, name));
}

function isNamed(volume: BootVolume, name: string): boolean {
  if (volume.grubName !== undefined) {
    return volume.grubName === name || volume.grubIds?.includes(name) === true;
  }
  const comma = name.indexOf(",");
  const disk = comma < 0 ? name : name.slice(0, comma);
  // `xen/xvda` is what grub-xen, the GRUB for PV guests, calls it.
  if (disk !== `hd${volume.diskIndex}` && disk !== `xen/${volume.vdev}`) return false;
  if (comma < 0) return volume.partition === undefined;
  const part = /^([A-Za-z]*)(.*)$/s.exec(name.slice(comma + 1));
  const map = part?.[1] ?? "";
  const number = readNumber(part?.[2] ?? "");
  if (number?.rest !== "" || number.value !== volume.partition?.number) return false;
  const expected = volume.tableType === "gpt" ? "gpt" : "msdos";
  return map === "" || volume.tableType === undefined || map === expected;
}

/** True when the device is a disk or a partition of one that some filesystem is known on. */
export function isPartOf(volume: BootVolume, disk: string): boolean {
  return (
    volume.partition !== undefined &&
    (disk === `hd${volume.diskIndex}` || disk === `xen/${volume.vdev}`)
  );
}

/**
 * The order in which `search` tries devices: disk after disk, the whole disk before its partitions, and those from
 * the last to the first (grub-core/kern/device.c puts them on a list in front of each other). Logical volumes last.
 */
export function searchOrder(volumes: readonly BootVolume[]): BootVolume[] {
  return volumes.toSorted(
    (a, b) =>
      Number(isLogical(a)) - Number(isLogical(b)) ||
      a.diskIndex - b.diskIndex ||
      (partitionNumber(a) < partitionNumber(b) ? 1 : -1),
  );
}

function isLogical(volume: BootVolume): boolean {
  return volume.grubName !== undefined;
}

/** The whole disk counts as more than any partition. */
function partitionNumber(volume: BootVolume): number {
  return volume.partition?.number ?? Infinity;
}

/** A path as a command gives it: `/vmlinuz`, `(hd0,1)/vmlinuz`, `(lvm/vg-root)/boot/x`. */
export type GrubPath = {
  /** Without parentheses; `undefined` when the path has none and $root is meant. */
  readonly device: string | undefined;
  readonly path: string;
};

export function parseGrubPath(text: string): GrubPath | undefined {
  if (!text.startsWith("(")) return { device: undefined, path: text };
  const close = text.indexOf(")");
  if (close < 0) return undefined;
  return { device: text.slice(1, close), path: text.slice(close + 1) };
}

/** The inode at a path, symlinks followed, or undefined. Damage on the way is a failure. */
export async function statFile(devices: Devices, file: BootFile): Promise<Inode | undefined> {
  devices.budget.spend();
  devices.signal?.throwIfAborted();
  const found = await attempt(() => findPath(file.volume.fs, file.path));
  if (found.ok) return found.value?.inode;
  // A name that no filesystem could hold, a link that leads to itself: not there.
  if (found.failure.kind === "limit") return undefined;
  throw new FailureError(found.failure);
}

export async function fileExists(devices: Devices, file: BootFile): Promise<boolean> {
  return (await statFile(devices, file))?.kind === "file";
}

/** A whole file of at most `limitBytes`; `undefined` when there is none. */
export async function readBootFile(
  devices: Devices,
  file: BootFile,
  limitBytes: number,
): Promise<Uint8Array | undefined> {
  if (!(await fileExists(devices, file))) return undefined;
  return readFile(file.volume.fs, file.path, limitBytes, devices.signal);
}
