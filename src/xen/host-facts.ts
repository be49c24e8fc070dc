/** What matters of the hypervisor that will run the guest. From `xl info`, or assumed from a version alone. */
import type { Compression } from "../bytes/decompress/format.ts";

export type XenVersion = { readonly major: number; readonly minor: number; readonly extra: string };

/** `4.17` */
export function xenRelease({ major, minor }: XenVersion): string {
  return `${major}.${minor}`;
}

/** `release`: `4.17` */
export function isXenAtLeast(version: XenVersion, release: string): boolean {
  const [major = 0, minor = 0] = release.split(".").map(Number);
  return version.major > major || (version.major === major && version.minor >= minor);
}

/** See `lz4Fix` in builder-packings.ts. */
export type Lz4Fix = "fixed" | "maybe" | "broken";

export type HostFacts = {
  readonly version: XenVersion;
  /** `xl-info`: read from a host or a file. `assumed`: from `--xen 4.14`, with that release's defaults. */
  readonly source: "xl-info" | "assumed";
  /** xen_caps: `xen-3.0-x86_64`, `hvm-3.0-x86_32`, ... */
  readonly caps: readonly string[];
  /** Kernel packings that the domain builder unpacks. */
  readonly kernelPackings: readonly Compression[];
  /** Known to this release, but only in builds with the library for it: say "maybe". Absent: none. */
  readonly uncertainPackings?: readonly Compression[];
  /** Whether lz4 kernels from 5.3 on unpack, too (builder-packings.ts). Absent: as in current releases. */
  readonly lz4?: Lz4Fix;
  /** How `kernelPackings` is known: for people. */
  readonly kernelPackingsBecause: string;
  /** The builder inflates a gzip initramfs before the guest starts (Xen <= 4.19). */
  readonly inflatesRamdisk: boolean;
  readonly freeMemoryKib?: number;
  readonly totalMemoryKib?: number;
};
