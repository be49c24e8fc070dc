/**
 * Which names mean the same device or file, and what the kernel has built on it: partitions, device-mapper and md devices,
 * loop devices (Documentation/ABI/stable/sysfs-block). Only reads, through the door to the operating system.
 */
import { attempt } from "../../base/failure.ts";
import { fileName } from "../../base/path.ts";
import type { DiskReach } from "../disk-reach.ts";
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

/** A device whose bytes are, in part, those of the one that was asked about; and how. */
export type RelatedDevice = {
  /** As the kernel names it: `sda1`, `dm-3`. */
  readonly name: string;
  /** `8:1` */
  readonly number: string;
  /** Its directory in sysfs; empty when it has gone. */
  readonly sys: string;
  /** `below`: the disk around a partition, the device behind a loop device. */
  readonly how: "itself" | "partition" | "below" | "holder" | "loop";
};

export type Related = {
  readonly devices: readonly RelatedDevice[];
  /** The file itself, or the one behind a loop device. */
  readonly files: readonly Identity[];
};

export type LoopDevice = {
  readonly name: string;
  readonly number: string;
  /** The file or device behind it. */
  readonly file: string;
  readonly backing: Identity;
  readonly readOnly: boolean;
};

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
    loops.push({
      name,
      number,
      file,
      backing,
      readOnly: (await readLine(host, `${sys}/ro`)) === "1",
    });
  }
  return loops;
}

/**
 * All devices through which the bytes of `start` can be read or written: itself, its partitions, what is built on any of them, loop
 * devices on them; the disk around a partition and what is behind a loop device, with what is built on the whole of those.
 */
export async function relatedDevices(
  host: Host,
  start: Identity,
  loops: readonly LoopDevice[],
): Promise<Related> {
  const walk = new Walk(host, loops);
  await walk.add(start, "itself");
  return walk.run();
}

/**
 * What the disk of `relatedDevices` is built on: who writes to one of those as a whole writes to the disk. What else is built on them
 * is beside it.
 */
export async function identitiesUnder(
  host: Host,
  { devices }: Related,
  loops: readonly LoopDevice[],
): Promise<readonly Identity[]> {
  /** Their directories in sysfs. */
  const under = new Map<Identity, string>();
  const add = async (sys: string) => {
    const number = await readLine(host, `${sys}/dev`);
    if (number && under.size < MAX_DEVICES && !under.has(blockIdentity(number)))
      under.set(blockIdentity(number), sys);
  };
  const addSlaves = async (sys: string) => {
    for (const slave of await namesIn(host, `${sys}/slaves`)) await add(`${sys}/slaves/${slave}`);
  };
  for (const { how, sys } of devices)
    if (sys !== "" && (how === "itself" || how === "below")) await addSlaves(sys);
  // A map gives what is added during the walk as well, each once.
  for (const [identity, sys] of under) {
    if (sys === "") continue;
    await addSlaves(sys);
    if (await isThere(host, `${sys}/partition`)) await add(`${sys}/..`);
    const backing = loops.find(({ number }) => blockIdentity(number) === identity)?.backing;
    if (backing?.startsWith("file ")) under.set(backing, "");
    else if (backing) await add(`/sys/dev/block/${backing.slice("block ".length)}`);
  }
  return [...under.keys()];
}

/**
 * Of those paths at which something is: which disks are changed by who writes to it. What two names have to do with each other is
 * known here alone: guards, alarms and copies all ask here.
 */
export async function readReaches(
  host: Host,
  paths: readonly string[],
): Promise<Map<string, DiskReach>> {
  const identities = await readIdentities(host, paths);
  const found = new Map<string, DiskReach>();
  if (identities.size === 0) return found;
  const loops = await readLoops(host);
  const known = new Map<Identity, DiskReach>();
  for (const [path, identity] of identities) {
    const reach = known.get(identity) ?? (await reachOf(host, identity, loops));
    known.set(identity, reach);
    found.set(path, reach);
  }
  return found;
}

async function reachOf(
  host: Host,
  identity: Identity,
  loops: readonly LoopDevice[],
): Promise<DiskReach> {
  const { files, devices } = await relatedDevices(host, identity, loops);
  return { identity, reaches: [...files, ...devices.map(({ number }) => blockIdentity(number))] };
}

class Walk {
  readonly #host: Host;
  readonly #loops: readonly LoopDevice[];
  readonly #devices = new Map<Identity, RelatedDevice>();
  readonly #files = new Set<Identity>();

  constructor(host: Host, loops: readonly LoopDevice[]) {
    this.#host = host;
    this.#loops = loops;
  }

  async run(): Promise<Related> {
    // Maps and sets give what is added during the walk as well, each once.
    for (const [identity, device] of this.#devices) {
      await this.#addLoopsOn(identity);
      if (device.sys !== "") await this.#step(device);
    }
    return { devices: [...this.#devices.values()], files: [...this.#files] };
  }

  async add(identity: Identity, how: RelatedDevice["how"]): Promise<void> {
    if (identity.startsWith("file ")) {
      if (this.#files.has(identity)) return;
      this.#files.add(identity);
      return this.#addLoopsOn(identity);
    }
    if (this.#devices.has(identity) || this.#devices.size >= MAX_DEVICES) return;
    const number = identity.slice("block ".length);
    const real = await attempt(() => this.#host.realPath(`/sys/dev/block/${number}`));
    const sys = real.ok ? real.value : "";
    this.#devices.set(identity, { name: fileName(sys) || number, number, sys, how });
  }

  async #addLoopsOn(backing: Identity): Promise<void> {
    for (const loop of this.#loops)
      if (loop.backing === backing) await this.add(blockIdentity(loop.number), "loop");
  }

  async #step({ name, number, sys, how }: RelatedDevice): Promise<void> {
    const host = this.#host;
    for (const holder of await namesIn(host, `${sys}/holders`))
      await this.#addBySys(`${sys}/holders/${holder}`, "holder");
    if (how === "itself" || how === "below") {
      if (await isThere(host, `${sys}/partition`)) await this.#addBySys(`${sys}/..`, "below");
      const loop = this.#loops.find((one) => one.number === number);
      if (loop) await this.add(loop.backing, "below");
    }
    if (how === "below") return;
    for (const part of await namesIn(host, sys)) {
      if (part.startsWith(name) && (await isThere(host, `${sys}/${part}/partition`)))
        await this.#addBySys(`${sys}/${part}`, "partition");
    }
  }

  async #addBySys(sys: string, how: RelatedDevice["how"]): Promise<void> {
    const number = await readLine(this.#host, `${sys}/dev`);
    if (number) await this.add(blockIdentity(number), how);
  }
}

async function isThere(host: Host, path: string): Promise<boolean> {
  const kind = await attempt(() => host.kind(path));
  return kind.ok && kind.value !== "missing";
}

/** Sorted; none when there is no such directory, or it cannot be read. */
export async function namesIn(host: Host, path: string): Promise<readonly string[]> {
  const names = await attempt(() => host.list(path));
  return names.ok ? names.value : [];
}
