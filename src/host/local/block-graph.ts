/**
 * Which names mean the same device or file, and what the kernel has built on it: partitions, device-mapper and md devices,
 * loop devices (Documentation/ABI/stable/sysfs-block). Only reads, through the door to the operating system.
 */
import { attempt, isAbsent } from "../../base/failure.ts";
import { fileName } from "../../base/path.ts";
import type { Host } from "../host.ts";

/** `block 8:1` for a device, `file 2049:131` (device and inode) for a file: the same under all names. */
export type Identity = string;

/** Devices that are looked at from one: a bound on what sysfs can make of a disk. */
const MAX_DEVICES = 4096;
/** Paths for one call of stat(1): their bytes have to fit into its arguments. */
const STAT_BATCH = 1000;

const FILE_TYPE = 0xf000;
const BLOCK_DEVICE = 0x6000;

/** The identities of those paths that can be looked at. */
export async function readIdentities(
  host: Host,
  paths: readonly string[],
): Promise<Map<string, Identity>> {
  const found = new Map<string, Identity>();
  const unique = [...new Set(paths)].filter((path) => path !== "" && !path.includes("\0"));
  for (let at = 0; at < unique.length; at += STAT_BATCH) {
    const batch = unique.slice(at, at + STAT_BATCH);
    // Of a path that is not there stat(1) says so on stderr, and goes on.
    const format = "--printf=%f %d %i %t %T %n\\0";
    const { stdout } = await host.run(["stat", "--dereference", format, "--", ...batch]);
    for (const line of stdout.split("\0")) {
      const match = /^([0-9a-f]+) (\d+) (\d+) ([0-9a-f]+) ([0-9a-f]+) ([^]+)$/.exec(line);
      if (!match) continue;
      const [, mode = "", dev, ino, major = "", minor = "", path = ""] = match;
      const isBlock = (Number.parseInt(mode, 16) & FILE_TYPE) === BLOCK_DEVICE;
      const number = `${Number.parseInt(major, 16)}:${Number.parseInt(minor, 16)}`;
      found.set(path, isBlock ? blockIdentity(number) : `file ${dev}:${ino}`);
    }
  }
  return found;
}

/** Of `major:minor`, both decimal. */
export function blockIdentity(number: string): Identity {
  return `block ${number}`;
}

/** A device and how it came to be one that matters. */
export type RelatedDevice = {
  /** As the kernel names it: `sda1`, `dm-3`. */
  readonly name: string;
  /** `8:1` */
  readonly number: string;
  /** Its directory in sysfs. */
  readonly sys: string;
  readonly how: "itself" | "partition" | "whole disk" | "holder" | "loop";
};

export type LoopDevice = {
  readonly name: string;
  readonly number: string;
  /** Of the file or device behind it. */
  readonly backing: Identity;
  readonly readOnly: boolean;
};

/** The sysfs directory of a device, or undefined when the kernel has none of that number. */
export async function sysDirectory(host: Host, number: string): Promise<string | undefined> {
  const real = await attempt(() => host.realPath(`/sys/dev/block/${number}`));
  return real.ok ? real.value : undefined;
}

/** The first line of a small file in sysfs or proc; undefined when it is not there or cannot be read. */
export async function readLine(host: Host, path: string): Promise<string | undefined> {
  const read = await attempt(() => host.readFile(path, 65_536));
  if (!read.ok) return undefined;
  return new TextDecoder().decode(read.value).split("\n")[0]!.trim();
}

/** All loop devices that have something behind them. */
export async function readLoops(host: Host): Promise<readonly LoopDevice[]> {
  const names = await namesIn(host, "/sys/class/block");
  const behind: { readonly name: string; readonly sys: string; readonly file: string }[] = [];
  for (const name of names.filter((one) => /^loop\d+$/.test(one))) {
    const sys = `/sys/class/block/${name}`;
    const file = await readLine(host, `${sys}/loop/backing_file`);
    if (file) behind.push({ name, sys, file });
  }
  const identities = await readIdentities(
    host,
    behind.map(({ file }) => file),
  );
  const loops: LoopDevice[] = [];
  for (const { name, sys, file } of behind) {
    const number = await readLine(host, `${sys}/dev`);
    const backing = identities.get(file);
    if (!number || !backing) continue;
    loops.push({ name, number, backing, readOnly: (await readLine(host, `${sys}/ro`)) === "1" });
  }
  return loops;
}

/**
 * The devices whose bytes are those of `start`: itself, its partitions, the disk around it, what is built on any of them, and
 * loop devices on them. The disk around a partition brings nothing with it but what is built on the whole of it.
 */
export async function relatedDevices(
  host: Host,
  start: Identity,
  loops: readonly LoopDevice[],
): Promise<readonly RelatedDevice[]> {
  const found = new Map<string, RelatedDevice>();
  const add = async (number: string, how: RelatedDevice["how"]) => {
    if (found.has(number) || found.size >= MAX_DEVICES) return;
    const sys = await sysDirectory(host, number);
    found.set(number, { name: fileName(sys ?? number), number, sys: sys ?? "", how });
  };
  const addLoops = async (identity: Identity) => {
    for (const loop of loops) if (loop.backing === identity) await add(loop.number, "loop");
  };
  if (start.startsWith("block ")) await add(start.slice("block ".length), "itself");
  await addLoops(start);
  // A map gives what is added during the walk as well, each once.
  for (const device of found.values()) {
    if (device.sys === "") continue;
    await addLoops(blockIdentity(device.number));
    for (const holder of await namesIn(host, `${device.sys}/holders`)) {
      const number = await readLine(host, `${device.sys}/holders/${holder}/dev`);
      if (number) await add(number, "holder");
    }
    if (device.how === "whole disk") continue;
    if (device.how === "itself" && (await isThere(host, `${device.sys}/partition`))) {
      const disk = await readLine(host, `${device.sys}/../dev`);
      if (disk) await add(disk, "whole disk");
    }
    for (const name of await namesIn(host, device.sys)) {
      if (!name.startsWith(device.name)) continue;
      if (!(await isThere(host, `${device.sys}/${name}/partition`))) continue;
      const number = await readLine(host, `${device.sys}/${name}/dev`);
      if (number) await add(number, "partition");
    }
  }
  return [...found.values()];
}

async function isThere(host: Host, path: string): Promise<boolean> {
  const kind = await attempt(() => host.kind(path));
  return kind.ok && kind.value !== "missing";
}

async function namesIn(host: Host, path: string): Promise<readonly string[]> {
  const names = await attempt(() => host.list(path));
  if (!names.ok && !isAbsent(names.failure)) return [];
  return names.ok ? names.value : [];
}
