import type { GuestFacts } from "../facts.ts";
import { isXenAtLeast } from "../../xen/host-facts.ts";
import { kernelText, kernelWhere, xenText } from "../guest-boot.ts";
import { findRefusal, printedText } from "../kernel-refusal.ts";
import type { Rule } from "../rule.ts";

export const kernelWidth: Rule = {
  code: "kernel-width",
  severity: "error",
  summary:
    "This Xen does not run guests of the kind (PV 32 or 64 bit, PVH, HVM) that the kernel or the config asks for.",
  check: (facts) => {
    const { host, config, boot } = facts;
    // Xen builds GRUB then, and was asked about that.
    if (host.caps.length === 0 || boot?.chain) return [];
    if (config.type !== "pv" && !host.caps.some((cap) => cap.startsWith("hvm-"))) {
      return [noHardware(facts)];
    }
    const refusal = findRefusal(facts, "host");
    if (!boot || refusal?.cap === undefined) return [];
    const { cap } = refusal;
    return [
      {
        code: "kernel-width",
        severity: "error",
        where: kernelWhere(boot),
        what: `${xenText(host)} here does not run ${cap.endsWith("32p") ? "32-bit PV" : cap.startsWith("xen") ? "64-bit PV" : "PVH"} guests, which ${kernelText(boot)} needs.`,
        why: `Its xen_caps have no ${cap} (${host.source === "assumed" ? "as that release is usually built" : "from xl info"}).${cap.endsWith("32p") && isXenAtLeast(host.version, "4.14") ? " From 4.14 on 32-bit PV is a build option, off by default." : ""} ${printedText(refusal)}`,
        next: cap.endsWith("32p")
          ? `Put the guest into the PV shim, which still has it: type="pvh" and pvshim=1 in the config. Or install a 64-bit kernel${boot.kernel?.pvh ? ', or set type="pvh": this kernel runs as PVH' : ""}.`
          : "Run it on a host that has it, or as another type: xl info | grep xen_caps shows what this one runs.",
      },
    ];
  },
};

function noHardware({ host, config }: GuestFacts) {
  const type = config.type.toUpperCase();
  return {
    code: "kernel-width",
    severity: "error" as const,
    where: [...config.where, "type"],
    what: `This host cannot run ${type} guests at all.`,
    why: `xen_caps (${host.caps.join(" ")}) has no hvm entry: the CPU has no VT-x or SVM, or the firmware has it switched off.`,
    next: `Switch virtualization on in the host's firmware setup and boot it again (xl dmesg | grep -i -e VMX -e SVM). ${config.type === "pvh" ? 'Or run the guest as PV, if its kernel can: type="pv".' : ""}`.trim(),
  };
}
