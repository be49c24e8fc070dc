/** What else there is to know of guests' disks: what dom0 itself has mounted, and copies that were not finished. */
import { attempt } from "../../base/failure.ts";
import { directoryOf, fileName } from "../../base/path.ts";
import { MIB } from "../../base/units.ts";
import { decodeBytes, devicePath } from "../../boot/root-device.ts";
import { decodeText } from "../../bytes/text.ts";
import type { Host } from "../../host/host.ts";
import { copyOf, readDeviceCopies, readFileCopy } from "../sync/copy-state.ts";
import type { CopyState } from "../sync/copy-state.ts";
import type { Backing, DiskMount, UnfinishedDisk } from "./facts.ts";

/** Mounts that are looked at; a host with containers has a few hundred, hardly one of them of a device. */
const MAX_MOUNTS = 4096;
/** Directories that hold guests' disks. */
const MAX_DIRECTORIES = 1024;
const RECORD_SUFFIX = ".domus-sync";

/** proc_pid_mounts(5) and proc_swaps(5). None on a file tree, and where a device cannot be looked at. */
export async function readMounts(host: Host): Promise<DiskMount[]> {
  if (!host.live || !host.lookAtDisk) return [];
  const mounts = (await readLines(host, "/proc/mounts")).map((line) => {
    const [device = "", mountPoint = "", , options = ""] = line.split(" ").map(unescape);
    return { device, mountPoint, readonly: options.split(",").includes("ro") };
  });
  const swaps = (await readLines(host, "/proc/swaps")).slice(1).map((line) => ({
    ...{ device: unescape(line.split(/\s/)[0] ?? ""), mountPoint: "swap", readonly: false },
  }));
  const all = [
    ...mounts.filter(({ device, mountPoint }) => device.startsWith("/dev/") && mountPoint !== ""),
    ...swaps.filter(({ device }) => device.startsWith("/")),
  ];
  const found: DiskMount[] = [];
  for (const mount of all.slice(0, MAX_MOUNTS)) {
    const look = await attempt(() => host.lookAtDisk!(mount.device));
    if (look.ok && look.value)
      found.push({ ...mount, keys: [look.value.identity, ...look.value.on] });
  }
  return found;
}

async function readLines(host: Host, path: string): Promise<readonly string[]> {
  const read = await attempt(() => host.readFile(path, MIB));
  return read.ok ? decodeText(read.value).split("\n") : [];
}

/** \040 for a blank, as fstab has it. */
function unescape(field: string): string {
  return field.includes("\\") ? decodeBytes(field, /\\([0-3][0-7]{2})/g, 8) : field;
}

/** By the disks' paths. A record that cannot be looked at says nothing here: the guard asks again before it gives a disk. */
export async function readUnfinished(
  host: Host,
  backings: ReadonlyMap<string, Backing>,
): Promise<ReadonlyMap<string, UnfinishedDisk>> {
  const found = new Map<string, UnfinishedDisk>();
  const add = (path: string, copy: CopyState | undefined) => {
    if (copy?.state !== "unfinished") return;
    const { record, source } = copy;
    found.set(path, { record, ...(source !== undefined && { source }) });
  };
  const copies = await attempt(() => readDeviceCopies(host));
  const beside = new Map<string, Promise<ReadonlySet<string>>>();
  for (const [path, { kind }] of backings) {
    if (copies.ok && copies.value.length > 0)
      add(path, copyOf(copies.value, await keyOf(host, path)));
    if (kind !== "file") continue;
    // The link and what it leads to may lie in two directories: who copies to a link has the record beside the file.
    const real = await attempt(() => host.realPath(path));
    const file = real.ok ? real.value : path;
    const directory = directoryOf(file);
    if (!beside.has(directory) && beside.size < MAX_DIRECTORIES)
      beside.set(directory, recordsIn(host, directory));
    if (!(await beside.get(directory))?.has(`${fileName(file)}${RECORD_SUFFIX}`)) continue;
    const copy = await attempt(() => readFileCopy(host, file));
    if (copy.ok) add(path, copy.value);
  }
  return found;
}

async function keyOf(host: Host, path: string): Promise<string> {
  const real = await attempt(() => host.realPath(path));
  return devicePath(real.ok ? real.value : path);
}

/** One look at a directory instead of one for every disk in it. */
async function recordsIn(host: Host, directory: string): Promise<ReadonlySet<string>> {
  const names = await attempt(() => host.list(directory));
  return new Set((names.ok ? names.value : []).filter((name) => name.endsWith(RECORD_SUFFIX)));
}
