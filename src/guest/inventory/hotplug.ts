/**
 * What Xen's scripts for disks and network cards leave behind when they fail or are killed (libxl gives them 40 seconds): loop
 * devices, and locks that a process of theirs still holds (xen: tools/hotplug/Linux/block, locking.sh). Nothing is changed here.
 */
import { attempt } from "../../base/failure.ts";
import { mapParallel } from "../../base/parallel.ts";
import { fileName } from "../../base/path.ts";
import { decodeText } from "../../bytes/text.ts";
import type { DiskIdentity } from "../../host/disk-look.ts";
import type { Host } from "../../host/host.ts";
import { AT_A_TIME } from "./directories.ts";

export type LoopFact = {
  /** `/dev/loop0` */
  readonly device: string;
  /** The file behind it, as the kernel names it. */
  readonly file: string;
  readonly key: DiskIdentity;
  /** Something is built on it: partitions that are mapped, a volume group. */
  readonly held: boolean;
};

export type LockHolder = {
  /** `/run/xen-hotplug/block` */
  readonly lock: string;
  readonly pid: number;
  readonly program: string;
};

export type HotplugFacts = {
  readonly loops: readonly LoopFact[];
  readonly holders: readonly LockHolder[];
};

const BLOCKS = "/sys/class/block";
const LOCKS = "/run/xen-hotplug";
const LOG = "/var/log/xen/xen-hotplug.log";
/** Loop devices, and processes, that are looked at: more than a host has. */
const MAX_LOOKED_AT = 65_536;
/** Descriptors that locking.sh uses: one for each lock that a script has at a time. */
const LOCK_DESCRIPTORS = [200, 201, 202, 203] as const;
const MAX_LINE_BYTES = 65_536;

/** All that there is; nothing on a file tree, and for who may not look. */
export async function readHotplug(host: Host): Promise<HotplugFacts> {
  if (!host.live) return { loops: [], holders: [] };
  return { loops: await readLoopFacts(host), holders: await readLockHolders(host) };
}

export async function readLoopFacts(host: Host): Promise<readonly LoopFact[]> {
  const names = (await namesIn(host, BLOCKS)).filter((name) => /^loop\d{1,7}$/.test(name));
  const found = await mapParallel(names, AT_A_TIME, async (name): Promise<LoopFact[]> => {
    const file = await lineOf(host, `${BLOCKS}/${name}/loop/backing_file`);
    if (!file) return [];
    const look = await attempt(async () => host.lookAtDisk?.(file));
    if (!look.ok || !look.value) return [];
    const holders = await namesIn(host, `${BLOCKS}/${name}/holders`);
    const { identity: key } = look.value;
    return [{ device: `/dev/${name}`, file, key, held: holders.length > 0 }];
  });
  return found.flat();
}

/** Whose process of a script it was is not known: that has ended, and what it has started has the lock from it. */
export async function readLockHolders(host: Host): Promise<readonly LockHolder[]> {
  if ((await namesIn(host, LOCKS)).length === 0) return [];
  const pids = (await namesIn(host, "/proc")).filter((name) => /^\d{1,10}$/.test(name));
  const found = await mapParallel(pids, AT_A_TIME, async (pid): Promise<LockHolder[]> => {
    const locks = new Set<string>();
    for (const descriptor of LOCK_DESCRIPTORS) {
      const path = await attempt(() => host.realPath(`/proc/${pid}/fd/${descriptor}`));
      if (path.ok && path.value.startsWith(`${LOCKS}/`)) locks.add(path.value);
    }
    if (locks.size === 0) return [];
    const words = ((await lineOf(host, `/proc/${pid}/cmdline`)) ?? "").split("\0");
    const program = fileName(words[0] ?? "");
    return [...locks].map((lock) => ({ lock, pid: Number(pid), program }));
  });
  return found.flat();
}

/** How much is in the scripts' log; 0 where there is none. */
export async function hotplugLogSize(host: Host): Promise<number> {
  const opened = await attempt(() => host.openBlock(LOG));
  if (!opened.ok) return 0;
  await using file = opened.value;
  return file.size;
}

/** Of what is behind `from` in that log, the last lines; none where it cannot be read. */
export async function hotplugLogSince(host: Host, from: number): Promise<readonly string[]> {
  const read = await attempt(async () => {
    await using file = await host.openBlock(LOG);
    // One that is smaller was put aside meanwhile, and begun anew.
    const start = Math.max(file.size < from ? 0 : from, file.size - MAX_LINE_BYTES);
    return decodeText(await file.read(start, file.size - start));
  });
  if (!read.ok) return [];
  return read.value
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .slice(-LOG_LINES);
}

const LOG_LINES = 5;

async function namesIn(host: Host, directory: string): Promise<readonly string[]> {
  const names = await attempt(() => host.list(directory));
  return names.ok ? names.value.slice(0, MAX_LOOKED_AT) : [];
}

async function lineOf(host: Host, path: string): Promise<string | undefined> {
  const read = await attempt(() => host.readFile(path, MAX_LINE_BYTES));
  return read.ok ? decodeText(read.value).split("\n")[0]!.trim() : undefined;
}
