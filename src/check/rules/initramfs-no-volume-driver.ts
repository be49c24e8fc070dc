import { driverState, foreignVersions, volumeDriver } from "../drivers.ts";
import {
  hasRamdisk,
  imageWhere,
  isInitramfsComplete,
  kernelText,
  rootVolume,
} from "../guest-boot.ts";
import { IN_THE_GUEST, listText, rebuildCommand } from "../remedy.ts";
import type { Rule } from "../rule.ts";
import { addModule } from "./initramfs-no-blkfront.ts";

const code = "initramfs-no-volume-driver";

export const initramfsNoVolumeDriver: Rule = {
  code,
  severity: "error",
  summary:
    "The root is on a logical volume or an array, and a module for it is neither built into the kernel nor in the initramfs.",
  check: (facts) => {
    const { boot } = facts;
    const image = boot?.initramfs.at(-1);
    const volume = rootVolume(facts);
    if (!boot?.kernel || !image || !volume?.modules) return [];
    if (!hasRamdisk(boot) || !isInitramfsComplete(boot) || foreignVersions(boot).length > 0)
      return [];
    const absent = volume.modules.filter((name) => {
      const driver = volumeDriver(name);
      return driver && driverState(boot, driver) === "absent";
    });
    if (absent.length === 0) return [];
    const names = absent.map((name) => name.replaceAll("_", "-"));
    return [
      {
        code,
        severity: "error",
        where: imageWhere(boot, image),
        what: `The root lies on ${volume.device ?? "a volume"}, which needs ${listText(names)}: neither built into ${kernelText(boot)} nor in its initramfs.`,
        why: 'The tools for it may be there, but the kernel cannot set it up ("Required device-mapper target(s) not detected in your kernel", "md: personality for level ... is not loaded!"), and the boot ends waiting for the root.',
        next: `${IN_THE_GUEST}: ${addModule(image.generator, names.join(" "))}, then run ${rebuildCommand(image.generator, boot.kernel.version)}.`,
      },
    ];
  },
};
