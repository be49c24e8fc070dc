/** Who uses a disk beside the one who asks: the one piece of code that decides whether it may be written. */
import { attempt, missing } from "../../base/failure.ts";
import type { Host } from "../host.ts";
import {
  blockIdentity,
  readIdentities,
  readLine,
  readLoops,
  relatedDevices,
} from "./block-graph.ts";
import type { LoopDevice, RelatedDevice } from "./block-graph.ts";
import { localHost } from "./local-host.ts";

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
    | "process"
    | "sync";
  /** For people, behind "it is": `mounted at /srv`, `part of volume group vg0`, `a disk of domain web1 (running)`. */
  readonly what: string;
  /** It may write. */
  readonly writes: boolean;
};

/**
 * All who use the disk at `path`, a device or a file, under whatever name; partitions of the device and the disk around a
 * partition count too. `missing` when nothing is at `path`.
 */
export async function findDeviceUsers(host: Host, path: string): Promise<readonly DeviceUser[]> {
  const identity = (await readIdentities(host, [path])).get(path);
  if (identity === undefined) throw missing([path], "such disk");
  const loops = await readLoops(host);
  const devices = await relatedDevices(host, identity, loops);
  const users: DeviceUser[] = [];
  for (const device of devices) users.push(...(await builtUser(host, device, loops)));
  users.push(...(await mountUsers(host, devices)));
  return users;
}

/** Whether writing to one of two disks of this machine changes the other: one device, a partition of it, a loop device on it. */
export async function sameDevice(a: string, b: string): Promise<boolean> {
  const host = localHost();
  const found = await readIdentities(host, [a, b]);
  const [one, other] = [found.get(a), found.get(b)];
  if (one === undefined || other === undefined) return false;
  if (one === other) return true;
  const loops = await readLoops(host);
  for (const [from, to] of [[one, other] as const, [other, one] as const]) {
    const related = await relatedDevices(host, from, loops);
    if (related.some(({ number }) => blockIdentity(number) === to)) return true;
  }
  return false;
}

async function builtUser(
  host: Host,
  device: RelatedDevice,
  loops: readonly LoopDevice[],
): Promise<readonly DeviceUser[]> {
  const writes = (await readLine(host, `${device.sys}/ro`)) !== "1";
  if (device.how === "loop") {
    const loop = loops.find(({ number }) => number === device.number);
    return [{ kind: "loop", what: `behind /dev/${device.name}`, writes: loop?.readOnly !== true }];
  }
  if (device.how !== "holder") return [];
  const mapped = await readLine(host, `${device.sys}/dm/name`);
  const uuid = await readLine(host, `${device.sys}/dm/uuid`);
  if (uuid?.startsWith("LVM-"))
    return [{ kind: "lvm", what: `below the logical volume ${mapped}`, writes }];
  if (mapped) return [{ kind: "dm", what: `below /dev/mapper/${mapped}`, writes }];
  return [
    {
      kind: device.name.startsWith("md") ? "md" : "dm",
      what: `part of /dev/${device.name}`,
      writes,
    },
  ];
}

async function mountUsers(
  host: Host,
  devices: readonly RelatedDevice[],
): Promise<readonly DeviceUser[]> {
  const numbers = new Set(devices.map(({ number }) => number));
  const text = await attempt(() => host.readFile("/proc/self/mountinfo"));
  const lines = text.ok ? new TextDecoder().decode(text.value).split("\n") : [];
  return lines.flatMap((line): DeviceUser[] => {
    const [, , number = "", , place = "", ...rest] = line.split(" ");
    if (!numbers.has(number)) return [];
    const writes = !(rest.at(-1) ?? "").split(",").includes("ro");
    return [{ kind: "mount", what: `mounted at ${place}`, writes }];
  });
}
