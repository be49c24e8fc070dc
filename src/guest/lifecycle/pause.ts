/** `domus pause` and `domus resume`. Survey, plan, run. */
import { commandFailed, refused } from "../../base/failure.ts";
import { shellWord } from "../../check/remedy.ts";
import type { GuestEvent } from "../../host/records.ts";
import type { DomainFact, ImageFact } from "../inventory/facts.ts";
import { domainCommand, sameDomain } from "./domain-command.ts";
import type { DomainName } from "./domain-command.ts";
import { suspendedWayOut, unpauseDomain } from "./domains.ts";
import { withOperation } from "./journal.ts";
import type { LifecyclePorts } from "./ports.ts";

export type PausePlan = {
  readonly domain: DomainName;
  /** It is so already: nothing is done. */
  readonly isSo: boolean;
};

/** Pure. */
export function planPause(domain: DomainFact): PausePlan {
  const { domid, uuid, name, state } = domain;
  if (state !== "running" && state !== "paused" && state !== "unknown")
    throw notNow(domain, "paused");
  return { domain: { domid, uuid, name }, isSo: state === "paused" };
}

export type ResumeSurvey = {
  readonly domain: DomainFact;
  /** Of the guest. */
  readonly images: readonly ImageFact[];
  readonly events: readonly GuestEvent[];
};

/** Pure. `refused` while an image is waiting for which the guest was paused, unless `anyway`. */
export function planResume(
  { domain, images, events }: ResumeSurvey,
  { anyway }: { readonly anyway: boolean },
): PausePlan {
  const { domid, uuid, name, state } = domain;
  if (state !== "running" && state !== "paused") throw notNow(domain, "resumed");
  const plan = { domain: { domid, uuid, name }, isSo: state === "running" };
  const image = images.find((one) => mayFit(one, domain, events));
  if (plan.isSo || anyway || !image) return plan;
  throw refused([`domain ${domid}`, image.path], {
    what: `${name} (domain ${domid}) is paused, and ${image.path} is an image of it that may have been made just then.`,
    why: "Once it runs, it writes to its disks, and the image no longer fits them: to restore it after that destroys their filesystems.",
    next: `If the image is to be kept for a restore: xl destroy ${domid}, then domus restore ${shellWord(name)}. If the guest is to go on, or the image was made with snapshots of all disks: domus resume --anyway ${shellWord(name)}. If the image is older than the pause, move it out of the way.`,
  });
}

/**
 * Whether the image may be of this pause, as `xl save -p` makes them. One that is older than a pause that domus knows of, or than
 * the domain, is not.
 */
function mayFit(
  { image, record, modifiedMs }: ImageFact,
  { domid, uuid }: DomainFact,
  events: readonly GuestEvent[],
): boolean {
  if (record) return record.state === "waiting" || record.state === "saving";
  if (image?.end.kind !== "complete") return false;
  const since = events.findLast(
    (one) => one.uuid === uuid && one.domid === domid && BEFORE_A_PAUSE.has(one.kind),
  );
  return since === undefined || modifiedMs === undefined || modifiedMs > since.atMs;
}

const BEFORE_A_PAUSE: ReadonlySet<GuestEvent["kind"]> = new Set([
  "paused",
  "started",
  "restored",
  "rebooted",
]);

function notNow({ name, domid, state }: DomainFact, verb: string) {
  return refused([`domain ${domid}`], {
    what: `${name} (domain ${domid}) is ${state}: it cannot be ${verb}.`,
    why:
      state === "suspended"
        ? "It is being saved, or moved to another host, or was left so."
        : "Only a domain that runs can be paused, and only one that is paused can go on.",
    next:
      state === "suspended" ? suspendedWayOut(domid) : `domus show ${shellWord(name)} says more.`,
  });
}

/** xl says nothing when it fails: the state is looked at after it. */
export async function runPause(ports: LifecyclePorts, { domain, isSo }: PausePlan): Promise<void> {
  if (isSo) return;
  const { domid, uuid, name } = domain;
  const start = { kind: "pause", guest: name, step: "pause", data: { uuid, domid } };
  await withOperation(ports, start, async () => {
    await domainCommand(ports.host, domain, (id) => ["xl", "pause", id]);
    const row = await sameDomain(ports.host, domain);
    if (row?.state !== "paused") throw stayed(domain, row?.state);
    addEvent(ports, domain, "paused");
  });
}

export async function runResume(ports: LifecyclePorts, { domain, isSo }: PausePlan): Promise<void> {
  if (isSo) return;
  const { domid, uuid, name } = domain;
  const start = { kind: "resume", guest: name, step: "resume", data: { uuid, domid } };
  await withOperation(ports, start, async () => {
    await unpauseDomain(ports, domain);
    addEvent(ports, domain, "resumed");
  });
}

function addEvent(
  { records, nowMs }: LifecyclePorts,
  { domid, uuid, name }: DomainName,
  kind: "paused" | "resumed",
): void {
  records.addEvent({ atMs: nowMs(), guest: name, uuid, domid, kind, by: "domus", detail: {} });
}

function stayed({ name, domid }: DomainName, state: string | undefined) {
  return commandFailed([`domain ${domid}`], {
    what: `${name} (domain ${domid}) is ${state ?? "gone"}, not paused.`,
    why: "xl pause ended without an error; somebody else let it go on, or it ended.",
    next: `domus show ${shellWord(name)} says in which state it is now.`,
  });
}
