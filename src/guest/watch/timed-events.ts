/** When what was seen has happened, and who saw it; and what is known already from those who did it. */
import type { GuestEvent, Records } from "../../host/records.ts";
import type { Observation } from "./observation.ts";
import type { Seen, WatchState } from "./state.ts";

export type NewEvent = Omit<GuestEvent, "id">;

export type TimedOptions = {
  readonly look: Observation;
  readonly records: Pick<Records, "events">;
  /** Nobody watched since that state: what was seen may be as old. */
  readonly catchingUp?: WatchState;
};

/** Of two that see one thing, clocks of files and processes are so far apart at most. */
const SLACK_MS = 10_000;
const ENDS: ReadonlySet<string> = new Set(["stopped", "crashed", "saved", "migrated"]);

export function timedEvents(seen: readonly Seen[], options: TimedOptions): NewEvent[] {
  const { look, catchingUp } = options;
  const lives = [...(look.earlier ?? []), ...look.lifetimes];
  const endedMs = new Map(lives.flatMap((one) => (one.endedMs ? [[one.domid, one.endedMs]] : [])));
  const known = catchingUp ? knownSince(seen, catchingUp.atMs - SLACK_MS, options) : new Set();
  const timed = seen.flatMap(({ fromLog, ...event }): NewEvent[] => {
    if (catchingUp && known.has(sameness(event))) return [];
    const isLate = catchingUp !== undefined || fromLog === true;
    const logged = event.domid === undefined ? undefined : endedMs.get(event.domid);
    const isTimed = logged !== undefined && (fromLog === true || ENDS.has(event.kind));
    const atMs = isLate && isTimed ? Math.min(logged, look.atMs) : look.atMs;
    const since = catchingUp && !(isTimed && ENDS.has(event.kind));
    const detail = since ? { ...event.detail, notBeforeMs: catchingUp.atMs } : event.detail;
    return [{ ...event, atMs, by: isLate ? "log" : "watcher", detail }];
  });
  return inOrder(timed);
}

/** They are read by their times: of one guest none is later than what came after it. Of many lives in a log only the last has a time. */
function inOrder(events: readonly NewEvent[]): NewEvent[] {
  const after = new Map<string, number>();
  const reversed = events.toReversed().map((event): NewEvent => {
    const atMs = Math.min(event.atMs, after.get(event.guest) ?? Infinity);
    after.set(event.guest, atMs);
    return { ...event, atMs };
  });
  return reversed.toReversed();
}

/** What a command of domus wrote down of it while nobody watched. */
function knownSince(
  seen: readonly Seen[],
  sinceMs: number,
  { records }: TimedOptions,
): ReadonlySet<unknown> {
  const guests = new Set(seen.map(({ guest }) => guest));
  return new Set(
    [...guests].flatMap((guest) =>
      records
        .events({ guest })
        .filter(
          ({ atMs, by, detail }) => atMs >= sinceMs && by === "domus" && !detail["alsoSeenBy"],
        )
        .map(sameness),
    ),
  );
}

function sameness({ kind, uuid, domid, detail }: Omit<Seen, "guest">): string {
  const { vdev, nic, what, to } = detail;
  return JSON.stringify([kind, uuid, domid, vdev ?? nic ?? what ?? to]);
}
