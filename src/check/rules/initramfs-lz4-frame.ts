import { mainSegments } from "../guest-boot.ts";
import { isOpen, unpackConsole, unpackSeverity } from "../initramfs-failure.ts";
import { recompress, repackInDom0 } from "../remedy.ts";
import type { Rule } from "../rule.ts";

export const initramfsLz4Frame: Rule = {
  code: "initramfs-lz4-frame",
  severity: "error",
  summary: "The initramfs is in the modern lz4 format; the kernel reads only the legacy one.",
  check: (facts) => {
    const { boot } = facts;
    const placed =
      boot && mainSegments(boot).find(({ segment }) => segment.compression === "lz4-frame");
    if (!boot || !placed) return [];
    return [
      {
        code: "initramfs-lz4-frame",
        severity: unpackSeverity(facts, placed),
        ...isOpen(placed),
        where: placed.where,
        what: `The initramfs ${placed.image.path} is in the lz4 frame format, which no kernel unpacks.`,
        why: `lz4 without -l writes it (magic 04 22 4d 18); Linux reads the legacy format (02 21 4c 18) only. ${unpackConsole(boot, "invalid magic at start of compressed archive", placed)}`,
        next: `Compress it with lz4 -l, as the distributions' own tools do. ${recompress(facts, placed.image, "lz4")}${repackInDom0(facts, placed.image)}`,
      },
    ];
  },
};
