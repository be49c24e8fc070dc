import { directoryOf, fileName } from "../../base/path.ts";
import { MIB, sizeText } from "../../base/units.ts";
import type { KernelFacts, Packing } from "../../boot/kernel/kernel-facts.ts";
import { isPackingKnownTo, PACKING_SINCE } from "../../xen/builder-packings.ts";
import type { HostFacts } from "../../xen/host-facts.ts";
import type { GuestFacts, PlannedBoot } from "../facts.ts";
import { filesAreInDom0, kernelText, kernelWhere, xenText } from "../guest-boot.ts";
import { findRefusal, printedText, unpackingHost } from "../kernel-refusal.ts";
import type { Refusal } from "../kernel-refusal.ts";
import { listCommand, listText, shellWord } from "../remedy.ts";
import type { Rule } from "../rule.ts";

const code = "kernel-packing";

export const kernelPacking: Rule = {
  code,
  severity: "error",
  summary: "The kernel is packed in a way that this Xen cannot unpack.",
  check: (facts) => {
    const { boot } = facts;
    const host = unpackingHost(facts);
    const refusal = findRefusal(facts, "packing");
    if (!boot?.kernel || !refusal) return [];
    const { sure } = refusal;
    const { packing } = boot.kernel;
    const cannot = sure ? "cannot unpack" : "may not be able to unpack";
    return [
      {
        code,
        severity: sure ? "error" : "warning",
        where: kernelWhere(boot),
        what: `${xenText(host)} ${cannot} ${kernelText(boot)}, which is packed with ${nameOf(packing)}.`,
        why: whyText(host, boot.kernel, refusal),
        next: nextText(facts, boot, sure),
        ...(!sure && { undecided: true as const }),
      },
    ];
  },
};

function whyText(host: HostFacts, kernel: KernelFacts, refusal: Refusal): string {
  const { packing } = kernel;
  const printed = printedText(refusal);
  if (packing === "none" || packing === "unknown") {
    return `Its payload begins with no magic that Xen knows. ${printed}`;
  }
  if (packing === "lz4-frame") {
    return `Xen and Linux read the legacy lz4 format only (lz4 -l). ${printed}`;
  }
  if (host.kernelPackings.includes(packing)) return limitText(host, kernel, refusal);
  if (!refusal.sure) return `${host.kernelPackingsBecause}. Without it ${printed}`;
  const list = `It unpacks ${listText(host.kernelPackings, 8) || "nothing"} (${host.kernelPackingsBecause}).`;
  const since = isPackingKnownTo(host.version, packing)
    ? ""
    : ` Xen knows ${packing} since ${PACKING_SINCE[packing]}.`;
  return `${list}${since} ${printed}`;
}

/** The decompressor is there, and has a bug or a limit. */
function limitText(
  host: HostFacts,
  { packing, dictionaryBytes = 0 }: KernelFacts,
  refusal: Refusal,
) {
  const printed = printedText(refusal);
  if (packing === "lz4") {
    const builder = refusal.sure ? "This builder" : "Without a fix of December 2019 this builder";
    return `${builder} takes every lz4 kernel for damaged: ${printed} Mended in Xen 4.11.4, 4.12.2 and 4.13.`;
  }
  const limit = sizeText(host.dictionary?.takenBelowBytes ?? 0);
  const unless = refusal.sure ? "" : ", unless it has the fix";
  const wanted = `To unpack its dictionary of ${sizeText(dictionaryBytes)} takes more than the ${limit} of memory that the builder lets ${packing} have`;
  if (dictionaryBytes >= 256 * MIB) return `${wanted}: ${printed}`;
  return `${wanted}${unless}: ${printed} Linux packs with such a dictionary since 6.12; Xen takes it since 4.18.5, 4.19.2 and 4.20, and Debian 12 has added that to its 4.17.`;
}

function nameOf(packing: Packing): string {
  if (packing === "unknown") return "an unknown format";
  return packing === "lz4-frame" ? "the lz4 frame format" : packing;
}

/** Upstream's commits that mended what a limit is about. */
const FIXES: Partial<Record<Packing, string>> = {
  lz4: "2d7572cdfa",
  xz: "e6472d4668",
  lzma: "e6472d4668",
};

function nextText(facts: GuestFacts, boot: PlannedBoot, sure: boolean): string {
  const { path, packing } = boot.kernel!;
  const fix = FIXES[packing];
  const test = sure
    ? ""
    : fix
      ? `Ask the changelog of dom0's Xen package for the fix (upstream commit ${fix}). `
      : "See what it was built with, in dom0: ldd /usr/lib/*/libxenguest.so.*, or where your Xen has it. ";
  const others = listCommand(facts, directoryOf(path));
  const rest = `Or boot an older kernel (${others}). For good: a newer Xen in dom0.`;
  const unpacked = "Every Xen takes the unpacked kernel:";
  const script = "(the script is in the scripts/ of the kernel's source and headers)";
  if (filesAreInDom0(facts)) {
    return `${test}${unpacked} extract-vmlinux ${shellWord(path)} > VMLINUX ${script}, and kernel="VMLINUX" in the config. ${rest}`;
  }
  const name = shellWord(fileName(path));
  const copy = `domus disk cp ${shellWord(facts.name)} ${shellWord(path)} .`;
  const helps = !facts.mendsBoot && packing !== "unknown" && packing !== "none";
  const mend = helps ? 'bootloader = "domus-pygrub" hands it over unpacked. By hand: ' : "";
  return `${test}${unpacked} ${mend}${copy}, then extract-vmlinux ${name} > vmlinux ${script}, and boot it with kernel=, ramdisk= and cmdline= in the config in place of bootloader=. ${rest}`;
}
