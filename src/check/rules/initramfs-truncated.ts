import { failureText } from "../../base/failure.ts";
import { MIB, sizeText } from "../../base/units.ts";
import type { InitramfsSegment } from "../../boot/initramfs/initramfs-facts.ts";
import type { GuestFacts } from "../facts.ts";
import { isBuiltByXen, isInflatedByXen, mainSegments } from "../guest-boot.ts";
import type { PlacedSegment } from "../guest-boot.ts";
import { isOpen, unpackConsole, unpackSeverity } from "../initramfs-failure.ts";
import { rebuild } from "../remedy.ts";
import type { Rule, RuleFinding } from "../rule.ts";
import { isOurLimit } from "./boot-file-unreadable.ts";

const code = "initramfs-truncated";

export const initramfsTruncated: Rule = {
  code,
  severity: "error",
  summary: "The initramfs is cut off or damaged.",
  check: (facts) => {
    const { boot } = facts;
    if (!boot) return [];
    const empty = boot.initramfs.find(
      (image) => image.segments.length === 0 && image.junkAt === undefined,
    );
    if (empty) {
      const file = boot.files.find((one) => one.path === empty.path);
      // Several are joined before Xen sees them.
      const byXen = isBuiltByXen(facts) && boot.initramfs.length === 1 && empty.sizeBytes === 0;
      return [
        {
          code,
          severity: byXen ? "error" : unpackSeverity(facts),
          where: file?.where ?? boot.source,
          what: `The initramfs ${empty.path} is empty (${sizeText(empty.sizeBytes)}).`,
          why: `${byXen ? 'xl create stops with "zero length file". ' : ""}It was being written when the guest stopped, or the filesystem was full.`,
          next: `${FULL} ${rebuild(facts, empty)}`,
        },
      ];
    }
    const placed = mainSegments(boot).find(({ segment }) => isDamaged(segment));
    if (!placed) return [];
    return [placed.image.failure ? damaged(facts, placed) : cutShort(facts, placed)];
  },
};

function damaged(facts: GuestFacts, placed: PlacedSegment): RuleFinding {
  const { image, segment, where } = placed;
  const { boot } = facts;
  return {
    code,
    severity: unpackSeverity(facts, placed),
    ...isOpen(placed),
    where,
    what: `The initramfs ${image.path} is damaged or cut off; domus could unpack ${sizeText(image.unpackedBytes)} of it.`,
    why: `${failureText(segment.failure!)}. ${isInflatedByXen(facts, placed) ? BY_XEN : ""}${boot ? unpackConsole(boot, messageOf(segment), placed) : ""}`,
    next: `${FULL} ${rebuild(facts, image)}`,
  };
}

/** Seen on Xen 4.17: what ends in the middle ends in four bytes that mean anything. A failed inflation is no refusal. */
const BY_XEN =
  'Xen inflates it first, and takes its last four bytes for the size: where they say too much, xl create stops with "segment module0 too large". Otherwise the guest starts. ';

/** An archive that is not compressed: the kernel takes what is there. */
function cutShort(facts: GuestFacts, { image, segment, where }: PlacedSegment): RuleFinding {
  return {
    code,
    severity: "warning",
    where,
    what: `The initramfs ${image.path} ends in the middle of its archive; some of its files are missing.`,
    why: `${failureText(segment.failure!)}. The kernel unpacks what is there and says nothing.`,
    next: `${FULL} ${rebuild(facts, image)}`,
    undecided: true,
  };
}

const FULL = "Check the free space first (df -h /boot): a full filesystem cuts files off.";

function isDamaged({
  failure,
  xzCheck,
  zstdWindowBytes,
  compression,
  cpio,
  cpioBytes,
}: InitramfsSegment) {
  if (!failure || isOurLimit(failure)) return false;
  // Each of these is a finding of its own, and domus may have stumbled over the same thing as the kernel will.
  const explained =
    compression === "lz4-frame" ||
    (xzCheck !== undefined && xzCheck !== "crc32" && xzCheck !== "none") ||
    (zstdWindowBytes ?? 0) > 128 * MIB ||
    cpio === "odc" ||
    cpio === "bin" ||
    (cpio === "not-cpio" && compression !== "none" && cpioBytes > 0);
  return !explained;
}

/** The other decoders have several words for it. */
function messageOf({ compression }: InitramfsSegment): string | undefined {
  return compression === "zstd" ? "ZSTD-compressed data is truncated" : undefined;
}
