/** What a person names when they want to look into disks: a guest, its config, an image file or a device. */
import { MIB } from "../../base/units.ts";
import { FailureError, misuse, missing } from "../../base/failure.ts";
import { decodeText, latin1 } from "../../bytes/text.ts";
import { sniffImage } from "../../disk/image/formats.ts";
import type { Host } from "../../host/host.ts";
import type { DiskSpec } from "../../xen/disk-spec.ts";
import { parseDomainConfig } from "../../xen/domain-config.ts";
import { findConfigs } from "../config/find-configs.ts";
import { openDisks } from "./open-disks.ts";
import type { DiskOptions, OpenDisks } from "./open-disks.ts";

export type Target = OpenDisks & {
  /** The guest's name, or the image's path. */
  readonly name: string;
};

export type TargetOptions = Omit<DiskOptions, "asGuest">;

/** Opens the disks of a guest, or one image or device. `missing` when it is neither. */
export async function openTarget(
  host: Host,
  name: string,
  options: TargetOptions = {},
): Promise<Target> {
  if (await isDiskImage(host, name)) {
    const disks = await openDisks(host, [await imageSpec(host, name)], {
      ...options,
      asGuest: false,
    });
    const only = disks.disks[0]?.facts;
    if (only?.failure) {
      await disks[Symbol.asyncDispose]();
      throw new FailureError(only.failure);
    }
    return { name, ...disks };
  }
  const [path = name, ...others] = await findConfigs(host, [name]);
  if (others.length > 0) {
    throw misuse(
      `${name} has the configs of ${others.length + 1} guests.`,
      `Name one of them, such as ${path}`,
    );
  }
  const text = decodeText(await host.readFile(path, MIB));
  const { config } = parseDomainConfig(text, { path });
  if (!config) {
    throw misuse(
      `${path} is neither a disk nor a config that xl would take.`,
      `Name a guest, its config, a disk image or a device. What is wrong with a config: domus check ${path}`,
    );
  }
  if (config.disks.length === 0) throw missing([path], "disk in this guest's config");
  return { name: config.name, ...(await openDisks(host, config.disks, options)) };
}

/** A block device, or a file that is no text: what a person means as a disk and not as a config. */
export async function isDiskImage(host: Host, path: string): Promise<boolean> {
  const kind = await host.kind(path);
  if (kind === "block-device") return true;
  if (kind !== "file" || path.endsWith(".cfg")) return false;
  await using file = await host.openBlock(path);
  // A config is a page of text; a disk image has NUL bytes in its first sectors, or is large.
  if (file.size > MIB) return true;
  const head = await file.read(0, Math.min(file.size, 4096));
  return latin1(head).includes("\0");
}

/** Nothing says what format it is of, so it is what it looks like. */
async function imageSpec(host: Host, path: string): Promise<DiskSpec> {
  await using file = await host.openBlock(path);
  const found = await sniffImage(file);
  return {
    text: path,
    target: path.startsWith("/") ? path : `./${path}`,
    format: found === "qcow2" || found === "vhd" ? found : "raw",
    vdev: "disk",
    readonly: true,
    cdrom: false,
    directIoSafe: false,
    deprecated: [],
  };
}
