import { whereText } from "../../base/where.ts";
import type { RootDevice } from "../../boot/root-device.ts";
import { shorten } from "../remedy.ts";
import type { Rule } from "../rule.ts";

const code = "root-fstab";

export const rootFstab: Rule = {
  code,
  severity: "warning",
  summary: "root= and the guest's own /etc/fstab name different roots.",
  check: (facts) => {
    const { boot, rootFiles } = facts;
    const line = rootFiles?.fstabRoot;
    const root = boot?.root;
    if (!boot || !root?.where || !line) return [];
    const fstab = shorten(line.device.spec.text);
    const booted = `root=${shorten(root.spec.text)} (${whereText(root.where)})`;
    const base = { code, severity: "warning" as const, where: line.where };
    const next = `Make both say the same: most likely root= is right, as that is what was booted; in the guest put UUID=... of blkid into /etc/fstab. Then update-grub, which takes the root from what is mounted.`;
    if (line.device.where) {
      if (isSame(line.device.where, root.where)) return [];
      return [
        {
          ...base,
          what: `The guest's root is ${booted}, but its /etc/fstab says ${fstab}, which is ${whereText(line.device.where)}.`,
          why: "The kernel and the initramfs go by root=; fsck and the remount go by fstab: the wrong filesystem is checked, and the root may stay read-only. Often it is a copy or a restored guest whose other half still names the original.",
          next,
        },
      ];
    }
    if (!line.device.complete) return [];
    return [
      {
        ...base,
        what: `The guest's root is ${booted}, but its /etc/fstab says ${fstab}, which is on none of its disks.`,
        why: "systemd waits 90 seconds for a device that never comes, and the root may stay read-only or the boot end in emergency mode.",
        next,
      },
    ];
  },
};

function isSame(a: NonNullable<RootDevice["where"]>, b: NonNullable<RootDevice["where"]>): boolean {
  return a.length === b.length && a.every((step, index) => step === b[index]);
}
