import { isKernelBefore, kernelRole, kernelText, kernelWhere, xenText } from "../guest-boot.ts";
import { findAbiRefusal, printedText } from "../kernel-refusal.ts";
import { capitalized } from "../remedy.ts";
import type { Rule } from "../rule.ts";

export const kernelNotPvh: Rule = {
  code: "kernel-not-pvh",
  severity: "error",
  summary: "The guest is PVH, and its kernel cannot run as PVH.",
  check: (facts) => {
    const { boot } = facts;
    const kernel = boot?.kernel;
    if (!boot || !kernel || kernelRole(facts) !== "pvh") return [];
    const refusal = findAbiRefusal(facts);
    if (!refusal) return [];
    // A PVH kernel that is refused is one for newer Xens
    const since = kernel.pvh ? kernel.pvhSince?.xen : undefined;
    const cause = kernel.pvhRefusal ?? kernel.pvhSince?.refusal;
    const detail = cause ? `${capitalized(cause.detail)}.` : "It lacks the PHYS32_ENTRY note.";
    const old = isKernelBefore(boot, "4.11") ? " Linux guests can be PVH since 4.11." : "";
    const newer = since === undefined ? "" : ` Xen takes such a kernel since ${since}.`;
    return [
      {
        code: "kernel-not-pvh",
        severity: "error",
        where: kernelWhere(boot),
        what: `This guest runs as PVH, but ${kernelText(boot)} cannot${since === undefined ? "" : ` on ${xenText(facts.host)}`}.`,
        why: `${detail}${old}${newer} ${printedText(refusal)}`,
        next: kernel.pv
          ? 'This kernel runs as PV: set type="pv" in the config.'
          : 'Boot the guest as HVM (type="hvm", which needs a boot loader on the disk), or install a kernel from 4.11 on, built with CONFIG_PVH and CONFIG_XEN_PV.',
      },
    ];
  },
};
