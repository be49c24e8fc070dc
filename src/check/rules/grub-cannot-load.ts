import type { GrubStage, PlannedBoot } from "../facts.ts";
import { isKernelAtLeast, kernelText, kernelWhere } from "../guest-boot.ts";
import { capitalized, listText } from "../remedy.ts";
import type { Rule } from "../rule.ts";

const code = "grub-cannot-load";

export const grubCannotLoad: Rule = {
  code,
  severity: "error",
  summary:
    "GRUB runs as the guest's kernel (pvgrub) and cannot start the kernel that its menu names.",
  check: ({ boot }) => {
    // The image for PVH starts Linux as on a PC: the kernel unpacks itself.
    if (!boot?.kernel || boot.chain?.platform !== "xen" || boot.kernel.failure) return [];
    const found = objection(boot, boot.chain);
    if (!found) return [];
    const [why, next] = found;
    return [
      {
        code,
        severity: "error",
        where: kernelWhere(boot),
        what: `GRUB (${boot.chain.path}) cannot start ${kernelText(boot)}.`,
        why: `${why} It says "error: not xen image." and waits in its menu.`,
        next,
      },
    ];
  },
};

/** Why it refuses, and what helps; in GRUB's own order (grub-core/loader/i386/xen.c, xen_file.c). */
function objection(
  boot: PlannedBoot,
  grub: GrubStage,
): readonly [why: string, next: string] | undefined {
  const { format, packing, pv, pvRefusal, bits } = boot.kernel!;
  const pygrub = 'Or let dom0 fetch the kernel: bootloader="pygrub" in place of kernel=.';
  const pvh = boot.kernel!.pvh
    ? 'This kernel runs as PVH: type="pvh" and the image grub-i386-xen_pvh.bin, with which the kernel unpacks itself. '
    : "";
  if (format === "pe" || format === "unknown") {
    return ["It is no kernel that GRUB knows.", `Choose another entry in the guest. ${pygrub}`];
  }
  const isPacked = format === "bzimage" && packing !== "none";
  if (isPacked && !grub.unpacks.some((one) => one === packing)) {
    return [
      `It is packed with ${packing === "unknown" ? "an unknown format" : packing}, and this GRUB unpacks ${listText(grub.unpacks) || "nothing"} only.`,
      `${pvh}${pygrub}`,
    ];
  }
  if (!pv) {
    const gone =
      bits === 32 && isKernelAtLeast(boot, "5.9") ? " Linux dropped 32-bit PV in 5.9." : "";
    const detail = pvRefusal ? `${capitalized(pvRefusal.detail)}.` : "It is no PV kernel.";
    return [`${detail}${gone}`, `${pvh}Or install a kernel built with CONFIG_XEN_PV.`];
  }
  if (bits !== undefined && bits !== grub.bits) {
    const other = bits === 64 ? "grub-x86_64-xen.bin" : "grub-i386-xen.bin";
    return [
      `The kernel is ${bits}-bit and this GRUB ${grub.bits}-bit; for PV guests both have to be the same.`,
      `Name the other image in the config: kernel="/usr/lib/grub-xen/${other}" (Debian).`,
    ];
  }
  return undefined;
}
