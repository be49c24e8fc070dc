/**
 * What a disk of this machine is called, so that the next run knows it again: the host and what the kernel says about
 * the device, not its name (docs/design/sync-protocol.md, "Identity").
 */
import { createHash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { stat } from "node:fs/promises";
import { BOOT_ID_PATH } from "./boot-id.ts";
import { readText } from "./read-text.ts";

export type DiskFacts = { readonly stats: BigIntStats; readonly sizeBytes: number };

/** A small file of the kernel, without blanks at its ends; undefined when it is not there, or empty. */
type ReadText = (path: string) => Promise<string | undefined>;

/** A loop device on a file on a loop device, and so on. */
const MAX_DEPTH = 4;

/** SHA-256, 32 bytes. */
export async function diskIdentity({ stats, sizeBytes }: DiskFacts): Promise<Uint8Array> {
  const parts = ["domus disk 1", await hostId(), ...(await partsOf(stats, 0)), String(sizeBytes)];
  // Each with its length: no two lists look the same one after the other.
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:${part}\n`);
  return hash.digest();
}

async function partsOf(stats: BigIntStats, depth: number): Promise<readonly string[]> {
  if (stats.isBlockDevice()) return deviceParts(deviceNumber(stats.rdev), readText, depth);
  // An inode's number is given to the next file when a file is deleted; when it was born tells them apart.
  const file = ["file", String(stats.ino), String(stats.birthtimeNs)];
  const number = deviceNumber(stats.dev);
  // Filesystems without a device of their own (btrfs, tmpfs, NFS) have made-up numbers.
  if (number.startsWith("0:") || depth >= MAX_DEPTH) return [...file, number];
  return [...file, ...(await deviceParts(number, readText, depth + 1))];
}

/** Linux's makedev() of 64 bits, in glibc's layout: `major:minor`. */
export function deviceNumber(rdev: bigint): string {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn);
  return `${major}:${minor}`;
}

/**
 * What is the same each time that the machine starts: the UUID of a volume, the WWN or serial number of a disk, the place of a
 * partition on it. Where there is nothing of that kind, what is the same until the device is detached (`diskseq`).
 */
export async function deviceParts(
  number: string,
  read: ReadText,
  depth = 0,
): Promise<readonly string[]> {
  const sys = `/sys/dev/block/${number}`;
  const volume = await read(`${sys}/dm/uuid`);
  if (volume !== undefined) return ["dm", volume];
  const partition = await read(`${sys}/partition`);
  const disk = await read(`${sys}/../dev`);
  if (partition !== undefined && disk !== undefined) {
    const start = (await read(`${sys}/start`)) ?? "";
    return ["partition", partition, start, ...(await deviceParts(disk, read, depth))];
  }
  const array = await read(`${sys}/md/uuid`);
  if (array !== undefined) return ["md", array];
  for (const name of ["wwid", "device/wwid", "serial", "device/serial"]) {
    const id = await read(`${sys}/${name}`);
    if (id !== undefined) return ["disk", name, id];
  }
  const behind = await read(`${sys}/loop/backing_file`);
  if (behind !== undefined && depth < MAX_DEPTH) {
    const stats = await stat(behind, { bigint: true }).catch(() => undefined);
    const offset = (await read(`${sys}/loop/offset`)) ?? "";
    if (stats) return ["loop", offset, ...(await partsOf(stats, depth + 1))];
  }
  const boot = (await read(BOOT_ID_PATH)) ?? "";
  return ["attached", boot, number, (await read(`${sys}/diskseq`)) ?? ""];
}

/** Of this installation (machine-id(5)). */
async function hostId(): Promise<string> {
  return (await readText("/etc/machine-id")) ?? (await readText("/var/lib/dbus/machine-id")) ?? "";
}
