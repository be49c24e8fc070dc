import { findGuests, isCalled } from "../../guest/inventory/find-guest.ts";
import type { InventoryGuest } from "../../guest/inventory/inventory.ts";
import type { GuestEvent, Records } from "../../host/records.ts";
import type { Context } from "../context.ts";
import { failing } from "../failing.ts";
import { eventJson } from "../render/events.ts";
import { guestPage } from "../render/guest-page.ts";
import { inventoryJson } from "../render/inventory-json.ts";
import { exitCodeOf, openWithState } from "./list-run.ts";
import type { ListFlags } from "./list-run.ts";

/** Events that are shown of a guest, the newest; `domus history GUEST --events` has all. */
const EVENTS = 10;
/** As far back as alarms are looked for. */
const LOOKED_THROUGH = 1000;

export const run = failing(async function (this: Context, flags: ListFlags, name: string) {
  const { out } = this;
  const { inventory, state } = await openWithState(this, flags, (guest) => isCalled(guest, name));
  using _ = state;
  const guests = findGuests(inventory, flags.root ?? "This host", name);
  const events = guests.map((guest) => eventsOf(state.records, guest));
  if (flags.json) {
    const document = inventoryJson({ ...inventory, findings: [] }, guests);
    const known = document["guests"] as Record<string, unknown>[];
    const told = known.map((guest, index) => ({ ...guest, events: events[index]!.map(eventJson) }));
    out.json({ ...document, guests: told });
  } else {
    const pages = guests.map((guest, index) =>
      guestPage(guest, events[index]!, { inventory, out }),
    );
    out.result(pages.join("\n\n"));
  }
  return exitCodeOf(guests.flatMap((guest) => guest.findings));
});

/** All alarms, and the newest of the others; oldest first. By name and by uuid, as it may have been renamed. */
function eventsOf(records: Records | undefined, { name, uuid }: InventoryGuest): GuestEvent[] {
  if (!records) return [];
  const found = new Map<number, GuestEvent>();
  for (const guest of uuid === undefined ? [name] : [name, uuid])
    for (const event of records.events({ guest, limit: LOOKED_THROUGH }))
      found.set(event.id, event);
  const all = [...found.values()].toSorted((a, b) => a.atMs - b.atMs || a.id - b.id);
  const newest = new Set(all.filter(({ kind }) => kind !== "alarm").slice(-EVENTS));
  const alarms = new Set(all.filter(({ kind }) => kind === "alarm").slice(-EVENTS));
  return all.filter((event) => newest.has(event) || alarms.has(event));
}
