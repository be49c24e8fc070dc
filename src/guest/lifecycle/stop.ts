/** `domus stop`: asks a guest to shut down and waits until its domain is gone. Survey, plan, run. */
import { attempt, commandFailed, FailureError, refused } from "../../base/failure.ts";
import { shellWord } from "../../check/remedy.ts";
import type { Ran } from "../../host/host.ts";
import { wayOut } from "../inventory/crash-findings.ts";
import type { DomainFact } from "../inventory/facts.ts";
import { askDomain, sameDomain, xlFailure } from "./domain-command.ts";
import type { DomainName } from "./domain-command.ts";
import { destroyDomain, suspendedWayOut } from "./domains.ts";
import { actionText, startsAgain } from "./end-actions.ts";
import type { EndActions } from "./end-actions.ts";
import { withOperation } from "./journal.ts";
import type { LifecyclePorts } from "./ports.ts";
import { nextDomain, startedAgain } from "./successor.ts";

export type StopOptions = {
  /** Presses the power button of a guest that has no PV drivers. */
  readonly acpi: boolean;
  /** When the domain is taken away, if it is still there, in s after it was asked. Absent: never. */
  readonly destroyAfterS?: number;
  /** For how long it is waited for, in s. */
  readonly waitS: number;
};

export type StopPlan = StopOptions & {
  readonly domain: DomainName;
  /** How the guest is asked; absent: it is past that. */
  readonly ask?: "shutdown" | "power-button";
  /**
   * When its domain is taken away that has shut down in order and is still there, in ms: the xl that does that may be gone. Absent: it
   * is meant to stay.
   */
  readonly takeAwayAfterMs?: number;
};

export type StopSurvey = { readonly domain: DomainFact; readonly actions?: EndActions | undefined };

/** Pure. `refused` where something would be lost that nobody has given up. */
export function planStop({ domain, actions }: StopSurvey, options: StopOptions): StopPlan {
  const { domid, uuid, name, state, watched } = domain;
  const plan: StopPlan = {
    ...options,
    domain: { domid, uuid, name },
    ...(actions?.poweroff === "destroy" && {
      takeAwayAfterMs: watched === false ? 0 : TAKE_AWAY_MS,
    }),
  };
  const mayDestroy = options.destroyAfterS !== undefined;
  const word = shellWord(name);
  const where = [`domain ${domid}`];
  const destroys = `domus stop --destroy-after 0 ${word} destroys it, and what is only in its memory is lost`;
  switch (state) {
    case "suspended":
      throw refused(where, {
        what: `${name} (domain ${domid}) is suspended.`,
        why: "It is being saved, or moved to another host, and whoever does that ends it; or it was left so.",
        next: `${suspendedWayOut(domid)} To end it instead, with what is only in its memory: xl destroy ${domid}.`,
      });
    case "paused":
    case "crashed":
      // There is nobody to ask.
      if (mayDestroy) return { ...plan, destroyAfterS: 0 };
      throw refused(where, {
        what: `${name} (domain ${domid}) is ${state}: it cannot shut itself down.`,
        why:
          state === "paused"
            ? "A guest that is paused does not hear what it is asked."
            : "What is in its memory may be all that says why it crashed, and what it had not written yet is there, too.",
        next:
          state === "paused"
            ? `domus resume ${word}, then stop it. Or: ${destroys}.`
            : `Keep a dump first: xl dump-core ${domid} FILE. Then: ${destroys}.`,
      });
    case "shut-down":
    case "dying":
      return plan;
    case "running":
    case "unknown":
      break;
  }
  if (actions && startsAgain(actions.poweroff) && options.destroyAfterS !== 0)
    throw refused(where, {
      what: `xl would start ${name} again as soon as it has shut down.`,
      why: `on_poweroff is "${actionText(actions.poweroff)}" for it.`,
      next: `Its config decides that at its next start: on_poweroff = "destroy". To end it now: ${destroys}.`,
    });
  return { ...plan, ask: options.acpi ? "power-button" : "shutdown" };
}

export type Stopped = {
  readonly how: "shut-down" | "destroyed";
  readonly seconds: number;
};

export type StopRun = {
  readonly signal?: AbortSignal;
  /** Every second, while it is waited for. */
  readonly onWait?: (seconds: number) => void;
};

const POLL_MS = 1000;
/** The xl that looks after a domain takes it away when it has shut down; the scripts for its devices may take long. */
const TAKE_AWAY_MS = 120_000;
/** For so long, one that is meant to stay may still go. */
const STAYS_MS = 30_000;
/** Domains that are destroyed beside the one that was meant. */
const MAX_SUCCESSORS = 5;

/** Until the domain is gone. `failed` when it is not by then, with the state that it is in. */
export async function runStop(
  ports: LifecyclePorts,
  plan: StopPlan,
  run: StopRun = {},
): Promise<Stopped> {
  const { domid, uuid, name } = plan.domain;
  const start = { kind: "stop", guest: name, step: "ask", data: { uuid, domid } };
  return withOperation(ports, start, async (enter) => {
    const begun = ports.clock.now();
    if (plan.ask && plan.destroyAfterS !== 0) {
      ports.tell(`Asking ${name} (domain ${domid}) to shut down.`);
      await ask(ports, plan);
    }
    enter("wait");
    const how = await waitForEnd(ports, plan, run);
    const seconds = Math.round((ports.clock.now() - begun) / 1000);
    const { records, nowMs } = ports;
    records.addEvent({
      ...{ atMs: nowMs(), guest: name, uuid, domid, kind: "stopped", by: "domus" },
      detail: { how, seconds },
    });
    return { how, seconds };
  });
}

/** Whoever has it destroyed at the end wants it gone whatever it does: for that its power button is pressed without being asked for. */
async function ask(ports: LifecyclePorts, plan: StopPlan): Promise<void> {
  const { domain, ask: how, destroyAfterS } = plan;
  const flags = how === "power-button" ? ["-F"] : [];
  const ran = await askDomain(ports.host, domain, (domid) => ["xl", "shutdown", ...flags, domid]);
  if (ran.exitCode === 0) return;
  if (!hearsNothing(ran) || how === "power-button") throw xlFailure(ran, domain);
  if (destroyAfterS === undefined) throw notAsked(domain);
  ports.tell(`${domain.name} has no drivers for Xen and hears nothing: pressing its power button.`);
  await ask(ports, { ...plan, ask: "power-button" });
}

/**
 * What xl says of an HVM guest without PV drivers: it has nobody to tell. With -F it begins in the same way, and says what it does
 * instead (xen: tools/xl/xl_vmcontrol.c).
 */
export function hearsNothing({ stderr }: Pick<Ran, "stderr">): boolean {
  return /PV control interface not available: external graceful/.test(stderr);
}

function notAsked({ domid, name }: DomainName) {
  const word = shellWord(name);
  return commandFailed([`domain ${domid}`], {
    what: `${name} cannot be asked to shut down: it has no drivers for Xen, or has not loaded them yet.`,
    why: "It is an HVM guest, and only PV drivers hear what xl tells a guest.",
    next: `domus stop --acpi ${word} presses its power button, as xl shutdown -F does; a guest may not listen to that either. To end it whatever it does: domus stop --acpi --destroy-after SECONDS ${word}. Nothing was done yet.`,
  });
}

async function waitForEnd(
  ports: LifecyclePorts,
  plan: StopPlan,
  { signal, onWait }: StopRun,
): Promise<Stopped["how"]> {
  const { clock, host, tell } = ports;
  const { domain, destroyAfterS, waitS, takeAwayAfterMs } = plan;
  const begun = clock.now();
  let shutSince: number | undefined;
  let crashedSince: number | undefined;
  for (;;) {
    const row = await sameDomain(host, domain);
    if (!row) {
      if (destroyAfterS === undefined) await assertEnded(ports, domain);
      else if (await endSuccessors(ports, domain)) return "destroyed";
      return "shut-down";
    }
    const seconds = Math.floor((clock.now() - begun) / 1000);
    if (destroyAfterS !== undefined && seconds >= destroyAfterS) {
      if (destroyAfterS > 0)
        tell(`${domain.name} is still there after ${seconds} s: destroying it.`);
      await takeAway(ports, domain);
      await endSuccessors(ports, domain);
      return "destroyed";
    }
    shutSince = row.state === "shut-down" ? (shutSince ?? clock.now()) : undefined;
    const shutMs = shutSince === undefined ? 0 : clock.now() - shutSince;
    // What xl would have done: nothing is lost by it.
    if (shutSince !== undefined && shutMs >= (takeAwayAfterMs ?? Infinity)) {
      await takeAway(ports, domain);
      return "shut-down";
    }
    crashedSince = row.state === "crashed" ? (crashedSince ?? clock.now()) : undefined;
    const hasCrashed = crashedSince !== undefined && clock.now() - crashedSince >= STAYS_MS;
    if (hasCrashed && destroyAfterS === undefined) throw crashedThere(domain);
    const stays = takeAwayAfterMs === undefined && shutMs >= STAYS_MS;
    if (stays && destroyAfterS === undefined) throw staysThere(domain);
    if (seconds >= waitS && destroyAfterS === undefined) throw stillRuns(plan, seconds);
    if (signal?.aborted) {
      tell(
        `${domain.name} (domain ${domain.domid}) was asked to shut down and is ${row.state}; it may still end by itself.`,
      );
      signal.throwIfAborted();
    }
    onWait?.(seconds);
    await clock.sleep(POLL_MS, signal);
  }
}

/** The domain's own xl may do the same at the same time: then one of the two fails, and it is gone all the same. */
async function takeAway(ports: LifecyclePorts, domain: DomainName): Promise<void> {
  const done = await attempt(() => destroyDomain(ports, domain));
  if (!done.ok && (await sameDomain(ports.host, domain))) throw new FailureError(done.failure);
}

/** One that crashes again and again may just be started anew: whoever wants it destroyed wants that, too. Whether it was. */
async function endSuccessors(ports: LifecyclePorts, domain: DomainName): Promise<boolean> {
  let last = domain;
  for (let round = 0; round < MAX_SUCCESSORS; round++) {
    const next = await nextDomain(ports, last);
    if (!next) return round > 0;
    ports.tell(
      `${next.name} had ended as domain ${last.domid}, and xl started it again as domain ${next.domid}: destroying that, too.`,
    );
    await takeAway(ports, next);
    last = next;
  }
  throw commandFailed([`domain ${last.domid}`], {
    what: `${last.name} was destroyed ${MAX_SUCCESSORS + 1} times, and may be started once more.`,
    why: "It ends by itself faster than it can be destroyed, and its xl starts it again each time.",
    next: `End that process of xl first (its number is in /var/log/xen/xl-${last.name}.log), then: domus stop --destroy-after 0 ${shellWord(last.name)}.`,
  });
}

/** That its domain is gone does not say that it has shut down. */
async function assertEnded({ host }: LifecyclePorts, domain: DomainName): Promise<void> {
  const why = await startedAgain(host, domain);
  if (why === undefined) return;
  const { name, domid } = domain;
  const word = shellWord(name);
  throw commandFailed([`domain ${domid}`], {
    what: `${name} was to shut down, but ${why} (domain ${domid}), and xl starts it again.`,
    why: "Its config says so: on_crash, on_reboot, on_watchdog.",
    next: `domus show ${word} says what it does now. To end it whatever it does: domus stop --destroy-after 0 ${word}.`,
  });
}

function staysThere({ name, domid }: DomainName) {
  return commandFailed([`domain ${domid}`], {
    what: `${name} has shut down, but domain ${domid} is still there, and keeps its disks.`,
    why: "on_poweroff says that it is to be kept, or libxl does not tell what it says.",
    next: `domus stop --destroy-after 0 ${shellWord(name)} takes it away. The guest has ended in order: nothing is lost by that.`,
  });
}

function crashedThere({ name, domid }: DomainName) {
  return commandFailed([`domain ${domid}`], {
    what: `${name} has crashed instead of shutting down, and domain ${domid} is still there, and keeps its disks.`,
    why: "on_crash says that it is to be kept, or nobody is there who acts on it.",
    next: wayOut({ domid, name }),
  });
}

function stillRuns({ domain: { name, domid }, ask: how }: StopPlan, seconds: number) {
  return commandFailed([`domain ${domid}`], {
    what: `${name} (domain ${domid}) still runs, ${seconds} s after it was asked to shut down.`,
    why:
      how === "power-button"
        ? "It does not listen to its power button, or takes that long."
        : "It takes that long, hangs, or does not listen to Xen.",
    next: `It may still end by itself. Look at its console: xl console ${domid}. To end it whatever it does: domus stop --destroy-after SECONDS ${shellWord(name)}.`,
  });
}
