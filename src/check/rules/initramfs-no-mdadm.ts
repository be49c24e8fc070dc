import { hasRamdisk, imageWhere, isInitramfsComplete, rootVolume } from "../guest-boot.ts";
import { IN_THE_GUEST, rebuildCommand } from "../remedy.ts";
import type { InitramfsGenerator } from "../../boot/initramfs/initramfs-facts.ts";
import type { Rule } from "../rule.ts";

export const initramfsNoMdadm: Rule = {
  code: "initramfs-no-mdadm",
  severity: "warning",
  summary: "The root is on an md array, and the initramfs has no mdadm to start it.",
  check: (facts) => {
    const { boot } = facts;
    const image = boot?.initramfs.at(-1);
    const device = rootVolume(facts)?.device;
    if (!boot || !image || !hasRamdisk(boot) || !isInitramfsComplete(boot)) return [];
    if (!device || !/^md(\d|\/|$)/.test(device)) return [];
    if (boot.initramfs.some((one) => one.tools.mdadm)) return [];
    return [
      {
        code: "initramfs-no-mdadm",
        severity: "warning",
        where: imageWhere(boot, image),
        what: `The root is on the md array ${device}, but the initramfs ${image.path} has no mdadm.`,
        why: "The kernel starts arrays by itself only if md is built in, the superblock is of version 0.90 and the partitions are of type fd. Otherwise the root does not appear.",
        next: `Nothing, if the guest has booted with this very image. ${IN_THE_GUEST}: ${addMdadm(image.generator)}, then run ${rebuildCommand(image.generator, boot.kernel?.version)}.`,
        undecided: true,
      },
    ];
  },
};

function addMdadm(generator: InitramfsGenerator): string {
  switch (generator) {
    case "initramfs-tools":
      return "install mdadm, which brings its hook";
    case "dracut":
      return 'put add_dracutmodules+=" mdraid " into /etc/dracut.conf.d/mdraid.conf';
    case "mkinitcpio":
      return "add mdadm_udev to HOOKS=() in /etc/mkinitcpio.conf, before filesystems";
    case "booster":
      return "set enable_mdraid: true in /etc/booster.yaml";
    case "busybox":
    case "unknown":
      return "add the mdadm program and the module raid1 to the initramfs";
  }
}
