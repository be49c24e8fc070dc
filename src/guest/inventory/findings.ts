/** Where what is known of a guest contradicts itself. Pure; the table is in docs/design/inventory.md. */
import { failureText } from "../../base/failure.ts";
import type { Finding } from "../../base/finding.ts";
import { bySeverity } from "../../base/finding.ts";
import { directoryOf, fileName } from "../../base/path.ts";
import { listText, shellWord } from "../../check/remedy.ts";
import type { SaveImage } from "../../xen/save-image/save-image.ts";
import { driftFindings, MIGRATING } from "./drift.ts";
import type { BrokenLink, ImageFact, InventoryFacts } from "./facts.ts";
import type { Guest } from "./match.ts";
import { staleness } from "./stale.ts";
import type { Staleness } from "./stale.ts";

/** Those about each guest, in the guests' order, most severe first. */
export function guestFindings(guests: readonly Guest[], facts: InventoryFacts): Finding[][] {
  const names = Map.groupBy(guests, ({ config }) => config?.guest?.name);
  const uuids = Map.groupBy(guests, ({ config }) => config?.guest?.uuid);
  return guests.map((guest) => {
    const { name, uuid } = guest.config?.guest ?? {};
    const sameName = (name !== undefined && names.get(name)) || [];
    const sameUuid = (uuid !== undefined && uuids.get(uuid)) || [];
    return bySeverity([
      ...imageFindings(guest, facts),
      ...leftOver(guest),
      ...withoutConfig(guest),
      ...configUnreadable(guest),
      ...duplicates(guest, sameName, sameUuid),
      ...driftFindings(guest, facts.backings),
    ]);
  });
}

/** Those that belong to no guest. */
export function hostFindings({ brokenLinks }: InventoryFacts): Finding[] {
  return brokenLinks.map(brokenLinkFinding);
}

/** `2026-11-21 08:15`, in UTC. */
export function minuteText(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 16).replace("T", " ");
}

function imageFindings(guest: Guest, facts: InventoryFacts): Finding[] {
  const findings: Finding[] = [];
  const beingSaved = guest.state === "suspended";
  let newest: ImageFact | undefined;
  for (const { fact } of guest.images) {
    const broken = incomplete(guest, fact);
    if (broken) {
      // What is being written is not yet whole.
      if (!beingSaved) findings.push(broken);
      continue;
    }
    const stale = staleness(guest, fact, facts);
    if (stale) findings.push(staleImage(guest, fact, stale));
    else if (newest) findings.push(superseded(guest, fact, newest));
    else if (guest.state === "saved") findings.push(waiting(guest, fact));
    newest ??= fact;
  }
  return findings;
}

function staleImage(guest: Guest, fact: ImageFact, stale: Staleness): Finding {
  const since =
    stale.kind === "runs"
      ? `${guest.name} has gone on since it was saved: it is domain ${stale.domain.domid} now (${stale.domain.state}).`
      : `Its disk ${stale.target} was written at ${minuteText(stale.modifiedMs)} UTC, after the image.`;
  const boot = fact.restoredAtBoot
    ? " xendomains does so by itself when the host starts the next time."
    : "";
  return {
    code: "image-stale",
    severity: "error",
    where: [fact.path],
    what: `The save image ${fact.path} of ${guest.name} no longer fits its disks. ${since}`,
    why: `A guest restored from it goes on with what it remembers of its filesystems, writes that over what is there now, and destroys them. xl restore does not look.${boot}`,
    next: `Do not restore it. Move it aside: mv ${shellWord(fact.path)} ${shellWord(asidePath(fact))}. If there are snapshots of the disks from the moment of the save, it belongs to those.`,
  };
}

/** On the same filesystem, and not where xendomains looks. */
function asidePath({ path, restoredAtBoot }: ImageFact): string {
  const directory = restoredAtBoot ? directoryOf(directoryOf(path)) : directoryOf(path);
  return `${directory}/${fileName(path)}.stale`;
}

function superseded(guest: Guest, fact: ImageFact, newest: ImageFact): Finding {
  return {
    code: "image-superseded",
    severity: "warning",
    where: [fact.path],
    what: `${guest.name} has a newer save image than ${fact.path}: ${newest.path}.`,
    why: "Between the two it ran and wrote to its disks, so that the older image no longer fits them, unless they were put back to that moment.",
    next: "Delete the older one, or keep it with the snapshots of the disks that it belongs to.",
  };
}

function waiting(guest: Guest, fact: ImageFact): Finding {
  const restore = fact.restoredAtBoot
    ? "xendomains restores it when the host starts the next time; to have it now: "
    : "To let it go on: ";
  const start = guest.config ? ` xl create ${shellWord(guest.config.path)}` : " xl create";
  return {
    code: "image-waiting",
    severity: "note",
    where: [fact.path],
    what: `${guest.name} is saved in ${fact.path}.`,
    why: `${start.trim()} would start it afresh without a word, and from then on the image no longer fits the disks: to restore it after that destroys their filesystems.`,
    next: `${restore}xl restore ${shellWord(fact.path)}, and delete the image when it runs. To give up what it was doing: move the image away before it is started.`,
  };
}

function incomplete(guest: Guest, fact: ImageFact): Finding | undefined {
  const wrong = fact.failure
    ? `It cannot be read (${failureText(fact.failure)}).`
    : flaw(fact.image);
  if (wrong === undefined) return undefined;
  const boot = fact.restoredAtBoot
    ? " xendomains tries it at every start of the host, and the guest then does not start at all."
    : "";
  return {
    code: "image-incomplete",
    severity: "warning",
    where: [fact.path],
    what: `The save image ${fact.path} of ${guest.name} is not whole. ${wrong}`,
    why: `The disk was full, the save was ended half-way, or the guest had crashed before. It cannot be restored.${boot}`,
    next: `Start the guest from its disks, as after a power failure, and delete the image, or move it out of that directory.`,
  };
}

function flaw(image: SaveImage | undefined): string | undefined {
  const { end } = image ?? {};
  if (end?.kind === "cut-off") return `It ends after ${end.atBytes} bytes, inside ${end.what}.`;
  if (end?.kind === "unreadable") return `${failureText(end.failure)}.`;
  return undefined;
}

function leftOver({ domains }: Guest): Finding[] {
  const those = domains.filter(({ fact }) => MIGRATING.test(fact.name));
  return those.map(({ fact: { domid, name } }) => ({
    code: "domain-left-over",
    severity: "warning",
    where: [`domain ${domid}`],
    what: `Domain ${domid} is called ${name}: it is being migrated, or left over from a migration that failed.`,
    why: "A domain that is left over holds memory and disks, and never runs. On the other host the guest may be running with the same disks.",
    next: `When no migration is under way (ps ax | grep "xl migrate", on both hosts) and the guest runs elsewhere, or is to be started anew: xl destroy ${domid}. By its number, as the name may be given again.`,
  }));
}

function withoutConfig({ name, config, domains, images }: Guest): Finding[] {
  if (config) return [];
  const domain = domains[0]?.fact;
  const base = { code: "guest-without-config", severity: "warning" } as const;
  if (domain) {
    return [
      {
        ...base,
        where: [`domain ${domain.domid}`],
        what: `${name} is there as domain ${domain.domid}, but no config describes it.`,
        why: "When it stops, nothing remembers that it existed: which disks it had, and how it was started.",
        next: `Keep what Xen knows of it: xl list -l ${domain.domid}. If its config is in a directory that domus does not know, name that with --also DIR.`,
      },
    ];
  }
  const path = images[0]?.fact.path ?? name;
  return [
    {
      ...base,
      where: [path],
      what: `The save image ${path} is of ${name}, which no config describes.`,
      why: "It can be restored, as a config is in it. Once the guest has stopped, nothing remembers it.",
      next: "If its config is in a directory that domus does not know, name that with --also DIR. Otherwise write one from what domus show says of the guest.",
    },
  ];
}

function configUnreadable({ config }: Guest): Finding[] {
  if (!config?.failure) return [];
  return [
    {
      code: "config-unreadable",
      severity: "warning",
      where: [config.path],
      what: `The config ${config.path} is not understood: ${failureText(config.failure)}`,
      why: "xl would refuse it, too, so that the guest does not start. Which guest it is, and which disks are its, is not known.",
      next: `domus check ${shellWord(config.path)} says what is wrong with it.`,
    },
  ];
}

/** `sameName` and `sameUuid` are all whose configs have it, this guest included. */
function duplicates(
  guest: Guest,
  sameName: readonly Guest[],
  sameUuid: readonly Guest[],
): Finding[] {
  const own = guest.config;
  const named = sameName.filter((one) => one !== guest);
  const copies = sameUuid.filter((one) => one.config?.guest?.name !== own?.guest?.name);
  const paths = (list: readonly Guest[]) => listText(list.map((one) => one.config!.path));
  const findings: Finding[] = [];
  if (own && named.length > 0) {
    findings.push({
      code: "duplicate-name",
      severity: "warning",
      where: [own.path, "name"],
      what: `There is another config for a guest named ${guest.name}: ${paths(named)}.`,
      why: "Only one of them can run, and commands that take a name may mean either. Which of them a save image belongs to is a guess.",
      next: "If they are two guests, give one another name=, uuid= and MAC addresses. If it is an old copy, move it out of the directory.",
    });
  }
  if (own && copies.length > 0) {
    findings.push({
      code: "duplicate-uuid",
      severity: "warning",
      where: [own.path, "uuid"],
      what: `${listText(copies.map((one) => one.name))} (${paths(copies)}) ${copies.length === 1 ? "has" : "have"} the same uuid, ${own.guest?.uuid}.`,
      why: "Xen takes two guests with one uuid for the same one: its check against a disk in two guests lets them pass.",
      next: "Give one of them another: uuidgen prints one. Or take uuid= out, and every start makes up a new one.",
    });
  }
  return findings;
}

function brokenLinkFinding({ path, target }: BrokenLink): Finding {
  const to = target === undefined ? "nowhere" : `to ${target}, which is not there`;
  return {
    code: "auto-link-broken",
    severity: "warning",
    where: [path],
    what: `${path} leads ${to}.`,
    why: "What is in that directory starts with the host. This guest does not, and nobody is told.",
    next: `If the guest is gone, delete the link. If its config was renamed or moved, link to it again: ln -sfn CONFIG ${shellWord(path)}`,
  };
}
