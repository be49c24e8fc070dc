/** What Xen's domain builder has against the guest's kernel, for the rules that tell it. */
import { kernelRefusals } from "../xen/kernel-rules.ts";
import type { KernelRefusal } from "../xen/kernel-rules.ts";
import type { GuestFacts } from "./facts.ts";

/** The PV shim is a Xen of its own inside the PVH domain, built for 32-bit PV guests, too. */
const SHIM_CAPS = ["xen-3.0-x86_64", "xen-3.0-x86_32p"];

/** The first of these reasons that stands against the kernel, if any does. */
export function findRefusal(
  { boot, config, host }: GuestFacts,
  ...reasons: readonly KernelRefusal["reason"][]
): KernelRefusal | undefined {
  if (!boot?.kernel) return undefined;
  const inShim = config.type === "pvh" && config.pvshim;
  // The shim has decompressors of its own, which need no room for a dictionary
  const { dictionary: _, ...shim } = host;
  const refusals = inShim
    ? kernelRefusals(boot.kernel, "pv", { ...shim, caps: SHIM_CAPS })
    : kernelRefusals(boot.kernel, config.type, host);
  return refusals.find(({ reason }) => reasons.includes(reason));
}

/**
 * The kernel was not made for guests of this type. A unified kernel image counts: there is a kernel in it. Of other
 * files that no loader is for, kernel-damaged speaks.
 */
export function findAbiRefusal(facts: GuestFacts): KernelRefusal | undefined {
  const unified = facts.boot?.kernel?.format === "pe" ? (["format"] as const) : [];
  return findRefusal(facts, "not-pv", "not-pvh", "dom0-only", ...unified);
}

/** The line of what xl prints that says most, as a sentence. */
export function printedText({ printed: [first] }: KernelRefusal): string {
  return first === undefined
    ? "xl create says nothing: Xen takes the file for HVM firmware and starts it as such."
    : `xl create stops with "${first}".`;
}
