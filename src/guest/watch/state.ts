/** What the watcher knows of the domains, from one look to the next and from one run to the next. */
import type { DomainState } from "../../xen/xl-list.ts";
import type { EventKind } from "../../host/records.ts";
import type { Ending } from "./monitor-log.ts";

export const STATE_VERSION = 1;
/** Of names and targets, characters that are kept. */
export const MAX_TEXT = 256;
/** Of one domain, disks or network cards that are kept. */
export const MAX_DEVICES = 256;
/** Domains that Xen can have. */
export const MAX_DOMAINS = 32_752;

export type TrackedDisk = { readonly vdev: string; readonly target: string };

/** What can change while a domain runs. */
export type Possessions = {
  readonly disks: readonly TrackedDisk[];
  /** MAC addresses; of one without, its place in the list. */
  readonly nics: readonly string[];
  readonly memoryKib?: number;
  readonly vcpus?: number;
};

/** Who makes a domain's memory move out of it. */
export type Suspension = {
  readonly by: "save" | "migrate" | "unknown";
  readonly image?: string;
  /** A command of domus is at it: it takes the save back, or ends the domain. */
  readonly ours?: true;
};

export type Tracked = {
  readonly domid: number;
  readonly uuid: string;
  readonly name: string;
  readonly state: DomainState;
  /** Since when it is there, and since when in this state. */
  readonly sinceMs: number;
  readonly stateMs: number;
  /** Its start was told. Until then it is being made. */
  readonly begun: boolean;
  /** When it was first seen whole and paused; for `xl create -p`. */
  readonly wholeMs?: number;
  /** That it was made and does not run yet was told. */
  readonly made?: boolean;
  readonly has?: Possessions;
  /** The save image that it was restored from, as it was given. */
  readonly image?: string;
  readonly suspension?: Suspension;
  /** That it crashed, or stopped, was told, and it is still there. */
  readonly over?: "crashed" | "stopped";
  /** The last that was known to watch over it. */
  readonly monitorPid?: number;
  /** The log said so while it was still there. */
  readonly ending?: Ending;
  /** It ran on after its log said that it was saved: that says nothing of its end. */
  readonly wentOn?: true;
};

/** A guest that has ended to come back as another domain. */
export type Returning = {
  readonly domid: number;
  readonly uuid?: string;
  readonly name: string;
  readonly after: "reboot" | "crash" | "stop";
  readonly atMs: number;
};

/** Crashes that are kept, of all guests together; the oldest go first. */
export const MAX_CRASHES = 1024;

export type Crash = {
  readonly guest: string;
  readonly uuid?: string;
  readonly domid: number;
  /** When it was seen. */
  readonly atMs: number;
};

export type WatchState = {
  readonly version: typeof STATE_VERSION;
  readonly bootId: string;
  /** Of the last look. */
  readonly atMs: number;
  /** Xen counts up: what is above it came later. */
  readonly maxDomid: number;
  readonly domains: readonly Tracked[];
  readonly returning: readonly Returning[];
  /** Keys of alarms that hold. */
  readonly alarms: readonly string[];
  /** Of the last minutes; absent: none. */
  readonly crashes?: readonly Crash[];
};

/** What was seen; who saw it is added where it is written down. */
export type Seen = {
  readonly kind: EventKind;
  readonly guest: string;
  readonly uuid?: string;
  readonly domid?: number;
  readonly detail: Readonly<Record<string, unknown>>;
  /** It is known from a log alone. */
  readonly fromLog?: true;
};

export function emptyState(bootId: string, atMs: number): WatchState {
  return {
    version: STATE_VERSION,
    bootId,
    atMs,
    maxDomid: 0,
    domains: [],
    returning: [],
    alarms: [],
  };
}

/** Undefined for what is none of this version: then the first look is the beginning. */
export function parseState(value: unknown): WatchState | undefined {
  if (!isObject(value) || value["version"] !== STATE_VERSION) return undefined;
  const { bootId, atMs, maxDomid, domains, returning, alarms, crashes } = value;
  const isSound =
    typeof bootId === "string" &&
    isCount(atMs) &&
    isCount(maxDomid) &&
    isListOf(domains, isTracked) &&
    isListOf(returning, isReturning) &&
    isListOf(alarms, (key) => typeof key === "string") &&
    isOptional(crashes, (list) => isListOf(list, isCrash) && (list as []).length <= MAX_CRASHES);
  return isSound ? (value as WatchState) : undefined;
}

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isListOf(value: unknown, isOne: (one: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length <= MAX_DOMAINS && value.every(isOne);
}

function isOptional(value: unknown, isIt: (one: unknown) => boolean): boolean {
  return value === undefined || isIt(value);
}

const STATES: ReadonlySet<unknown> = new Set<DomainState>([
  "running",
  "paused",
  "suspended",
  "crashed",
  "shut-down",
  "dying",
]);
const OVER: ReadonlySet<unknown> = new Set(["crashed", "stopped"]);
const SUSPENDERS: ReadonlySet<unknown> = new Set(["save", "migrate", "unknown"]);
const AFTER: ReadonlySet<unknown> = new Set(["reboot", "crash", "stop"]);

const isText = (value: unknown) => typeof value === "string";

function isTracked(value: unknown): boolean {
  return (
    isObject(value) &&
    isCount(value["domid"]) &&
    isText(value["uuid"]) &&
    isText(value["name"]) &&
    STATES.has(value["state"]) &&
    isCount(value["sinceMs"]) &&
    isCount(value["stateMs"]) &&
    typeof value["begun"] === "boolean" &&
    isOptional(value["wholeMs"], isCount) &&
    isOptional(value["monitorPid"], isCount) &&
    isOptional(value["image"], isText) &&
    isOptional(value["ending"], isEnding) &&
    isOptional(value["over"], (over) => OVER.has(over)) &&
    isOptional(value["suspension"], (one) => isObject(one) && SUSPENDERS.has(one["by"])) &&
    isOptional(value["has"], isPossessions)
  );
}

function isEnding(value: unknown): boolean {
  return (
    isObject(value) && isOptional(value["code"], isCount) && isOptional(value["action"], isText)
  );
}

function isPossessions(value: unknown): boolean {
  return (
    isObject(value) &&
    isListOf(
      value["disks"],
      (disk) => isObject(disk) && isText(disk["vdev"]) && isText(disk["target"]),
    ) &&
    isListOf(value["nics"], isText) &&
    isOptional(value["memoryKib"], isCount) &&
    isOptional(value["vcpus"], isCount)
  );
}

function isCrash(value: unknown): boolean {
  return (
    isObject(value) &&
    isText(value["guest"]) &&
    isCount(value["domid"]) &&
    isCount(value["atMs"]) &&
    isOptional(value["uuid"], isText)
  );
}

function isReturning(value: unknown): boolean {
  return (
    isObject(value) &&
    isCount(value["domid"]) &&
    isText(value["name"]) &&
    isOptional(value["uuid"], isText) &&
    AFTER.has(value["after"]) &&
    isCount(value["atMs"])
  );
}
