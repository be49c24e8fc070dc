import { hex } from "../../base/units.ts";
import { imageWhere } from "../guest-boot.ts";
import { unpackConsole, unpackSeverity } from "../initramfs-failure.ts";
import { rebuild } from "../remedy.ts";
import type { Rule } from "../rule.ts";

export const initramfsJunk: Rule = {
  code: "initramfs-junk",
  severity: "error",
  summary: "The initramfs has bytes in it that are no archive of any kind.",
  check: (facts) => {
    const { boot } = facts;
    const image = boot?.initramfs.find((one) => one.junkAt !== undefined);
    if (!boot || !image) return [];
    const hasMain = image.segments.some((segment) => !segment.early);
    const message = "invalid magic at start of compressed archive";
    const base = { code: "initramfs-junk", where: imageWhere(boot, image) };
    if (hasMain) {
      return [
        {
          ...base,
          severity: "warning",
          what: `The initramfs ${image.path} has junk after its last archive, from byte ${image.junkAt} (${hex(image.junkAt!)}) on.`,
          why: `The kernel has unpacked what lies before, prints "Initramfs unpacking failed: ${message}" and goes on. If an archive was meant to begin there, its files are missing.`,
          next: `${rebuild(facts, image)} If a file is appended by hand, see that it is a cpio archive, and that an uncompressed one begins at a multiple of 4 bytes.`,
        },
      ];
    }
    return [
      {
        ...base,
        severity: unpackSeverity(facts),
        what: `The initramfs ${image.path} is no archive that the kernel knows${image.segments.length > 0 ? ", but for the microcode at its start" : ""}.`,
        why: `At byte ${image.junkAt} there is neither a cpio archive nor a compression that Linux knows. ${unpackConsole(boot, message)}`,
        next: `See what it is: file IMAGE. ${rebuild(facts, image)}`,
      },
    ];
  },
};
