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

/** Whether a bug of the domain builder is mended in a version; `maybe`: that depends on who built it. */
export type BuilderFix = "fixed" | "maybe" | "broken";

/** For the dictionaries of xz and lzma kernels, in bytes. Between the two it depends on who built this Xen. */
export type DictionaryLimit = {
  readonly takenBelowBytes: number;
  readonly refusedFromBytes: number;
};

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
  /** Whether lz4 kernels unpack, where the release knows them (builder-packings.ts). Absent: as in current releases. */
  readonly lz4?: BuilderFix;
  /** Absent: any dictionary is taken. */
  readonly dictionary?: DictionaryLimit;
  /** How `kernelPackings` is known: for people. */
  readonly kernelPackingsBecause: string;
  /** The builder inflates a gzip initramfs before the guest starts (Xen <= 4.19). */
  readonly inflatesRamdisk: boolean;
  readonly freeMemoryKib?: number;
  readonly totalMemoryKib?: number;
};
