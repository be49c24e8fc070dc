import { findGuests } from "../../guest/inventory/find-guest.ts";
import type { Context } from "../context.ts";
import { failing } from "../failing.ts";
import { guestPage } from "../render/guest-page.ts";
import { inventoryJson } from "../render/inventory-json.ts";
import { exitCodeOf, openInventory } from "./list-run.ts";
import type { ListFlags } from "./list-run.ts";

export const run = failing(async function (this: Context, flags: ListFlags, name: string) {
  const { out } = this;
  const inventory = await openInventory(this, flags);
  const guests = findGuests(inventory, flags.root ?? "This host", name);
  if (flags.json) out.json(inventoryJson({ ...inventory, findings: [] }, guests));
  else out.result(guests.map((guest) => guestPage(guest, inventory, out)).join("\n\n"));
  return exitCodeOf(guests.flatMap((guest) => guest.findings));
});
