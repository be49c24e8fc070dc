import type { Compression } from "../../bytes/decompress/format.ts";
import type { InitramfsDecompressors } from "../../boot/kernel/kernel-facts.ts";
import { FIRST_WITH } from "../../boot/kernel/version.ts";
import type { GuestFacts, PlannedBoot } from "../facts.ts";
import { isInflatedByXen, kernelText, mainSegments } from "../guest-boot.ts";
import type { PlacedSegment } from "../guest-boot.ts";
import { isOpen, unpackConsole, unpackSeverity } from "../initramfs-failure.ts";
import { recompress, repackInDom0 } from "../remedy.ts";
import type { Rule, RuleFinding } from "../rule.ts";

const code = "initramfs-compression";

export const initramfsCompression: Rule = {
  code,
  severity: "error",
  summary: "The initramfs is compressed in a way that this kernel cannot unpack.",
  check: (facts) => {
    const { boot } = facts;
    const known = boot?.kernel?.decompressors;
    if (!boot || !known?.initramfs) return [];
    for (const placed of mainSegments(boot)) {
      const { compression } = placed.segment;
      // What no kernel reads has a rule of its own.
      if (compression === "none" || compression === "lz4-frame") continue;
      if (isInflatedByXen(facts, placed)) continue;
      const found = judgeOne(facts, boot, { placed, compression, known });
      // The kernel stops at the first part that it cannot unpack.
      if (found) return [found];
    }
    return [];
  },
};

type Packed = {
  readonly placed: PlacedSegment;
  readonly compression: Compression;
  readonly known: InitramfsDecompressors;
};

const SOURCE: Record<InitramfsDecompressors["source"], string> = {
  table: "read from the kernel's own table of decompressors",
  ikconfig: "read from the build configuration inside the kernel",
  config: "read from the kernel's /boot/config file",
  version: "at most, going by its version",
};

function judgeOne(
  facts: GuestFacts,
  boot: PlannedBoot,
  { placed, compression, known }: Packed,
): RuleFinding | undefined {
  const { image, segment, index, where } = placed;
  const base = { code, where };
  const part =
    image.segments.length > 1
      ? `Part ${index + 1} of the initramfs ${image.path}`
      : `The initramfs ${image.path}`;
  if (known.supported.includes(compression)) {
    if (known.source !== "version" || compression === "gzip") return undefined;
    return {
      ...base,
      severity: "warning",
      what: `${part} is compressed with ${compression}, and domus cannot tell whether ${kernelText(boot)} unpacks that.`,
      why: "A kernel of that version can have been built with it or without; its table of decompressors was not found, and there is no build configuration to read.",
      next: `If in doubt, use gzip. ${recompress(facts, image, "gzip")}`,
      undecided: true,
    };
  }
  const to = known.supported.includes("gzip") ? "gzip" : (known.supported[0] ?? "gzip");
  const repack = to === "gzip" ? repackInDom0(facts, image) : "";
  const leftOut = known.notConfigured.includes(compression);
  const message = leftOut
    ? `compression method ${compression} not configured`
    : "invalid magic at start of compressed archive";
  return {
    ...base,
    severity: unpackSeverity(facts, placed),
    ...isOpen(placed),
    what: `${part} is compressed with ${compression}, which ${kernelText(boot)} cannot unpack.`,
    why: `${lack(compression, leftOut)} It unpacks ${known.supported.join(", ") || "nothing"} (${SOURCE[known.source]}). ${unpackConsole(boot, message, placed)}`,
    next: `${recompress(facts, image, to)}${segment.failure ? "" : repack}`,
  };
}

function lack(compression: Compression, leftOut: boolean): string {
  if (leftOut) return `It was built without CONFIG_RD_${compression.toUpperCase()}.`;
  const since = FIRST_WITH.find(([name]) => name === compression)?.[1];
  return since === undefined || since === "0"
    ? "It does not know this format."
    : `Linux knows ${compression} since ${since}.`;
}
