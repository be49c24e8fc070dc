import { MIB, sizeText } from "../../base/units.ts";
import type { GuestFacts } from "../facts.ts";
import { mainSegments } from "../guest-boot.ts";
import { isOpen, unpackConsole, unpackSeverity } from "../initramfs-failure.ts";
import { rebuild, repackInDom0 } from "../remedy.ts";
import type { Rule } from "../rule.ts";

/** lib/decompress_unzstd.c ZSTD_WINDOWSIZE_MAX */
const MAX_WINDOW_BYTES = 128 * MIB;

export const initramfsZstdWindow: Rule = {
  code: "initramfs-zstd-window",
  severity: "error",
  summary:
    "The initramfs was compressed with a larger zstd window than the kernel takes, or has room for.",
  check: (facts) => {
    const { boot } = facts;
    const limit = Math.min(MAX_WINDOW_BYTES, roomBytes(facts));
    const placed =
      boot && mainSegments(boot).find(({ segment }) => (segment.zstdWindowBytes ?? 0) > limit);
    if (!boot || !placed) return [];
    const { image, segment, where } = placed;
    const window = segment.zstdWindowBytes!;
    // The kernel takes the memory first, and looks at its limit when it unpacks.
    const isTooLittle = window > roomBytes(facts);
    const message = isTooLittle
      ? "Out of memory while allocating ZSTD_DStream"
      : "ZSTD-compressed data is probably corrupt";
    const has =
      window > MAX_WINDOW_BYTES
        ? "the kernel has 128 MiB at most"
        : `the guest has ${facts.config.memory} MiB of memory in all`;
    const more = window > MAX_WINDOW_BYTES ? "" : " Or give the guest more memory.";
    return [
      {
        code: "initramfs-zstd-window",
        severity: unpackSeverity(facts, placed),
        ...isOpen(placed),
        where,
        what: `The initramfs ${image.path} needs a zstd window of ${sizeText(window)}; ${has}.`,
        why: `It was compressed with --long, or with --ultra on a large file. ${unpackConsole(boot, message, placed)}`,
        next: `Compress it without --long and --ultra (zstd -19 is fine). ${rebuild(facts, image)}${repackInDom0(facts, image)}${more}`,
      },
    ];
  },
};

/** What the guest's memory leaves beside its kernel, at most: the kernel wants the window in one piece. */
function roomBytes({ boot, config }: GuestFacts): number {
  const kernelBytes = (boot?.kernel?.segments ?? []).reduce((sum, { memsz }) => sum + memsz, 0);
  return Math.max(0, config.memory * MIB - kernelBytes);
}
