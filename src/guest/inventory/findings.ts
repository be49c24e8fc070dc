/** Where what is known of a guest contradicts itself. Pure; the table is in docs/design/inventory.md. */
import { failureText } from "../../base/failure.ts";
import type { Finding } from "../../base/finding.ts";
import { bySeverity } from "../../base/finding.ts";
import { listText, shellWord } from "../../check/remedy.ts";
import { diskFindings, diskUses } from "./disk-findings.ts";
import { domainFindings, isHalfBuilt } from "./domain-findings.ts";
import { driftFindings } from "./drift.ts";
import type { BrokenLink, InventoryFacts } from "./facts.ts";
import { heldLockFindings, leftLoopFindings } from "./hotplug-findings.ts";
import { imageFindings } from "./image-findings.ts";
import type { Guest } from "./match.ts";
import { operationFindings } from "./operation-findings.ts";

/** Those about each guest, in the guests' order, most severe first. */
export function guestFindings(guests: readonly Guest[], facts: InventoryFacts): Finding[][] {
  const names = Map.groupBy(guests, ({ config }) => config?.guest?.name);
  const uuids = Map.groupBy(guests, ({ config }) => config?.guest?.uuid);
  const uses = diskUses(guests, facts);
  return guests.map((guest) => {
    const { name, uuid } = guest.config?.guest ?? {};
    const sameName = (name !== undefined && names.get(name)) || [];
    const sameUuid = (uuid !== undefined && uuids.get(uuid)) || [];
    return bySeverity([
      ...imageFindings(guest, facts),
      ...domainFindings(guest, facts),
      ...diskFindings(guest, facts, uses),
      ...leftLoopFindings(guest, facts, uses),
      ...operationFindings(guest.operations),
      ...withoutConfig(guest),
      ...configUnreadable(guest),
      ...duplicates(guest, sameName, sameUuid),
      ...driftFindings(guest, facts.backings),
    ]);
  });
}

/** Those that belong to no guest. */
export function hostFindings(guests: readonly Guest[], facts: InventoryFacts): Finding[] {
  const { brokenLinks, operations } = facts;
  const known = new Set(guests.map(({ name }) => name));
  const others = operations.filter(({ operation }) => !known.has(operation.guest));
  return [
    ...brokenLinks.map(brokenLinkFinding),
    ...operationFindings(others),
    ...heldLockFindings(facts),
  ];
}

function withoutConfig({ name, config, domains, images }: Guest): Finding[] {
  // What is dying is nobody's any more, and what is half built nobody's yet: those have findings of their own.
  const domain = domains.find(({ fact }) => fact.state !== "dying" && !isHalfBuilt(fact))?.fact;
  if (config || (!domain && domains.length > 0) || (!domain && images.length === 0)) return [];
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
