/**
 * Guests that domus-pygrub starts: it hands Xen a converted copy of a kernel or initramfs that would not boot. What it mends
 * is told all the same, for the guest is one setting away from not starting.
 */
import type { GuestFacts } from "./facts.ts";
import type { RuleFinding } from "./rule.ts";

const MENDED: ReadonlySet<string> = new Set([
  "kernel-packing",
  "initramfs-compression",
  "initramfs-gzip-members",
  "initramfs-lz4-frame",
  "initramfs-xz-check",
]);

/** The same findings; those that the bootloader sees to are warnings. */
export function mendedAtBoot(facts: GuestFacts, findings: readonly RuleFinding[]): RuleFinding[] {
  if (!facts.mendsBoot) return [...findings];
  return findings.map((finding) => {
    if (finding.severity !== "error" || !isMended(facts, finding)) return finding;
    const why = `${finding.why} domus-pygrub hands Xen a converted copy, so the guest starts all the same.`;
    return { ...finding, severity: "warning", why };
  });
}

function isMended({ boot }: GuestFacts, { code }: RuleFinding): boolean {
  if (!MENDED.has(code)) return false;
  // It takes out of a kernel what it can unpack itself.
  const kernel = boot?.kernel;
  return code !== "kernel-packing" || (kernel?.packing !== "unknown" && !kernel?.failure);
}
