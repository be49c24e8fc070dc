import type { Packing } from "../../boot/kernel/kernel-facts.ts";
import type { GuestFacts, PlannedBoot } from "../facts.ts";
import {
  filesAreInDom0,
  isBuiltByXen,
  isKernelAtLeast,
  isXenOlder,
  kernelText,
  kernelWhere,
  xenText,
} from "../guest-boot.ts";
import { directoryOf, listCommand, listText, shellWord } from "../remedy.ts";
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
          : `${xenText(facts.host)} may not be able to unpack ${kernelText(boot)}, which is packed with ${nameOf(boot.kernel.packing)}.`,
        why,
        next: nextText(facts, boot, sure),
        ...(!sure && { undecided: true as const }),
      } satisfies RuleFinding,
    ];
  },
};

const UNKNOWN = 'xl create stops with "xc_dom_probe_bzimage_kernel: unknown compression format"';

type Unpacking = { readonly sure: boolean; readonly why: string };

/** `undefined`: it is unpacked. */
function verdictOf(
  { host }: GuestFacts,
  boot: PlannedBoot,
  packing: Packing,
): Unpacking | undefined {
  if (packing === "none") return undefined;
  if (packing === "unknown") {
    // Of a file that is no bzImage, kernel-damaged speaks.
    if (boot.kernel?.format !== "bzimage") return undefined;
    return { sure: true, why: `Its payload begins with no magic that Xen knows. ${UNKNOWN}.` };
  }
  if (packing === "lz4-frame") {
    return {
      sure: true,
      why: `Xen and Linux read the legacy lz4 format only (lz4 -l). ${UNKNOWN}.`,
    };
  }
  if (host.uncertainPackings?.includes(packing)) {
    return {
      sure: false,
      why: `${host.kernelPackingsBecause}. Without it xl create stops with "unable to ${packing.toUpperCase()} decompress kernel" (decompress support unavailable).`,
    };
  }
  if (!host.kernelPackings.includes(packing)) return refused(host, packing);
  return packing === "lz4" ? lz4Verdict(host.lz4, boot) : undefined;
}

/** The first release whose builder knows it; in later ones it is a library that is missing. */
const SINCE: Partial<Record<Packing, readonly [major: number, minor: number]>> = {
  bzip2: [4, 0],
  lzma: [4, 0],
  lzo: [4, 1],
  xz: [4, 2],
  lz4: [4, 4],
  zstd: [4, 15],
};

function refused(host: GuestFacts["host"], packing: Packing): Unpacking {
  const list = `It unpacks ${listText(host.kernelPackings, 8) || "nothing"} (${host.kernelPackingsBecause}).`;
  const since = SINCE[packing];
  const why =
    since && isXenOlder(host, ...since)
      ? `${list} Xen knows ${packing} since ${since.join(".")}. ${UNKNOWN}.`
      : `${list} xl create stops with "unable to ${packing.toUpperCase()} decompress kernel" (decompress support unavailable).`;
  return { sure: true, why };
}

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
  const name = shellWord(path.replace(/^.*\//, ""));
  const copy = `domus disk cp ${shellWord(facts.name)} ${shellWord(path)} .`;
  return `${test}${unpacked} ${copy}, then extract-vmlinux ${name} > vmlinux ${script}, and boot it with kernel=, ramdisk= and cmdline= in the config in place of bootloader=. ${rest}`;
}
