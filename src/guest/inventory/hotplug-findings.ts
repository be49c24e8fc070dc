/** What scripts for disks and network cards have left behind that failed or were killed. Pure. */
import type { Finding } from "../../base/finding.ts";
import { shellWord } from "../../check/remedy.ts";
import type { DiskUses } from "./disk-findings.ts";
import type { InventoryFacts } from "./facts.ts";
import type { Guest } from "./match.ts";

const CODE = "hotplug-left-over";

/** Loop devices behind the guest's files, while no domain has them. */
export function leftLoopFindings(guest: Guest, facts: InventoryFacts, uses: DiskUses): Finding[] {
  const { hotplug, domains, mounts } = facts;
  if (!hotplug || domains.kind !== "listed" || domains.making === true) return [];
  // Of a domain without a configuration nobody knows which disks it has; and a command at work may have set it up.
  const isObscure = domains.domains.some((one) => one.guest === undefined);
  if (isObscure || facts.operations.some(({ running }) => running)) return [];
  const own = new Map((uses.of.get(guest) ?? []).map((use) => [use.backing.key, use]));
  return hotplug.loops.flatMap(({ device, key, held }) => {
    const use = own.get(key);
    const isUsed =
      held ||
      uses.byKey.get(key)?.some(({ live }) => live) === true ||
      mounts.some(({ keys }) => keys.includes(key));
    if (!use || isUsed) return [];
    return [
      {
        code: CODE,
        severity: "warning",
        where: [use.path],
        what: `The disk ${use.vdev} (${use.path}) of ${guest.name} is behind ${device}, though no domain has it.`,
        why: "A start that failed leaves it so, when a script was killed or came too late. As somebody could write through it, domus start refuses the guest.",
        next: `Unless you look into it from dom0 just now: losetup -d ${device}.`,
      } satisfies Finding,
    ];
  });
}

/** Locks that are held while nothing is being made. */
export function heldLockFindings({ hotplug, domains, operations }: InventoryFacts): Finding[] {
  if (!hotplug || domains.kind !== "listed" || domains.making === true) return [];
  if (operations.some(({ running }) => running)) return [];
  return hotplug.holders.map(({ lock, pid, program }) => ({
    code: CODE,
    severity: "warning",
    where: [lock],
    what: `Process ${pid} (${program || "?"}) holds the lock ${lock} of Xen's scripts for disks and network cards.`,
    why: "A script that was killed, as libxl does after 40 seconds, has left a process that it had started. As long as that is there, each other script waits in vain, and no guest starts. For a moment it is in order: a script is at work.",
    next: `When it stays: ps -fp ${pid} says what it is and what it waits for. Then: kill ${shellWord(String(pid))}.`,
  }));
}
