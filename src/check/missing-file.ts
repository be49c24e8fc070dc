/** A boot file that is named and not there: the same for the kernel and the initramfs. */
import { directoryOf } from "../base/path.ts";
import type { GuestFacts, NeededFile, PlannedBoot } from "./facts.ts";
import { filesAreInDom0, isBuiltByXen } from "./guest-boot.ts";
import { IN_THE_GUEST, listCommand, listText } from "./remedy.ts";
import type { RuleFinding } from "./rule.ts";

const NOUN = { kernel: "kernel", ramdisk: "initramfs" } as const;

export function missingFile(
  facts: GuestFacts,
  role: NeededFile["role"],
  code: string,
): RuleFinding[] {
  const { boot } = facts;
  if (!boot) return [];
  return boot.files
    .filter((file) => file.role === role && file.state === "missing")
    .map((file) => ({
      code,
      severity: "error",
      where: file.where,
      what: `The ${NOUN[role]} ${file.path} is not there.`,
      why: `${namedBy(facts, role)}. ${consoleText(facts, file)}`,
      next: nextText(facts, file),
    }));
}

function namedBy(facts: GuestFacts, role: NeededFile["role"]): string {
  const { boot } = facts;
  if (boot?.loader === "direct") return `${role}= in the config names it`;
  if (boot?.entry === undefined) return "The loader's configuration names it";
  return `The loader's entry "${boot.entry}" names it`;
}

function consoleText(facts: GuestFacts, file: NeededFile): string {
  const { config, boot } = facts;
  if (filesAreInDom0(facts)) return "xl create fails: the file cannot be opened.";
  if (!isBuiltByXen(facts)) return loaderSays(boot!.loader, file);
  return /(^|\/)pygrub$/.test(config.bootloader ?? "")
    ? `pygrub says "Error opening ${file.path} in guest" and xl create fails.`
    : `The bootloader ${config.bootloader ?? ""} cannot fetch it, and xl create fails.`;
}

/** What the loader inside the guest prints, in its own words where they are always the same. */
function loaderSays(loader: PlannedBoot["loader"], { path, role }: NeededFile): string {
  switch (loader) {
    case "grub2":
    case "bls":
      return `GRUB says "error: file '${path}' not found."${role === "kernel" ? " and waits" : " and starts the kernel without it, or waits"}.`;
    case "grub-legacy":
      return 'GRUB says "Error 15: File not found" and waits.';
    case "extlinux":
      return role === "kernel"
        ? "SYSLINUX says that the kernel image was not found, and comes back to its prompt."
        : "SYSLINUX says that it could not find the ramdisk image, and comes back to its prompt.";
    case "systemd-boot":
    case "uki":
      return "systemd-boot says that it cannot open the file, and goes back to its menu or to the firmware.";
    case "links":
    case "direct":
    case "hvm-disk":
      return "Whatever loads it then finds nothing to load.";
  }
}

function nextText(facts: GuestFacts, { path, role, alternatives }: NeededFile): string {
  const others = alternatives.filter((one) => one !== path);
  const there =
    others.length > 0
      ? `There are: ${listText(others)}.`
      : `See what is there: ${listCommand(facts, directoryOf(path))}.`;
  if (facts.boot?.loader === "direct") return `${there} Correct ${role}= in the config.`;
  const make =
    role === "ramdisk"
      ? "make it anew (update-initramfs -c -k all, mkinitcpio -P, dracut --regenerate-all)"
      : "install the kernel package again";
  return `${there} ${IN_THE_GUEST}: ${make}, then write the menu anew (update-grub, grub2-mkconfig -o). If /boot is a filesystem of its own, make sure that it was mounted when the kernel was installed.`;
}
