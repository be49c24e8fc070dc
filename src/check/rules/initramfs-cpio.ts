import type { GuestFacts, PlannedBoot } from "../facts.ts";
import { isInflatedByXen, isKernelBefore, mainSegments } from "../guest-boot.ts";
import type { PlacedSegment } from "../guest-boot.ts";
import { isOpen, unpackConsole, unpackSeverity } from "../initramfs-failure.ts";
import { rebuild } from "../remedy.ts";
import type { Rule } from "../rule.ts";

export const initramfsCpio: Rule = {
  code: "initramfs-cpio",
  severity: "error",
  summary:
    "What is in the initramfs is not a cpio archive of the kind that the kernel reads (newc).",
  check: (facts) => {
    const { boot } = facts;
    if (!boot) return [];
    for (const placed of mainSegments(boot)) {
      const { image, segment, where } = placed;
      const problem = problemOf(facts, boot, placed);
      if (!problem) continue;
      return [
        {
          code: "initramfs-cpio",
          severity: unpackSeverity(facts, placed),
          ...isOpen(placed),
          where,
          what: `The initramfs ${image.path} holds ${problem.found}, which the kernel does not unpack.`,
          why: `It reads cpio archives in the newc format only${segment.cpio === "crc" ? " (and crc since 5.19)" : ""}. ${unpackConsole(boot, problem.message, placed)}`,
          next: `Archives made by hand need find . | cpio -o -H newc. ${rebuild(facts, image)}`,
        },
      ];
    }
    return [];
  },
};

/** The messages are those of init/initramfs.c. */
function problemOf(
  facts: GuestFacts,
  boot: PlannedBoot,
  placed: PlacedSegment,
): { found: string; message: string } | undefined {
  const { segment } = placed;
  // What Xen has inflated is not compressed when the kernel sees it.
  const isBare = segment.compression === "none" || isInflatedByXen(facts, placed);
  const message = isBare ? "invalid magic at start of compressed archive" : "no cpio magic";
  switch (segment.cpio) {
    case "newc":
      return undefined;
    case "crc":
      return isKernelBefore(boot, "5.19")
        ? { found: "a cpio archive in the crc format (cpio -H crc)", message: "no cpio magic" }
        : undefined;
    case "odc":
      return {
        found: "a cpio archive in the old portable format (cpio -H odc)",
        message: "incorrect cpio method used: use -H newc option",
      };
    case "bin":
      return {
        found: "a cpio archive in the old binary format (cpio without -H)",
        message,
      };
    case "not-cpio":
      // When nothing could be unpacked, the packing is at fault, not the archive.
      return segment.compression !== "none" && segment.cpioBytes > 0
        ? { found: "something else than a cpio archive", message }
        : undefined;
  }
}
