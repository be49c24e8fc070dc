/** What a disk is, and what it lies on, from stat(2) and sysfs (Documentation/ABI/stable/sysfs-block). Opens no disk. */
import { readdirSync, readFileSync, stat, statSync } from "node:fs";
import type { Stats } from "node:fs";
import { promisify } from "node:util";
import { ioFailure } from "../../base/failure.ts";
import type { DiskIdentity, DiskLook } from "../disk-look.ts";
import { errnoOf } from "./errno.ts";

/** Devices under one disk: volumes on arrays on partitions on disks are a dozen. */
const MAX_UNDER = 256;

/** Undefined when nothing is there, or what is there is no disk. `io` when that cannot be told. */
export async function lookAtLocalDisk(path: string): Promise<DiskLook | undefined> {
  try {
    // Not at once: a file on a server that is down is waited for in another thread.
    return lookOf(await promisify(stat)(path));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
    throw ioFailure([path], "look at", errno, error);
  }
}

/** A file of a tree: `at` is where it is on this machine. A device of the tree's host is not here to look at. */
export function lookAtTreeDisk(at: string): DiskLook | undefined {
  const stats = statsOf(at);
  return stats?.isFile() ? lookOf(stats) : undefined;
}

function lookOf(stats: Stats): DiskLook | undefined {
  if (stats.isFile()) {
    const { size: sizeBytes, mtimeMs: modifiedMs } = stats;
    return { kind: "file", sizeBytes, modifiedMs, identity: identityOf(stats), on: [] };
  }
  if (!stats.isBlockDevice()) return undefined;
  const sys = systemPath(stats.rdev);
  const below = new Map<DiskIdentity, string>();
  addBelow(sys, below);
  // A map gives what is added during the walk as well, each once.
  for (const under of below.values()) {
    if (below.size >= MAX_UNDER) break;
    if (under !== "") addBelow(under, below);
  }
  const sizeBytes = Number(readLine(`${sys}/size`) ?? 0) * 512;
  const snapshot = snapshotOf(sys);
  const thinPool = thinPoolOf(sys);
  return {
    ...{ kind: "block-device", sizeBytes, identity: identityOf(stats), on: [...below.keys()] },
    ...(snapshot && { snapshot }),
    ...(thinPool !== undefined && { thinPool }),
  };
}

function identityOf(stats: Stats): DiskIdentity {
  return stats.isBlockDevice() ? `block ${numberOf(stats.rdev)}` : `file ${stats.dev}:${stats.ino}`;
}

/** Linux's makedev() as glibc has it, in the 32 bits that the kernel uses. */
function numberOf(rdev: number): string {
  const major = Math.floor(rdev / 256) % 4096;
  const minor = (rdev % 256) + Math.floor(rdev / 0x100000) * 256;
  return `${major}:${minor}`;
}

function systemPath(rdev: number): string {
  return `/sys/dev/block/${numberOf(rdev)}`;
}

/** What lies directly below; of a file there is no more to know. */
function addBelow(sys: string, below: Map<DiskIdentity, string>): void {
  const add = (at: string) => {
    const number = readLine(`${at}/dev`);
    if (number !== undefined) below.set(`block ${number}`, `/sys/dev/block/${number}`);
  };
  if (readLine(`${sys}/partition`) !== undefined) add(`${sys}/..`);
  for (const name of namesIn(`${sys}/slaves`)) add(`${sys}/slaves/${name}`);
  const behind = readLine(`${sys}/loop/backing_file`);
  const stats = behind === undefined ? undefined : statsOf(behind);
  if (stats) below.set(identityOf(stats), stats.isBlockDevice() ? systemPath(stats.rdev) : "");
}

/** LVM puts a hidden volume, whose uuid ends so, under an origin and all of its snapshots (lvm2: lib/activate/dev_manager.c). */
const COMMON_LAYER = /^LVM-(.*)-real$/;

function snapshotOf(sys: string): DiskLook["snapshot"] {
  for (const name of namesIn(`${sys}/slaves`)) {
    const volume = COMMON_LAYER.exec(readLine(`${sys}/slaves/${name}/dm/uuid`) ?? "")?.[1];
    const number = readLine(`${sys}/slaves/${name}/dev`);
    if (volume === undefined || number === undefined) continue;
    const isOrigin = readLine(`${sys}/dm/uuid`) === `LVM-${volume}`;
    return { origin: `block ${number}`, isOrigin };
  }
  return undefined;
}

/** LVM gives the device of a thin pool a uuid that ends so; thin volumes lie on it and on nothing else. */
const POOL_LAYER = /^LVM-.*-tpool$/;

function thinPoolOf(sys: string): DiskIdentity | undefined {
  const [only, ...others] = namesIn(`${sys}/slaves`);
  if (only === undefined || others.length > 0) return undefined;
  if (!POOL_LAYER.test(readLine(`${sys}/slaves/${only}/dm/uuid`) ?? "")) return undefined;
  const number = readLine(`${sys}/slaves/${only}/dev`);
  return number === undefined ? undefined : `block ${number}`;
}

/** At once: what sysfs has is in the kernel's memory, and a thread would cost ten times as much. */
function readLine(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").split("\n")[0]!;
  } catch {
    return undefined;
  }
}

function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function namesIn(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
