/** The device-mapper devices of a host, as `dmsetup` shows them, and how a person names one. */
import { failureText } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import type { Host, Ran } from "../../host/host.ts";

const SECTOR_BYTES = 512;

export type DmDevice = {
  /** As in /dev/mapper. */
  readonly name: string;
  /** As tables name devices: `253:3`. */
  readonly number: string;
  /** LVM's: `LVM-`, 32 characters of the group, 32 of the volume, and a suffix for hidden ones. Empty: none. */
  readonly uuid: string;
  readonly sizeBytes: number;
  /** `snapshot`, `thin`, ...; undefined when the device is made of several targets, or of none. */
  readonly target?: string;
  /** Of the target. */
  readonly args: readonly string[];
};

/** Why it is not known what changed, as a sentence for people. Thrown inside, a value at `findChangedSince`'s door. */
export class NotKnown extends Error {
  readonly reason: string;

  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}

/** `NotKnown` with what was run and what it said, unless it exits with 0. */
export async function runOrNotKnown(host: Host, argv: readonly string[]): Promise<Ran> {
  const ran = await host.run(argv);
  if (ran.exitCode !== 0) {
    throw new NotKnown(`${argv.join(" ")} failed: ${ran.stderr.trim() || ran.stdout.trim()}`);
  }
  return ran;
}

/** For reasons. */
export function failureReason(failure: Failure): string {
  return failureText(failure);
}

/** All devices of the host. */
export async function listDmDevices(host: Host): Promise<readonly DmDevice[]> {
  const info = ["dmsetup", "info", "-c", "--noheadings", "--separator", ";"];
  const names = await runOrNotKnown(host, [...info, "-o", "name,major,minor,uuid"]);
  const tables = await runOrNotKnown(host, ["dmsetup", "table"]);
  return parseDmDevices(names.stdout, tables.stdout);
}

/** `info`: lines `name;major;minor;uuid`. `tables`: lines `name: start length target arguments`, sectors of 512 bytes. */
export function parseDmDevices(info: string, tables: string): readonly DmDevice[] {
  const targets = new Map<string, { sectors: number; target: string; args: string[] }[]>();
  for (const line of tables.split("\n")) {
    const parts = /^(.+?): \d+ (\d+) (\S+) ?(.*)$/.exec(line);
    if (!parts) continue;
    const [, name, sectors, target, rest] = parts as unknown as [
      string,
      string,
      string,
      string,
      string,
    ];
    const own = targets.get(name) ?? [];
    own.push({
      sectors: Number(sectors),
      target,
      args: rest.split(" ").filter((word) => word !== ""),
    });
    targets.set(name, own);
  }
  return info.split("\n").flatMap((line) => {
    const [name, major, minor, uuid] = line.trim().split(";");
    if (name === undefined || minor === undefined) return [];
    const own = targets.get(name) ?? [];
    const only = own.length === 1 ? own[0] : undefined;
    const sectors = own.reduce((sum, one) => sum + one.sectors, 0);
    const number = `${major}:${minor}`;
    const device = { name, number, uuid: uuid ?? "", sizeBytes: sectors * SECTOR_BYTES };
    return [{ ...device, ...(only && { target: only.target }), args: only?.args ?? [] }];
  });
}

/** What LVM allows in names: lvm(8), "VALID NAMES". */
const VOLUME = /^(?:\/dev\/)?([A-Za-z0-9+_][A-Za-z0-9+_.-]*)\/([A-Za-z0-9+_][A-Za-z0-9+_.-]*)$/;

export type VolumeName = { readonly group: string; readonly volume: string };

/** Of `vg0/web1` and `/dev/vg0/web1`. */
export function parseVolumeName(name: string): VolumeName | undefined {
  const parts = VOLUME.exec(name);
  return parts ? { group: parts[1]!, volume: parts[2]! } : undefined;
}

/** The name that LVM gives to the device: a hyphen of the names is written twice. */
export function dmNameOf({ group, volume }: VolumeName): string {
  return [group, volume].map((part) => part.replaceAll("-", "--")).join("-");
}

/** The device that a person means, by path or as `vg/lv`; undefined when it is none of `devices`. */
export async function findDmDevice(
  host: Host,
  devices: readonly DmDevice[],
  name: string,
): Promise<DmDevice | undefined> {
  if ((await host.kind(name)) === "block-device") {
    const kernelName = /^\/dev\/dm-(\d+)$/.exec(await host.realPath(name));
    // The minor number of all devices of device-mapper, which have one major number.
    return devices.find(({ number }) => number.split(":")[1] === kernelName?.[1]);
  }
  const volume = parseVolumeName(name);
  return volume && devices.find((device) => device.name === dmNameOf(volume));
}

/** The device with that number of a table. */
export function deviceByNumber(
  devices: readonly DmDevice[],
  number: string | undefined,
): DmDevice | undefined {
  return devices.find((device) => device.number === number);
}

/** The path of a device that a table names. */
export function devicePath(devices: readonly DmDevice[], number: string): string {
  const device = deviceByNumber(devices, number);
  return device ? `/dev/dm-${number.split(":")[1]}` : `/dev/block/${number}`;
}

/** The words of `dmsetup status` behind start, length and target: `16/4096 16` gives two. */
export async function readDmStatus(host: Host, device: DmDevice): Promise<readonly string[]> {
  const ran = await runOrNotKnown(host, ["dmsetup", "status", device.name]);
  return ran.stdout.trim().split(/\s+/).slice(3);
}
