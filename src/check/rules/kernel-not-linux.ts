import { isOtherKernel, kernelWhere } from "../guest-boot.ts";
import { shellWord, shorten } from "../remedy.ts";
import type { Rule } from "../rule.ts";

export const kernelNotLinux: Rule = {
  code: "kernel-not-linux",
  severity: "note",
  summary:
    "What Xen starts is not Linux but GRUB (pvgrub), a BSD or the like; domus does not follow it further.",
  check: (facts) => {
    const { boot, name } = facts;
    if (!boot?.kernel || !isOtherKernel(facts)) return [];
    const guestOs = shorten(boot.kernel.xen?.guestOs ?? "", 40);
    const isGrub = boot.grubSaid !== undefined || /grub/i.test(guestOs);
    return [
      {
        code: "kernel-not-linux",
        severity: "note",
        where: kernelWhere(boot),
        what: `Xen starts ${isGrub ? "GRUB" : guestOs} here (${boot.kernel.path}), and domus cannot tell what happens then.`,
        why: isGrub
          ? `This GRUB runs inside the guest, reads the guest's disk and starts the kernel that it finds there. ${shorten(boot.grubSaid ?? "It is of another kind than domus knows.", 400)}`
          : "domus knows how Linux boots, and no other kernel.",
        next: isGrub
          ? `To have the disk checked, make a copy of the config with bootloader="pygrub" in place of kernel=, and run domus check on it. domus disk ls ${shellWord(name)} /boot shows the kernels.`
          : "If the guest has booted like this before, nothing.",
        undecided: true,
      },
    ];
  },
};
