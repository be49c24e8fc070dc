/**
 * Whether xl starts a guest again whose domain has ended: after a reboot, after a crash, as its config says. The process of xl that
 * looks after the domain writes into its log what it does before it does it.
 */
import { attempt, overLimit, refused } from "../../base/failure.ts";
import { shellWord } from "../../check/remedy.ts";
import type { Host } from "../../host/host.ts";
import type { DomainRow } from "../../xen/xl-list.ts";
import { isXlAlive, monitorLogPath, readMonitorLog } from "../watch/look.ts";
import { hasCrashed, parseMonitorLog, restarts, SHUTDOWN } from "../watch/monitor-log.ts";
import type { Lifetime } from "../watch/monitor-log.ts";
import { actionFromText } from "./end-actions.ts";
import type { EndAction } from "./end-actions.ts";
import { lookAtDomain } from "./domain-command.ts";
import type { DomainName } from "./domain-command.ts";
import type { LifecyclePorts } from "./ports.ts";

/** xl sleeps for 2 s between two lives; to build the next one, with its scripts, may take long. */
const COMES_WITHIN_MS = 300_000;
/** Until its process has seen that a domain is gone. */
const SEEN_WITHIN_MS = 30_000;
const POLL_MS = 250;
/** Of a guest that ends faster than it can be looked at. */
const MAX_LIVES = 10;

/** Why it is started again, as a clause; undefined when it is not, or nobody says so. */
export async function startedAgain(host: Host, domain: DomainName): Promise<string | undefined> {
  const ending = (await livesOf(host, domain)).of?.ending;
  if (!ending || !restarts(ending)) return undefined;
  if (ending.code === SHUTDOWN.crash) return "it crashed";
  if (ending.code === SHUTDOWN.watchdog) return "its watchdog fired";
  return ending.code === SHUTDOWN.poweroff ? "it has shut down" : "it rebooted";
}

/** Whether its xl is still at it, of a domain that has shut down or is gone: to take it apart, to build the next one. */
export async function isXlAtWork(host: Host, domain: DomainName): Promise<boolean> {
  const { of } = await livesOf(host, domain);
  return of !== undefined && of.ending?.action !== "preserve" && (await isXlAlive(host, of.pid));
}

/** What its xl did when it crashed, of a domain that may be gone; undefined when it did not, or nobody says so. */
export async function crashAction(host: Host, domain: DomainName): Promise<EndAction | undefined> {
  const ending = (await livesOf(host, domain)).of?.ending;
  return ending && hasCrashed(ending) ? actionFromText(ending.action ?? "") : undefined;
}

/** The domain that comes after one that is gone, when it is built; undefined when there is none and none will come. `limit`. */
export async function nextDomain(
  { host, clock }: LifecyclePorts,
  domain: DomainName,
): Promise<DomainName | undefined> {
  const begun = clock.now();
  for (;;) {
    const { of, next } = await livesOf(host, domain);
    if (next) return { ...domain, domid: next.domid };
    if (!of || !(await isXlAlive(host, of.pid))) return undefined;
    if (of.ending && !restarts(of.ending)) return undefined;
    const waitedMs = clock.now() - begun;
    if (!of.ending && waitedMs >= SEEN_WITHIN_MS) return undefined;
    if (waitedMs >= COMES_WITHIN_MS)
      throw overLimit(
        [monitorLogPath(domain.name)],
        "the time until xl has started it again",
        `${COMES_WITHIN_MS / 1000} s`,
      );
    await clock.sleep(POLL_MS);
  }
}

/** The domain of a guest that has none just now, because its xl is about to start it again; undefined when it is not. */
export async function comingDomain(
  ports: LifecyclePorts,
  name: string,
): Promise<DomainRow | undefined> {
  const { host } = ports;
  let last = (await readLives(host, name)).at(-1);
  for (let round = 0; round < MAX_LIVES && last; round++) {
    if (!last.ending || !restarts(last.ending)) return undefined;
    const next = await nextDomain(ports, { domid: last.domid, uuid: "", name });
    if (!next) return undefined;
    const row = await lookAtDomain(host, next.domid);
    if (row?.name === name) return row;
    // That has ended, too.
    last = (await readLives(host, name)).findLast(({ domid }) => domid === next.domid);
  }
  return undefined;
}

/** `refused` while a guest has no domain because its xl is about to start it again: two who make it are one too many. */
export async function assertNotComing(host: Host, name: string): Promise<void> {
  const last = (await readLives(host, name)).at(-1);
  if (!last?.ending || !restarts(last.ending) || !(await isXlAlive(host, last.pid))) return;
  // Another one may have the number by now.
  const log = await attempt(() => host.realPath(`/proc/${last.pid}/fd/1`));
  if (log.ok && log.value !== monitorLogPath(name)) return;
  const word = shellWord(name);
  throw refused([`process ${last.pid}`], {
    what: `${name} is about to be started again by its xl (process ${last.pid}).`,
    why: "Its domain has just ended, and its config says that it comes back. Two who start it would be in each other's way.",
    next: `Look again in a moment: domus show ${word}. If it ends again and again: domus stop --destroy-after 0 ${word}.`,
  });
}

type Lives = {
  /** The domain's own. */
  readonly of?: Lifetime | undefined;
  /** That of the one after it. */
  readonly next?: Lifetime | undefined;
};

async function livesOf(host: Host, { domid, name }: DomainName): Promise<Lives> {
  const lives = await readLives(host, name);
  return {
    of: lives.findLast((life) => life.domid === domid),
    next: lives.findLast((life) => life.restartOf === domid),
  };
}

/** By the log that has the domain's name: nothing of one that was renamed. */
async function readLives(host: Host, name: string): Promise<readonly Lifetime[]> {
  return parseMonitorLog(await readMonitorLog(host, name));
}
