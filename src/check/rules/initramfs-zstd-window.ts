import { MIB, sizeText } from "../../base/units.ts";
import { mainSegments } from "../guest-boot.ts";
import { isOpen, unpackConsole, unpackSeverity } from "../initramfs-failure.ts";
import { rebuild, repackInDom0 } from "../remedy.ts";
import type { Rule } from "../rule.ts";

/** lib/decompress_unzstd.c ZSTD_WINDOWSIZE_MAX */
const MAX_WINDOW_BYTES = 128 * MIB;

export const initramfsZstdWindow: Rule = {
  code: "initramfs-zstd-window",
  severity: "error",
  summary: "The initramfs was compressed with a larger zstd window than the kernel takes.",
  check: (facts) => {
    const { boot } = facts;
    const placed =
      boot &&
      mainSegments(boot).find(({ segment }) => (segment.zstdWindowBytes ?? 0) > MAX_WINDOW_BYTES);
    if (!boot || !placed) return [];
    const { image, segment, where } = placed;
    return [
      {
        code: "initramfs-zstd-window",
        severity: unpackSeverity(facts, placed),
        ...isOpen(placed),
        where,
        what: `The initramfs ${image.path} needs a zstd window of ${sizeText(segment.zstdWindowBytes!)}; the kernel has 128 MiB at most.`,
        why: `It was compressed with --long=28 or more, or with --ultra on a large file. ${unpackConsole(boot, "ZSTD-compressed data is probably corrupt", placed)}`,
        next: `Compress it without --long and --ultra (zstd -19 is fine). ${rebuild(facts, image)}${repackInDom0(facts, image)}`,
      },
    ];
  },
};
