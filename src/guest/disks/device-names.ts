/** What a Linux guest, and GRUB in it, call partitions, logical volumes and arrays. */
import { mapperPath } from "../../boot/root-device.ts";
import type { Assembly } from "../../disk/content.ts";

/** The kernel's name of a partition: `xvda1`, and `nvme0n1p1` where the disk's own name ends in a digit. */
export function partitionDevice(vdev: string, number: number | undefined): string {
  if (number === undefined) return vdev;
  return /\d$/.test(vdev) ? `${vdev}p${number}` : `${vdev}${number}`;
}

export type DeviceNames = {
  /** The one that people use: `/dev/mapper/vg0-root`, `md0`, `md/root`. */
  readonly device: string;
  /** Links that udev makes to it. */
  readonly aliases: readonly string[];
  /** `lvm/vg0-root`, `md/0` (grub-core/disk/diskfilter.c). */
  readonly grubName: string;
  /** By id, as grub-mkconfig writes them into hints: `lvmid/GROUP/VOLUME`, `mduuid/ARRAY`. */
  readonly grubIds: readonly string[];
};

export function assemblyNames(assembly: Assembly): DeviceNames {
  if (assembly.system === "lvm2") return logicalVolumeNames(assembly);
  return arrayNames(assembly);
}

function logicalVolumeNames({ group, volume }: Extract<Assembly, { system: "lvm2" }>): DeviceNames {
  const device = mapperPath(group.name, volume.name);
  const mapped = device.slice("/dev/mapper/".length);
  const uuid = `${group.id}${volume.id}`.replaceAll("-", "");
  return {
    device,
    aliases: [
      `/dev/${group.name}/${volume.name}`,
      `/dev/disk/by-id/dm-name-${mapped}`,
      `/dev/disk/by-id/dm-uuid-LVM-${uuid}`,
    ],
    grubName: `lvm/${mapped}`,
    grubIds: [`lvmid/${group.id}/${volume.id}`],
  };
}

/** The names of 63-md-raid-arrays.rules and of mdadm's own links. */
function arrayNames({ array, localName }: Extract<Assembly, { system: "md" }>): DeviceNames {
  const hex = array.id.replaceAll("-", "");
  const byId = `/dev/disk/by-id/md-uuid-${hex.match(/.{8}/g)?.join(":") ?? ""}`;
  const grubIds = [`mduuid/${hex}`];
  // Arrays of version 0.90 have a number for Linux and no name for GRUB.
  const grubName = array.name === "" ? grubIds[0]! : `md/${localName}`;
  const isNumber = /^\d+$/.test(localName);
  const names = new Set([localName, array.name].filter((name) => name !== ""));
  const byName = array.name === "" ? [] : [`/dev/disk/by-id/md-name-${array.name}`];
  return {
    device: isNumber ? `md${localName}` : localName === "" ? "md" : `md/${localName}`,
    aliases: [...Array.from(names, (name) => `/dev/md/${name}`), byId, ...byName],
    grubName,
    grubIds,
  };
}
