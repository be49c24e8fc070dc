/** Who uses a disk beside the one who asks: the one piece of code that decides whether it may be written. */
import { setTimeout as sleep } from "node:timers/promises";
import { missing } from "../../base/failure.ts";
import type { DiskReach } from "../disk-reach.ts";
import type { Host } from "../host.ts";
import {
  identitiesUnder,
  readIdentities,
  readLoops,
  readReaches,
  relatedDevices,
} from "./block-graph.ts";
import { guestUsers } from "./guest-users.ts";
import { builtUsers, mountUsers, swapUsers } from "./kernel-users.ts";
import { localHost } from "./local-host.ts";
import { processUsers } from "./process-users.ts";
import type { ProcessUser } from "./process-users.ts";

export type DeviceUser = {
  readonly kind:
    | "mount"
    | "swap"
    | "lvm"
    | "md"
    | "dm"
    | "loop"
    | "nbd"
    | "guest"
    /** Nobody has it open, but a memory image is good for what is on it now. */
    | "image"
    | "process"
    | "sync";
  /** For people, behind "it is": `mounted at /srv`, `part of volume group vg0`, `disk xvda of domain web1 (running)`. */
  readonly what: string;
  /** It may write. */
  readonly writes: boolean;
};

/** A process that has it open for a moment, or was just killed, is no user: it is looked for again so often. */
const LOOKS = 4;
/** Another copy whose connection was cut has something to finish first. */
const LOOKS_AT_SYNC = 20;

export type UsersOptions = {
  /** How long a process has to have it open to count, in ms; another copy five times as long. Default 800. */
  readonly patienceMs?: number;
};

/**
 * All who use the disk at `path`, a device or a file, under whatever name, this process left out. Partitions of the device, the disk
 * around a partition and what is behind a loop device count too, and guests that have what it is built on. `missing` when nothing
 * is at `path`; a failure when it cannot be told, as on a Xen host whose `xl` does not answer.
 *
 * A volume group whose volumes are not active is not found: a guest's disk may be one, and a copy of it is as well.
 */
export async function findDeviceUsers(
  host: Host,
  path: string,
  { patienceMs = 800 }: UsersOptions = {},
): Promise<readonly DeviceUser[]> {
  const identity = (await readIdentities(host, [path])).get(path);
  if (identity === undefined) throw missing([path], "such disk");
  const loops = await readLoops(host);
  const related = await relatedDevices(host, identity, loops);
  const kernel = [
    ...(await mountUsers(host, related)),
    ...(await swapUsers(host, related)),
    ...(await builtUsers(host, related, loops)),
  ];
  const behind = loops.filter(({ backing }) => related.files.includes(backing));
  const paths = [path, ...behind.map(({ file }) => file)];
  const look = () => processUsers(host, { related, paths });
  const processes = await lasting(look, patienceMs);
  const under = await identitiesUnder(host, related, loops);
  const guests = await guestUsers(host, { related, under, processes });
  const others = processes.filter(({ domid }) => domid === undefined);
  return distinct([...kernel, ...guests, ...others]);
}

async function lasting(
  look: () => Promise<readonly ProcessUser[]>,
  patienceMs: number,
): Promise<readonly ProcessUser[]> {
  let users = await look();
  const isWaitedFor = ({ kind, domid }: ProcessUser, looks: number) =>
    // What serves a domain stays.
    domid === undefined && looks < (kind === "sync" ? LOOKS_AT_SYNC : LOOKS);
  for (let i = 0; users.some((user) => isWaitedFor(user, i)); i++) {
    await sleep(patienceMs / LOOKS);
    const now = new Set((await look()).map(({ pid }) => pid));
    users = users.filter(({ pid }) => now.has(pid));
  }
  return users;
}

/** Volumes of a group are many, and the group is one. */
function distinct(users: readonly DeviceUser[]): readonly DeviceUser[] {
  const found = new Map<string, DeviceUser>();
  for (const { kind, what, writes } of users) {
    const before = found.get(what);
    found.set(what, { kind, what, writes: writes || before?.writes === true });
  }
  return [...found.values()];
}

/** Undefined when nothing is at the path. */
export async function readDiskReach(host: Host, path: string): Promise<DiskReach | undefined> {
  return (await readReaches(host, [path])).get(path);
}

/**
 * Whether writing to one of two disks of this machine changes the other: one device or file under two names, a partition and its
 * disk, a loop device and what is behind it, a device and what is built on it. False when one is not there.
 */
export async function sameDevice(a: string, b: string): Promise<boolean> {
  const found = await readReaches(localHost(), [a, b]);
  const [one, other] = [found.get(a), found.get(b)];
  if (one === undefined || other === undefined) return false;
  return one.reaches.includes(other.identity) || other.reaches.includes(one.identity);
}
