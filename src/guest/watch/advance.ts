/**
 * From what was known and one look at the host to what happened in between. Pure, and the heart of the watcher: the same
 * for a look each second and for one after a week. Docs: docs/design/watch.md.
 */
import { isNameless } from "../../xen/xl-list.ts";
import { beginning } from "./beginnings.ts";
import { changed } from "./changes.ts";
import { recentCrashes } from "./crash-loop.ts";
import { ended } from "./endings.ts";
import { hasCrashed, restarts, SHUTDOWN } from "./monitor-log.ts";
import type { Lifetime } from "./monitor-log.ts";
import { cut, possessionsOf } from "./observation.ts";
import type { DomainLook, Observation } from "./observation.ts";
import { isBeingDestroyed } from "./second-look.ts";
import { emptyState, MAX_DOMAINS, STATE_VERSION } from "./state.ts";
import type { Seen, Tracked, WatchState } from "./state.ts";
import { beginStep, endingOf, expectBack, takeReturning, tell } from "./step.ts";
import type { Step } from "./step.ts";

/** A guest that reboots is destroyed, and made anew: with slow hotplug scripts and boot loaders that takes a while. */
const RETURNS_WITHIN_MS = 300_000;

export type Advanced = {
  readonly state: WatchState;
  /** In the order in which it happened, as far as that can be told. */
  readonly seen: readonly Seen[];
};

/** The first look of all: what is there is how things are, and nothing happened. */
export function firstState(look: Observation): WatchState {
  // As if all that has been was known.
  const known = { ...emptyState(look.bootId, look.atMs), maxDomid: MAX_DOMAINS };
  const { state } = advance(known, look);
  const facts = new Map(look.domains.map((fact) => [fact.domid, fact]));
  const domains = state.domains.map((one) => {
    const guest = facts.get(one.domid)?.guest;
    // Paused, and whole: since when, and after what, nobody saw.
    return one.begun || !guest ? one : { ...one, begun: true, has: possessionsOf(guest) };
  });
  const ids = [...look.domains, ...look.lifetimes].map(({ domid }) => domid);
  return { ...state, domains, maxDomid: Math.max(0, ...ids) };
}

export function advance(previous: WatchState, look: Observation): Advanced {
  if (previous.bootId === look.bootId) return advanceInBoot(previous, look, false);
  // Xen counts domains from 1 again: none of those before is one of those now.
  const down = advanceInBoot(
    previous,
    { ...look, domains: [], lifetimes: look.earlier ?? [] },
    true,
  );
  const up = advanceInBoot(
    { ...emptyState(look.bootId, look.atMs), alarms: previous.alarms },
    look,
    false,
  );
  return { state: up.state, seen: [...down.seen, ...up.seen] };
}

function advanceInBoot(previous: WatchState, look: Observation, hostWentDown: boolean): Advanced {
  const step = beginStep(previous, look, hostWentDown);
  const alive = new Map<number, DomainLook>();
  for (const fact of look.domains)
    // What is dying has ended; its memory is still to be given back.
    if (fact.domid > 0 && fact.state !== "dying") alive.set(fact.domid, fact);
  const known = new Map(previous.domains.map((one) => [one.domid, one]));
  const gone = previous.domains.filter(({ domid }) => !alive.has(domid));
  for (const tracked of byDomid(gone)) {
    const life = step.lifetimes.get(tracked.domid);
    // The log of one that was being made when it was seen last says that it was finished.
    if (life && !tracked.begun && !tracked.made) livedAlone(step, life, previous);
    else ended(step, tracked);
  }
  const unseen = byDomid(unseenLives(step, previous, alive));
  for (const life of unseen) livedAlone(step, life, previous);
  const domains = byDomid([...alive.values()]).flatMap(
    (fact) => followed(step, known.get(fact.domid), fact) ?? [],
  );
  const maxDomid = Math.max(
    previous.maxDomid,
    ...unseen.map(({ domid }) => domid),
    ...look.domains.map(({ domid }) => domid),
  );
  const crashes = recentCrashes(previous.crashes ?? [], step.seen, {
    beforeMs: previous.atMs,
    atMs: look.atMs,
  });
  const state: WatchState = {
    version: STATE_VERSION,
    bootId: look.bootId,
    atMs: look.atMs,
    maxDomid,
    domains,
    returning: stillExpected(step),
    alarms: previous.alarms,
    ...(crashes.length > 0 && { crashes }),
  };
  return { state, seen: step.seen };
}

function byDomid<T extends { readonly domid: number }>(list: readonly T[]): T[] {
  return list.toSorted((a, b) => a.domid - b.domid);
}

/** Undefined: nobody can say what state it is in. */
function followed(step: Step, before: Tracked | undefined, fact: DomainLook): Tracked | undefined {
  const { atMs } = step.look;
  const { domid, uuid, state } = fact;
  if (state === "unknown") return before;
  // It is paused and loses its devices, which nobody meant; when that has failed the next look says how it is.
  if (before?.begun && isBeingDestroyed(fact, step.look.processes)) return before;
  const life = step.lifetimes.get(domid);
  const monitorPid = life?.pid ?? before?.monitorPid;
  const now: Tracked = {
    ...(before ?? { begun: false, sinceMs: atMs }),
    domid,
    uuid,
    // xl destroys the name first: one that has none for a moment keeps what it had.
    name: cut(before && isNameless(fact) ? before.name : fact.name),
    state,
    stateMs: before?.state === state ? before.stateMs : atMs,
    ...(monitorPid !== undefined && { monitorPid }),
    // The log is read after the list: what it said by then was before this.
    ...(before?.ending?.code === SHUTDOWN.suspend && state === "running" && { wentOn: true }),
  };
  const ending = endingOf(step, now);
  const told = ending ? { ...now, ending } : now;
  if (before?.begun) return changed(step, before, told, fact);
  const begun = beginning(step, told, fact);
  // It ran, and more has happened to it since.
  const isAsBegun = begun.state === "running" || (begun.state === "paused" && !fact.hasRun);
  if (!begun.begun || isAsBegun) return begun;
  return changed(step, { ...begun, state: "running" }, begun, fact);
}

/** Domains that came and went between two looks, of which only the log tells. */
function unseenLives(
  { lifetimes, hostWentDown }: Step,
  { maxDomid }: WatchState,
  alive: ReadonlyMap<number, DomainLook>,
): Lifetime[] {
  const newest = Math.max(0, ...alive.keys());
  return [...lifetimes.values()].filter(
    ({ domid, ending }) =>
      domid > maxDomid &&
      !alive.has(domid) &&
      // The log is read after the list: what it says of a domain without an end may have begun in between.
      (ending !== undefined || domid < newest || hostWentDown),
  );
}

function livedAlone(step: Step, life: Lifetime, { domains }: WatchState): void {
  const { domid, ending } = life;
  const name = cut(life.name);
  const uuid =
    step.look.domains.find((one) => one.name === name)?.uuid ??
    domains.find((one) => one.name === name)?.uuid;
  const who = { name, domid, ...(uuid !== undefined && { uuid }) };
  const from = step.seen.length;
  const before = takeReturning(step, who);
  if (before?.after === "reboot") tell(step, "rebooted", who, { from: before.domid });
  else if (before) tell(step, "started", who, { after: before.after, from: before.domid });
  else tell(step, "started", who);
  if (ending || !step.hostWentDown) tellEnd(step, who, ending ?? {});
  else tell(step, "stopped", who, { reason: "host" });
  for (let at = from; at < step.seen.length; at++)
    step.seen[at] = { ...step.seen[at]!, fromLog: true };
}

function tellEnd(
  step: Step,
  who: { readonly name: string; readonly domid: number; readonly uuid?: string },
  ending: NonNullable<Lifetime["ending"]>,
): void {
  const { code } = ending;
  const comesBack = restarts(ending);
  if (code === SHUTDOWN.suspend) tell(step, "saved", who);
  else if (hasCrashed(ending)) {
    tell(step, "crashed", who);
    if (comesBack) expectBack(step, who, "crash");
    // It was kept, and is not there any more.
    else if (ending.action === "preserve") tell(step, "stopped", who, { reason: "destroyed" });
  } else if (code === SHUTDOWN.reboot || code === SHUTDOWN.softReset) {
    if (comesBack) expectBack(step, who, "reboot");
    else tell(step, "stopped", who, { reason: "reboot" });
  } else {
    tell(step, "stopped", who, { reason: code === undefined ? "destroyed" : "poweroff" });
    if (comesBack) expectBack(step, who, "stop");
  }
}

/** Who does not come back has stopped. */
function stillExpected(step: Step): WatchState["returning"] {
  const { atMs } = step.look;
  return step.returning.filter((one) => {
    if (!step.hostWentDown && atMs - one.atMs < RETURNS_WITHIN_MS) return true;
    if (one.after === "reboot") tell(step, "stopped", one, { reason: "reboot", cameBack: false });
    return false;
  });
}
