/** The entries of `disk=` and `vif=`, and what is wrong with them. */
import { attemptSync } from "../base/failure.ts";
import type { Failure } from "../base/failure.ts";
import type { Finding } from "../base/finding.ts";
import { printable } from "../base/printable.ts";
import type { Where } from "../base/where.ts";
import { within } from "../base/where.ts";
import type { ConfigReading } from "./config-reading.ts";
import { entriesOf, report } from "./config-reading.ts";
import type { ConfigString } from "./config-syntax.ts";
import type { DiskSpec } from "./disk-spec.ts";
import { parseDiskSpec } from "./disk-spec.ts";
import { parseVdev } from "./vdev.ts";
import type { VifSpec } from "./vif-spec.ts";
import { parseVifSpec } from "./vif-spec.ts";

/** The disks that xl gives the guest; those that it refuses are left out, with an error. */
export function readDisks(reading: ConfigReading): DiskSpec[] {
  if (reading.settings.get("disk")?.value.kind === "string") {
    report(reading, {
      code: "config-disk-not-a-list",
      severity: "error",
      key: "disk",
      what: "disk is a single string, not a list.",
      why: "xl warns in passing and starts the guest without any disk.",
      next: "Put brackets around it: disk = [ '...' ].",
    });
    return [];
  }
  const disks: DiskSpec[] = [];
  const seen = new Map<number, string>();
  for (const entry of entriesOf(reading, "disk")) {
    const parsed = attemptSync(() => parseDiskSpec(entry.text));
    if (!parsed.ok) {
      reading.findings.push(refusedEntry(reading.where, "disk", entry, parsed.failure));
      continue;
    }
    checkVdev(reading, entry, parsed.value, seen);
    disks.push(parsed.value);
  }
  return disks;
}

function checkVdev(
  reading: ConfigReading,
  entry: ConfigString,
  disk: DiskSpec,
  seen: Map<number, string>,
): void {
  const vdev = parseVdev(disk.vdev);
  const where = at(reading.where, entry);
  if (!vdev) {
    reading.findings.push({
      code: "config-disk-spec",
      severity: "error",
      where,
      what: `"${printable(disk.vdev)}" is no name for a virtual disk.`,
      why: "libxl refuses it, so the guest does not start.",
      next: "Use a name such as xvda, xvdb1 or hdc.",
    });
    return;
  }
  const before = seen.get(vdev.number);
  if (before !== undefined) {
    reading.findings.push({
      code: "config-duplicate-vdev",
      severity: "error",
      where,
      what: `Two disks are to be ${printable(disk.vdev)} in the guest${before === disk.vdev ? "" : ` (the other one is written ${printable(before)})`}.`,
      why: "libxl finds the device there already and gives the guest up.",
      next: "Give each disk a vdev of its own.",
    });
  }
  seen.set(vdev.number, disk.vdev);
}

/** The interfaces that xl gives the guest. */
export function readVifs(reading: ConfigReading): VifSpec[] {
  const vifs: VifSpec[] = [];
  for (const entry of entriesOf(reading, "vif")) {
    const parsed = attemptSync(() => parseVifSpec(entry.text));
    if (!parsed.ok) {
      reading.findings.push(refusedEntry(reading.where, "vif", entry, parsed.failure));
      continue;
    }
    vifs.push(parsed.value);
    for (const ignored of parsed.value.ignored ?? []) {
      reading.findings.push({
        code: "config-vif-spec",
        severity: "warning",
        where: at(reading.where, entry),
        what: `xl does not take this part of a vif: ${ignored}.`,
        why: "xl says so in passing and starts the guest without it: perhaps on another bridge, or with another MAC address.",
        next: "Correct it; man xl-network-configuration lists the keys.",
      });
    }
  }
  return vifs;
}

function at(where: Where, entry: ConfigString): Where {
  return within(where, `line ${entry.start.line}`);
}

function refusedEntry(
  where: Where,
  kind: "disk" | "vif",
  entry: ConfigString,
  failure: Failure,
): Finding {
  const detail =
    failure.kind === "syntax"
      ? `found ${failure.found}, expected ${failure.expected}`
      : failure.kind;
  const manual = kind === "disk" ? "xl-disk-configuration" : "xl-network-configuration";
  return {
    code: `config-${kind}-spec`,
    severity: "error",
    where: at(where, entry),
    what: `xl refuses the ${kind} "${printable(entry.text)}": ${detail}.`,
    why: "xl refuses the whole config, so the guest does not start.",
    next: `Correct it; man ${manual} has the form.`,
  };
}
