import { hasRamdisk, kernelText } from "../guest-boot.ts";
import { initramfsNeed } from "../initramfs-need.ts";
import { IN_THE_GUEST, capitalized, listCommand } from "../remedy.ts";
import type { Rule } from "../rule.ts";

const code = "initramfs-missing";

export const initramfsMissing: Rule = {
  code,
  severity: "error",
  summary: "No initramfs is given, and the root cannot be mounted without one.",
  check: (facts) => {
    const { boot } = facts;
    if (!boot?.kernel || hasRamdisk(boot)) return [];
    const { needed, because } = initramfsNeed(boot);
    if (needed === false) return [];
    const base = { code, where: boot.source };
    const give =
      boot.loader === "direct"
        ? "Give ramdisk= in the config."
        : `${IN_THE_GUEST}: make one (update-initramfs -c -k all, mkinitcpio -P, dracut --regenerate-all), then update-grub. ${listCommand(facts, "/boot")} shows what there is.`;
    if (needed === undefined) {
      return [
        {
          ...base,
          severity: "warning",
          what: `No initramfs is given, and domus cannot tell whether ${kernelText(boot)} has the drivers for its root built in.`,
          why: "The kernel carries no build configuration, and there is no /boot/config file for it. A kernel of a distribution needs an initramfs; one that was built for this guest may not.",
          next: `If it has always booted so, nothing. Otherwise: ${give}`,
          undecided: true,
        },
      ];
    }
    return [
      {
        ...base,
        severity: "error",
        what: `No initramfs is given, and ${kernelText(boot)} cannot mount its root without one.`,
        why: `${capitalized(because)}. It ends in "VFS: Unable to mount root fs on unknown-block(0,0)".`,
        next: give,
      },
    ];
  },
};
