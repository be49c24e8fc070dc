/**
 * Watches the guests of a host: looks when xenstore says that something has changed, and each second at what xenstore does not
 * tell, and writes what happened into the records. Docs: docs/design/watch.md.
 */
import type { Clock } from "../../base/clock.ts";
import { attempt, failureText, FailureError } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import type { ChangeSource } from "../../host/change-source.ts";
import type { DiskReach } from "../../host/disk-reach.ts";
import type { Host } from "../../host/host.ts";
import type { GuestEvent, Operation, Records } from "../../host/records.ts";
import type { StateTicker } from "../../host/state-ticker.ts";
import type { DomainRow } from "../../xen/xl-list.ts";
import { advance, firstState } from "./advance.ts";
import type { Advanced } from "./advance.ts";
import { alarmsOf } from "./alarms.ts";
import type { Alarm, DisksThen } from "./alarms.ts";
import { compareImage } from "./compare-image.ts";
import {
  isXlAlive,
  readBoot,
  readDiskReaches,
  readDomainLooks,
  readMonitorLogs,
  readRows,
  readXlProcesses,
} from "./look.ts";
import { configChanges, parseKnownConfigs, readConfigFiles } from "./config-files.ts";
import type { KnownConfigs } from "./config-files.ts";
import type { Boot, DomainsRead } from "./look.ts";
import type { Observation } from "./observation.ts";
import { findOtherImages, waitsFor } from "./restored-from.ts";
import { lookAgain } from "./second-look.ts";
import { parseState } from "./state.ts";
import type { Seen, WatchState } from "./state.ts";
import { timedEvents } from "./timed-events.ts";
import type { NewEvent } from "./timed-events.ts";

/** Under which the state is kept in the records. */
export const STATE_NOTE = "watch";
/** The same for the configs. */
const CONFIGS_NOTE = "watch-configs";

/** A pause shows in no other way than by asking; where nobody else asks, so often. */
const POLL_MS = 1000;
const MAX_POLL_MS = 10_000;
/** Where only states seem to have changed the live configurations are not asked for; at last after so long. */
const LIVE_KEPT_MS = 60_000;
/** An attached disk is about 40 changes in xenstore. */
const QUIET_MS = 50;
const MAX_NOISE_MS = 500;
const LEAST_PAUSE_MS = 100;
/** It works for half of the time at most, and so much more when it has been idle before. */
const WORK_SAVED_MS = 5000;
/** The time of a file is that of the kernel's last tick, and what is written may come after a look has begun. */
const LOG_SLACK_MS = 5000;
/** Of a config there is a time in the file: there is no hurry. */
const CONFIGS_EACH_MS = 15_000;
const STATE_KEPT_MS = 60_000;
/** The log of a domain, and what makes it, come with some delay. */
const SETTLES_WITHIN_MS = 10_000;
const BUILT_WITHIN_MS = 300_000;
/** Watches for renames; of guests beyond that names are seen when something else changes. */
const MAX_NAMES = 4096;
const ALWAYS = ["@introduceDomain", "@releaseDomain", "/local/domain/0/backend", "/libxl"] as const;

export type WatchPorts = {
  readonly host: Host;
  readonly records: Records;
  readonly changes: (
    onChange: (path: string) => void,
    onState: (failure: Failure | undefined) => void,
  ) => ChangeSource;
  /** Who asks for states; without it the watcher does. */
  readonly states?: (onTick: () => void) => StateTicker;
  readonly clock: Clock;
  /** Of dom0's clock, in milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Whether the process that began it still works. */
  readonly isAtWork: (operation: Operation) => boolean;
  /** Each event, when it is written down. */
  readonly tell: (event: NewEvent) => void;
  /** What is going on with the watcher itself: a sentence. */
  readonly say: (text: string) => void;
};

export type WatchOptions = {
  readonly signal: AbortSignal;
  /** Look once, which catches up with what was missed, and end. */
  readonly once?: boolean;
};

/** Ends when the signal is aborted. Failures: records that cannot be written, a host without /proc. */
export async function watch(ports: WatchPorts, { signal, once = false }: WatchOptions) {
  const boot = await readBoot(ports.host, ports.nowMs());
  const watcher = new Watcher(ports, boot);
  if (once) {
    await watcher.look(signal);
    await watcher.lookAtConfigs();
  } else await watcher.run(signal);
}

type Sources = { readonly source: ChangeSource; readonly ticker: StateTicker | undefined };

class Watcher {
  readonly #ports: WatchPorts;
  readonly #boot: Boot;
  #state: WatchState | undefined;
  #configs: KnownConfigs | undefined;
  /** As it is in the records. */
  #kept = "";
  #keptAtMs = 0;
  #looked = false;
  #read: DomainsRead | undefined;
  #liveAtMs = 0;
  /** Some domain is just being destroyed. */
  #isEnding = false;
  readonly #alarmsSince = new Map<string, number>();
  readonly #disksThen = new Map<number, DisksThen>();
  #reaches: ReadonlyMap<string, DiskReach> = new Map();
  /** Of which it was read. */
  #reachedTargets: ReadonlySet<string> = new Set();
  #deadMonitors: ReadonlySet<number> = new Set();
  /** Anything may have changed; or states, and which domains there are. */
  #isDirty = false;
  #isTicked = false;
  #isNoisy = false;
  #wake = () => {};
  #trouble = "";
  #isHeard: boolean | undefined;

  constructor(ports: WatchPorts, boot: Boot) {
    this.#ports = ports;
    this.#boot = boot;
    this.#state = parseState(ports.records.note(STATE_NOTE));
    this.#configs = parseKnownConfigs(ports.records.note(CONFIGS_NOTE));
  }

  async run(signal: AbortSignal): Promise<void> {
    const { changes, states, clock } = this.#ports;
    using source = changes(
      (path) => this.#heard(path),
      (failure) => this.#connection(failure),
    );
    using ticker = states?.(() => this.#heard("@releaseDomain"));
    source.want(new Set(ALWAYS));
    // What happens from now on is heard: the first look misses nothing.
    this.#isDirty = true;
    let pauseMs = LEAST_PAUSE_MS;
    let saved = WORK_SAVED_MS;
    let configsAt = -Infinity;
    while (!signal.aborted) {
      const idleSince = clock.now();
      await this.#idle(pauseMs, signal);
      if (signal.aborted) return;
      const began = clock.now();
      await this.#tick({ source, ticker }, signal);
      if (began - configsAt >= CONFIGS_EACH_MS && !signal.aborted) {
        await this.lookAtConfigs();
        configsAt = began;
      }
      const took = clock.now() - began;
      saved = Math.min(saved + (began - idleSince), WORK_SAVED_MS) - took;
      pauseMs = ticker?.ticking ? POLL_MS : Math.min(Math.max(POLL_MS, 2 * took), MAX_POLL_MS);
      // Never more than half of the time for long, whatever happens on the host.
      await clock.sleep(Math.min(Math.max(LEAST_PAUSE_MS, -saved), MAX_POLL_MS), signal);
      saved = Math.max(saved, 0);
    }
  }

  #heard(path: string): void {
    if (path === "@introduceDomain" || path === "@releaseDomain") this.#isTicked = true;
    else this.#isDirty = true;
    this.#isNoisy = true;
    this.#wake();
  }

  /** One look, what it means, and into the records with it. */
  async look(signal: AbortSignal): Promise<void> {
    const { records } = this.#ports;
    const before = this.#state;
    const observation = await this.#observe();
    const { state, seen }: Advanced = before
      ? advance(before, observation)
      : { state: firstState(observation), seen: [] };
    await this.#compareDisks(state, observation);
    const [active, raised] = await this.#alarms(state, observation);
    const next = { ...state, alarms: active };
    const catchingUp = this.#looked ? undefined : before;
    const events = [
      ...timedEvents(seen, { look: observation, records, ...(catchingUp && { catchingUp }) }),
      ...raised.map((alarm) => alarmEvent(alarm, observation.atMs)),
    ];
    signal.throwIfAborted();
    this.#write(next, events, raised);
    this.#state = next;
    this.#looked = true;
    for (const event of events) this.#ports.tell(event);
  }

  /** What was written into configs since the last time. */
  async lookAtConfigs(): Promise<void> {
    const { host, records, nowMs, tell } = this.#ports;
    const before = this.#configs;
    const now = await readConfigFiles(host, before, nowMs());
    if (!now) return;
    const own = (guest: string) => records.events({ guest, limit: 20 });
    const events = before ? configChanges(before, now, own) : [];
    if (before && JSON.stringify(before.files) === JSON.stringify(now.files)) return;
    records.transaction(() => {
      for (const event of events) records.addEvent(event);
      records.setNote(CONFIGS_NOTE, now);
    });
    this.#configs = now;
    for (const event of events) tell(event);
  }

  async #tick({ source, ticker }: Sources, signal: AbortSignal): Promise<void> {
    const done = await attempt(async () => {
      const isDirty = this.#isDirty || !this.#looked || this.#isRestless();
      const isTicked = this.#isTicked;
      this.#isDirty = false;
      this.#isTicked = false;
      if (isDirty || isTicked || (await this.#hasMoved(source, ticker))) {
        if (isDirty) this.#read = undefined;
        await this.look(signal);
        source.want(this.#paths());
        ticker?.want(this.#read?.rows.length !== 0);
      }
    });
    const text = done.ok ? "" : failureText(done.failure);
    // Records that cannot be written are not waited for: what is seen would be lost without a word.
    if (!done.ok && isOfRecords(done.failure)) throw new FailureError(done.failure);
    if (text !== "" && text !== this.#trouble)
      this.#ports.say(`Xen does not answer, and is asked again: ${text}`);
    if (text === "" && this.#trouble !== "") this.#ports.say("Xen answers again.");
    if (text !== "") this.#isDirty = true;
    this.#trouble = text;
  }

  /** Until something changes, or it is time to ask. */
  async #idle(pauseMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    if (!this.#isDirty && !this.#isTicked) {
      const waking = new AbortController();
      this.#wake = () => waking.abort();
      await clock.sleep(pauseMs, AbortSignal.any([signal, waking.signal]));
      this.#wake = () => {};
    }
    const until = clock.now() + MAX_NOISE_MS;
    while (this.#isNoisy && clock.now() < until && !signal.aborted) {
      this.#isNoisy = false;
      await clock.sleep(QUIET_MS, signal);
    }
  }

  #connection(failure: Failure | undefined): void {
    const { say } = this.#ports;
    const isHeard = failure === undefined;
    if (isHeard !== this.#isHeard)
      say(
        failure
          ? `xenstore is not heard, and is called again; looking each second: ${failureText(failure)}`
          : "Listening to xenstore.",
      );
    this.#isHeard = isHeard;
    this.#isDirty = true;
    this.#wake();
  }

  async #observe(): Promise<Observation> {
    const { host, nowMs } = this.#ports;
    const atMs = nowMs();
    const isFresh = atMs >= this.#liveAtMs && atMs - this.#liveAtMs < LIVE_KEPT_MS;
    const known = isFresh ? this.#read : undefined;
    const read = await readDomainLooks(host, known);
    if (!read.isKnown) this.#liveAtMs = atMs;
    const processes = await readXlProcesses(host);
    const before = this.#state;
    const domains = await lookAgain(host, read.domains, before?.domains ?? []);
    const newest = Math.max(0, ...domains.map(({ domid }) => domid));
    const fresh = domains.filter(({ domid }) => domid > (before?.maxDomid ?? 0)).length;
    // The clock may have been put right since the watcher began, or since it looked last.
    const bootMs = Math.min(this.#boot.startedMs, (await readBoot(host, atMs)).startedMs);
    const isBack = before?.bootId === this.#boot.id && before.atMs > atMs;
    const { lifetimes, earlier } = await readMonitorLogs(host, {
      sinceMs: (before && !isBack ? before.atMs : bootMs) - LOG_SLACK_MS,
      bootMs,
      all: !this.#looked || newest - (before?.maxDomid ?? 0) > fresh,
    });
    this.#read = read;
    this.#isEnding = processes.some(({ verb }) => verb === "destroy");
    return { atMs, bootId: this.#boot.id, domains, lifetimes, earlier, processes };
  }

  /** Whether the table has changed, or the process that watches a domain is gone. */
  async #hasMoved(source: ChangeSource, ticker: StateTicker | undefined): Promise<boolean> {
    const { host } = this.#ports;
    const domains = this.#state?.domains ?? [];
    // What comes is said by xenstore.
    if (domains.length === 0 && source.connected) return false;
    if (!source.connected) return true;
    if (!ticker?.ticking && tableText(await readRows(host)) !== tableText(this.#read?.rows ?? []))
      return true;
    const dead = new Set<number>();
    for (const { monitorPid } of domains)
      if (monitorPid !== undefined && !(await isXlAlive(host, monitorPid))) dead.add(monitorPid);
    const isNews = [...dead].some((pid) => !this.#deadMonitors.has(pid));
    this.#deadMonitors = dead;
    return isNews;
  }

  /** Something is on its way, of which xenstore may not tell the end. */
  #isRestless(): boolean {
    const nowMs = this.#ports.nowMs();
    const active = new Set(this.#state?.alarms ?? []);
    if (this.#isEnding) return true;
    if ([...this.#alarmsSince.keys()].some((key) => !active.has(key))) return true;
    return (this.#state?.domains ?? []).some(
      (one) =>
        (!one.begun && !one.made && nowMs - one.sinceMs < BUILT_WITHIN_MS) ||
        one.state === "suspended" ||
        (one.state === "shut-down" && one.over === undefined) ||
        (one.monitorPid === undefined && nowMs - one.stateMs < SETTLES_WITHIN_MS),
    );
  }

  #paths(): Set<string> {
    const domains = (this.#state?.domains ?? []).slice(0, MAX_NAMES);
    // What dom0 writes of a domain: its name, and what xl mem-set and vcpu-set give it.
    const own = ["name", "memory/target", "cpu"];
    return new Set([
      ...ALWAYS,
      ...domains.flatMap(({ domid }) => own.map((node) => `/local/domain/${domid}/${node}`)),
    ]);
  }

  /** While a guest is being restored it does not write yet: then its disks can still be compared with the record. */
  async #compareDisks({ domains }: WatchState, { processes }: Observation): Promise<void> {
    const { host, records } = this.#ports;
    if (!processes.some(({ verb }) => verb === "restore")) return;
    const known = new Set(this.#state?.domains.map(({ domid }) => domid));
    const busy = this.#busy();
    for (const domain of domains) {
      const { domid, name, uuid } = domain;
      if (known.has(domid) || busy.has(name) || busy.has(uuid)) continue;
      const image = records.images().find((one) => waitsFor(one, domain));
      if (!image) continue;
      const events = records.events({ guest: image.guest });
      this.#disksThen.set(domid, await compareImage(host, image, { domid, events }));
    }
  }

  #busy(): Set<string> {
    const { records, isAtWork } = this.#ports;
    const busy = records.operations().filter(isAtWork);
    return new Set(
      busy.flatMap(({ guest, data }) =>
        typeof data["uuid"] === "string" ? [guest, data["uuid"]] : [guest],
      ),
    );
  }

  /** Of all again when one is new: something may have been built on the others meanwhile. */
  async #readReaches(targets: readonly string[], saved: readonly string[]): Promise<void> {
    // What a saved guest had may not have been there, until a domain got it.
    const known = new Set([...targets.map((one) => `domain ${one}`), ...saved]);
    const isNew = [...known].some((one) => !this.#reachedTargets.has(one));
    if (isNew) this.#reaches = await readDiskReaches(this.#ports.host, [...targets, ...saved]);
    this.#reachedTargets = known;
  }

  /** Keys of those that hold, and those that began to. */
  async #alarms(state: WatchState, look: Observation): Promise<[string[], Alarm[]]> {
    const images = this.#ports.records.images();
    const targets = look.domains.flatMap(({ guest }) => guest?.disks.map((d) => d.target) ?? []);
    const saved = images
      .filter((image) => image.state === "waiting")
      .flatMap(({ disks }) => disks.map(({ path }) => path));
    await this.#readReaches(targets, saved);
    const otherImages = await findOtherImages(this.#ports.host, state.domains, images);
    const all = alarmsOf({
      domains: state.domains,
      looks: look.domains,
      processes: look.processes,
      images,
      busy: this.#busy(),
      reaches: this.#reaches,
      disksThen: this.#disksThen,
      otherImages,
      crashes: state.crashes ?? [],
    });
    const keys = new Set(all.map(({ key }) => key));
    for (const key of this.#alarmsSince.keys()) if (!keys.has(key)) this.#alarmsSince.delete(key);
    const known = new Set(this.#state?.alarms ?? []);
    const active = all.filter(({ key, afterMs }) => {
      const since = this.#alarmsSince.get(key) ?? look.atMs;
      this.#alarmsSince.set(key, since);
      return known.has(key) || look.atMs - since >= afterMs;
    });
    return [active.map(({ key }) => key), active.filter(({ key }) => !known.has(key))];
  }

  /** All or nothing: after a cut the same look is made again. */
  #write(state: WatchState, events: readonly NewEvent[], raised: readonly Alarm[]): void {
    const { records } = this.#ports;
    const text = JSON.stringify({ ...state, atMs: 0 });
    const isOld = state.atMs - this.#keptAtMs >= STATE_KEPT_MS;
    if (events.length === 0 && text === this.#kept && !isOld) return;
    records.transaction(() => {
      for (const event of events) records.addEvent(event);
      for (const { finding } of raised)
        if (finding.code === "image-restored-unseen") spent(records, finding.where[0]);
      records.setNote(STATE_NOTE, state);
    });
    this.#kept = text;
    this.#keptAtMs = state.atMs;
  }
}

/** An image that was restored waits no more; else the guest's next boot would be stopped for its sake. */
function spent(records: Records, path: string | undefined): void {
  for (const image of records.images())
    if (image.path === path && image.state === "waiting")
      records.changeImage(image.id, { state: "restored" });
}

function alarmEvent({ guest, uuid, domid, finding }: Alarm, atMs: number): NewEvent {
  return { atMs, guest, uuid, domid, kind: "alarm", by: "watcher", detail: { ...finding } };
}

function tableText(rows: readonly DomainRow[]): string {
  return JSON.stringify(
    rows.map(({ domid, name, uuid, state, doubtful }) => [domid, name, uuid, state, doubtful]),
  );
}

function isOfRecords(failure: Failure): boolean {
  return failure.where.at(-1)?.endsWith("/records.db") === true;
}

export type { NewEvent, Seen, GuestEvent };
