import { mainSegments } from "../guest-boot.ts";
import { isOpen, unpackConsole, unpackSeverity } from "../initramfs-failure.ts";
import { rebuild, repackInDom0 } from "../remedy.ts";
import type { Rule } from "../rule.ts";

export const initramfsXzCheck: Rule = {
  code: "initramfs-xz-check",
  severity: "error",
  summary: "The initramfs is an xz file with a checksum that the kernel's decoder does not know.",
  check: (facts) => {
    const { boot } = facts;
    const placed = boot && mainSegments(boot).find(({ segment }) => isForeign(segment.xzCheck));
    if (!boot || !placed) return [];
    const { image, segment, where } = placed;
    const check =
      segment.xzCheck === "unknown" ? "an unknown checksum" : `a ${segment.xzCheck} checksum`;
    return [
      {
        code: "initramfs-xz-check",
        severity: unpackSeverity(facts, placed),
        ...isOpen(placed),
        where,
        what: `The initramfs ${image.path} is compressed with xz and ${check}, which the kernel does not take.`,
        why: `The kernel's decoder knows crc32 and none; xz writes crc64 unless it is told otherwise. ${unpackConsole(boot, "Input was encoded with settings that are not supported by this XZ decoder", placed)}`,
        next: `Compress it with xz --check=crc32, as the distributions' own tools do. ${rebuild(facts, image)}${repackInDom0(facts, image)}`,
      },
    ];
  },
};

function isForeign(check: string | undefined): boolean {
  return check === "crc64" || check === "sha256" || check === "unknown";
}
