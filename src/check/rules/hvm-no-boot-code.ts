import type { Rule } from "../rule.ts";
import { hvmLookedText } from "../hvm-text.ts";

export const hvmNoBootCode: Rule = {
  code: "hvm-no-boot-code",
  severity: "warning",
  summary: "The BIOS of an HVM guest finds no boot code on the disks that it would start from.",
  check: ({ hvm }) => {
    if (!hvm || hvm.firmware !== "bios" || hvm.start || !hvm.complete) return [];
    const [first] = hvm.looked;
    if (!first) return [];
    return [
      {
        code: "hvm-no-boot-code",
        severity: "warning",
        where: first.where,
        what: "The guest's BIOS finds nothing to start.",
        why: `${hvmLookedText(hvm)} SeaBIOS then says "No bootable device", or runs zeroes and hangs.`,
        next: 'Install a loader on the disk (grub-install, from a rescue system), correct boot= in the config, or set firmware="ovmf" if the system was installed for UEFI.',
        undecided: true,
      },
    ];
  },
};
