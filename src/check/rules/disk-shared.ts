import { sharedDisks } from "../shared-disks.ts";
import { listText } from "../remedy.ts";
import type { Rule } from "../rule.ts";

const code = "disk-shared";

export const diskShared: Rule = {
  code,
  severity: "warning",
  summary: "Another guest's config names the same disk, and at least one of the two writes to it.",
  check: (facts) =>
    sharedDisks(facts)
      .filter(({ isSwap }) => !isSwap)
      .map(({ disk, users }) => ({
        code,
        severity: "warning",
        where: [...facts.config.where, disk.vdev],
        what: `The disk ${disk.vdev} (${disk.target}) is also a disk of ${listText(users)}.`,
        why: 'When both run, each writes without knowing of the other, and the filesystem is destroyed within minutes. For a block device Xen\'s block script refuses the second guest ("Device ... is mounted in a guest domain"); for an image file nobody does.',
        next: "If this is meant (a cluster filesystem, a rescue guest that never runs beside it), nothing. Otherwise correct disk= in one of the configs; lvs, or qemu-img info, shows which volume belongs to whom.",
      })),
};
