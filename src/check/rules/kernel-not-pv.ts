import { isKernelAtLeast, kernelRole, kernelText, kernelWhere } from "../guest-boot.ts";
import type { PlannedBoot } from "../facts.ts";
import { findAbiRefusal, printedText } from "../kernel-refusal.ts";
import type { Refusal } from "../kernel-refusal.ts";
import { capitalized } from "../remedy.ts";
import type { Rule } from "../rule.ts";

export const kernelNotPv: Rule = {
  code: "kernel-not-pv",
  severity: "error",
  summary: "The guest is PV, and its kernel cannot run as PV.",
  check: (facts) => {
    const { boot, config } = facts;
    if (!boot?.kernel || kernelRole(facts) !== "pv") return [];
    const refusal = findAbiRefusal(facts);
    if (!refusal) return [];
    const shim = config.pvshim ? " (in the PV shim)" : "";
    return [
      {
        code: "kernel-not-pv",
        severity: "error",
        where: kernelWhere(boot),
        what: `This guest runs as PV${shim}, but ${kernelText(boot)} cannot.`,
        why: whyText(boot, refusal),
        next: nextText(boot, config.pvshim),
      },
    ];
  },
};

function whyText(boot: PlannedBoot, refusal: Refusal): string {
  const kernel = boot.kernel!;
  const detail = kernel.pvRefusal
    ? `${capitalized(kernel.pvRefusal.detail)}.`
    : "It lacks the Xen ELF notes of a PV kernel.";
  const gone =
    kernel.bits === 32 && isKernelAtLeast(boot, "5.9") ? " Linux dropped 32-bit PV in 5.9." : "";
  return `${detail}${gone} ${printedText(refusal)}`;
}

function nextText(boot: PlannedBoot, pvshim: boolean): string {
  const kernel = boot.kernel!;
  if (kernel.format === "pe") {
    return "Boot the kernel inside it: have the guest install a plain vmlinuz beside the unified image, and a loader entry for it.";
  }
  if (kernel.pvh)
    return pvshim
      ? "This kernel runs as PVH without the shim: take pvshim= out of the config."
      : 'This kernel runs as PVH: set type="pvh" in the config (the host needs VT-x or SVM).';
  if (kernel.bits === 32)
    return "Install a 64-bit kernel in the guest (it runs 32-bit programs too), or boot the guest as HVM.";
  return 'Boot the guest as HVM (type="hvm", which needs a boot loader on the disk), or install a kernel built with CONFIG_XEN_PV.';
}
