import { directoryOf, fileName } from "../../base/path.ts";
import type { Packing } from "../../boot/kernel/kernel-facts.ts";
import { isPackingKnownTo, PACKING_SINCE } from "../../xen/builder-packings.ts";
import type { HostFacts } from "../../xen/host-facts.ts";
import type { KernelRefusal } from "../../xen/kernel-rules.ts";
import type { GuestFacts, PlannedBoot } from "../facts.ts";
import { filesAreInDom0, kernelText, kernelWhere, xenText } from "../guest-boot.ts";
import { findRefusal, printedText } from "../kernel-refusal.ts";
import { listCommand, listText, shellWord } from "../remedy.ts";
import type { Rule } from "../rule.ts";

const code = "kernel-packing";

export const kernelPacking: Rule = {
  code,
  severity: "error",
  summary: "The kernel is packed in a way that this Xen cannot unpack.",
  check: (facts) => {
    const { boot, host } = facts;
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
        why: whyText(host, packing, refusal),
        next: nextText(facts, boot, sure),
        ...(!sure && { undecided: true as const }),
      },
    ];
  },
};

function whyText(host: HostFacts, packing: Packing, refusal: KernelRefusal): string {
  const printed = printedText(refusal);
  if (packing === "none" || packing === "unknown") {
    return `Its payload begins with no magic that Xen knows. ${printed}`;
  }
  if (packing === "lz4-frame") {
    return `Xen and Linux read the legacy lz4 format only (lz4 -l). ${printed}`;
  }
  if (host.kernelPackings.includes(packing)) {
    const fix = refusal.sure
      ? "Xen 4.14 has the fix; this release never got it."
      : "The fix is in Xen 4.14, and in 4.10 to 4.13 since December 2019.";
    return `Kernels from 5.3 on end their lz4 payload in a way that Xen took for damage: ${printed} ${fix}`;
  }
  if (!refusal.sure) return `${host.kernelPackingsBecause}. Without it ${printed}`;
  const list = `It unpacks ${listText(host.kernelPackings, 8) || "nothing"} (${host.kernelPackingsBecause}).`;
  const since = isPackingKnownTo(host.version, packing)
    ? ""
    : ` Xen knows ${packing} since ${PACKING_SINCE[packing]}.`;
  return `${list}${since} ${printed}`;
}

function nameOf(packing: Packing): string {
  if (packing === "unknown") return "an unknown format";
  return packing === "lz4-frame" ? "the lz4 frame format" : packing;
}

function nextText(facts: GuestFacts, boot: PlannedBoot, sure: boolean): string {
  const { path, packing } = boot.kernel!;
  const test = sure
    ? ""
    : packing === "lz4"
      ? "Ask the package's changelog for the fix (upstream commit 2d7572cdfa). "
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
  return `${test}${unpacked} ${copy}, then extract-vmlinux ${name} > vmlinux ${script}, and boot it with kernel=, ramdisk= and cmdline= in the config in place of bootloader=. ${rest}`;
}
