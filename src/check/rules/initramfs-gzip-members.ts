import { sizeText } from "../../base/units.ts";
import { imageWhere, isBuiltByXen, xenText } from "../guest-boot.ts";
import { IN_THE_GUEST, rebuildCommand } from "../remedy.ts";
import type { Rule } from "../rule.ts";

const code = "initramfs-gzip-members";

export const initramfsGzipMembers: Rule = {
  code,
  severity: "error",
  summary:
    "The initramfs is several gzip parts, and this Xen (4.19 or older) hands only the first to the guest.",
  check: (facts) => {
    const { boot, host } = facts;
    const image = boot?.initramfs[0];
    const [first, ...lost] = image?.segments ?? [];
    if (!boot || !image || !first || lost.length === 0) return [];
    if (!host.inflatesRamdisk || !isBuiltByXen(facts) || first.compression !== "gzip") return [];
    const files = lost.reduce((sum, segment) => sum + segment.entries, 0);
    const bytes = lost.reduce((sum, segment) => sum + segment.cpioBytes, 0);
    // The part with most of the files is the one with /init and the modules.
    const isMain = files >= first.entries;
    return [
      {
        code,
        severity: isMain ? "error" : "warning",
        where: imageWhere(boot, image),
        what: `The guest gets only the first of the ${image.segments.length} parts of ${image.path}.`,
        why: `${xenText(host)} inflates a gzip initramfs before the guest starts, and only its first gzip member. What follows byte ${lost[0]!.offset} is lost without a word: ${files} files, ${sizeText(bytes)}${isMain ? ", the larger part" : ""}. (Xen 4.20 leaves it to the kernel, which reads all.)`,
        next: `Make it one archive: gzip -dc IMAGE | gzip > NEW does, since gzip reads all members. ${IN_THE_GUEST}: put the extra files in by a hook of the generator, and run ${rebuildCommand(image.generator, boot.kernel?.version)}.`,
        ...(!isMain && { undecided: true as const }),
      },
    ];
  },
};
