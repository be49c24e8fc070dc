import { BLKFRONT, driverState, foreignVersions } from "../drivers.ts";
import type { GuestFacts, PlannedBoot } from "../facts.ts";
import { hasRamdisk, imageWhere, isInitramfsComplete, kernelText } from "../guest-boot.ts";
import { IN_THE_GUEST, rebuildCommand } from "../remedy.ts";
import type { InitramfsGenerator } from "../../boot/initramfs/initramfs-facts.ts";
import type { Rule } from "../rule.ts";

const code = "initramfs-no-blkfront";

export const initramfsNoBlkfront: Rule = {
  code,
  severity: "error",
  summary: "The driver for Xen's disks is neither built into the kernel nor in the initramfs.",
  check: (facts) => {
    const { boot, config } = facts;
    if (!boot?.kernel || !hasRamdisk(boot) || !isInitramfsComplete(boot)) return [];
    // A network root needs no disk; modules of another version are a finding of their own.
    if (boot.root?.spec.kind === "nfs" || foreignVersions(boot).length > 0) return [];
    const state = driverState(boot, BLKFRONT);
    if (state === "builtin" || state === "in-initramfs") return [];
    const image = boot.initramfs.at(-1)!;
    const base = { code, where: imageWhere(boot, image), next: nextText(boot, image.generator) };
    if (state === "unknown") {
      // An HVM guest has emulated disks to fall back on.
      if (config.type === "hvm") return [];
      return [
        {
          ...base,
          severity: "warning",
          what: `The initramfs has no module xen_blkfront, and domus cannot tell whether ${kernelText(boot)} has it built in.`,
          why: `There is neither a modules.builtin in the initramfs nor a build configuration of the kernel to read. Without the driver, no disk appears.`,
          undecided: true,
        },
      ];
    }
    return [{ ...base, ...absent(facts, boot) }];
  },
};

function absent({ config }: GuestFacts, boot: PlannedBoot) {
  const what = `xen_blkfront, the driver for Xen's disks, is neither built into ${kernelText(boot)} nor in its initramfs.`;
  if (config.type === "hvm") {
    return {
      severity: "warning" as const,
      what,
      why: "An HVM guest can boot from its emulated disks instead (ata_piix, ahci), but slowly, and their names are sda instead of xvda.",
    };
  }
  return {
    severity: "error" as const,
    what,
    why: 'No disk appears in the guest, and the boot ends waiting for the root: "ALERT! ... does not exist. Dropping to a shell!" (initramfs-tools), "ERROR: device ... not found" (mkinitcpio), "dracut-initqueue timeout" (dracut). An image that was made on other hardware, for that hardware only, looks like this.',
  };
}

function nextText(boot: PlannedBoot, generator: InitramfsGenerator): string {
  return `${IN_THE_GUEST}: ${addModule(generator, "xen-blkfront")}, then run ${rebuildCommand(generator, boot.kernel?.version)}.`;
}

/** How each generator is told to include a module. */
export function addModule(generator: InitramfsGenerator, module: string): string {
  switch (generator) {
    case "initramfs-tools":
      return `add ${module} to /etc/initramfs-tools/modules`;
    case "dracut":
      return `put add_drivers+=" ${module} " into /etc/dracut.conf.d/xen.conf`;
    case "mkinitcpio":
      return `add ${module} to MODULES=() in /etc/mkinitcpio.conf`;
    case "booster":
      return `add ${module} to modules: in /etc/booster.yaml`;
    case "busybox":
    case "unknown":
      return `add the module ${module} to the initramfs`;
  }
}
