import { imageWhere, isInitramfsComplete } from "../guest-boot.ts";
import { initramfsNeed, namesOtherInit } from "../initramfs-need.ts";
import { rebuild } from "../remedy.ts";
import type { Rule } from "../rule.ts";

export const initramfsNoInit: Rule = {
  code: "initramfs-no-init",
  severity: "error",
  summary: "The initramfs has no /init that the kernel could start.",
  check: (facts) => {
    const { boot } = facts;
    const image = boot?.initramfs.at(-1);
    if (!boot || !image || !isInitramfsComplete(boot) || namesOtherInit(boot)) return [];
    if (boot.initramfs.some((one) => one.init)) return [];
    const { needed, because } = initramfsNeed(boot);
    if (needed === false) return [];
    const onlyEarly = boot.initramfs.every((one) => one.segments.every((segment) => segment.early));
    return [
      {
        code: "initramfs-no-init",
        severity: "error",
        where: imageWhere(boot, image),
        what: onlyEarly
          ? `The initramfs ${image.path} is microcode only; the real one is not given.`
          : `The initramfs ${image.path} has no executable /init.`,
        why: `Without it the kernel has to mount the root itself${because ? `, and ${because}` : ""}: "VFS: Unable to mount root fs on unknown-block(0,0)".`,
        next: onlyEarly
          ? "Name the main image as well: GRUB and extlinux take several (initrd UCODE MAIN); xl and pygrub take one, so give the main image there."
          : rebuild(facts, image),
      },
    ];
  },
};
