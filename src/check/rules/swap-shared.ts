import { sharedDisks } from "../shared-disks.ts";
import { listText } from "../remedy.ts";
import type { Rule } from "../rule.ts";

const code = "swap-shared";

export const swapShared: Rule = {
  code,
  severity: "warning",
  summary: "Two guests swap to the same disk.",
  check: (facts) =>
    sharedDisks(facts)
      .filter(({ isSwap }) => isSwap)
      .map(({ disk, users }) => ({
        code,
        severity: "warning",
        where: [...facts.config.where, disk.vdev],
        what: `The swap space ${disk.vdev} (${disk.target}) is also a disk of ${listText(users)}.`,
        why: "When both run, each overwrites the memory that the other has swapped out: programs die or go on with wrong data, and nothing says why. Xen refuses the second guest only when it is a block device.",
        next: "Give each guest swap of its own: lvcreate -L 1G -n GUEST-swap VG && mkswap /dev/VG/GUEST-swap, and its name into disk=. Swap needs no copying.",
      })),
};
