/** What one step of the watcher works with: the look, what was seen so far, and who is expected back. */
import { SHUTDOWN } from "./monitor-log.ts";
import type { Ending, Lifetime } from "./monitor-log.ts";
import type { Observation } from "./observation.ts";
import type { Returning, Seen, Tracked, WatchState } from "./state.ts";

export type Step = {
  readonly look: Observation;
  readonly seen: Seen[];
  readonly returning: Returning[];
  readonly lifetimes: ReadonlyMap<number, Lifetime>;
  /** Processes that are known to watch over a domain. */
  readonly monitors: ReadonlySet<number>;
  /** The host itself went down meanwhile. */
  readonly hostWentDown: boolean;
};

/** `later`: whether what was seen was so while nobody watched, and the host was started anew since. */
export function beginStep(previous: WatchState, look: Observation, hostWentDown: boolean): Step {
  const lifetimes = new Map(look.lifetimes.map((life) => [life.domid, life]));
  const alive = new Set(look.domains.map(({ domid }) => domid));
  const monitors = new Set<number>();
  for (const { domid, monitorPid } of previous.domains)
    if (monitorPid !== undefined && alive.has(domid)) monitors.add(monitorPid);
  for (const { domid, pid } of look.lifetimes) if (alive.has(domid)) monitors.add(pid);
  return { look, seen: [], returning: [...previous.returning], lifetimes, monitors, hostWentDown };
}

/** `guest` is the one it happened to, as it is called now. */
export function tell(
  { seen }: Step,
  kind: Seen["kind"],
  { name, uuid, domid }: Pick<Tracked, "name" | "domid"> & { readonly uuid?: string },
  detail: Seen["detail"] = {},
): void {
  seen.push({ kind, guest: name, ...(uuid !== undefined && { uuid }), domid, detail });
}

export function endingOf(step: Step, { domid, ending, wentOn }: Tracked): Ending | undefined {
  const last = step.lifetimes.get(domid)?.ending ?? ending;
  return wentOn && last?.code === SHUTDOWN.suspend ? undefined : last;
}

export function expectBack(
  { look, returning }: Step,
  { domid, uuid, name }: Pick<Tracked, "domid" | "name"> & { readonly uuid?: string },
  after: Returning["after"],
): void {
  returning.push({
    domid,
    ...(uuid !== undefined && { uuid }),
    name,
    after,
    atMs: look.atMs,
  });
}

/** Whose place the domain takes, if any; it is expected no more. */
export function takeReturning(
  { returning, lifetimes }: Step,
  { domid, uuid, name }: Pick<Tracked, "domid" | "name"> & { readonly uuid?: string },
): Returning | undefined {
  const before = lifetimes.get(domid)?.restartOf;
  const ways: ((one: Returning) => boolean)[] = [
    (one) => one.domid === before,
    (one) => uuid !== undefined && one.uuid === uuid && one.domid < domid,
    (one) => one.name === name && one.domid < domid,
  ];
  for (const isIt of ways) {
    const at = returning.findIndex(isIt);
    if (at >= 0) return returning.splice(at, 1)[0];
  }
  return undefined;
}
