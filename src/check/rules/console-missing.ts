import { parseCommandLine } from "../../boot/command-line.ts";
import { isKernelBefore } from "../guest-boot.ts";
import { listText, shorten } from "../remedy.ts";
import type { Rule } from "../rule.ts";

export const consoleMissing: Rule = {
  code: "console-missing",
  severity: "warning",
  summary: "The kernel will not write to the Xen console, so xl console stays silent.",
  check: ({ boot, config }) => {
    if (!boot || config.type === "hvm") return [];
    // The kernels of the Xen 3 days had other names for it (xvc0).
    if (isKernelBefore(boot, "2.6.26")) return [];
    const { consoles } = parseCommandLine(boot.args);
    if (consoles.some((console) => /^hvc0?(,|$)/.test(console))) return [];
    // Without any console=, a PV kernel chooses hvc0 by itself (arch/x86/xen/enlighten_pv.c); a PVH kernel does not.
    if (consoles.length === 0 && config.type === "pv") return [];
    const given =
      consoles.length === 0
        ? "There is no console= on its command line, and a PVH kernel then writes to a screen that it does not have."
        : `Its command line has console=${shorten(listText(consoles))} only, ${consoles.some((one) => one.startsWith("ttyS")) ? "a serial port" : "a device"} that a ${config.type.toUpperCase()} guest does not have.`;
    return [
      {
        code: "console-missing",
        severity: "warning",
        where: boot.source,
        what: "The guest will be silent: nothing of its boot appears on xl console.",
        why: `${given} It boots all the same, but when it does not, nobody sees why.`,
        next: 'Add console=hvc0 as the last console=: in the guest to GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub; or extra="console=hvc0" (cmdline= with kernel=) in the config.',
      },
    ];
  },
};
