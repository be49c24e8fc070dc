/** Guests that crash again and again: xl starts them anew each time, and never gives up. Pure. */
import type { Finding } from "../../base/finding.ts";
import { shellWord } from "../../check/remedy.ts";
import { MAX_CRASHES } from "./state.ts";
import type { Crash, Seen } from "./state.ts";

/** So many crashes of one guest are a loop, when no more than this time is between the first and the last of them. */
export const LOOP_CRASHES = 3;
export const LOOP_WITHIN_MS = 15 * 60_000;
/** What on_crash="rename-restart" calls the domain that has crashed (xen: tools/xl/xl_vmcontrol.c): `web-20261121T1215Z`. */
const KEPT_NAME = /-\d{8}T\d{4}Z$/;

/** Between two looks: when nobody looked for long, nobody knows when what was seen has happened. */
export type LookTimes = { readonly beforeMs: number; readonly atMs: number };

/** Those that are new enough to be part of a loop, with those that were just seen. */
export function recentCrashes(
  known: readonly Crash[],
  seen: readonly Seen[],
  { beforeMs, atMs }: LookTimes,
): Crash[] {
  const isTimed = atMs - beforeMs < LOOP_WITHIN_MS;
  const news = seen.flatMap(({ kind, guest, uuid, domid }): Crash[] => {
    if (kind !== "crashed" || domid === undefined || !isTimed) return [];
    // Its successor has the name and the uuid from then on.
    const isKept = KEPT_NAME.test(guest);
    const name = guest.replace(KEPT_NAME, "");
    return [{ guest: name, domid, atMs, ...(uuid !== undefined && !isKept && { uuid }) }];
  });
  const recent = known.filter((one) => atMs - one.atMs < LOOP_WITHIN_MS && one.atMs <= atMs);
  return [...recent, ...news].slice(-MAX_CRASHES);
}

export type CrashLoop = {
  /** The last of them. */
  readonly last: Crash;
  readonly uuid: string;
  readonly finding: Finding;
};

/** One for each guest. A guest is known by its name, and one that was renamed in between by its uuid. */
export function crashLoops(crashes: readonly Crash[]): CrashLoop[] {
  const names = new Map<string, string>();
  for (const { uuid, guest } of crashes) if (uuid !== undefined) names.set(uuid, guest);
  const guests = Map.groupBy(crashes, ({ uuid, guest }) => names.get(uuid ?? "") ?? guest);
  return [...guests].flatMap(([guest, list]) => {
    const last = list.at(-1)!;
    const uuid = list.findLast((one) => one.uuid !== undefined)?.uuid;
    // Known from logs alone: it is gone, or will be known with its next crash.
    if (list.length < LOOP_CRASHES || uuid === undefined) return [];
    const minutes = Math.max(1, Math.ceil((last.atMs - list[0]!.atMs) / 60_000));
    const within = minutes === 1 ? "a minute" : `${minutes} minutes`;
    const what = `has crashed ${list.length} times within ${within}`;
    return [{ last, uuid, finding: loopFinding(guest, what, last) }];
  });
}

/** `what` is a clause: `has crashed 3 times within a minute`. */
export function loopFinding(
  guest: string,
  what: string,
  { domid }: { readonly domid: number },
): Finding {
  const word = shellWord(guest);
  return {
    code: "crash-loop",
    severity: "error",
    where: [`domain ${domid}`],
    what: `${guest} ${what}.`,
    why: `It is started again each time, as on_crash= says or by somebody, into the same crash. xl never gives up, and each crash may leave its filesystems a little worse.`,
    next: `End it: domus stop --destroy-after 0 ${word}. Why it crashes: its console in /var/log/xen/console, domus history ${word} --events, domus check ${word}. To have the next crash stay to be looked at: on_crash = "preserve" in its config.`,
  };
}
