/** `domus attach` and `domus detach`: disks and network interfaces of a guest that runs. Survey, plan, run. */
import { attemptSync, failureText, misuse, refused } from "../../base/failure.ts";
import { printable } from "../../base/printable.ts";
import { shellWord } from "../../check/remedy.ts";
import { diskText, nicText } from "../../xen/device-text.ts";
import { parseDiskSpec } from "../../xen/disk-spec.ts";
import type { DomainSummary, SummaryDisk, SummaryNic } from "../../xen/domain-summary.ts";
import { vdevKey } from "../../xen/drift.ts";
import { parseVdev } from "../../xen/vdev.ts";
import { parseVifSpec } from "../../xen/vif-spec.ts";
import { diskWords, nicWords } from "../inventory/drift.ts";
import type { DomainFact } from "../inventory/facts.ts";
import type { InventoryGuest } from "../inventory/inventory.ts";
import { targetPath } from "../inventory/read-backings.ts";
import type { DomainName } from "./domain-command.ts";

/** Something that a domain has: `live` and `config` are what both will have, in one form. */
export type Device =
  | { readonly kind: "disk"; readonly disk: SummaryDisk }
  | { readonly kind: "nic"; readonly nic: SummaryNic };

export type DevicePlan = {
  readonly verb: "attach" | "detach";
  readonly domain: DomainName;
  readonly device: Device;
  /** xl's words behind the domain. */
  readonly words: readonly string[];
  /** Nothing is to be done to the domain: only the config. */
  readonly isSo: boolean;
};

export type DeviceSurvey = {
  readonly domain: DomainFact;
  readonly others: readonly InventoryGuest[];
};

/** `xvdb (/dev/vg0/data)`. */
export function deviceText(device: Device): string {
  return device.kind === "disk"
    ? `the disk ${diskWords(device.disk)}`
    : `the network interface ${nicWords(device.nic)}`;
}

/** What an event says of it: as the watcher does, so that the two are one. */
export function deviceDetail(device: Device): Record<string, unknown> {
  return device.kind === "disk"
    ? { vdev: device.disk.vdev, target: device.disk.target }
    : { nic: device.nic.mac };
}

/** Pure. `spec` as in disk=. `misuse` for one that is not understood, and for a vdev that is taken. */
export function planAttachDisk({ domain }: DeviceSurvey, spec: string): DevicePlan {
  const live = liveOf(domain);
  const disk = readDisk(spec);
  const { domid, uuid, name } = domain;
  const there = live.disks.find(({ vdev }) => vdevKey(vdev) === vdevKey(disk.vdev));
  if (there)
    throw misuse(
      `${printable(name)} has a disk ${printable(diskWords(there))} already.`,
      `Take another vdev, such as ${freeVdev(live)}.`,
    );
  const device: Device = { kind: "disk", disk };
  return {
    verb: "attach",
    domain: { domid, uuid, name },
    device,
    words: [diskText(disk)],
    isSo: false,
  };
}

/** `mac` is taken where the words have none, so that the config can have the same. */
export function planAttachNic(
  { domain, others }: DeviceSurvey,
  spec: string,
  mac: string,
): DevicePlan {
  const live = liveOf(domain);
  const nic = readNic(spec, mac);
  const { domid, uuid, name } = domain;
  const owner = [{ name, has: live }, ...others].find(({ has }) =>
    has?.nics.some((one) => one.mac === nic.mac),
  );
  if (owner)
    throw misuse(
      `${printable(owner.name)} has an interface with the MAC address ${nic.mac} already.`,
      "Two with one address take each other's packets: give another one, or leave mac= out.",
    );
  return {
    verb: "attach",
    domain: { domid, uuid, name },
    device: { kind: "nic", nic },
    // Unlike in a config, each key is a word of its own.
    words: nicText(nic).split(",").filter(Boolean),
    isSo: false,
  };
}

/** By its vdev; with `persist` also one that only the config has. */
export function planDetachDisk(
  { domain }: DeviceSurvey,
  vdev: string,
  config: DomainSummary | undefined,
): DevicePlan {
  const { domid, uuid, name } = domain;
  const live = liveOf(domain);
  const fits = (disk: SummaryDisk) => vdevKey(disk.vdev) === vdevKey(vdev);
  const there = live.disks.find(fits);
  const disk = there ?? config?.disks.find(fits);
  if (!disk)
    throw misuse(
      `${printable(name)} has no disk ${printable(vdev)}.`,
      `It has ${printable(live.disks.map(diskWords).join(", ")) || "none"}.`,
    );
  if (there?.cdrom)
    throw misuse(
      `${printable(diskWords(there))} is a CD-ROM drive, which stays with its guest.`,
      `To take the medium out: xl cd-eject ${domid} ${shellWord(there.vdev)}`,
    );
  const device: Device = { kind: "disk", disk };
  return {
    verb: "detach",
    domain: { domid, uuid, name },
    device,
    words: [disk.vdev],
    isSo: !there,
  };
}

/** By its MAC address. */
export function planDetachNic(
  { domain }: DeviceSurvey,
  mac: string,
  config: DomainSummary | undefined,
): DevicePlan {
  const { domid, uuid, name } = domain;
  const live = liveOf(domain);
  const wanted = parseVifSpec(`mac=${mac}`).mac?.toLowerCase();
  const fits = (nic: SummaryNic) => wanted !== undefined && nic.mac === wanted;
  const there = live.nics.find(fits);
  const nic = there ?? config?.nics.find(fits);
  if (!nic)
    throw misuse(
      `${printable(name)} has no network interface with the MAC address ${printable(mac)}.`,
      `It has ${printable(live.nics.map(nicWords).join(", ")) || "none"}.`,
    );
  const device: Device = { kind: "nic", nic };
  return { verb: "detach", domain: { domid, uuid, name }, device, words: [nic.mac!], isSo: !there };
}

/** What must be free before it is attached, where it is a path of dom0. */
export function attachedPath({ verb, device }: DevicePlan) {
  if (verb !== "attach" || device.kind !== "disk") return undefined;
  const path = targetPath(device.disk);
  return path === undefined ? undefined : { path, writes: !device.disk.readonly };
}

/** What the config would have to say of the device, and of nothing else. `misuse` where it says otherwise now. */
export function configWith(config: DomainSummary, { verb, device }: DevicePlan): DomainSummary {
  if (device.kind === "disk") {
    const { disk } = device;
    const others = config.disks.filter(({ vdev }) => vdevKey(vdev) !== vdevKey(disk.vdev));
    const there = config.disks.find((one) => !others.includes(one));
    if (verb === "detach") return { ...config, disks: others };
    if (!there) return { ...config, disks: [...config.disks, disk] };
    if (diskText(there) === diskText(disk)) return config;
    throw misuse(
      `The config has another disk as ${printable(diskWords(there))}.`,
      "Take another vdev, or leave --persist out.",
    );
  }
  const { nic } = device;
  const others = config.nics.filter(({ mac }) => mac !== nic.mac);
  return { ...config, nics: verb === "detach" ? others : [...others, nic] };
}

function liveOf({ name, domid, state, guest }: DomainFact): DomainSummary {
  if (state !== "running" && state !== "paused")
    throw refused([`domain ${domid}`], {
      what: `${name} (domain ${domid}) is ${state}: nothing is attached to it or detached from it.`,
      why: "Its devices would not answer.",
      next: `domus show ${shellWord(name)} says more.`,
    });
  if (guest) return guest;
  throw refused([`domain ${domid}`], {
    what: `libxl knows no configuration of ${name} (domain ${domid}).`,
    why: "So nobody knows what it has, and what would be forgotten at its next restart.",
    next: "It was made by something other than xl, or not to its end.",
  });
}

function readDisk(spec: string): SummaryDisk {
  const read = attemptSync(() => parseDiskSpec(spec, ["DISKSPEC"]));
  if (!read.ok)
    throw misuse(
      `${printable(spec)} is no disk: ${printable(failureText(read.failure))}.`,
      "As in a config: /dev/vg0/data,raw,xvdb,rw (man xl-disk-configuration).",
    );
  const { target, format, vdev, readonly, cdrom, script, backend } = read.value;
  if (!parseVdev(vdev))
    throw misuse(
      `${vdev === "" ? "The disk has no vdev" : `${printable(vdev)} is no vdev`}: what it is called in the guest.`,
      "For example: /dev/vg0/data,raw,xvdb,rw",
    );
  if (target === "")
    throw misuse(
      "The disk has no target: what it is in dom0.",
      "For example: /dev/vg0/data,raw,xvdb,rw",
    );
  return {
    ...{ vdev, target, format, cdrom },
    readonly: readonly || cdrom,
    elsewhere: script !== undefined || (backend ?? "0") !== "0",
    ...(script !== undefined && { script }),
    ...(backend !== undefined && { backend }),
  };
}

function readNic(spec: string, newMac: string): SummaryNic {
  const read = attemptSync(() => parseVifSpec(spec, ["--nic"]));
  const problem = read.ok ? read.value.ignored?.[0] : failureText(read.failure);
  if (!read.ok || problem !== undefined)
    throw misuse(
      `${printable(spec)} is no network interface: ${printable(problem ?? "")}.`,
      "As in a config: mac=00:16:3e:00:00:01,bridge=xenbr0 (man xl-network-configuration).",
    );
  const { mac = newMac, bridge, ip, model, vifname, gatewaydev, script, backend } = read.value;
  const given = { bridge, ip, model, vifname, gatewaydev, script, backend };
  const nic: SummaryNic = {
    mac: mac.toLowerCase(),
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
  // What xl would take and the config could not keep must not get lost on the way.
  const unsaid =
    read.value.rate ?? read.value.mtu ?? read.value.vlan ?? read.value.type ?? read.value.devid;
  if (unsaid !== undefined || read.value.trusted !== undefined)
    throw misuse(
      "domus attach takes mac, bridge, ip, model, vifname, gatewaydev, script and backend of an interface.",
      "Others go into the config by hand, and are there from the next start.",
    );
  return nic;
}

/** The first letter that is free, for a hint. */
function freeVdev({ disks }: DomainSummary): string {
  const taken = new Set(disks.map(({ vdev }) => vdevKey(vdev)));
  const letters = "bcdefghijklmnopqrstuvwxyz".split("");
  const letter = letters.find((one) => !taken.has(vdevKey(`xvd${one}`)));
  return `xvd${letter ?? "aa"}`;
}
