import { shellWord, shorten } from "../remedy.ts";
import type { Rule } from "../rule.ts";

export const pygrubBlind: Rule = {
  code: "pygrub-blind",
  severity: "error",
  summary: "pygrub finds no kernel on this disk, whatever the guest's own loader would do.",
  check: (facts) => {
    const { pygrub, boot, config } = facts;
    if (!pygrub || pygrub.entry) return [];
    const reasons = pygrub.blind
      .slice(0, 6)
      .map((line) => shorten(line))
      .join("; ");
    const grub = config.type === "pvh" ? "grub-i386-xen_pvh.bin" : "grub-x86_64-xen.bin";
    const kernel = boot?.kernel?.path ?? boot?.files.find((file) => file.role === "kernel")?.path;
    const direct = kernel
      ? ` Or take the kernel out, domus disk cp ${shellWord(facts.name)} ${shellWord(kernel)} ., and boot it with kernel=, ramdisk= and cmdline= in place of bootloader=.`
      : "";
    return [
      {
        code: "pygrub-blind",
        severity: "error",
        where: [...config.where, "bootloader"],
        what: "pygrub cannot find a kernel on this guest's first disk.",
        why: `xl create stops with "bootloader failed - consult logfile", and that file, /var/log/xen/bootloader.N.log, ends in "Unable to find partition containing kernel".${reasons ? ` pygrub: ${reasons}.` : ""}`,
        next: `Set bootloader = "domus-pygrub", which reads what pygrub cannot. Or let a real GRUB read the disk: kernel="/usr/lib/grub-xen/${grub}" in place of bootloader= (package grub-xen-host of Debian).${direct}`,
      },
    ];
  },
};
