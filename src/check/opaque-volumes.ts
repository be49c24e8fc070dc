/** What could hold the thing that was looked for, but was not looked into: then its absence proves nothing. */
import { whereText } from "../base/where.ts";
import type { DiskFacts, GuestFacts, VolumeFacts } from "./facts.ts";

/** For people: `xvdb (not read)`, `xvda3 (LUKS)`. */
export function opaqueVolumes({ disks }: GuestFacts): string[] {
  return disks.flatMap(opaqueOf);
}

function opaqueOf({ spec, state, volumes }: DiskFacts): string[] {
  if (state === "empty-cdrom") return [];
  if (state !== "read") return [`${spec.vdev} (${state === "missing" ? "not there" : "not read"})`];
  return volumes
    .filter(isOpaque)
    .map((volume) => `${volume.device ?? whereText(volume.where)} (${volume.format})`);
}

function isOpaque({ clean, format, assembled }: VolumeFacts): boolean {
  // Only a filesystem that was opened says whether it is clean.
  return clean === undefined && !assembled && !/^(swap|empty|partition table)/.test(format);
}
