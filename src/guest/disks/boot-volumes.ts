/** The filesystems on a guest's disks under the names that loaders know them by. */
import type { BootVolume } from "../../boot/loader/loader.ts";
import { tableOf } from "../../disk/content.ts";
import type { Volume } from "../../disk/content.ts";
import { assemblyNames, partitionDevice } from "./device-names.ts";

export type DiskPlace = {
  readonly vdev: string;
  /** Its place among the guest's disks: GRUB's hd0, hd1. */
  readonly index: number;
};

/** The whole disk first, then its partitions. */
export function diskBootVolumes(disk: Volume, { vdev, index }: DiskPlace): BootVolume[] {
  const tableType = tableOf(disk.content)?.type;
  return [disk, ...disk.children].flatMap(({ content, partition }) =>
    content.kind === "filesystem"
      ? {
          fs: content.fs,
          vdev,
          diskIndex: index,
          ...(partition && { partition, ...(tableType && { tableType }) }),
        }
      : [],
  );
}

/** A logical volume or array and its partitions; `place` is that of the disk on which it begins. */
export function assembledBootVolumes(volume: Volume, { vdev, index }: DiskPlace): BootVolume[] {
  if (!volume.assembly) return [];
  const { device, grubName, grubIds } = assemblyNames(volume.assembly);
  const map = tableOf(volume.content)?.type === "gpt" ? "gpt" : "msdos";
  return [volume, ...volume.children].flatMap(({ content, partition }) => {
    if (content.kind !== "filesystem") return [];
    const inner = (name: string) => (partition ? `${name},${map}${partition.number}` : name);
    return {
      fs: content.fs,
      vdev,
      diskIndex: index,
      device: partitionDevice(device, partition?.number),
      grubName: inner(grubName),
      grubIds: grubIds.map(inner),
    };
  });
}
