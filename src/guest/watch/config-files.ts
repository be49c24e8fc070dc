/**
 * What people write into configs: the settings that are not what they were when the watcher looked last. Nobody tells of it
 * when it happens; the time of the file says when it did.
 */
import { attempt } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import { mapParallel } from "../../base/parallel.ts";
import { fileName } from "../../base/path.ts";
import { MIB } from "../../base/units.ts";
import { xxhash64 } from "../../bytes/xxhash64.ts";
import { decodeText } from "../../bytes/text.ts";
import { isUuidText } from "../../bytes/uuid.ts";
import type { Host } from "../../host/host.ts";
import type { GuestEvent } from "../../host/records.ts";
import { withoutPasswords } from "../../xen/config-passwords.ts";
import { settingsOf } from "../../xen/config-settings.ts";
import type { Setting } from "../../xen/config-settings.ts";
import { parseConfig } from "../../xen/config-syntax.ts";
import type { ConfigValue } from "../../xen/config-syntax.ts";
import { findConfigFiles } from "../inventory/read-configs.ts";
import { cut } from "./observation.ts";
import type { NewEvent } from "./timed-events.ts";

const VERSION = 1;
/** Of one file that are kept. */
const MAX_SETTINGS = 256;
/** Of one event; the others are counted. */
const MAX_TOLD = 16;
const AT_A_TIME = 16;
const UNSETTLED = "unsettled";
/** Between the time of a file and what domus itself wrote down of it. */
const SLACK_MS = 10_000;

/** A config as it was when it was read last. */
export type KnownConfig = {
  readonly path: string;
  /** Which file it is, whatever it is called. */
  readonly realPath: string;
  /** Of the system; the same as long as nobody writes to the file. */
  readonly stamp: string;
  /** Of its text. */
  readonly digest: string;
  readonly guest: string;
  readonly uuid?: string;
  /** By key, as one text each, cut, without passwords. */
  readonly settings: Readonly<Record<string, string>>;
  /** Not in its directory: an editor may be about to put it back. */
  readonly isMissed?: true;
  /** In milliseconds since 1970. */
  readonly modifiedMs?: number;
};

export type KnownConfigs = {
  readonly version: typeof VERSION;
  /** When they were read. */
  readonly atMs: number;
  readonly files: readonly KnownConfig[];
};

/**
 * All configs of the host. One that was written to within the last seconds, or cannot be read, is taken to be as it was: what is
 * read may be half of it. Undefined where files have no stamps.
 */
export async function readConfigFiles(
  host: Host,
  before: KnownConfigs | undefined,
  atMs: number,
): Promise<KnownConfigs | undefined> {
  if (!host.stampOf) return undefined;
  const known = new Map(before?.files.map((file) => [file.realPath, file]));
  const failures: Failure[] = [];
  const { files } = await findConfigFiles(host, { also: [], failures });
  const now = await mapParallel(files, AT_A_TIME, async ({ path, realPath }) => {
    const was = known.get(realPath);
    // The first time there is no "as it was": one that is just being written is taken as it is, and read again.
    const stamp = (await host.stampOf?.(realPath)) ?? (before ? undefined : UNSETTLED);
    if (stamp === undefined || stamp === was?.stamp) return was;
    const read = await attempt(() => readConfig(host, { path, realPath, stamp, was }));
    return read.ok ? read.value : was;
  });
  const there = new Set(files.map(({ realPath }) => realPath));
  const missed = [...known.values()].filter(
    ({ realPath, isMissed }) => !there.has(realPath) && (!isMissed || failures.length > 0),
  );
  return {
    version: VERSION,
    atMs,
    files: [
      ...now.flatMap((file) => (file ? [present(file)] : [])),
      // Where a directory cannot be read nobody knows whether they are gone.
      ...missed.map((file) => (failures.length > 0 ? file : { ...file, isMissed: true as const })),
    ],
  };
}

function present(file: KnownConfig): KnownConfig {
  const there: { -readonly [K in keyof KnownConfig]: KnownConfig[K] } = { ...file };
  delete there.isMissed;
  return there;
}

type ReadConfigOptions = {
  readonly path: string;
  readonly realPath: string;
  readonly stamp: string;
  readonly was: KnownConfig | undefined;
};

async function readConfig(
  host: Host,
  { path, realPath, stamp, was }: ReadConfigOptions,
): Promise<KnownConfig> {
  const bytes = await host.readFile(realPath, MIB);
  const text = withoutPasswords(decodeText(bytes));
  const all = [...settingsOf(parseConfig(text, [path])).values()].slice(0, MAX_SETTINGS);
  const settings = Object.fromEntries(
    all.map(({ key, value }) => [cut(key), cut(valueText(value))]),
  );
  const uuid = settings["uuid"] ?? "";
  await using file = await host.openBlock(realPath);
  const { modifiedMs } = file;
  return {
    ...{ path, realPath, stamp, settings, digest: xxhash64(bytes).join(".") },
    // One that cannot be parsed for now is still the guest that it was.
    guest: settings["name"] ?? was?.guest ?? cut(fileName(path).replace(/\.cfg$/, "")),
    ...(isUuidText(uuid) && { uuid: uuid.toLowerCase() }),
    ...(modifiedMs !== undefined && { modifiedMs: Math.round(modifiedMs) }),
  };
}

function valueText(value: Setting["value"] | ConfigValue): string {
  if (value.kind === "string") return value.text;
  return `[${value.items.map(valueText).join(", ")}]`;
}

export type ConfigChange = {
  readonly key: string;
  /** Absent: it is new. */
  readonly from?: string;
  /** Absent: it is gone. */
  readonly to?: string;
};

/** What has happened to the files in between; `own`: what domus has written down of that already. */
export function configChanges(
  before: KnownConfigs,
  now: KnownConfigs,
  own: (guest: string) => readonly GuestEvent[],
): NewEvent[] {
  const known = new Map(before.files.map((file) => [file.realPath, file]));
  const there = new Set(now.files.map(({ realPath }) => realPath));
  const removed = before.files.filter(({ realPath }) => !there.has(realPath));
  return [
    ...removed.map((file) => event(file, { file: "removed" }, now.atMs)),
    ...now.files.flatMap((file) => {
      const was = known.get(file.realPath);
      if (file.isMissed || was?.digest === file.digest) return [];
      const atMs = timeOf(file, before, now);
      if (was && isOwn(file, atMs, own)) return [];
      if (!was) return [event(file, { file: "new" }, atMs)];
      const changes = changedSettings(was.settings, file.settings);
      const more = changes.length - MAX_TOLD;
      const told = changes.slice(0, MAX_TOLD);
      return [event(file, { changes: told, ...(more > 0 && { more }) }, atMs)];
    }),
  ];
}

/** A file that was put back may have any time. */
function timeOf({ modifiedMs }: KnownConfig, before: KnownConfigs, now: KnownConfigs): number {
  const isLikely =
    modifiedMs !== undefined && modifiedMs >= before.atMs - SLACK_MS && modifiedMs <= now.atMs;
  return isLikely ? modifiedMs : now.atMs;
}

function isOwn(
  { path, guest }: KnownConfig,
  atMs: number,
  own: (guest: string) => readonly GuestEvent[],
): boolean {
  return own(guest).some(
    ({ kind, by, detail, atMs: thenMs }) =>
      kind === "config-changed" &&
      by === "domus" &&
      detail["config"] === path &&
      Math.abs(thenMs - atMs) < SLACK_MS,
  );
}

function changedSettings(
  from: KnownConfig["settings"],
  to: KnownConfig["settings"],
): ConfigChange[] {
  const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])];
  return keys.flatMap((key) => {
    const [was, is] = [from[key], to[key]];
    if (was === is) return [];
    return [{ key, ...(was !== undefined && { from: was }), ...(is !== undefined && { to: is }) }];
  });
}

function event(
  { path, guest, uuid }: KnownConfig,
  detail: Readonly<Record<string, unknown>>,
  atMs: number,
): NewEvent {
  return {
    ...{ atMs, guest, kind: "config-changed", by: "watcher" },
    ...(uuid !== undefined && { uuid }),
    detail: { config: path, ...detail },
  };
}

/** Undefined for what is none of this version. */
export function parseKnownConfigs(value: unknown): KnownConfigs | undefined {
  const it = value as KnownConfigs | undefined;
  const isSound =
    it?.version === VERSION &&
    typeof it.atMs === "number" &&
    Array.isArray(it.files) &&
    it.files.every(
      (file: unknown) =>
        typeof file === "object" &&
        file !== null &&
        ["path", "realPath", "stamp", "digest", "guest"].every(
          (key) => typeof (file as never)[key] === "string",
        ) &&
        typeof (file as never)["settings"] === "object",
    );
  return isSound ? it : undefined;
}
