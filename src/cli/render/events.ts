/** What happened to guests, from the records, as tables and as JSON. */
import { printable } from "../../base/printable.ts";
import { eventText } from "../../guest/watch/event-text.ts";
import type { GuestEvent } from "../../host/records.ts";
import { table } from "./text.ts";

/** Oldest first, one a line. */
export function eventTable(events: readonly GuestEvent[]): string {
  const rows = events.map((event) => [
    momentText(event.atMs),
    event.domid === undefined ? "" : String(event.domid),
    seenBy(event),
    printable(`${eventText(event)}${doubtText(event)}`),
  ]);
  return table(["WHEN (UTC)", "DOMAIN", "BY", "WHAT"], rows, 100_000).join("\n");
}

export function eventJson(event: Omit<GuestEvent, "id">): Record<string, unknown> {
  const { atMs, guest, uuid, domid, kind, by, detail } = event;
  const at = new Date(atMs).toISOString();
  return { at, guest, uuid: uuid ?? null, domid: domid ?? null, kind, by, detail };
}

/** `domus`, `watcher+log`. Escaped. */
export function seenBy({ by, detail }: GuestEvent): string {
  const also = detail["alsoSeenBy"];
  const others = Array.isArray(also) ? also.filter((one) => typeof one === "string") : [];
  return printable([by, ...others].join("+"));
}

/** What happened while nobody watched has no time of its own. */
function doubtText({ atMs, detail }: GuestEvent): string {
  const since = detail["notBeforeMs"];
  if (typeof since !== "number" || since >= atMs) return "";
  return ` (at this time or before, not before ${momentText(since)})`;
}

/** `2026-11-21 08:15:02` */
function momentText(timeMs: number): string {
  const date = new Date(timeMs);
  if (Number.isNaN(date.getTime())) return "?";
  return date.toISOString().slice(0, 19).replace("T", " ");
}
