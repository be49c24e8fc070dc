import { driverState, fileSystemDriver, foreignVersions, BLKFRONT } from "../drivers.ts";
import { imageWhere, kernelText } from "../guest-boot.ts";
import { IN_THE_GUEST, listText, rebuildCommand } from "../remedy.ts";
import type { Rule } from "../rule.ts";

export const initramfsVersion: Rule = {
  code: "initramfs-version",
  severity: "error",
  summary:
    "The initramfs carries modules for another kernel only, which this kernel does not load.",
  check: (facts) => {
    const { boot } = facts;
    const image = boot?.initramfs.find((one) => one.moduleVersions.length > 0);
    if (!boot || !image) return [];
    const carried = foreignVersions(boot);
    if (carried.length === 0) return [];
    const drivers = [BLKFRONT, fileSystemDriver(boot.root?.format)];
    const builtin = drivers.every((driver) => driver && driverState(boot, driver) === "builtin");
    // An emulated disk needs other drivers, of which domus does not know whether they are built in.
    const emulated = facts.config.type === "hvm";
    const fatal = !builtin && !emulated;
    const version = boot.kernel!.version!;
    return [
      {
        code: "initramfs-version",
        severity: fatal ? "error" : "warning",
        where: imageWhere(boot, image),
        what: `The initramfs ${image.path} has modules for ${listText(carried)}, but ${kernelText(boot)} is started.`,
        why: builtin
          ? "The kernel looks in /lib/modules under its own version only. The drivers for its root are built in, so it gets to its root, but whatever else is a module is missing until then."
          : `The kernel looks in /lib/modules under its own version only, finds no driver for the disk (xen_blkfront), and the boot ends waiting for the root: "ALERT! ... does not exist. Dropping to a shell!" or the like.`,
        next: `Give the image that belongs to ${version}, or the kernel that belongs to ${carried[0]}. ${IN_THE_GUEST}: run ${rebuildCommand(image.generator, version)}, and update-grub if names changed.`,
      },
    ];
  },
};
