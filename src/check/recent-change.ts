/** What changed: the package change that most likely broke the boot, told beside the error that it explains. */
import type { Finding } from "../base/finding.ts";
import type { PackageChange } from "../boot/changes/package-change.ts";
import { likelyCulprit } from "../boot/changes/likely-culprit.ts";
import type { Symptom } from "../boot/changes/likely-culprit.ts";
import type { Compression } from "../bytes/decompress/format.ts";
import type { GuestFacts } from "./facts.ts";
import { mainSegments } from "./guest-boot.ts";
import { shellWord, shorten } from "./remedy.ts";

/** It is no rule: it needs what the rules found. */
export const RECENT_CHANGE = {
  code: "recent-change",
  severity: "note",
  summary: "The package change in the guest that most likely brought the error.",
} as const;

const SYMPTOMS: Readonly<Record<string, Symptom>> = {
  "kernel-packing": "kernel-packing",
  "kernel-missing": "missing-file",
  "kernel-damaged": "missing-file",
  "ramdisk-missing": "missing-file",
  "initramfs-truncated": "missing-file",
  "initramfs-compression": "initramfs-compression",
  "initramfs-lz4-frame": "initramfs-compression",
  "initramfs-xz-check": "initramfs-compression",
  "initramfs-zstd-window": "initramfs-compression",
  "initramfs-version": "missing-module",
  "initramfs-no-init": "missing-module",
  "initramfs-no-blkfront": "missing-module",
  "initramfs-no-lvm": "missing-module",
  "initramfs-no-root-fs": "missing-module",
  "no-boot-entry": "bootloader-config",
  "pygrub-blind": "bootloader-config",
  "root-not-found": "root-not-found",
};

/** Whether any of the findings is one that a change can explain: without, the logs need not be read. */
export function wantsChanges(findings: readonly Finding[]): boolean {
  return findings.some(
    ({ code, severity }) => severity === "error" && Object.hasOwn(SYMPTOMS, code),
  );
}

/** At most one: for the first error that a change can explain. Empty without errors, or without logs. */
export function recentChange(facts: GuestFacts, findings: readonly Finding[]): Finding[] {
  for (const { code, severity, where } of findings) {
    const symptom = Object.hasOwn(SYMPTOMS, code) ? SYMPTOMS[code] : undefined;
    if (severity !== "error" || symptom === undefined) continue;
    const culprit = likelyCulprit(facts.changes, symptom, compressionOf(facts, symptom, where));
    if (!culprit) continue;
    const { change, evidence, reason } = culprit;
    const explains = evidence === "known-switch" ? "This explains" : "This may explain";
    const command = change.command === undefined ? "" : ` (${shorten(change.command, 80)})`;
    return [
      {
        code: RECENT_CHANGE.code,
        severity: RECENT_CHANGE.severity,
        where: change.where,
        what: `On ${dayText(change.time)} ${change.manager}${command} ${didText(change)}.`,
        why: `${explains} ${code}: ${shorten(reason, 400)}`,
        next: `domus history ${shellWord(facts.name)} lists what else was changed, and when.`,
      },
    ];
  }
  return [];
}

function compressionOf(
  { boot }: GuestFacts,
  symptom: Symptom,
  where: readonly string[],
): Compression | undefined {
  if (!boot) return undefined;
  if (symptom === "kernel-packing") {
    const packing = boot.kernel?.packing;
    return packing === "none" || packing === "unknown" ? undefined : packing;
  }
  if (symptom !== "initramfs-compression") return undefined;
  const at = where.join("\0");
  const found = mainSegments(boot).find(
    (placed) => placed.where.join("\0") === at && placed.segment.compression !== "none",
  )?.segment.compression;
  return found === "none" ? undefined : found;
}

/** `2021-12-14`; the time in the log may be local, so a day is as exact as it gets. */
function dayText(time: number): string {
  const date = new Date(time * 1000);
  return Number.isNaN(date.getTime()) ? "an unknown day" : date.toISOString().slice(0, 10);
}

function didText({ action, package: name, from, to }: PackageChange): string {
  const short = shorten(name, 80);
  switch (action) {
    case "install":
      return `installed ${short}${to === undefined ? "" : ` ${to}`}`;
    case "reinstall":
      return `installed ${short}${to === undefined ? "" : ` ${to}`} again`;
    case "remove":
      return `removed ${short}${from === undefined ? "" : ` ${from}`}`;
    case "upgrade":
    case "downgrade":
      return `${action}d ${short}${from === undefined ? "" : ` ${from}`}${to === undefined ? "" : ` to ${to}`}`;
  }
}
