/** What could hold the thing that was looked for, but was not looked into: then its absence proves nothing. */
import { whereText } from "../base/where.ts";
import type { DiskFacts, GuestFacts, VolumeFacts } from "./facts.ts";

/** For people: `xvdb (not read)`, `xvda3 (LUKS)`. */
export function opaqueVolumes({ disks }: GuestFacts): string[] {
  return disks.flatMap((disk) => opaqueOf(disk, disks));
}

function opaqueOf({ spec, state, volumes }: DiskFacts, disks: readonly DiskFacts[]): string[] {
  if (state === "empty-cdrom") return [];
  if (state !== "read") return [`${spec.vdev} (${state === "missing" ? "not there" : "not read"})`];
  return volumes
    .filter((volume) => isOpaque(volume, disks))
    .map((volume) => `${volume.device ?? whereText(volume.where)} (${volume.format})`);
}

function isOpaque(volume: VolumeFacts, disks: readonly DiskFacts[]): boolean {
  // Only a filesystem that was opened says whether it is clean.
  if (volume.clean !== undefined || /^(swap|empty|partition table)/.test(volume.format))
    return false;
  return !(volume.format.startsWith("LVM2") && hasLogicalVolumes(disks));
}

/** The parts of a volume group stay members; what is in them is listed as volumes of their own. */
function hasLogicalVolumes(disks: readonly DiskFacts[]): boolean {
  return disks.some(({ volumes }) =>
    volumes.some(({ device }) => device?.startsWith("/dev/mapper/")),
  );
}
