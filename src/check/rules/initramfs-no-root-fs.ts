import {
  driverState,
  fileSystemDriver,
  foreignVersions,
  knowsBuiltin,
  ownModules,
} from "../drivers.ts";
import type { PlannedBoot } from "../facts.ts";
import {
  hasRamdisk,
  imageWhere,
  isInitramfsComplete,
  isKernelAtLeast,
  kernelText,
} from "../guest-boot.ts";
import { IN_THE_GUEST, rebuildCommand } from "../remedy.ts";
import type { Rule, RuleFinding } from "../rule.ts";
import { addModule } from "./initramfs-no-blkfront.ts";

const code = "initramfs-no-root-fs";

export const initramfsNoRootFs: Rule = {
  code,
  severity: "error",
  summary:
    "The driver of the root's filesystem is neither built into the kernel nor in the initramfs.",
  check: ({ boot }) => {
    const format = boot?.root?.format;
    const driver = fileSystemDriver(format);
    if (!boot?.kernel || !driver || format === undefined) return [];
    if (!hasRamdisk(boot) || !isInitramfsComplete(boot) || foreignVersions(boot).length > 0)
      return [];
    const state = driverState(boot, driver);
    if (state === "in-initramfs") return withoutChecksum(boot, format);
    return state === "absent" ? [absent(boot, format)] : [];
  },
};

function absent(boot: PlannedBoot, format: string): RuleFinding {
  const image = boot.initramfs.at(-1)!;
  return {
    code,
    severity: "error",
    where: imageWhere(boot, image),
    what: `The root is ${format}, and its driver is neither built into ${kernelText(boot)} nor in its initramfs.`,
    why: `The disk appears, but cannot be mounted: "mount: unknown filesystem type '${format}'" or "Failed to mount ... as root file system".`,
    next: `${IN_THE_GUEST}: ${addModule(image.generator, format)}, then run ${rebuildCommand(image.generator, boot.kernel?.version)}.`,
  };
}

/** Filesystems that ask the crypto layer for crc32c by name, so that modules.dep does not show it. */
const NEEDS_CRC32C: ReadonlySet<string> = new Set(["ext4", "btrfs", "f2fs"]);

/** Until Linux 6.14 crc32c was a module like any other; an image made by hand easily lacks it. */
function withoutChecksum(boot: PlannedBoot, format: string): RuleFinding[] {
  if (!NEEDS_CRC32C.has(format) || isKernelAtLeast(boot, "6.14") || !knowsBuiltin(boot)) return [];
  const config = boot.kernel?.config;
  if (
    config?.get("CONFIG_CRYPTO_CRC32C") === "y" ||
    config?.get("CONFIG_CRYPTO_CRC32C_INTEL") === "y"
  )
    return [];
  const names = ownModules(boot).flatMap(({ loadable, builtin }) => [...loadable, ...builtin]);
  if (names.some((name) => name.includes("crc32c"))) return [];
  const image = boot.initramfs.at(-1)!;
  return [
    {
      code,
      severity: "warning",
      where: imageWhere(boot, image),
      what: `The initramfs ${image.path} has the driver for the root's ${format}, but not crc32c, which that driver loads.`,
      why: `Filesystems made with checksums (the default for years) then fail to mount: "Cannot load crc32c driver."`,
      next: `${IN_THE_GUEST}: ${addModule(image.generator, "crc32c_generic")}, then run ${rebuildCommand(image.generator, boot.kernel?.version)}.`,
      undecided: true,
    },
  ];
}
