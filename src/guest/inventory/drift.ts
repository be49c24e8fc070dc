/** What differs between a running guest and its config, and what will become of it (docs/design/drift.md). Pure. */
import type { Finding } from "../../base/finding.ts";
import { shellWord } from "../../check/remedy.ts";
import type { SummaryDisk, SummaryNic } from "../../xen/domain-summary.ts";
import { compareGuests } from "../../xen/drift.ts";
import type { Difference } from "../../xen/drift.ts";
import type { Backing, ConfigFact, DomainFact } from "./facts.ts";
import type { Guest } from "./match.ts";
import { targetPath } from "./read-backings.ts";

/** Which states have a configuration that means something: a domain that has ended keeps its last one. */
const COMPARED = new Set(["running", "paused"]);

/** What xl calls a domain while it migrates it (xen: tools/xl/xl_migrate.c). */
export const MIGRATING = /--(?:incoming|migratedaway)$/;

/** The domain and the config that are set against each other; undefined where there are not the two. */
export function compared(guest: Guest): { config: ConfigFact; domain: DomainFact } | undefined {
  const domains = guest.domains.filter(
    ({ fact }) => COMPARED.has(fact.state) && !MIGRATING.test(fact.name),
  );
  const domain = domains.length === 1 ? domains[0]!.fact : undefined;
  if (!guest.config?.guest || !domain?.guest) return undefined;
  return { config: guest.config, domain };
}

export function driftOf(
  guest: Guest,
  backings: ReadonlyMap<string, Backing>,
): readonly Difference[] {
  const both = compared(guest);
  if (!both) return [];
  const live = { ...both.domain.guest!, name: both.domain.name };
  return compareGuests(both.config.guest!, live, (disk) => samePath(disk, backings));
}

/** The same for every path of one device or file. */
export function samePath(disk: SummaryDisk, backings: ReadonlyMap<string, Backing>): string {
  const path = targetPath(disk);
  if (path === undefined) return disk.target;
  return backings.get(path)?.key ?? path;
}

export function driftFindings(
  guest: Guest,
  backings: ReadonlyMap<string, Backing>,
): readonly Finding[] {
  const both = compared(guest);
  return driftOf(guest, backings).map((difference) => ({
    code: "config-drift",
    severity: isUsual(difference) ? "note" : "warning",
    where: [both!.config.path],
    what: differenceText(difference),
    why: outcomeText(difference),
    next: `domus persist ${shellWord(guest.name)} writes what runs into the config; domus persist --revert ${shellWord(guest.name)} makes the domain as the config says. Both take --dry-run.`,
  }));
}

/** Ballooning, and a medium that was changed: nobody need hear of them. */
function isUsual(difference: Difference): boolean {
  if (difference.of === "memoryKib") return true;
  return difference.of === "disk" && Boolean(difference.config?.cdrom && difference.live?.cdrom);
}

/** One sentence: `The disk xvdb (/dev/vg0/data) was attached live; the config does not have it.` */
export function differenceText(difference: Difference): string {
  if (difference.of === "disk" || difference.of === "nic") {
    const { config, live } = difference;
    const [a, b] =
      difference.of === "disk"
        ? [
            difference.config && diskWords(difference.config),
            difference.live && diskWords(difference.live),
          ]
        : [
            difference.config && nicWords(difference.config),
            difference.live && nicWords(difference.live),
          ];
    const thing = difference.of === "disk" ? "disk" : "network interface";
    if (config && live) return `The ${thing} ${a} of the config is ${b} in the domain.`;
    if (live) return `The ${thing} ${b} is in the domain, and not in the config.`;
    return `The ${thing} ${a} is in the config, and not in the domain.`;
  }
  const { of, config, live } = difference;
  const size = (value: string | number) =>
    of === "memoryKib" || of === "maxMemoryKib" ? `${Number(value) / 1024} MiB` : String(value);
  return `The config says ${SIZE_NAMES[of]} ${size(config)}; the domain has ${size(live)}.`;
}

const SIZE_NAMES = {
  name: "name",
  type: "type",
  vcpus: "vcpus",
  maxVcpus: "maxvcpus",
  memoryKib: "memory",
  maxMemoryKib: "maxmem",
} as const;

function outcomeText({ of, ...difference }: Difference): string {
  const isGone = (of === "disk" || of === "nic") && difference.config === undefined;
  const kept = "A reboot from inside the guest keeps what the domain has";
  return isGone
    ? `${kept}; once it is shut down and created again, or the host is, it is gone without a word.`
    : `${kept}, and does not look at the config; what the config says comes with the next xl create.`;
}

export function diskWords({ vdev, target, format, readonly, cdrom }: SummaryDisk): string {
  const notes = [
    target === "" ? "empty" : target,
    ...(format === "raw" || format === "empty" ? [] : [format]),
    ...(readonly && !cdrom ? ["read-only"] : []),
  ];
  return `${vdev} (${notes.join(", ")})`;
}

export function nicWords({ mac, bridge }: SummaryNic): string {
  return `${mac ?? "without a MAC address of its own"}${bridge === undefined ? "" : ` on ${bridge}`}`;
}
