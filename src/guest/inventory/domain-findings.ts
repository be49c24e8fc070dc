/** What is wrong with a guest's domains themselves. Pure. */
import type { Finding } from "../../base/finding.ts";
import { crashFindings } from "./crash-findings.ts";
import { MIGRATING } from "./drift.ts";
import { shellWord } from "../../check/remedy.ts";
import type { DomainFact, InventoryFacts } from "./facts.ts";
import { isNameless } from "../../xen/xl-list.ts";
import type { Guest } from "./match.ts";

export function domainFindings(guest: Guest, { domains }: InventoryFacts): Finding[] {
  const making = domains.kind === "listed" && domains.making === true;
  return guest.domains.flatMap(({ fact }) => [
    ...leftOver(fact),
    ...halfBuilt(fact, making),
    ...zombie(fact),
    ...unwatched(guest, fact),
    ...crashFindings(fact),
  ]);
}

/**
 * libxl writes a domain's configuration down when all of it is made. One that is paused and has none was left by an xl that was
 * ended in between, unless that xl is still at work.
 */
export function isHalfBuilt({ state, guest }: DomainFact): boolean {
  return state === "paused" && guest === undefined;
}

function leftOver({ domid, name }: DomainFact): Finding[] {
  if (!MIGRATING.test(name)) return [];
  return [
    {
      code: "domain-left-over",
      severity: "warning",
      where: [`domain ${domid}`],
      what: `Domain ${domid} is called ${name}: it is being migrated, or left over from a migration that failed.`,
      why: "A domain that is left over holds memory and disks, and never runs. On the other host the guest may be running with the same disks.",
      next: `When no migration is under way (ps ax | grep "xl migrate", on both hosts) and the guest runs elsewhere, or is to be started anew: xl destroy ${domid}. By its number, as the name may be given again.`,
    },
  ];
}

function halfBuilt(fact: DomainFact, making: boolean): Finding[] {
  const { domid, name, memoryMib } = fact;
  if (!isHalfBuilt(fact) || making || MIGRATING.test(name)) return [];
  return [
    {
      code: "domain-half-built",
      severity: "warning",
      where: [`domain ${domid}`],
      what: `Domain ${domid} (${name}) is half built: it is paused, has ${memoryMib} MiB, and libxl has no configuration of it.`,
      why: "The xl that was making it was ended half-way, or another toolstack made it. It never runs, and holds its name, its memory and perhaps disks.",
      next: `When nothing is making it (ps ax | grep "[x]l "): xl destroy ${domid}, by its number. Then start the guest again.`,
    },
  ];
}

function zombie(fact: DomainFact): Finding[] {
  const { domid, uuid, state } = fact;
  if (state !== "dying" || !isNameless(fact)) return [];
  return [
    {
      code: "domain-zombie",
      severity: "warning",
      where: [`domain ${domid}`],
      what: `Domain ${domid} (uuid ${uuid}) is dead, and not yet gone.`,
      why: "Something in dom0 still has pages of its memory: QEMU, a backend that writes to a disk that does not answer, or a program that looked into it. Its memory stays taken. A moment after a guest's end this is usual.",
      next: `If it stays: ps ax | grep "qemu.*-xen-domid ${domid}", and dmesg for a disk that hangs. xl destroy cannot do more; in the worst case the memory is given back when the host restarts.`,
    },
  ];
}

function unwatched({ name }: Guest, fact: DomainFact): Finding[] {
  const { domid, state, watched } = fact;
  if (watched !== false || state === "dying" || isHalfBuilt(fact)) return [];
  const hasEnded = state === "shut-down";
  // Of those there is more to say.
  if (state === "crashed") return [];
  return [
    {
      code: "domain-unwatched",
      severity: "warning",
      where: [`domain ${domid}`],
      what: `The process of xl that watches domain ${domid} (${name}) is not there.`,
      why: hasEnded
        ? "Nobody takes it away or starts it again, as on_poweroff= and on_reboot= say: it holds its memory and disks until somebody does."
        : "When the guest reboots, is shut down or crashes, nobody acts on it: it does not come back, and holds its memory and disks. xl create -e starts without that process, and xl save -c ends it; otherwise it was killed.",
      next: hasEnded
        ? `domus stop ${shellWord(name)} takes it away: it has ended in order, and nothing is lost. Start it again when it is wanted.`
        : `A save and a restore (domus save, domus restore) or a stop and a start give it a new one. Until then do not reboot it from inside.`,
    },
  ];
}
