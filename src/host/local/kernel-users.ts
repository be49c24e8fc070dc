/** What the kernel itself does with a disk: mounts, swap, device-mapper, md, loop devices. */
import { attempt } from "../../base/failure.ts";
import { fileName } from "../../base/path.ts";
import type { Host } from "../host.ts";
import { blockIdentity, namesIn, readIdentities, readLine } from "./block-graph.ts";
import type { LoopDevice, Related, RelatedDevice } from "./block-graph.ts";
import type { DeviceUser } from "./device-users.ts";

/** What is built on the disk. */
export async function builtUsers(
  host: Host,
  { devices }: Related,
  loops: readonly LoopDevice[],
): Promise<readonly DeviceUser[]> {
  const users: DeviceUser[] = [];
  for (const device of devices) {
    if (device.how === "holder") users.push(await holderUser(host, device));
    if (device.how !== "loop") continue;
    const loop = loops.find(({ number }) => number === device.number);
    users.push({ kind: "loop", what: `behind /dev/${device.name}`, writes: !loop?.readOnly });
  }
  return users;
}

async function holderUser(host: Host, { sys, name }: RelatedDevice): Promise<DeviceUser> {
  const writes = (await readLine(host, `${sys}/ro`)) !== "1";
  const mapped = await readLine(host, `${sys}/dm/name`);
  const uuid = (await readLine(host, `${sys}/dm/uuid`)) ?? "";
  if (uuid.startsWith("LVM-"))
    return { kind: "lvm", what: `part of volume group ${volumeGroup(mapped ?? name)}`, writes };
  if (uuid.startsWith("CRYPT-"))
    return { kind: "dm", what: `open as the encrypted volume ${mapped}`, writes };
  if (mapped !== undefined) return { kind: "dm", what: `part of /dev/mapper/${mapped}`, writes };
  if (/^md[\d_]/.test(name)) return { kind: "md", what: `part of the RAID /dev/${name}`, writes };
  return { kind: "dm", what: `held by /dev/${name}`, writes };
}

/** `vg-a` of `vg--a-root`: LVM doubles the hyphens of names, and joins them with one. */
function volumeGroup(mapped: string): string {
  return mapped.split(/(?<!-)-(?!-)/)[0]!.replaceAll("--", "-");
}

type Mount = {
  readonly number: string;
  readonly place: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
};

/**
 * Mounts that this process sees and those that the system's first process sees, which are more where a service has a view of its
 * own. What a container mounts for itself only is not among them; opening a device to be written notices.
 */
export async function mountUsers(host: Host, related: Related): Promise<readonly DeviceUser[]> {
  const mounts = await readMounts(host);
  const sources = await readIdentities(host, mounts.flatMap(devicesOf));
  const btrfs = await btrfsDevices(host, related);
  const ours = new Map(related.devices.map((device) => [blockIdentity(device.number), device]));
  const deviceOf = (path: string) => ours.get(sources.get(path) ?? "");
  return mounts.flatMap((mount): DeviceUser[] => {
    const named = devicesOf(mount).map(deviceOf);
    const device = ours.get(blockIdentity(mount.number)) ?? named.find((one) => one !== undefined);
    const isMember = mount.type === "btrfs" && btrfs.has(sources.get(mount.source) ?? "");
    if (!device && !isMember) return [];
    const through = device && device.how !== "itself" ? ` (/dev/${device.name})` : "";
    const what = `mounted at ${mount.place}${through}`;
    return [{ kind: "mount", what, writes: !mount.options.includes("ro") }];
  });
}

/** btrfs has numbers of its own, XFS can have its log elsewhere: then the names have to say it. */
function devicesOf({ source, options }: Mount): readonly string[] {
  const others = options.flatMap(
    (option) => /^(?:logdev|rtdev)=(\/dev\/.*)$/.exec(option)?.[1] ?? [],
  );
  return [...(source.startsWith("/dev/") ? [source] : []), ...others];
}

/** Numbers of all devices of each btrfs that one of ours belongs to, as `block 8:16`. */
async function btrfsDevices(host: Host, { devices }: Related): Promise<ReadonlySet<string>> {
  const names = new Set(devices.map(({ name }) => name));
  const members = new Set<string>();
  for (const uuid of await namesIn(host, "/sys/fs/btrfs")) {
    const dir = `/sys/fs/btrfs/${uuid}/devices`;
    const all = await namesIn(host, dir);
    if (!all.some((name) => names.has(name))) continue;
    for (const name of all) {
      const number = await readLine(host, `/sys/class/block/${name}/dev`);
      if (number) members.add(blockIdentity(number));
    }
  }
  return members;
}

/** proc_pid_mountinfo(5). */
async function readMounts(host: Host): Promise<readonly Mount[]> {
  const own = await host.readFile("/proc/self/mountinfo");
  const first = await attempt(() => host.readFile("/proc/1/mountinfo"));
  const lines = new Map<string, Mount>();
  for (const bytes of [own, ...(first.ok ? [first.value] : [])]) {
    for (const line of new TextDecoder().decode(bytes).split("\n")) {
      const [, , number, , place, ...rest] = line.split(" ");
      const dash = rest.indexOf("-");
      if (number === undefined || place === undefined || dash < 0) continue;
      const [type = "", source = "", options = ""] = rest.slice(dash + 1).map(unescape);
      const mount = { number, place: unescape(place), type, source, options: options.split(",") };
      lines.set(`${number} ${mount.place}`, mount);
    }
  }
  return [...lines.values()];
}

/** proc_swaps(5): a file or a device in the first column. */
export async function swapUsers(
  host: Host,
  { devices, files }: Related,
): Promise<readonly DeviceUser[]> {
  const text = await attempt(() => host.readFile("/proc/swaps"));
  if (!text.ok) return [];
  const lines = new TextDecoder().decode(text.value).split("\n").slice(1);
  const paths = lines.map((line) => unescape(line.split(/\s/)[0] ?? ""));
  const identities = await readIdentities(host, paths);
  const ours = new Set([...files, ...devices.map(({ number }) => blockIdentity(number))]);
  return paths.flatMap((path): DeviceUser[] =>
    ours.has(identities.get(path) ?? "")
      ? [{ kind: "swap", what: `swap space (${fileName(path)})`, writes: true }]
      : [],
  );
}

/** \040 for a blank, as fstab has it. */
function unescape(field: string): string {
  if (!field.includes("\\")) return field;
  const bytes = Buffer.from(field, "utf8").toString("latin1");
  const plain = bytes.replace(/\\([0-3][0-7]{2})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
  return Buffer.from(plain, "latin1").toString("utf8");
}
