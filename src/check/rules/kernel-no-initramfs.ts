import { hasRamdisk, kernelText, kernelWhere } from "../guest-boot.ts";
import { initramfsNeed } from "../initramfs-need.ts";
import { capitalized } from "../remedy.ts";
import type { Rule } from "../rule.ts";

export const kernelNoInitramfs: Rule = {
  code: "kernel-no-initramfs",
  severity: "error",
  summary: "The kernel was built without support for an initramfs, and is given one.",
  check: ({ boot }) => {
    if (!boot || !hasRamdisk(boot) || boot.kernel?.decompressors?.initramfs !== false) return [];
    const { needed, because } = initramfsNeed(boot);
    return [
      {
        code: "kernel-no-initramfs",
        severity: needed === false ? "warning" : "error",
        where: kernelWhere(boot),
        what: `${capitalized(kernelText(boot))} ignores the initramfs that it is given.`,
        why: `It was built without CONFIG_BLK_DEV_INITRD.${because ? ` But ${because}.` : ""}`,
        next: "Build or install a kernel with CONFIG_BLK_DEV_INITRD=y; every distribution's own kernel has it.",
      },
    ];
  },
};
