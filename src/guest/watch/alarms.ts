/** What is wrong on the host right now, and cannot wait until somebody runs domus list. Pure. */
import type { Finding } from "../../base/finding.ts";
import { shellWord } from "../../check/remedy.ts";
import type { DiskReach } from "../../host/disk-reach.ts";
import type { ImageRecord } from "../../host/records.ts";
import { overlaps } from "../guard/disk-overlap.ts";
import { INCOMING, MIGRATED_AWAY } from "./beginnings.ts";
import { crashLoops } from "./crash-loop.ts";
import { crashedUnwatched } from "../inventory/crash-findings.ts";
import { isMaker } from "./observation.ts";
import type { DomainLook, XlProcess } from "./observation.ts";
import { waitsFor } from "./restored-from.ts";
import type { Crash, Tracked } from "./state.ts";

export type Alarm = {
  /** Of what is wrong: one alarm as long as it holds. */
  readonly key: string;
  readonly guest: string;
  readonly uuid: string;
  readonly domid: number;
  readonly finding: Finding;
  /** It has to hold so long: for a moment it is in order. Infinity: it is not raised, and holds where it was raised before. */
  readonly afterMs: number;
};

/** How the disks compared with the fingerprints when a guest was restored. */
export type DisksThen = {
  /** `perhaps changed`: they were not what they were, but the guest ran already when they were read. */
  readonly verdict: "unchanged" | "changed" | "perhaps changed" | "unknown";
  /** Sentences, escaped. */
  readonly changes: readonly string[];
};

export type AlarmFacts = {
  readonly domains: readonly Tracked[];
  readonly looks: readonly DomainLook[];
  readonly processes: readonly XlProcess[];
  readonly images: readonly ImageRecord[];
  /** Names and uuids of guests that a command of domus works on. */
  readonly busy: ReadonlySet<string>;
  /** What disks are in dom0, by target. */
  readonly reaches: ReadonlyMap<string, DiskReach>;
  /** By domid. */
  readonly disksThen: ReadonlyMap<number, DisksThen>;
  /** By domid, ids of images of a guest that was restored from another file. */
  readonly otherImages?: ReadonlyMap<number, ReadonlySet<number>>;
  /** Of the last minutes. */
  readonly crashes?: readonly Crash[];
};

const MOMENT_MS = 3000;
/** A hotplug script may take 40 seconds, and xl is at work meanwhile; this is for those without one. */
const HALF_BUILT_MS = 10_000;

export function alarmsOf(facts: AlarmFacts): Alarm[] {
  return [
    ...facts.domains.flatMap((one) => [
      ...imageAlarms(one, facts),
      ...unwatched(one, facts),
      ...leftOver(one, facts),
      ...halfBuilt(one, facts),
    ]),
    ...sharedDisks(facts),
    ...takenDisks(facts),
    ...crashLoops(facts.crashes ?? []).map(({ last, uuid, finding }): Alarm => {
      const { guest, domid } = last;
      // One for all the domains that it is in turn.
      return { key: `${finding.code} ${uuid}`, guest, uuid, domid, finding, afterMs: 0 };
    }),
  ];
}

function alarm(tracked: Tracked, finding: Finding, afterMs = 0, more = ""): Alarm {
  const { domid, uuid, name } = tracked;
  return {
    key: `${finding.code} ${domid} ${uuid}${more}`,
    ...{ guest: name, uuid, domid, finding, afterMs },
  };
}

function isActive({ begun, state }: Tracked): boolean {
  return begun && (state === "running" || state === "paused");
}

function imageAlarms(tracked: Tracked, facts: AlarmFacts): Alarm[] {
  const { name, uuid } = tracked;
  if (!isActive(tracked)) return [];
  const afterMs = isBusy(facts, name, uuid) ? Infinity : 0;
  const waiting = facts.images.filter((image) => waitsFor(image, tracked));
  return waiting.map((image) =>
    alarm(tracked, imageFinding(tracked, image, facts), afterMs, ` ${image.id}`),
  );
}

function imageFinding(
  tracked: Tracked,
  image: ImageRecord,
  { disksThen, otherImages }: AlarmFacts,
): Finding {
  const { domid } = tracked;
  if (tracked.image === undefined) return startedBeside(tracked, image);
  if (otherImages?.get(domid)?.has(image.id)) return restoredBeside(tracked, image);
  return restoredBehind(tracked, image, disksThen.get(domid));
}

/** What domus does with the guest is no alarm, and ends none that was raised before. */
function isBusy({ busy }: AlarmFacts, name: string, uuid: string): boolean {
  return busy.has(name) || busy.has(uuid);
}

function startedBeside({ name, domid }: Tracked, { path }: ImageRecord): Finding {
  return {
    code: "image-bypassed",
    severity: "error",
    where: [path],
    what: `${name} was started from its disks (domain ${domid}) while its save image ${path} waits to be restored.`,
    why: "From now on the image does not fit the disks: to restore it would destroy their filesystems. xl does not look.",
    next: `Do not restore it. If what the guest was doing matters more than what it writes now, xl destroy ${domid} at once, and domus show ${shellWord(name)} says whether the disks still fit. Else domus start --discard-image keeps the image aside at the next start.`,
  };
}

function restoredBeside({ name, domid, image: given }: Tracked, { path }: ImageRecord): Finding {
  return {
    code: "image-bypassed",
    severity: "error",
    where: [path],
    what: `${name} was restored from ${given} (domain ${domid}) while its save image ${path} waits to be restored.`,
    why: "Two images of one guest are of two moments, and it wrote to its disks in between: they fit one of the two at most. From the other one the guest destroys its filesystems. xl does not look.",
    next: `Unless ${given} is a copy of ${path}: xl destroy ${domid} at once; then domus restore ${shellWord(name)} compares the disks with ${path}, and refuses when they do not fit. If it is a copy, never restore ${path}: domus start --discard-image keeps it aside at the next start.`,
  };
}

function restoredBehind(
  { name, domid, image: given }: Tracked,
  { path }: ImageRecord,
  then: DisksThen | undefined,
): Finding {
  const from = given === undefined || given === path ? path : `${given} (recorded as ${path})`;
  const isChanged = then?.verdict === "changed";
  const changes = then?.changes.slice(0, 4).join(" ") ?? "";
  const proof = {
    changed: `Its disks had changed since the save: ${changes}`,
    "perhaps changed": `It ran already when its disks were looked at, and they were not those of the save any more, be it that it has written that itself: ${changes}`,
    unchanged: "Its disks were those of the save.",
    unknown: "Whether its disks were still those of the save is not known.",
  }[then?.verdict ?? "unknown"];
  return {
    code: "image-restored-unseen",
    severity: isChanged ? "error" : "warning",
    where: [path],
    what: `${name} was restored from ${from} without domus (domain ${domid}). ${proof}`,
    why: isChanged
      ? "The guest goes on with what it remembers of its filesystems, and writes that over what was changed: every moment destroys more."
      : "xl restore looks at nothing. The image is worth nothing any more, wherever it still lies.",
    next: isChanged
      ? `xl destroy ${domid} at once, then fsck the filesystems from a rescue system, or restore a backup.`
      : `Delete the image when the guest is well; restore with domus restore ${shellWord(name)} the next time.`,
  };
}

function unwatched(tracked: Tracked, { looks, processes }: AlarmFacts): Alarm[] {
  const { domid, state, begun, monitorPid } = tracked;
  if (monitorPid === undefined || processes.some(({ pid }) => pid === monitorPid)) return [];
  if (begun && state === "crashed") {
    const onCrash = looks.find((one) => one.domid === domid)?.guest?.onCrash;
    // It is meant to stay, and its process has nothing more to do.
    if (tracked.ending?.action === "preserve" || onCrash === "preserve") return [];
    const finding = crashedUnwatched({ ...tracked, ...(onCrash !== undefined && { onCrash }) });
    return [alarm(tracked, finding, MOMENT_MS, ` ${monitorPid} crashed`)];
  }
  // A save ends the process, and most domains with it: that is none. One that was raised before holds on.
  const isSaved = begun && state === "suspended";
  if (!isActive(tracked) && !isSaved) return [];
  const { name } = tracked;
  const finding: Finding = {
    code: "domain-unwatched",
    severity: "warning",
    where: [`domain ${domid}`],
    what: `The process of xl that watched domain ${domid} (${name}), pid ${monitorPid}, is gone.`,
    why: "When the guest reboots, is shut down or crashes, nobody acts on it: it does not come back, and holds its memory and disks. Also xl save -c and a migration that failed end that process.",
    next: "A save and a restore (domus save, domus restore) or a stop and a start give it a new one. Until then do not reboot it from inside.",
  };
  return [alarm(tracked, finding, isSaved ? Infinity : MOMENT_MS, ` ${monitorPid}`)];
}

function leftOver(tracked: Tracked, { processes }: AlarmFacts): Alarm[] {
  const { name, domid } = tracked;
  const isArriving = INCOMING.test(name);
  if (!isArriving && !MIGRATED_AWAY.test(name)) return [];
  if (processes.some(({ verb }) => verb.startsWith("migrate"))) return [];
  const finding: Finding = {
    code: "domain-left-over",
    severity: "warning",
    where: [`domain ${domid}`],
    what: `Domain ${domid} is called ${name}, and no migration is under way here.`,
    why: `A migration was cut off and left it: it holds memory and disks, and never runs. ${isArriving ? "The guest may still run on the host that it came from." : "The guest may run on the other host with the same disks."}`,
    next: `Find out where the guest runs. Then xl destroy ${domid}, by its number, as the name may be given again.`,
  };
  return [alarm(tracked, finding, MOMENT_MS)];
}

function halfBuilt(tracked: Tracked, { looks, processes, domains }: AlarmFacts): Alarm[] {
  const { name, domid, begun, state } = tracked;
  const hasConfig = looks.some((one) => one.domid === domid && one.guest);
  if (begun || hasConfig || state !== "paused" || INCOMING.test(name)) return [];
  const monitors = new Set(domains.map(({ monitorPid }) => monitorPid));
  // One that watches over no other domain may be making it.
  if (processes.some((one) => isMaker(one) && !monitors.has(one.pid))) return [];
  const finding: Finding = {
    code: "domain-half-built",
    severity: "warning",
    where: [`domain ${domid}`],
    what: `Domain ${domid} (${name}) is half built: it is paused, libxl has no configuration of it, and no xl is at work on it.`,
    why: "The xl that was making it was ended half-way. It never runs, and holds its name, its memory and perhaps disks.",
    next: `xl destroy ${domid}, by its number. Then start the guest again.`,
  };
  return [alarm(tracked, finding, HALF_BUILT_MS)];
}

type DiskUser = {
  readonly tracked: Tracked;
  readonly vdev: string;
  readonly target: string;
  readonly reach: DiskReach;
};

/** The state of two that are on one disk does not matter; that both may write does. */
function sharedDisks(facts: AlarmFacts): Alarm[] {
  const users = diskUsers(facts);
  const byIdentity = Map.groupBy(users, ({ reach }) => reach.identity);
  const order = new Map(users.map((user, index) => [user, index]));
  // Each pair is found from its one side at least; the other one of them may not reach back.
  const pairs = new Map<string, readonly [DiskUser, DiskUser]>();
  for (const user of users)
    for (const identity of user.reach.reaches)
      for (const other of byIdentity.get(identity) ?? []) {
        if (other.tracked.domid === user.tracked.domid) continue;
        const [a, b] = order.get(other)! < order.get(user)! ? [other, user] : [user, other];
        const key = `${b.tracked.domid} ${b.reach.identity}`;
        if (!pairs.has(key)) pairs.set(key, [a, b]);
      }
  return [...pairs.values()].map(([a, b]) =>
    alarm(b.tracked, shared(a, b), 0, ` ${b.reach.identity}`),
  );
}

/** What the image of another guest needs as it is. Of a guest itself `imageAlarms` speaks. */
function takenDisks(facts: AlarmFacts): Alarm[] {
  const { images, reaches } = facts;
  const waiting = images.filter(({ state }) => state === "waiting");
  if (waiting.length === 0) return [];
  const users = diskUsers(facts);
  return waiting.flatMap((image) => {
    const needed = image.disks.flatMap(({ path, readonly }) =>
      readonly ? [] : (reaches.get(path) ?? []),
    );
    const others = users.filter(
      ({ tracked: { name, uuid } }) => uuid !== image.uuid && name !== image.guest,
    );
    const taken = others.filter(({ reach }) => needed.some((one) => overlaps(one, reach)));
    const first = new Map(taken.toReversed().map((user) => [user.tracked.domid, user]));
    const isImageBusy = isBusy(facts, image.guest, image.uuid);
    return [...first.values()].map((user) => {
      const { name, uuid } = user.tracked;
      const afterMs = isImageBusy || isBusy(facts, name, uuid) ? Infinity : 0;
      return alarm(user.tracked, takenBeside(user, image), afterMs, ` ${image.id}`);
    });
  });
}

function takenBeside({ tracked, vdev, target }: DiskUser, { guest, path }: ImageRecord): Finding {
  const { name, domid } = tracked;
  return {
    code: "image-bypassed",
    severity: "error",
    where: [path, target],
    what: `${name} (domain ${domid}) may write to ${target}, a disk of ${guest}, while the save image ${path} of ${guest} waits to be restored.`,
    why: "With the first write the image does not fit the disk any more: to restore it would destroy its filesystems. xl does not look.",
    next: `If what ${guest} was doing matters, take the disk away at once: domus detach ${shellWord(name)} ${shellWord(vdev)}. domus sets the image aside when it sees this; given its path, domus restore takes it as long as nothing was written, and refuses it otherwise.`,
  };
}

function diskUsers({ domains, looks, reaches }: AlarmFacts): DiskUser[] {
  return domains.flatMap((tracked) => {
    if (!isActive(tracked) || INCOMING.test(tracked.name) || MIGRATED_AWAY.test(tracked.name))
      return [];
    const guest = looks.find(({ domid }) => domid === tracked.domid)?.guest;
    return (guest?.disks ?? []).flatMap(({ vdev, target, readonly, elsewhere }) => {
      const reach = readonly || elsewhere ? undefined : reaches.get(target);
      return reach ? [{ tracked, vdev, target, reach }] : [];
    });
  });
}

function shared(one: DiskUser, other: DiskUser): Finding {
  const [a, b] = [one.tracked, other.tracked];
  const names =
    one.target === other.target
      ? [one.target, `${a.name} (${a.domid}) and ${b.name} (${b.domid})`]
      : [
          "the same disk",
          `${a.name} (${a.domid}) as ${one.target} and ${b.name} (${b.domid}) as ${other.target}`,
        ];
  return {
    code: "disk-shared",
    severity: "error",
    where: [one.target],
    what: `Two domains may write to ${names.join(": ")}.`,
    why: "Each keeps in its memory what it believes to be on the disk. Unless the filesystem is made for it (OCFS2, GFS2), they destroy it.",
    next: `Stop one of them at once: xl destroy ${b.domid}, the one that was started later. Then fsck the disk while none of them runs.`,
  };
}
