/** Looks at the host: what runs, which xl is at work, and what was written into the logs. */
import { attempt } from "../../base/failure.ts";
import { mapParallel } from "../../base/parallel.ts";
import { MIB } from "../../base/units.ts";
import { decodeText } from "../../bytes/text.ts";
import type { DiskReach } from "../../host/disk-reach.ts";
import type { Host } from "../../host/host.ts";
import type { DomainSummary } from "../../xen/domain-summary.ts";
import { parseXlListLong, parseXlListVerbose } from "../../xen/xl-list.ts";
import type { DomainRow } from "../../xen/xl-list.ts";
import { askXlList } from "../config/ask-xl-list.ts";
import { readBootId } from "../config/boot-id.ts";
import { isRehearsal } from "../rehearse/names.ts";
import { parseMonitorLog } from "./monitor-log.ts";
import type { Lifetime } from "./monitor-log.ts";
import { parseXlProcess } from "./observation.ts";
import type { DomainLook, XlProcess } from "./observation.ts";

export const LOG_DIRECTORY = "/var/log/xen";
/** Of the newest lines of a log: some 300 bytes a reboot. */
const MAX_LOG_BYTES = MIB / 4;
const MAX_LOGS = 65_536;
const AT_A_TIME = 16;
const MAX_ARGUMENTS_BYTES = 65_536;
/** dom0 is no guest. */
const DOM0 = 0;

/** Of guests; copies that are rehearsed are none. `failed` when Xen does not answer, `missing` when there is no xl. */
export async function readRows(host: Host): Promise<DomainRow[]> {
  const rows = parseXlListVerbose(await askXlList(host, "-v"));
  return rows.filter(({ domid, name }) => domid !== DOM0 && !isRehearsal(name));
}

export type DomainsRead = {
  readonly rows: readonly DomainRow[];
  readonly domains: readonly DomainLook[];
  /** libxl was not asked: the live configurations are those of before. */
  readonly isKnown: boolean;
};

/**
 * The table, and what libxl knows of each domain. With `known`, a look of before, libxl is only asked when there is a domain of
 * which that knows nothing: for when nothing but states may have changed, as that is half of what a look costs.
 */
export async function readDomainLooks(host: Host, known?: DomainsRead): Promise<DomainsRead> {
  // The table first: what is made in between has a configuration and no row, and is seen the next time.
  const rows = await readRows(host);
  const same = known && sameGuests(rows, known);
  const live = same ?? (await readLive(host));
  const domains = new Map<number, DomainLook>();
  for (const { domid, name, uuid, state, cpuSeconds, doubtful } of rows) {
    const guest = live.get(domid);
    const isSame = guest?.uuid === uuid && !doubtful;
    domains.set(domid, {
      domid,
      uuid,
      name: (isSame ? guest?.name : undefined) ?? name,
      state: doubtful ? "unknown" : state,
      hasRun: cpuSeconds > 0,
      ...(isSame && guest && { guest }),
    });
  }
  return { rows, domains: [...domains.values()], isKnown: same !== undefined };
}

async function readLive(host: Host): Promise<Map<number, DomainSummary>> {
  const listed = parseXlListLong(await askXlList(host, "-l"));
  return new Map(listed.map(({ domid, guest }) => [domid, guest]));
}

/** Undefined when there is one that is not as it was, or of which nothing was known. */
function sameGuests(
  rows: readonly DomainRow[],
  known: DomainsRead,
): Map<number, DomainSummary> | undefined {
  const before = new Map(known.rows.map((row) => [row.domid, row]));
  const looks = new Map(known.domains.map((look) => [look.domid, look]));
  const live = new Map<number, DomainSummary>();
  for (const { domid, name, uuid, doubtful } of rows) {
    const row = before.get(domid);
    const guest = looks.get(domid)?.guest;
    if (doubtful || row?.name !== name || row.uuid !== uuid || !guest) return undefined;
    live.set(domid, guest);
  }
  return live;
}

/** All that xl is doing on the host. None where the processes cannot be seen. */
export async function readXlProcesses(host: Host): Promise<XlProcess[]> {
  const names = await attempt(() => host.list("/proc"));
  if (!names.ok) return [];
  const pids = names.value.filter((name) => /^\d{1,10}$/.test(name));
  const all = await mapParallel(pids, AT_A_TIME, async (pid) => {
    const read = await attempt(() => host.readFile(`/proc/${pid}/cmdline`, MAX_ARGUMENTS_BYTES));
    return read.ok ? parseXlProcess(Number(pid), decodeText(read.value)) : undefined;
  });
  return all.filter((one) => one !== undefined);
}

export async function isXlAlive(host: Host, pid: number): Promise<boolean> {
  const read = await attempt(() => host.readFile(`/proc/${pid}/cmdline`, MAX_ARGUMENTS_BYTES));
  return read.ok && parseXlProcess(pid, decodeText(read.value)) !== undefined;
}

export type LogsRead = {
  /** Oldest first. */
  readonly lifetimes: readonly Lifetime[];
  /** From files that were last written before `bootMs`. */
  readonly earlier: readonly Lifetime[];
};

export type LogOptions = {
  /** Only what was written since then. */
  readonly sinceMs: number;
  /** When the host was started. */
  readonly bootMs: number;
  /** Also what was put aside more than once since; else the current files and the last ones. */
  readonly all: boolean;
};

/** Of the process that watches over a domain of that name; of one that was renamed the log has its old name. */
export function monitorLogPath(name: string): string {
  return `${LOG_DIRECTORY}/xl-${name}.log`;
}

/** What is in that log; empty when there is none, or none can have that name. */
export async function readMonitorLog(host: Host, name: string): Promise<string> {
  if (name === "" || name.includes("/") || name.includes("\0")) return "";
  return readWholeLog(host, monitorLogPath(name));
}

/** Empty when it cannot be read, or is larger than any that xl writes: a domain has a few lines for each of its lives. */
export async function readWholeLog(host: Host, path: string): Promise<string> {
  const read = await attempt(() => host.readFile(path, MIB));
  return read.ok ? decodeText(read.value) : "";
}

/** What the processes of xl wrote of their domains, but of copies that are rehearsed. What cannot be read tells nothing. */
export async function readMonitorLogs(host: Host, options: LogOptions): Promise<LogsRead> {
  const { sinceMs, bootMs, all } = options;
  const names = await attempt(() => host.list(LOG_DIRECTORY));
  const wanted = all ? /^xl-.*\.log(?:\.\d{1,2})?$/s : /^xl-.*\.log(?:\.1)?$/s;
  const files = names.ok ? names.value.filter((name) => wanted.test(name)) : [];
  const read = await mapParallel(files.slice(0, MAX_LOGS), AT_A_TIME, async (name) => {
    const log = await attempt(() => readTail(host, `${LOG_DIRECTORY}/${name}`, sinceMs));
    return log.ok ? log.value : undefined;
  });
  const logs = read.filter((log) => log !== undefined).toSorted((a, b) => a.atMs - b.atMs);
  const livesIn = (isEarlier: boolean) =>
    logs
      .filter(({ atMs }) => atMs < bootMs === isEarlier)
      .flatMap(({ atMs, lifetimes }) => withTime(lifetimes, atMs))
      .filter(({ name }) => !isRehearsal(name));
  return { lifetimes: livesIn(false), earlier: livesIn(true) };
}

type Log = { readonly atMs: number; readonly lifetimes: readonly Lifetime[] };

/** Undefined when nothing was written since. */
async function readTail(host: Host, path: string, sinceMs: number): Promise<Log | undefined> {
  await using file = await host.openBlock(path);
  const atMs = file.modifiedMs;
  if (atMs === undefined || atMs < sinceMs || file.size === 0) return undefined;
  const from = Math.max(0, file.size - MAX_LOG_BYTES);
  const text = decodeText(await file.read(from, file.size - from));
  return { atMs, lifetimes: parseMonitorLog(from === 0 ? text : text.slice(text.indexOf("\n"))) };
}

function withTime(lifetimes: readonly Lifetime[], atMs: number): Lifetime[] {
  return lifetimes.map((life, index) =>
    life.ending && index === lifetimes.length - 1 ? { ...life, endedMs: Math.round(atMs) } : life,
  );
}

export type Boot = { readonly id: string; readonly startedMs: number };

/** Of the host. `io` where there is no /proc. */
export async function readBoot(host: Host, nowMs: number): Promise<Boot> {
  const id = await readBootId(host);
  const uptime = Number(decodeText(await host.readFile("/proc/uptime", 4096)).split(" ")[0]);
  return { id, startedMs: nowMs - (Number.isFinite(uptime) ? uptime * 1000 : 0) };
}

/** What disks of domains are in dom0, by target, under whatever names; nothing of what is no path there. */
export async function readDiskReaches(
  host: Host,
  targets: readonly string[],
): Promise<Map<string, DiskReach>> {
  const paths = new Map<string, string>();
  for (const target of targets)
    if (target !== "") paths.set(target, target.startsWith("/") ? target : `/dev/${target}`);
  const all = [...paths.values()];
  const read = await attempt(async () => host.reachesOf?.(all));
  const known = (read.ok && read.value) || (await reachesByName(host, all));
  const found = new Map<string, DiskReach>();
  for (const [target, path] of paths) {
    const reach = known.get(path);
    if (reach) found.set(target, reach);
  }
  return found;
}

async function reachesByName(
  host: Host,
  paths: readonly string[],
): Promise<ReadonlyMap<string, DiskReach>> {
  const found = new Map<string, DiskReach>();
  for (const path of paths) {
    const real = await attempt(() => host.realPath(path));
    if (real.ok) found.set(path, { identity: real.value, reaches: [real.value] });
  }
  return found;
}
