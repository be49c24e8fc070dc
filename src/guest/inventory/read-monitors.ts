/**
 * Whether somebody acts when a domain ends: xl leaves a process for each domain that it makes, which executes on_poweroff,
 * on_reboot and on_crash. Its output is /var/log/xen/xl-NAME.log (xen: tools/xl/xl_utils.c, do_daemonize; xl_vmcontrol.c).
 */
import { attempt } from "../../base/failure.ts";
import { mapParallel } from "../../base/parallel.ts";
import { fileName } from "../../base/path.ts";
import { decodeText } from "../../bytes/text.ts";
import type { Host } from "../../host/host.ts";
import { readMonitorLog, readWholeLog } from "../watch/look.ts";
import { hasCrashed, parseMonitorLog } from "../watch/monitor-log.ts";
import type { Lifetime } from "../watch/monitor-log.ts";
import { AT_A_TIME } from "./directories.ts";

const LOG_NAME = /^\/var\/log\/xen\/xl-.*\.log(?:\.\d+)?$/s;
/** `Waiting for domain pandora (domid 2) to die [pid 354]`; a name may hold anything, also a line feed. */
const WAITING = /\(domid (\d{1,5})\) to die \[pid (\d{1,10})\]$/gm;
const MAX_ARGUMENTS_BYTES = 65_536;
/** They watch their domains themselves. */
const OTHER_TOOLSTACKS = new Set(["libvirtd", "virtxend", "virtlibxld", "xenopsd-xc", "qubesd"]);
/** What makes domains; xl takes abbreviations. */
const MAKES = /^(?:cr|rest|migrate-r|rem)/;

export type Monitors = {
  /** Of these it is known that nobody watches them. */
  readonly unwatched: ReadonlySet<number>;
  readonly watched: ReadonlySet<number>;
  /** An xl that makes or restores a domain, or that watches one nobody knows which. */
  readonly making: boolean;
  /** By domid: so many domains in a row right before it crashed, and were started again. None: no entry. */
  readonly crashedBefore: ReadonlyMap<number, number>;
};

/** `domains` are those of which it is asked. Only root sees what it takes; others learn nothing. */
export async function readMonitors(
  host: Host,
  domains: readonly { readonly domid: number; readonly name: string }[],
): Promise<Monitors> {
  const watched = new Set<number>();
  const crashedBefore = new Map<number, number>();
  for (const { domid, name } of domains) {
    const text = await readMonitorLog(host, name);
    if (await hasLogged(host, domid, text)) watched.add(domid);
    const crashes = crashesBefore(parseMonitorLog(text), domid);
    if (crashes > 0) crashedBefore.set(domid, crashes);
  }
  const left = domains.filter(({ domid }) => !watched.has(domid));
  const none = { unwatched: new Set<number>(), watched, making: false, crashedBefore };
  if (left.length === 0) return none;
  const processes = await readProcesses(host);
  if (!processes || processes.some(({ program }) => OTHER_TOOLSTACKS.has(program))) return none;
  let making = false;
  for (const { pid, program, words } of processes) {
    if (program !== "xl") continue;
    const domid = await watchedBy(host, pid);
    if (domid !== undefined) watched.add(domid);
    else if (words.some((word) => MAKES.test(word))) making = true;
  }
  const unwatched = new Set(left.flatMap(({ domid }) => (watched.has(domid) ? [] : [domid])));
  return { watched, making, unwatched: making ? new Set() : unwatched, crashedBefore };
}

/** The usual case, for which not every process has to be looked at: the log with the domain's name tells its process. */
async function hasLogged(host: Host, domid: number, text: string): Promise<boolean> {
  const pid = waitsIn(text).findLast((wait) => wait.domid === domid)?.pid;
  return pid !== undefined && (await readProcess(host, String(pid)))?.program === "xl";
}

/** From the newest back, as long as each was started again because the one before it had crashed. */
function crashesBefore(lives: readonly Lifetime[], domid: number): number {
  let count = 0;
  let now = lives.findLast((life) => life.domid === domid);
  for (const life of lives.slice(0, now ? lives.lastIndexOf(now) : 0).toReversed()) {
    if (now?.restartOf !== life.domid || !life.ending || !hasCrashed(life.ending)) break;
    count += 1;
    now = life;
  }
  return count;
}

/** Which domain a process of xl waits for, by what it has written last. */
async function watchedBy(host: Host, pid: string): Promise<number | undefined> {
  const log = await attempt(() => host.realPath(`/proc/${pid}/fd/1`));
  if (!log.ok || !LOG_NAME.test(log.value)) return undefined;
  const waits = waitsIn(await readWholeLog(host, log.value));
  return waits.findLast((wait) => wait.pid === Number(pid))?.domid;
}

function waitsIn(text: string): { domid: number; pid: number }[] {
  return [...text.matchAll(WAITING)].map(([, domid, pid]) => ({
    domid: Number(domid),
    pid: Number(pid),
  }));
}

type Process = {
  readonly pid: string;
  /** The last part of what it was called by. */
  readonly program: string;
  /** Its arguments. */
  readonly words: readonly string[];
};

/** Undefined when they cannot be listed. */
async function readProcesses(host: Host): Promise<readonly Process[] | undefined> {
  const names = await attempt(() => host.list("/proc"));
  if (!names.ok) return undefined;
  const pids = names.value.filter((name) => /^\d+$/.test(name));
  const all = await mapParallel(pids, AT_A_TIME, (pid) => readProcess(host, pid));
  return all.filter((one) => one !== undefined);
}

async function readProcess(host: Host, pid: string): Promise<Process | undefined> {
  const read = await attempt(() => host.readFile(`/proc/${pid}/cmdline`, MAX_ARGUMENTS_BYTES));
  if (!read.ok || read.value.length === 0) return undefined;
  const [called = "", ...words] = decodeText(read.value).split("\0");
  return { pid, program: fileName(called), words };
}
