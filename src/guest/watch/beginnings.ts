/** How a domain came to be: made anew, restored, rebooted, moved here. Pure. */
import { cut, imageOf, isMaker, possessionsOf } from "./observation.ts";
import type { DomainLook, XlProcess } from "./observation.ts";
import type { Tracked } from "./state.ts";
import { takeReturning, tell } from "./step.ts";
import type { Step } from "./step.ts";

/** The log of a domain begins when it is unpaused, or is not to be; of one without a log nobody says when that would be. */
const PAUSED_ON_PURPOSE_MS = 1000;
const PAUSED_WITHOUT_LOG_MS = 60_000;
/** The log of a domain begins when it runs. */
const LOG_COMES_WITHIN_MS = 5000;

export const INCOMING = /--incoming$/;
export const MIGRATED_AWAY = /--migratedaway$/;

/** The domain, with `begun` when its start was told. */
export function beginning(step: Step, tracked: Tracked, fact: DomainLook): Tracked {
  const { atMs } = step.look;
  // The name that it is to have is not yet its own.
  if (INCOMING.test(tracked.name)) return tracked;
  const isPaused = tracked.state === "paused" && !fact.hasRun;
  if (isPaused) {
    // Without libxl's configuration it is being made; one that runs without it was made by somebody else.
    const isLogged = tracked.monitorPid !== undefined;
    if (!fact.guest || (!isLogged && atMs - tracked.stateMs < PAUSED_WITHOUT_LOG_MS))
      return tracked;
    // The log is read after the list: only a later list says that it is still paused.
    const wholeMs = tracked.wholeMs ?? atMs;
    if (atMs - wholeMs < PAUSED_ON_PURPOSE_MS) return { ...tracked, wholeMs };
  }
  const maker = makerOf(step, tracked);
  if (maker === "several" && atMs - tracked.stateMs < LOG_COMES_WITHIN_MS) return tracked;
  const process = maker === "several" ? undefined : maker;
  const image = process?.verb === "restore" ? imageOf(process) : undefined;
  const begun = {
    ...tracked,
    begun: true,
    ...(fact.guest && { has: possessionsOf(fact.guest) }),
    ...(image !== undefined && { image: cut(image) }),
  };
  if (!isPaused) {
    tellStart(step, tracked, process);
    return begun;
  }
  if (process?.verb === "migrate-receive") return tracked;
  if (process?.verb === "restore") {
    tell(step, "restored", tracked, { ...imageDetail(process), paused: true });
    return begun;
  }
  if (!tracked.made) tell(step, "created", tracked, makerDetail(process));
  return { ...tracked, made: true };
}

function tellStart(step: Step, tracked: Tracked, process: XlProcess | undefined): void {
  const before = takeReturning(step, tracked);
  if (before?.after === "reboot") tell(step, "rebooted", tracked, { from: before.domid });
  else if (before) tell(step, "started", tracked, { after: before.after, from: before.domid });
  else if (process?.verb === "restore") tell(step, "restored", tracked, imageDetail(process));
  else if (process?.verb === "migrate-receive")
    tell(step, "migrated", tracked, { direction: "in" });
  else tell(step, "started", tracked, makerDetail(process));
}

function imageDetail(process: XlProcess): Record<string, unknown> {
  const image = imageOf(process);
  return image === undefined ? {} : { image };
}

function makerDetail(process: XlProcess | undefined): Record<string, unknown> {
  const config = process?.verb === "create" ? process.words[0] : undefined;
  return config === undefined ? {} : { config };
}

/** `several`: more than one could be it, and they do not do the same. */
function makerOf(
  { look, lifetimes, monitors }: Step,
  { domid, monitorPid }: Tracked,
): XlProcess | "several" | undefined {
  const pid = lifetimes.get(domid)?.pid ?? monitorPid;
  if (pid !== undefined) return look.processes.find((one) => one.pid === pid);
  const free = look.processes.filter((one) => isMaker(one) && !monitors.has(one.pid));
  const [first] = free;
  if (!first || free.length === 1) return first;
  // Of two restores nobody knows which image it was, until the log tells.
  return free.every(({ verb }) => verb === "create") ? { ...first, words: [] } : "several";
}
