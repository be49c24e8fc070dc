/** What Xen's domain builder has against the guest's kernel, for the rules that tell it. */
import { COMPRESSIONS } from "../bytes/decompress/format.ts";
import { isPackingKnownTo } from "../xen/builder-packings.ts";
import type { HostFacts } from "../xen/host-facts.ts";
import { kernelRefusals } from "../xen/kernel-rules.ts";
import type { KernelRefusal } from "../xen/kernel-rules.ts";
import type { GuestFacts } from "./facts.ts";
import { isInShim } from "./guest-boot.ts";

/**
 * The PV shim is a Xen of its own inside the PVH domain, of the host's release: built for 32-bit PV guests, too, and
 * with every decompressor of that release in it (xen: xen/common/decompress.c), whatever libraries dom0 has, and no
 * limit for dictionaries.
 */
function shimHost(host: HostFacts): HostFacts {
  const { dictionary: _, ...rest } = host;
  return {
    ...rest,
    caps: ["xen-3.0-x86_64", "xen-3.0-x86_32p"],
    kernelPackings: COMPRESSIONS.filter((packing) => isPackingKnownTo(host.version, packing)),
    uncertainPackings: [],
    kernelPackingsBecause: "the PV shim unpacks the kernel itself, and has them all built in",
  };
}

/** The first of these reasons that stands against the kernel, if any does. */
export function findRefusal(
  facts: GuestFacts,
  ...reasons: readonly KernelRefusal["reason"][]
): Refusal | undefined {
  const { boot, config, host } = facts;
  // What GRUB has against a kernel is another question: grub-cannot-load.
  if (!boot?.kernel || boot.chain) return undefined;
  const inShim = isInShim(facts);
  const refusals = inShim
    ? kernelRefusals(boot.kernel, "pv", shimHost(host))
    : kernelRefusals(boot.kernel, config.type, host);
  const found = refusals.find(({ reason }) => reasons.includes(reason));
  return found && { ...found, inShim };
}

/** `inShim`: it is the Xen inside the guest that refuses, and what it prints is not known word by word. */
export type Refusal = KernelRefusal & { readonly inShim: boolean };

/** Who unpacks the guest's kernel, and what with. */
export function unpackingHost(facts: GuestFacts): HostFacts {
  return isInShim(facts) ? shimHost(facts.host) : facts.host;
}

/**
 * The kernel was not made for guests of this type. A unified kernel image counts: there is a kernel in it. Of other
 * files that no loader is for, kernel-damaged speaks.
 */
export function findAbiRefusal(facts: GuestFacts): Refusal | undefined {
  const unified = facts.boot?.kernel?.format === "pe" ? (["format"] as const) : [];
  return findRefusal(facts, "not-pv", "not-pvh", "dom0-only", ...unified);
}

/** The line of what xl prints that says most, as a sentence. */
export function printedText({ printed: [first], inShim }: Refusal): string {
  if (inShim) {
    return "xl create goes through, and the shim, a Xen inside the guest, panics on the guest's console because it cannot make the domain.";
  }
  return first === undefined
    ? "xl create says nothing: Xen takes the file for HVM firmware and starts it as such."
    : `xl create stops with "${first}".`;
}
