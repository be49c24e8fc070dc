import { isKernelBefore, kernelRole, kernelText, kernelWhere } from "../guest-boot.ts";
import { refusalMessage, wasRead } from "../kernel-refusal.ts";
import type { Rule } from "../rule.ts";

export const kernelNotPvh: Rule = {
  code: "kernel-not-pvh",
  severity: "error",
  summary: "The guest is PVH, and its kernel cannot run as PVH.",
  check: (facts) => {
    const { boot } = facts;
    const kernel = boot?.kernel;
    if (!boot || !kernel || kernel.pvh || kernelRole(facts) !== "pvh") return [];
    const refusal = kernel.pvhRefusal;
    if (!wasRead(kernel, refusal)) return [];
    const detail = refusal
      ? `Of this kernel: ${refusal.detail}.`
      : "It lacks the PHYS32_ENTRY note.";
    const old = isKernelBefore(boot, "4.11") ? " Linux guests can be PVH since 4.11." : "";
    return [
      {
        code: "kernel-not-pvh",
        severity: "error",
        where: kernelWhere(boot),
        what: `This guest runs as PVH, but ${kernelText(boot)} cannot.`,
        why: `${detail}${old} xl create stops with "${refusalMessage(refusal)}".`,
        next: kernel.pv
          ? 'This kernel runs as PV: set type="pv" in the config.'
          : 'Boot the guest as HVM (type="hvm", which needs a boot loader on the disk), or install a kernel from 4.11 on, built with CONFIG_PVH.',
      },
    ];
  },
};
