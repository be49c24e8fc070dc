/** The targets of device-mapper that a logical volume is mapped with, by the modules of Linux that have them. */
import type { LogicalVolume, Mapping, VolumeGroup } from "./metadata.ts";

/** LVM's words for segment types (lib/*, `_target_name` and `modules_needed`), up to a plus sign. */
const MODULES: readonly (readonly [type: RegExp, modules: readonly string[]])[] = [
  [/^thin/, ["dm_thin_pool"]],
  [/^cache/, ["dm_cache"]],
  [/^writecache/, ["dm_writecache"]],
  [/^integrity/, ["dm_integrity"]],
  [/^raid0/, ["dm_raid", "raid0"]],
  [/^raid10/, ["dm_raid", "raid10"]],
  [/^raid[456]/, ["dm_raid", "raid456"]],
];

/** `dm_mod` first; then those of the volume and of all that it consists of. */
export function modulesOf(volume: LogicalVolume, group: VolumeGroup): string[] {
  const modules = new Set(["dm_mod"]);
  const seen = new Set([volume]);
  // A set gives what is added during the walk as well, each volume once.
  for (const { segments, snapshot } of seen) {
    if (snapshot) modules.add("dm_snapshot");
    for (const { mapping } of segments) {
      for (const module of neededFor(mapping)) modules.add(module);
      for (const name of namesIn(mapping)) {
        const inner = group.logicalVolumes.get(name);
        if (inner && !group.physicalVolumes.has(name)) seen.add(inner);
      }
    }
  }
  return [...modules];
}

function neededFor(mapping: Mapping): readonly string[] {
  switch (mapping.kind) {
    case "mirror":
      return ["dm_mirror"];
    case "raid1":
      return ["dm_raid", "raid1"];
    case "declined":
      return MODULES.find(([type]) => type.test(mapping.type))?.[1] ?? [];
    case "striped":
    case "zero":
    case "error":
      return [];
  }
}

function namesIn(mapping: Mapping): string[] {
  if (mapping.kind === "striped" || mapping.kind === "mirror") {
    return mapping.areas.map((area) => area.name);
  }
  return mapping.kind === "raid1" ? mapping.legs.map((leg) => leg.image) : [];
}
