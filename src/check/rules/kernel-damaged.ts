import { failureText } from "../../base/failure.ts";
import { hex } from "../../base/units.ts";
import type { GuestFacts, PlannedBoot } from "../facts.ts";
import { filesAreInDom0, isBuiltByXen, kernelText, kernelWhere } from "../guest-boot.ts";
import { IN_THE_GUEST, capitalized, directoryOf, listCommand } from "../remedy.ts";
import type { Rule } from "../rule.ts";
import { isOurLimit } from "./boot-file-unreadable.ts";

const code = "kernel-damaged";

/** Linux 2.6.24 and older have no payload_offset in their header: the builder needs 2.08. */
const OLDEST_PROTOCOL = 0x208;

export const kernelDamaged: Rule = {
  code,
  severity: "error",
  summary: "The kernel file is cut off, damaged, too old, or no kernel at all.",
  check: (facts) => {
    const { boot } = facts;
    if (!boot?.kernel) return [];
    const damage = damageOf(facts, boot);
    if (!damage) return [];
    const base = { code, severity: "error" as const, where: kernelWhere(boot) };
    return [{ ...base, ...damage }];
  },
};

function damageOf(
  facts: GuestFacts,
  boot: PlannedBoot,
): { what: string; why: string; next: string } | undefined {
  const kernel = boot.kernel!;
  const xen = isBuiltByXen(facts);
  if (kernel.sizeBytes === 0) {
    return {
      what: `The kernel ${kernel.path} is an empty file.`,
      why: `${xen ? 'xl create says "zero length file". ' : ""}It was being written when the guest stopped, or the filesystem was full.`,
      next: reinstall(facts, kernel.path),
    };
  }
  if (kernel.format === "unknown" && (xen || kernel.failure?.kind === "corrupt")) {
    return {
      what: `${kernel.path} is not a kernel that ${xen ? "Xen" : "a loader"} can load.`,
      why: `${kernel.failure ? `${failureText(kernel.failure)}. ` : ""}${xen ? 'xl create says only "xc_dom_find_loader: no loader found".' : ""}`.trim(),
      next: reinstall(facts, kernel.path),
    };
  }
  if (xen && kernel.bootProtocol !== undefined && kernel.bootProtocol < OLDEST_PROTOCOL) {
    return {
      what: `${capitalized(kernelText(boot))} is too old a bzImage for Xen.`,
      why: `Its boot protocol is ${hex(kernel.bootProtocol, 3)}, and Xen's builder needs 0x208 (Linux 2.6.26): "boot protocol too old".`,
      next: "Boot the unpacked vmlinux of the same kernel, or a newer kernel.",
    };
  }
  if (!kernel.failure || isOurLimit(kernel.failure)) return undefined;
  return {
    what: `${capitalized(kernelText(boot))} is damaged.`,
    why: `${failureText(kernel.failure)}. ${xen ? `xl create says "unable to ${kernel.packing === "none" ? "" : `${kernel.packing} `}decompress kernel", "inflate failed" or "payload length overflow".` : "The kernel unpacks itself and stops there."}`,
    next: reinstall(facts, kernel.path),
  };
}

function reinstall(facts: GuestFacts, path: string): string {
  const other = `Until then another kernel may do: ${listCommand(facts, directoryOf(path))}.`;
  if (filesAreInDom0(facts))
    return `Copy it into dom0 again and compare sizes (sha256sum on both sides). ${other}`;
  return `${IN_THE_GUEST}: install the kernel package again (apt install --reinstall linux-image-VERSION, pacman -S linux, dnf reinstall kernel-core). ${other}`;
}
