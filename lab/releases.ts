/** What a lab host of each Debian release is made of. */
import type { KernelName, Release } from "./debian.ts";

export type LabRelease = Exclude<Release, "sid">;

export type ReleaseParts = {
  /** Debian's own Xen of that release. */
  readonly xen: string;
  /** dom0's kernel. */
  readonly kernel: KernelName;
  /** Packages of that release only. */
  readonly packages: readonly string[];
};

/**
 * bullseye has no device model of a bearable size (qemu-system-x86 with all it needs), so its host starts PV guests with
 * raw disks, and PVH where the processor can, but no HVM.
 */
export const RELEASES: Readonly<Record<LabRelease, ReleaseParts>> = {
  bullseye: { xen: "4.14", kernel: "5.10", packages: [] },
  bookworm: { xen: "4.17", kernel: "6.1", packages: ["qemu-system-xen"] },
  trixie: { xen: "4.20", kernel: "6.12", packages: ["qemu-system-xen"] },
};

export function isLabRelease(text: string): text is LabRelease {
  return Object.hasOwn(RELEASES, text);
}
