/** `check --json`: the contract is docs/reference/json.md. */
import type { GuestReport } from "../../guest/check/check-guest.ts";
import type { PlannedBoot } from "../../check/facts.ts";
import type { HostFacts } from "../../xen/host-facts.ts";
import { rootPlace } from "./root-place.ts";
import { xenVersionText } from "./check-story.ts";

export function guestJson(report: GuestReport): Record<string, unknown> {
  const boot = report.facts?.boot;
  return {
    name: report.name,
    config: report.configPath,
    verdict: report.verdict,
    plan: boot ? planJson(boot) : null,
    findings: report.findings.map(({ code, severity, where, what, why, next }) => ({
      code,
      severity,
      where,
      what,
      why,
      next,
    })),
  };
}

export function hostJson(xen: HostFacts): Record<string, unknown> {
  return {
    xen: xenVersionText(xen),
    source: xen.source,
    caps: xen.caps,
    kernelPackings: xen.kernelPackings,
  };
}

function planJson(boot: PlannedBoot): Record<string, unknown> {
  const { kernel } = boot;
  const path = boot.files.find((file) => file.role === "kernel")?.path ?? null;
  const ramdisks = boot.files
    .filter((file) => file.role === "ramdisk")
    .map((file) => {
      const facts = boot.initramfs.find((one) => one.path === file.path);
      const main = facts?.segments.find((segment) => !segment.early);
      return {
        path: file.path,
        compression: main?.compression ?? null,
        generator: facts?.generator ?? null,
      };
    });
  return {
    loader: boot.loader,
    source: boot.source,
    entry: boot.entry ?? null,
    because: boot.because,
    kernel: kernel
      ? {
          path,
          version: kernel.version ?? null,
          compression: kernel.packing,
          bits: kernel.bits ?? null,
          pv: kernel.pv,
          pvh: kernel.pvh,
        }
      : { path },
    ramdisk: ramdisks[0] ?? null,
    ramdisks,
    args: boot.args,
    root: rootPlace(boot) ?? null,
  };
}
