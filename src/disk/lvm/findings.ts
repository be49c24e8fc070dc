/** What domus says about LVM2. Each code has a page in docs/reference/findings/. */
import type { Failure } from "../../base/failure.ts";
import { failureText } from "../../base/failure.ts";
import type { Finding } from "../../base/finding.ts";
import { whereText } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import type { PhysicalVolume, VolumeGroup } from "./metadata.ts";

/** `lvs`: the volumes that cannot be activated without. */
export function pvMissing(
  group: VolumeGroup,
  pvs: readonly PhysicalVolume[],
  lvs: readonly string[],
): Finding {
  const base = {
    code: "lvm-pv-missing",
    where: [group.name],
    what: `The volume group ${group.name} lacks ${pvs.length} of its ${group.physicalVolumes.size} physical volumes: ${some(pvs.map((pv) => pv.id))}.`,
  };
  if (lvs.length === 0) {
    return {
      ...base,
      severity: "note",
      why: "No logical volume needs it. LVM may refuse to change the group until it is back.",
      next: `If it is gone for good, in the guest: vgreduce --removemissing ${group.name}`,
    };
  }
  const flagged = pvs.some((pv) => pv.missing);
  return {
    ...base,
    severity: "warning",
    why: `LVM does not activate volumes that lie on it: ${some(lvs)}. A guest whose root is among them does not boot.`,
    next: flagged
      ? `If its disk is among the guest's disks again and nothing was written meanwhile, in the guest or a rescue system: vgextend --restoremissing ${group.name} PV`
      : "Put the disk that it is on into disk= of the guest's config. In an older config or in the running guest (pvs -o +uuid) you may see which one it is.",
  };
}

export function pvDuplicate(where: Where, id: string, first: Where): Finding {
  return {
    code: "lvm-pv-duplicate",
    severity: "warning",
    where,
    what: `The LVM2 physical volume ${id} is here and at ${whereText(first)}; domus used that one.`,
    why: "One is a copy of the other, such as a snapshot or a clone that was attached as well. LVM does not activate a group of which a volume is there twice, so its logical volumes may not appear.",
    next: "Take one of the two out of disk= in the config, or give the copy ids of its own: vgimportclone DEVICE",
  };
}

export function metadataDamaged(failure: Failure, readElsewhere: boolean): Finding {
  return {
    code: "lvm-metadata-damaged",
    severity: "warning",
    where: failure.where,
    what: readElsewhere
      ? "A copy of the LVM2 metadata is damaged; domus used another one, as LVM does."
      : "The LVM2 metadata is damaged, and there is no other copy.",
    why: readElsewhere
      ? `${failureText(failure)}. As long as another copy is good, the logical volumes are there.`
      : `${failureText(failure)}. Nobody can tell where the logical volumes lie: if the root is among them, the guest does not boot.`,
    next: readElsewhere
      ? "In the guest: vgck --updatemetadata VG writes all copies anew."
      : "From a rescue system: pvck --dump metadata_search DEVICE finds older copies on the disk, and vgcfgrestore -f FILE VG puts one back. The guest's own copies are in its /etc/lvm/backup.",
  };
}

export function metadataOutdated(where: Where, found: VolumeGroup, newest: VolumeGroup): Finding {
  const older = found.seqno < newest.seqno;
  return {
    code: "lvm-metadata-outdated",
    severity: "note",
    where,
    what: older
      ? `This copy of the metadata of ${newest.name} is of version ${found.seqno}; domus used version ${newest.seqno}, as LVM does.`
      : `This copy of the metadata of ${newest.name} has version ${found.seqno}, as another one that says something else; domus used the other.`,
    why: older
      ? "The physical volume was not there while the group was changed, or its disk is an older copy. What it holds may be old as well."
      : "The group was changed twice with different volumes missing, so each half knows of its own change only.",
    next: "Make sure that the right disk is attached. Then, in the guest: vgck --updatemetadata VG",
  };
}

/** Enough to know what is meant, however many there are. */
function some(names: readonly string[]): string {
  const shown = names.slice(0, 8).join(", ");
  return names.length > 8 ? `${shown} and ${names.length - 8} more` : shown;
}
