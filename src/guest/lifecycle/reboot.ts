/** `domus reboot`: restarts a guest that will come back, and watches it do so. Survey, plan, run. */
import { commandFailed, refused } from "../../base/failure.ts";
import { shellWord } from "../../check/remedy.ts";
import type { BootOutcome } from "../console/watch-boot.ts";
import { diskUses, claimsFor } from "../guard/disk-claims.ts";
import type { DiskUse } from "../guard/disk-claims.ts";
import { differenceText } from "../inventory/drift.ts";
import type { DomainFact } from "../inventory/facts.ts";
import type { Difference } from "../../xen/drift.ts";
import { askDomain, sameDomain, xlFailure } from "./domain-command.ts";
import type { DomainName } from "./domain-command.ts";
import { listDomains, suspendedWayOut } from "./domains.ts";
import { actionText, startsAgain } from "./end-actions.ts";
import type { EndActions } from "./end-actions.ts";
import { withOperation } from "./journal.ts";
import type { BootCheck } from "./plan-start.ts";
import type { LifecyclePorts } from "./ports.ts";
import { hearsNothing } from "./stop.ts";

export type RebootSurvey = {
  readonly domain: DomainFact;
  readonly actions?: EndActions | undefined;
  /** Of the guest's config; absent: there is none, or it was not asked for. */
  readonly check?: BootCheck | undefined;
  readonly configPath?: string | undefined;
  /** Between the domain and its config. */
  readonly drift: readonly Difference[];
};

export type RebootOptions = {
  /** The boot check has no say. */
  readonly anyway: boolean;
  /** For how long the new domain is waited for, in s. */
  readonly waitS: number;
};

export type RebootPlan = RebootOptions & {
  readonly domain: DomainName;
  readonly disks: readonly DiskUse[];
  /** Sentences: what the reboot will not bring, what could not be told. */
  readonly notes: readonly string[];
};

/** Pure. `refused` where the guest would not come back. */
export function planReboot(survey: RebootSurvey, options: RebootOptions): RebootPlan {
  const { domain, actions, check, configPath, drift } = survey;
  const { domid, uuid, name } = domain;
  assertHears(domain);
  const word = shellWord(name);
  const where = [`domain ${domid}`];
  if (actions && !startsAgain(actions.reboot))
    throw refused(where, {
      what: `${name} would not come back: xl ends it when it reboots.`,
      why: `on_reboot is "${actionText(actions.reboot)}" for it.`,
      next: `domus stop ${word}, then domus start ${word}. For good: on_reboot = "restart" in its config.`,
    });
  if (domain.watched === false)
    throw refused(where, {
      what: `${name} would not come back: the process of xl that starts it again is gone.`,
      why: "xl leaves one behind for each domain; without it a guest that reboots stays as it is when it has shut down.",
      next: `domus stop --destroy-after SECONDS ${word}, then domus start ${word}: that has one again.`,
    });
  if (check?.verdict === "fails" && !options.anyway) throw wouldNotBoot(name, check);
  const kept = drift.map((one) => differenceText(one));
  return {
    ...options,
    domain: { domid, uuid, name },
    disks: diskUses(domain.guest?.disks ?? []),
    notes: [
      ...(check?.verdict === "fails"
        ? [`The boot check says that it fails: ${firstError(check)}`]
        : []),
      ...(check?.verdict === "unknown"
        ? [`Whether it will boot could not be told: domus check ${word} says why.`]
        : []),
      ...(check === undefined && configPath === undefined
        ? ["No config of it is known, so that it could not be checked whether it will boot."]
        : []),
      ...(kept.length === 0
        ? []
        : [
            `A reboot does not read ${configPath}: the guest keeps what its domain has. ${kept.join(" ")}`,
          ]),
    ],
  };
}

function assertHears({ name, domid, state }: DomainFact): void {
  if (state === "running" || state === "unknown") return;
  const word = shellWord(name);
  throw refused([`domain ${domid}`], {
    what: `${name} (domain ${domid}) is ${state}: it cannot reboot.`,
    why: state === "paused" ? "It does not hear what it is asked." : "It does not run.",
    next:
      state === "paused"
        ? `domus resume ${word} first.`
        : state === "suspended"
          ? `It is being saved or moved, or was left so. ${suspendedWayOut(domid)}`
          : `domus show ${word} says more. To start it anew: domus stop --destroy-after 0 ${word}, then domus start ${word}.`,
  });
}

function wouldNotBoot(name: string, check: BootCheck) {
  const error = check.findings.find(({ severity }) => severity === "error");
  const word = shellWord(name);
  return refused(error?.where ?? [name], {
    what: `${name} would not come back: ${firstError(check)}`,
    why: error?.why ?? "The boot check found what stops it.",
    next: `${error?.next ?? ""} All of it: domus check ${word}. It runs on as it is. To reboot it all the same: domus reboot --anyway ${word}.`.trim(),
  });
}

function firstError({ findings }: BootCheck): string {
  return findings.find(({ severity }) => severity === "error")?.what ?? "the check says so.";
}

export type Rebooted = { readonly domain: DomainName; readonly boot: BootOutcome };

export type RebootRun = {
  readonly signal?: AbortSignal;
  /** Watches the new domain until it is up or has failed. */
  readonly watch: (domain: DomainName) => Promise<BootOutcome>;
  /** Every second, while the new domain is waited for. */
  readonly onWait?: (seconds: number) => void;
};

const POLL_MS = 1000;
/** xl starts it again within seconds after it has shut down; the scripts for its devices may take longer. */
const STAYS_MS = 180_000;

/** Until the guest is up, or is known not to be. `failed` when it has no new domain; its boot is in the result. */
export async function runReboot(
  ports: LifecyclePorts,
  plan: RebootPlan,
  run: RebootRun,
): Promise<Rebooted> {
  const { domid, uuid, name } = plan.domain;
  // Nobody gets them between the old domain and the new one.
  const disks = await claimsFor(ports.guard, plan.disks);
  const start = { kind: "reboot", guest: name, step: "ask", data: { uuid, domid, disks } };
  return withOperation(ports, start, async (enter) => {
    const known = new Set((await listDomains(ports.host)).map((row) => row.domid));
    ports.tell(`Asking ${name} (domain ${domid}) to reboot.`);
    await ask(ports, plan);
    enter("wait");
    const domain = await waitForNext(ports, plan, known, run);
    enter("watch", { next: domain.domid });
    const { records, nowMs, tell } = ports;
    // Now, and not when it is up: who else sees it, sees it now.
    records.addEvent({
      ...{ atMs: nowMs(), guest: name, uuid, domid: domain.domid, kind: "rebooted", by: "domus" },
      detail: { from: domid },
    });
    try {
      const boot = await run.watch(domain);
      return { domain: { ...domain, domid: boot.domid }, boot };
    } catch (error) {
      if (run.signal?.aborted)
        tell(`${name} has been started again as domain ${domain.domid}, and goes on.`);
      throw error;
    }
  });
}

async function ask({ host }: LifecyclePorts, { domain }: RebootPlan): Promise<void> {
  const ran = await askDomain(host, domain, (domid) => ["xl", "reboot", domid]);
  if (ran.exitCode === 0) return;
  throw hearsNothing(ran) ? notAsked(domain) : xlFailure(ran, domain);
}

/** `xl reboot -F` is no way out: it fails on x86, whose Xen has no such trigger (xen: xen/arch/x86/domctl.c). */
function notAsked({ domid, name }: DomainName) {
  const word = shellWord(name);
  return commandFailed([`domain ${domid}`], {
    what: `${name} cannot be asked to reboot: it has no drivers for Xen, or has not loaded them yet.`,
    why: "It is an HVM guest, and only PV drivers hear what xl tells a guest. Xen gives it a power button, and no reset button.",
    next: `Reboot it from inside. Or end it and start it again: domus stop --acpi ${word} presses its power button, then domus start ${word}. Nothing was done yet.`,
  });
}

async function waitForNext(
  ports: LifecyclePorts,
  plan: RebootPlan,
  known: ReadonlySet<number>,
  { signal, onWait }: RebootRun,
): Promise<DomainName> {
  const { clock, host, tell } = ports;
  const { domain, waitS } = plan;
  const begun = clock.now();
  let endedAt: number | undefined;
  for (;;) {
    const rows = (await listDomains(host)).filter(({ uuid }) => uuid === domain.uuid);
    const next = rows.find(({ domid }) => !known.has(domid));
    // A row may be part of a name: looked at by itself it is not.
    if (next && (await sameDomain(host, { ...domain, domid: next.domid })))
      return { ...domain, domid: next.domid };
    const old = rows.find(({ domid }) => domid === domain.domid);
    const seconds = Math.floor((clock.now() - begun) / 1000);
    const runs = old?.state === "running" || old?.state === "paused";
    endedAt = runs ? undefined : (endedAt ?? clock.now());
    if (endedAt !== undefined && clock.now() - endedAt >= STAYS_MS)
      throw notStarted(domain, old !== undefined);
    if (runs && seconds >= waitS) throw stillRuns(domain, seconds);
    if (signal?.aborted) {
      tell(
        runs
          ? `${domain.name} (domain ${domain.domid}) was asked to reboot and still runs; it may still do so.`
          : `${domain.name} has shut down to reboot; xl starts it again by itself.`,
      );
      signal.throwIfAborted();
    }
    onWait?.(seconds);
    await clock.sleep(POLL_MS, signal);
  }
}

function notStarted({ name, domid }: DomainName, isThere: boolean) {
  const word = shellWord(name);
  return commandFailed([`domain ${domid}`], {
    what: `${name} has shut down, and was not started again.`,
    why: isThere
      ? `Domain ${domid} is still there: the process of xl that starts it again is gone, or cannot.`
      : `Domain ${domid} is gone, and none came after it: what xl said of that is in /var/log/xen/xl-${name}.log.`,
    next: isThere
      ? `domus stop --destroy-after 0 ${word}, then domus start ${word}.`
      : `domus start ${word}.`,
  });
}

function stillRuns({ name, domid }: DomainName, seconds: number) {
  return commandFailed([`domain ${domid}`], {
    what: `${name} (domain ${domid}) still runs, ${seconds} s after it was asked to reboot.`,
    why: "It takes that long, hangs, or does not listen to Xen.",
    next: `It may still do so. Look at its console: xl console ${domid}. Otherwise: domus stop --destroy-after SECONDS ${shellWord(name)}, then domus start ${shellWord(name)}.`,
  });
}
