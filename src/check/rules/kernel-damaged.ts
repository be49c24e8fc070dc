import { failureText } from "../../base/failure.ts";
import { directoryOf } from "../../base/path.ts";
import { hex } from "../../base/units.ts";
import type { KernelFacts } from "../../boot/kernel/kernel-facts.ts";
import type { GuestFacts, PlannedBoot } from "../facts.ts";
import { filesAreInDom0, isBuiltByXen, kernelText, kernelWhere } from "../guest-boot.ts";
import { findRefusal, printedText } from "../kernel-refusal.ts";
import { IN_THE_GUEST, capitalized, listCommand } from "../remedy.ts";
import type { Rule } from "../rule.ts";
import { isOurLimit } from "./boot-file-unreadable.ts";

const code = "kernel-damaged";

type Damage = { readonly what: string; readonly why: string; readonly next: string };

export const kernelDamaged: Rule = {
  code,
  severity: "error",
  summary: "The kernel file is cut off, damaged, too old, or no kernel at all.",
  check: (facts) => {
    const { boot } = facts;
    if (!boot?.kernel) return [];
    const damage = damageOf(facts, boot);
    if (!damage) return [];
    const base = { code, severity: "error" as const, where: kernelWhere(boot) };
    return [{ ...base, ...damage }];
  },
};

function damageOf(facts: GuestFacts, boot: PlannedBoot): Damage | undefined {
  return isBuiltByXen(facts) ? builderDamage(facts, boot) : loaderDamage(facts, boot);
}

/** What a loader in the guest finds: GRUB. It takes more than Xen does, and the kernel unpacks itself. */
function loaderDamage(facts: GuestFacts, boot: PlannedBoot): Damage | undefined {
  const kernel = boot.kernel!;
  const next = reinstall(facts, kernel.path);
  if (kernel.sizeBytes === 0) return emptyFile(kernel, "", next);
  const { failure } = kernel;
  if (!failure || isOurLimit(failure)) return undefined;
  const cause = `${failureText(failure)}.`;
  if (kernel.format === "unknown") {
    return { what: `${kernel.path} is not a kernel that a loader can load.`, why: cause, next };
  }
  const why = `${cause} The kernel unpacks itself and stops there.`;
  return { what: `${capitalized(kernelText(boot))} is damaged.`, why, next };
}

function builderDamage(facts: GuestFacts, boot: PlannedBoot): Damage | undefined {
  const kernel = boot.kernel!;
  // A unified kernel image is whole: kernel-not-pv and kernel-not-pvh tell of it
  if (kernel.format === "pe") return undefined;
  const refusal = findRefusal(facts, "empty", "format", "boot-protocol", "damaged");
  if (!refusal) return undefined;
  const next = reinstall(facts, kernel.path);
  const printed = printedText(refusal);
  const cause = kernel.failure ? `${failureText(kernel.failure)}. ` : "";
  if (refusal.reason === "empty") return emptyFile(kernel, `${printed} `, next);
  if (refusal.reason === "format") {
    return {
      what: `${kernel.path} is not a kernel that Xen can load.`,
      why: cause + printed,
      next,
    };
  }
  if (refusal.reason === "boot-protocol") {
    return {
      what: `${capitalized(kernelText(boot))} is too old a bzImage for Xen.`,
      why: `Its boot protocol is ${hex(kernel.bootProtocol ?? 0, 3)}, and Xen's builder needs 0x208 (Linux 2.6.26). ${printed}`,
      next: "Boot the unpacked vmlinux of the same kernel, or a newer kernel.",
    };
  }
  const why = `${cause}${printed}${unpackingText(kernel)}`;
  return { what: `${capitalized(kernelText(boot))} is damaged.`, why, next };
}

/** Which of them it is depends on where the damage lies. */
function unpackingText({ packing }: KernelFacts): string {
  if (packing === "none") return "";
  return ` Lines before it say where the unpacking stopped, such as "unable to ... decompress kernel" or "payload length overflow".`;
}

function emptyFile({ path }: KernelFacts, printed: string, next: string): Damage {
  return {
    what: `The kernel ${path} is an empty file.`,
    why: `${printed}It was being written when the guest stopped, or the filesystem was full.`,
    next,
  };
}

function reinstall(facts: GuestFacts, path: string): string {
  const other = `Until then another kernel may do: ${listCommand(facts, directoryOf(path))}.`;
  if (filesAreInDom0(facts))
    return `Copy it into dom0 again and compare sizes (sha256sum on both sides). ${other}`;
  return `${IN_THE_GUEST}: install the kernel package again (apt install --reinstall linux-image-VERSION, pacman -S linux, dnf reinstall kernel-core). ${other}`;
}
