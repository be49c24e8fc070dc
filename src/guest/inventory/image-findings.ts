/** What is wrong with a guest's save images. Pure. */
import { failureText } from "../../base/failure.ts";
import type { Finding } from "../../base/finding.ts";
import { directoryOf, fileName } from "../../base/path.ts";
import { listText, shellWord } from "../../check/remedy.ts";
import type { ImageFact, InventoryFacts, KnownImage, LostImage } from "./facts.ts";
import { isClosed, isPutAway } from "./match.ts";
import type { Guest } from "./match.ts";
import { staleness } from "./stale.ts";
import type { Staleness } from "./stale.ts";

/** `2026-11-21 08:15`, in UTC. */
export function minuteText(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 16).replace("T", " ");
}

export function imageFindings(guest: Guest, facts: InventoryFacts): Finding[] {
  const findings: Finding[] = [];
  const beingSaved = guest.state === "suspended";
  let newest: ImageFact | undefined;
  for (const { fact } of guest.images) {
    if (isPutAway(fact)) continue;
    const broken = incomplete(guest, fact);
    if (broken) {
      // What is being written is not yet whole.
      if (!beingSaved) findings.push(broken);
      continue;
    }
    const stale = staleness(guest, fact, facts);
    if (stale) findings.push(staleImage(guest, fact, stale));
    // It was put aside: nobody waits for it.
    else if (fact.record?.state === "aside") continue;
    else if (newest) findings.push(superseded(guest, fact, newest));
    else if (guest.state === "saved") findings.push(waiting(guest, fact));
    newest ??= fact;
  }
  const lost = guest.lostImages.filter(({ record }) => record.state === "waiting");
  return [...findings, ...lost.map((one) => lostImage(guest, one))];
}

function staleImage(guest: Guest, fact: ImageFact, stale: Staleness): Finding {
  const since = sinceText(guest, stale);
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

/** What speaks against it. What was read from disks is escaped already, and printable text stays as it is. */
function sinceText({ name }: Guest, stale: Staleness): string {
  switch (stale.kind) {
    case "runs":
      return `${name} has gone on since it was saved: it is domain ${stale.domain.domid} now (${stale.domain.state}).`;
    case "written":
      return `Its disk ${stale.target} was written at ${minuteText(stale.modifiedMs)} UTC, after the image.`;
    case "restored":
      return `domus has restored it: ${name} went on from there.`;
    case "proven":
      return stale.disks
        .map(({ vdev, path, changes }) => `Its disk ${vdev} (${path}): ${listText(changes)}`)
        .join(" ");
  }
}

function lostImage({ name }: Guest, { record, replaced }: LostImage): Finding {
  const { path, savedAtMs } = record;
  return {
    code: "image-missing",
    severity: "warning",
    where: [path],
    what: `${name} was saved at ${minuteText(savedAtMs)} UTC in ${path}, ${replaced ? "where another file is now" : "which is not there any more"}.`,
    why: "Without it what the guest was doing is lost, though not its disks. It was deleted, moved to where domus does not look, or its filesystem is not mounted.",
    next: `If it was moved: domus list --also DIR finds it there. If it is gone for good, start the guest from its disks: domus start ${shellWord(name)}.`,
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
  const command = `domus restore ${shellWord(fact.record ? guest.name : fact.path)}`;
  const start = guest.config ? ` xl create ${shellWord(guest.config.path)}` : " xl create";
  return {
    code: "image-waiting",
    severity: "note",
    where: [fact.path],
    what: `${guest.name} is saved in ${fact.path}.`,
    why: `${start.trim()} would start it afresh without a word, and from then on the image no longer fits the disks: to restore it after that destroys their filesystems.`,
    next: `${restore}${command}. To give up what it was doing: domus start --discard-image ${shellWord(guest.name)}; the image is kept aside.`,
  };
}

function incomplete(guest: Guest, fact: ImageFact): Finding | undefined {
  if (isClosed(fact)) return undefined;
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

function flaw(image: KnownImage | undefined): string | undefined {
  const { end } = image ?? {};
  if (end?.kind === "cut-off") return `It ends after ${end.atBytes} bytes, inside ${end.what}.`;
  if (end?.kind === "unreadable") return `${failureText(end.failure)}.`;
  return undefined;
}
