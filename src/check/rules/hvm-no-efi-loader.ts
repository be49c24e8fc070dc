import type { Rule } from "../rule.ts";
import { hvmLookedText } from "../hvm-text.ts";

export const hvmNoEfiLoader: Rule = {
  code: "hvm-no-efi-loader",
  severity: "warning",
  summary: "OVMF finds no \\EFI\\BOOT\\BOOTX64.EFI on the disks of an HVM guest.",
  check: ({ hvm }) => {
    if (!hvm || hvm.firmware !== "uefi" || hvm.start || !hvm.complete) return [];
    const [first] = hvm.looked;
    if (!first) return [];
    return [
      {
        code: "hvm-no-efi-loader",
        severity: "warning",
        where: first.where,
        what: "The guest's UEFI firmware finds no loader of the name that it looks for.",
        why: `${hvmLookedText(hvm)} A loader of another name is started only when UEFI's variables name it, and those do not outlive the domain under xl.`,
        next: "In the guest, install the loader for removable media as well: grub-install --removable, or bootctl install. If the system was installed for BIOS, take firmware= out of the config.",
        undecided: true,
      },
    ];
  },
};
