/**
 * Which change of packages most likely brought a symptom: a known switch of a default, or else merely the last change
 * to what could have brought it. The answer says which of the two it is.
 */
import type { Compression } from "../../bytes/decompress/format.ts";
import { bootRelated } from "./boot-related.ts";
import type { BootRole } from "./boot-related.ts";
import type { PackageChange } from "./package-change.ts";
import { comparePackageVersions } from "./version.ts";

export type Symptom =
  /** The initramfs is compressed in a way that the kernel cannot unpack. */
  | "initramfs-compression"
  /** The kernel is packed in a way that Xen cannot unpack. */
  | "kernel-packing"
  /** A module that the root needs is not in the initramfs. */
  | "missing-module"
  /** The kernel or initramfs that the loader names is missing or damaged. */
  | "missing-file"
  /** The loader's configuration is broken or chooses the wrong entry. */
  | "bootloader-config"
  /** root= names something that is not there. */
  | "root-not-found";

export type Culprit = {
  readonly change: PackageChange;
  /**
   * `known-switch`: this very version is known to have changed the default in question.
   * `last-change`: nothing is known against it but that it came last.
   */
  readonly evidence: "known-switch" | "last-change";
  /** For people, one or two sentences. */
  readonly reason: string;
};

type Switch = {
  readonly symptom: Symptom;
  readonly manager: PackageChange["manager"];
  readonly names: RegExp;
  /** The first version with the new default. Undefined: being installed is the switch. */
  readonly version?: string;
  readonly compression: Compression;
  /** Whose versions these are, where two distributions use one name. */
  readonly origin?: "debian" | "ubuntu";
  readonly reason: string;
};

/** Each with its source. */
const SWITCHES: readonly Switch[] = [
  {
    // mkinitcpio v30, commit 2f4a2b5 "Switch to zstd by default", 2021-02-16
    symptom: "initramfs-compression",
    manager: "pacman",
    names: /^mkinitcpio$/,
    version: "30",
    compression: "zstd",
    reason:
      "mkinitcpio compresses with zstd instead of gzip by default since version 30 (February 2021)",
  },
  {
    // debian/changelog of initramfs-tools 0.141, 2022-04-10, closes #976054
    symptom: "initramfs-compression",
    manager: "dpkg",
    names: /^initramfs-tools(-core)?$/,
    version: "0.141",
    compression: "zstd",
    origin: "debian",
    reason:
      "initramfs-tools compresses with zstd instead of gzip by default since version 0.141 (April 2022, Debian 12)",
  },
  {
    // dracut-ng 103, commit 9663307c "search for zstd compressor first", 2024-06-20
    symptom: "initramfs-compression",
    manager: "dnf",
    names: /^dracut$/,
    version: "103",
    compression: "zstd",
    reason: "dracut prefers zstd, where the program is installed, since version 103 (July 2024)",
  },
  {
    // initramfs-tools: mkinitramfs takes gzip when the program of COMPRESS is not there; dracut likewise
    symptom: "initramfs-compression",
    manager: "dpkg",
    names: /^zstd$/,
    compression: "zstd",
    reason:
      "initramfs-tools falls back to gzip only as long as the zstd program is not installed; this installed it",
  },
  {
    symptom: "initramfs-compression",
    manager: "dnf",
    names: /^zstd$/,
    compression: "zstd",
    reason:
      "dracut from version 103 on uses zstd as soon as the program is installed; this installed it",
  },
  {
    // debian/changelog of linux 6.12.19-1, 2025-03, closes #1099722
    symptom: "kernel-packing",
    manager: "dpkg",
    names: /^linux-image-/,
    version: "6.12.19-1",
    compression: "zstd",
    origin: "debian",
    reason:
      "Debian packs its kernels with zstd instead of xz since 6.12.19-1 (March 2025, Debian 13)",
  },
  {
    // Ubuntu's configuration: KERNEL_LZ4 up to 5.12, KERNEL_ZSTD in 5.13
    symptom: "kernel-packing",
    manager: "dpkg",
    names: /^linux-image-/,
    version: "5.13",
    compression: "zstd",
    origin: "ubuntu",
    reason: "Ubuntu packs its kernels with zstd instead of lz4 since 5.13 (Ubuntu 21.10)",
  },
];

/** Which kinds of package can bring a symptom; earlier ones are suspected first. */
const SUSPECTS: Record<Symptom, readonly (readonly BootRole[])[]> = {
  "initramfs-compression": [["initramfs-generator", "compressor"], ["kernel"]],
  "kernel-packing": [["kernel"]],
  "missing-module": [
    ["initramfs-generator", "kernel", "module-tools"],
    ["storage", "init"],
  ],
  "missing-file": [["kernel", "initramfs-generator"], ["bootloader"]],
  "bootloader-config": [["bootloader"], ["kernel"]],
  "root-not-found": [
    ["bootloader", "storage", "initramfs-generator"],
    ["kernel", "init"],
  ],
};

/**
 * `changes` in any order. `compression`: the one that was found, so that a switch to another is not blamed.
 * Undefined when nothing that could have brought it is in the logs.
 */
export function likelyCulprit(
  changes: readonly PackageChange[],
  symptom: Symptom,
  compression?: Compression,
): Culprit | undefined {
  const newestFirst = changes.toSorted((a, b) => b.time - a.time);
  for (const change of newestFirst) {
    const known = SWITCHES.find(
      (one) =>
        one.symptom === symptom &&
        (compression === undefined || one.compression === compression) &&
        crosses(change, one),
    );
    if (known) {
      return { change, evidence: "known-switch", reason: `${known.reason}; ${didText(change)}.` };
    }
  }
  const related = bootRelated(newestFirst);
  for (const roles of SUSPECTS[symptom]) {
    const last = related.find(({ role }) => roles.includes(role));
    if (!last) continue;
    const reason = `${didText(last.change)}: ${last.reason}. It is the last such change; that it is the cause is likely, not proven.`;
    return { change: last.change, evidence: "last-change", reason };
  }
  return undefined;
}

function crosses(change: PackageChange, one: Switch): boolean {
  if (change.manager !== one.manager || !one.names.test(change.package)) return false;
  if (change.action !== "install" && change.action !== "upgrade") return false;
  const { from, to } = change;
  if (one.version === undefined) return change.action === "install";
  if (to === undefined || (one.origin !== undefined && originOf(to) !== one.origin)) return false;
  if (comparePackageVersions(to, one.version) < 0) return false;
  // A new kernel is a new package: then there is no older version to compare with.
  return from === undefined || comparePackageVersions(from, one.version) < 0;
}

/** Ubuntu's own versions say so (`0.140ubuntu13`), except for its kernels (`5.15.0-25.25`). */
function originOf(version: string): "debian" | "ubuntu" {
  return /ubuntu|^\d+\.\d+\.0-\d+\.\d+/.test(version) ? "ubuntu" : "debian";
}

function didText(change: PackageChange): string {
  const { package: name, from = "an unknown version", to = "(version unknown)" } = change;
  switch (change.action) {
    case "install":
      return `${name} ${to} was installed`;
    case "remove":
      return `${name} ${from} was removed`;
    case "reinstall":
      return `${name} ${to} was installed again`;
    case "upgrade":
    case "downgrade":
      return `${name} went from ${from} to ${to}`;
  }
}
