import { hasRamdisk, imageWhere, isInitramfsComplete, rootVolume } from "../guest-boot.ts";
import { IN_THE_GUEST, rebuildCommand } from "../remedy.ts";
import type { InitramfsGenerator } from "../../boot/initramfs/initramfs-facts.ts";
import type { Rule } from "../rule.ts";

export const initramfsNoLvm: Rule = {
  code: "initramfs-no-lvm",
  severity: "error",
  summary: "The root is a logical volume, and the initramfs has no LVM tools to activate it.",
  check: (facts) => {
    const { boot } = facts;
    const image = boot?.initramfs.at(-1);
    const root = boot?.root;
    if (!boot || !image || !root || !hasRamdisk(boot) || !isInitramfsComplete(boot)) return [];
    const volume = rootVolume(facts)?.device;
    const { spec } = root;
    // Names of encrypted volumes need not have a dash; those that do begin like this.
    const looksLikeOne =
      spec.kind === "path" && /^\/dev\/mapper\/(?!luks|crypt|mpath)[^-]+.*-[^-]/.test(spec.value);
    const isOne = volume?.startsWith("/dev/mapper/") === true;
    if (!isOne && (!looksLikeOne || boot.initramfs.some((one) => one.tools.cryptsetup))) return [];
    if (boot.initramfs.some((one) => one.tools.lvm)) return [];
    const name = isOne && spec.kind !== "path" ? `${spec.text} (${volume})` : spec.text;
    return [
      {
        code: "initramfs-no-lvm",
        severity: "error",
        where: imageWhere(boot, image),
        what: `The root ${name} is a logical volume, but the initramfs ${image.path} has no LVM tools.`,
        why: "The kernel does not activate logical volumes by itself, so the root does not appear and the boot ends waiting for it.",
        next: `${IN_THE_GUEST}: ${addLvm(image.generator)}, then run ${rebuildCommand(image.generator, boot.kernel?.version)}.`,
      },
    ];
  },
};

function addLvm(generator: InitramfsGenerator): string {
  switch (generator) {
    case "initramfs-tools":
      return "install lvm2, which brings its hook";
    case "dracut":
      return 'put add_dracutmodules+=" lvm " into /etc/dracut.conf.d/lvm.conf';
    case "mkinitcpio":
      return "add lvm2 to HOOKS=() in /etc/mkinitcpio.conf, before filesystems";
    case "booster":
      return "set enable_lvm: true in /etc/booster.yaml";
    case "busybox":
    case "unknown":
      return "add the lvm program and the module dm-mod to the initramfs";
  }
}
