/**
 * Reads what else is on the host: the other configs, /proc/mounts and /proc/swaps, the network devices in sysfs. What
 * cannot be read is left out, and the rules that want it stay silent.
 */
import { attempt } from "../../base/failure.ts";
import { directoryOf, fileName } from "../../base/path.ts";
import { MIB } from "../../base/units.ts";
import { decodeText } from "../../bytes/text.ts";
import { decodeBytes } from "../../boot/root-device.ts";
import type {
  HostAround,
  HostInterface,
  HostMount,
  Neighbour,
  NeighbourDisk,
  Surroundings,
  UnfinishedCopy,
} from "../../check/host-around.ts";
import type { Host } from "../../host/host.ts";
import { parseConfig } from "../../xen/config-syntax.ts";
import { settingsOf } from "../../xen/config-settings.ts";
import type { Settings } from "../../xen/config-settings.ts";
import { parseDomainConfig } from "../../xen/domain-config.ts";
import type { DomainConfig } from "../../xen/domain-config.ts";
import { findConfigs } from "../config/find-configs.ts";
import { deviceKey } from "../disks/device-key.ts";
import { diskTarget } from "../disks/open-disks.ts";
import { readDeviceCopies, readFileCopy } from "../sync/copy-state.ts";

const XL_CONF = "/etc/xen/xl.conf";
/** libxl's own (libxl_nic.c, libxl__device_nic_setdefault). */
const DEFAULT_BRIDGE = "xenbr0";
/** Configs are small and few; this ends a directory that is neither. */
const MAX_GUESTS = 4096;
/** Devices under one mount: volumes on arrays on partitions on disks are a dozen. */
const MAX_UNDER = 256;

export async function readHostAround(host: Host): Promise<HostAround> {
  const settings = await xlSettings(host);
  const text = (key: string) => {
    const value = settings.get(key)?.value;
    return value?.kind === "string" && value.text !== "" ? value.text : undefined;
  };
  const defaultScript = text("vif.default.script");
  const mounts = host.live ? await readMounts(host) : undefined;
  const interfaces = host.live ? await readInterfaces(host) : undefined;
  const copies = await attempt(() => readDeviceCopies(host));
  const unfinishedDevices = (copies.ok ? copies.value : []).flatMap(({ key, state, ...copy }) =>
    key !== undefined && state === "unfinished" ? [{ ...copy, key }] : [],
  );
  return {
    guests: await readNeighbours(host),
    defaultBridge: text("vif.default.bridge") ?? DEFAULT_BRIDGE,
    ...(defaultScript !== undefined && { defaultScript }),
    ...(mounts && { mounts }),
    ...(interfaces && { interfaces }),
    ...(unfinishedDevices.length > 0 && { unfinishedDevices }),
  };
}

async function xlSettings(host: Host): Promise<Settings> {
  const text = await readText(host, XL_CONF);
  return settingsOf(parseConfig(text ?? "", [XL_CONF]));
}

async function readText(host: Host, path: string): Promise<string | undefined> {
  const read = await attempt(async () => decodeText(await host.readFile(path, MIB)));
  return read.ok ? read.value : undefined;
}

async function readNeighbours(host: Host): Promise<Neighbour[]> {
  const configs = await attempt(() => findConfigs(host, []));
  const guests: Neighbour[] = [];
  for (const path of configs.ok ? configs.value.slice(0, MAX_GUESTS) : []) {
    const text = await readText(host, path);
    const { config } = parseDomainConfig(text ?? "", { path });
    if (config) guests.push(await neighbourOf(host, config, path));
  }
  return guests;
}

/** A guest as its neighbours see it. */
export async function neighbourOf(
  host: Host,
  config: DomainConfig,
  configPath: string,
): Promise<Neighbour> {
  const disks: NeighbourDisk[] = [];
  for (const spec of config.disks) {
    const isLocal = spec.script === undefined && (spec.backend ?? "0") === "0";
    if (spec.target === "" || !isLocal) continue;
    const target = diskTarget(spec);
    const kind = await attempt(() => host.kind(target));
    disks.push({
      vdev: spec.vdev,
      target,
      key: await deviceKey(host, target),
      readonly: spec.readonly || spec.cdrom,
      blockDevice: kind.ok && kind.value === "block-device",
    });
  }
  return {
    name: config.name,
    configPath,
    realPath: await realPath(host, configPath),
    ...(config.uuid !== undefined && { uuid: config.uuid }),
    macs: config.vifs.flatMap(({ mac }) => (mac === undefined ? [] : [mac.toLowerCase()])),
    disks,
  };
}

/** The host around one guest, and what is known of copies to its disks. */
export async function surroundingsOf(
  host: Host,
  around: HostAround,
  self: Neighbour,
): Promise<Surroundings> {
  const unfinished: UnfinishedCopy[] = [];
  for (const { key, target } of self.disks) {
    // Who may not read the record may not read the disk either, and is told so there.
    const beside = await attempt(() => readFileCopy(host, target));
    if (beside.ok && beside.value?.state === "unfinished")
      unfinished.push({ ...beside.value, key });
    unfinished.push(...(around.unfinishedDevices ?? []).filter((copy) => copy.key === key));
  }
  return { ...around, self, ...(unfinished.length > 0 && { unfinished }) };
}

async function realPath(host: Host, path: string): Promise<string> {
  const real = await attempt(() => host.realPath(path));
  return real.ok ? real.value : path;
}

async function readMounts(host: Host): Promise<HostMount[] | undefined> {
  const text = await readText(host, "/proc/mounts");
  if (text === undefined) return undefined;
  const mounts: HostMount[] = [];
  for (const line of text.split("\n")) {
    const [device = "", mountPoint = "", , options = ""] = line.split(" ").map(unescape);
    if (!device.startsWith("/dev/") || mountPoint === "") continue;
    const readonly = options.split(",").includes("ro");
    mounts.push({ device, mountPoint, readonly, keys: await keysUnder(host, device) });
  }
  const swaps = (await readText(host, "/proc/swaps")) ?? "";
  for (const line of swaps.split("\n").slice(1)) {
    const device = unescape(line.split(/\s/)[0] ?? "");
    if (!device.startsWith("/")) continue;
    const keys = await keysUnder(host, device);
    mounts.push({ device, mountPoint: "swap", readonly: false, keys });
  }
  return mounts;
}

/** \040 for a blank, as fstab has it. */
function unescape(field: string): string {
  return field.includes("\\") ? decodeBytes(field, /\\([0-3][0-7]{2})/g, 8) : field;
}

/**
 * A device and all that it lies on: the volumes below a mapping, the file behind a loop device, the disk of a partition
 * (Documentation/ABI/stable/sysfs-block).
 */
async function keysUnder(host: Host, device: string): Promise<string[]> {
  const keys = new Set([await deviceKey(host, device)]);
  // A set gives what is added during the walk as well, each key once.
  for (const key of keys) {
    if (keys.size > MAX_UNDER || !key.startsWith("/dev/")) continue;
    const sys = `/sys/class/block/${fileName(key)}`;
    const slaves = await attempt(() => host.list(`${sys}/slaves`));
    for (const name of slaves.ok ? slaves.value : []) keys.add(`/dev/${name}`);
    const file = (await readText(host, `${sys}/loop/backing_file`))?.replace(/\n$/, "");
    if (file) keys.add(await deviceKey(host, file));
    const partition = await attempt(() => host.kind(`${sys}/partition`));
    if (!partition.ok || partition.value !== "file") continue;
    const disk = fileName(directoryOf(await realPath(host, sys)));
    if (disk !== "") keys.add(`/dev/${disk}`);
  }
  return [...keys];
}

async function readInterfaces(host: Host): Promise<HostInterface[] | undefined> {
  const names = await attempt(() => host.list("/sys/class/net"));
  if (!names.ok) return undefined;
  const interfaces: HostInterface[] = [];
  for (const name of names.value) {
    const kind = await attempt(() => host.kind(`/sys/class/net/${name}/bridge`));
    interfaces.push({ name, bridge: kind.ok && kind.value === "directory" });
  }
  return interfaces;
}
