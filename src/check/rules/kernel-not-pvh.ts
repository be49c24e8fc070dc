import type { GuestFacts } from "../facts.ts";
import {
  isKernelBefore,
  isXenOlder,
  kernelRole,
  kernelText,
  kernelWhere,
  xenText,
} from "../guest-boot.ts";
import { refusalMessage, wasRead } from "../kernel-refusal.ts";
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
    const since = sinceNewerXen(facts);
    if (kernel.pvh && since === undefined) return [];
    const refusal = kernel.pvh ? kernel.pvhSince?.refusal : kernel.pvhRefusal;
    if (!wasRead(kernel, refusal)) return [];
    const detail = refusal ? `${capitalized(refusal.detail)}.` : "It lacks the PHYS32_ENTRY note.";
    const old = isKernelBefore(boot, "4.11") ? " Linux guests can be PVH since 4.11." : "";
    const newer = since === undefined ? "" : ` Xen takes such a kernel since ${since}.`;
    return [
      {
        code: "kernel-not-pvh",
        severity: "error",
        where: kernelWhere(boot),
        what: `This guest runs as PVH, but ${kernelText(boot)} cannot${since === undefined ? "" : ` on ${xenText(facts.host)}`}.`,
        why: `${detail}${old}${newer} xl create stops with "${refusalMessage(refusal)}".`,
        next: kernel.pv
          ? 'This kernel runs as PV: set type="pv" in the config.'
          : 'Boot the guest as HVM (type="hvm", which needs a boot loader on the disk), or install a kernel from 4.11 on, built with CONFIG_PVH and CONFIG_XEN_PV.',
      },
    ];
  },
};

/** The release that takes this kernel, when the host's is older. */
function sinceNewerXen({ boot, host }: GuestFacts): string | undefined {
  const since = boot?.kernel?.pvhSince?.xen;
  if (since === undefined) return undefined;
  const [major, minor] = since.split(".").map(Number);
  return isXenOlder(host, major!, minor!) ? since : undefined;
}
