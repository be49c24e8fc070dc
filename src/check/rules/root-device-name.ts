import { kernelText, isKernelBefore } from "../guest-boot.ts";
import type { GuestFacts } from "../facts.ts";
import { shorten } from "../remedy.ts";
import { changeRoot, pvName, suggestionText } from "../root-names.ts";
import type { Rule } from "../rule.ts";

/** `/dev/sda1` where the guest's disks are Xen's: it calls them xvda. */
export function foreignName({ boot, config }: GuestFacts): string | undefined {
  const spec = boot?.root?.spec;
  if (!boot || spec?.kind !== "path" || !/^\/dev\/(sd|hd)[a-z]+\d*$/.test(spec.value))
    return undefined;
  // The kernels of the Xen 3 days took over the name that the config gave.
  if (config.type === "hvm" || isKernelBefore(boot, "2.6.37")) return undefined;
  return spec.value;
}

export const rootDeviceName: Rule = {
  code: "root-device-name",
  severity: "error",
  summary:
    "root= names a disk as on real hardware (/dev/sda1), but a PV or PVH guest calls it xvda.",
  check: (facts) => {
    const name = foreignName(facts);
    if (name === undefined || !facts.boot) return [];
    const own = pvName(name);
    const there =
      own !== undefined &&
      facts.disks.some((disk) => own.startsWith(pvName(disk.spec.vdev) ?? "?"));
    return [
      {
        code: "root-device-name",
        severity: "error",
        where: facts.boot.source,
        what: `root=${shorten(facts.boot.root!.spec.text)}, but a ${facts.config.type.toUpperCase()} guest has no ${name}.`,
        why: `The Xen disk driver of ${kernelText(facts.boot)} calls every disk xvd, whatever vdev= says${there ? `: this one is /dev/${own}` : ""}. The boot ends waiting for ${name}.`,
        next: `A UUID has no such trouble. ${suggestionText(facts)} ${changeRoot(facts)}`,
      },
    ];
  },
};
