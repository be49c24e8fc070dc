import type { Packing } from "../../boot/kernel/kernel-facts.ts";
import type { GuestFacts, PlannedBoot } from "../facts.ts";
import {
  filesAreInDom0,
  isBuiltByXen,
  isKernelAtLeast,
  kernelText,
  kernelWhere,
  xenText,
} from "../guest-boot.ts";
import { directoryOf, listCommand, shellWord } from "../remedy.ts";
import type { Rule, RuleFinding } from "../rule.ts";

const code = "kernel-packing";

export const kernelPacking: Rule = {
  code,
  severity: "error",
  summary: "The kernel is packed in a way that this Xen cannot unpack.",
  check: (facts) => {
    const { boot } = facts;
    if (!boot?.kernel || !isBuiltByXen(facts)) return [];
    const verdict = verdictOf(facts, boot, boot.kernel.packing);
    if (!verdict) return [];
    const { sure, why } = verdict;
    return [
      {
        code,
        severity: sure ? "error" : "warning",
        where: kernelWhere(boot),
        what: sure
          ? `${xenText(facts.host)} cannot unpack ${kernelText(boot)}, which is packed with ${nameOf(boot.kernel.packing)}.`
          : `It depends on how Xen was built whether it can unpack ${kernelText(boot)}, which is packed with ${nameOf(boot.kernel.packing)}.`,
        why,
        next: nextText(facts, boot, sure),
        ...(!sure && { undecided: true as const }),
      } satisfies RuleFinding,
    ];
  },
};

type Unpacking = { readonly sure: boolean; readonly why: string };

/** `undefined`: it is unpacked. */
function verdictOf(
  { host }: GuestFacts,
  boot: PlannedBoot,
  packing: Packing,
): Unpacking | undefined {
  const unknown = 'xl create stops with "xc_dom_probe_bzimage_kernel: unknown compression format"';
  if (packing === "none") return undefined;
  if (packing === "unknown") {
    // Of a file that is no bzImage, kernel-damaged speaks.
    if (boot.kernel?.format !== "bzimage") return undefined;
    return { sure: true, why: `Its payload begins with no magic that Xen knows. ${unknown}.` };
  }
  if (packing === "lz4-frame") {
    return {
      sure: true,
      why: `Xen and Linux read the legacy lz4 format only (lz4 -l). ${unknown}.`,
    };
  }
  if (host.uncertainPackings?.includes(packing)) {
    return {
      sure: false,
      why: `${host.kernelPackingsBecause}. Without it xl create stops with "unable to ${packing.toUpperCase()} decompress kernel" (decompress support unavailable).`,
    };
  }
  if (!host.kernelPackings.includes(packing)) {
    const since = SINCE[packing];
    const release = since ? ` ${packing} came with Xen ${since}.` : "";
    return {
      sure: true,
      why: `It unpacks ${host.kernelPackings.join(", ") || "nothing"}: ${host.kernelPackingsBecause}.${release} ${unknown}, or "unable to ${packing.toUpperCase()} decompress kernel".`,
    };
  }
  return packing === "lz4" ? lz4Verdict(host.lz4, boot) : undefined;
}

/** Beyond these it is a library that is missing. */
const SINCE: Partial<Record<Packing, string>> = { xz: "4.2", lz4: "4.4", zstd: "4.15" };

function lz4Verdict(fix: GuestFacts["host"]["lz4"], boot: PlannedBoot): Unpacking | undefined {
  if (fix === undefined || fix === "fixed" || !isKernelAtLeast(boot, "5.3")) return undefined;
  const bug =
    'Kernels from 5.3 on end their lz4 payload in a way that Xen took for damage: xl create stops with "LZ4 decompression error: decoding failed"';
  return fix === "broken"
    ? { sure: true, why: `${bug}. Xen 4.14 has the fix; this release never got it.` }
    : {
        sure: false,
        why: `${bug}. The fix is in Xen 4.14, and in 4.10 to 4.13 since December 2019.`,
      };
}

function nameOf(packing: Packing): string {
  if (packing === "unknown") return "an unknown format";
  return packing === "lz4-frame" ? "the lz4 frame format" : packing;
}

function nextText(facts: GuestFacts, boot: PlannedBoot, sure: boolean): string {
  const path = boot.kernel!.path;
  const test = sure
    ? ""
    : "See what it was built with: ldd /usr/lib/*/libxenguest.so.* in dom0 (Debian: xen-utils-*). ";
  const name = shellWord(path.replace(/^.*\//, ""));
  const get = filesAreInDom0(facts)
    ? ""
    : `domus disk cp ${shellWord(facts.name)} ${shellWord(path)} ., then `;
  const from = filesAreInDom0(facts) ? shellWord(path) : name;
  const others = listCommand(facts, directoryOf(path));
  return `${test}Xen takes the unpacked kernel in any release: ${get}extract-vmlinux ${from} > vmlinux (the script is in the kernel's scripts/), and boot it with kernel=, ramdisk= and cmdline= in place of bootloader=. Or boot an older kernel of the guest (${others}). For good: a newer Xen in dom0.`;
}
