/** Where the loader of a guest is looked for, and in which order. */
import type { HvmBoot } from "../../boot/hvm/firmware.ts";
import type { BootVolume } from "../../boot/loader/loader.ts";
import type { OpenDisk } from "../disks/open-disks.ts";

/**
 * Without a firmware all volumes, in the order of the config. Else the disk that the firmware starts comes first, since
 * that is where the loader runs, and a disc counts only when it is the one: installation discs stay in drives.
 */
export function volumesInBootOrder(
  disks: readonly OpenDisk[],
  hvm: HvmBoot | undefined,
): BootVolume[] {
  const volumes = (some: readonly OpenDisk[]) => some.flatMap((disk) => disk.bootVolumes);
  if (!hvm) return volumes(disks);
  const started = disks.filter(({ facts }) => facts.spec.vdev === hvm.start?.where[0]);
  if (started.some(({ facts }) => facts.spec.cdrom)) return volumes(started);
  const others = disks.filter((disk) => !started.includes(disk) && !disk.facts.spec.cdrom);
  return volumes([...started, ...others]);
}
