import { missing } from "../../base/failure.ts";
import { nearestWord } from "../../base/nearest-word.ts";
import { printable } from "../../base/printable.ts";
import type { Inventory, InventoryGuest } from "../../guest/inventory/inventory.ts";
import type { Context } from "../context.ts";
import { failing } from "../failing.ts";
import { guestPage } from "../render/guest-page.ts";
import { inventoryJson } from "../render/inventory-json.ts";
import { exitCodeOf, openInventory } from "./list-run.ts";
import type { ListFlags } from "./list-run.ts";

export const run = failing(async function (this: Context, flags: ListFlags, name: string) {
  const { out } = this;
  const inventory = await openInventory(this, flags);
  const guests = inventory.guests.filter((guest) => isCalled(guest, name));
  if (guests.length === 0) throw notFound(inventory, flags.root ?? "This host", name);
  if (flags.json) out.json(inventoryJson({ ...inventory, findings: [] }, guests));
  else out.result(guests.map((guest) => guestPage(guest, inventory, out)).join("\n\n"));
  return exitCodeOf(guests.flatMap((guest) => guest.findings));
});

/** By its name, its uuid, or the path of its config or of an image. A number is no name to xl, but a domain's id. */
function isCalled(
  { name, uuid, config, domains, images }: InventoryGuest,
  wanted: string,
): boolean {
  return (
    name === wanted ||
    config?.guest?.name === wanted ||
    uuid === wanted.toLowerCase() ||
    config?.path === wanted ||
    config?.realPath === wanted ||
    config?.autostart.includes(wanted) === true ||
    domains.some(({ fact }) => String(fact.domid) === wanted || fact.name === wanted) ||
    images.some(({ fact }) => fact.path === wanted)
  );
}

function notFound({ guests }: Inventory, host: string, name: string): Error {
  const near = nearestWord(
    name,
    guests.map((guest) => guest.name),
  );
  return missing(
    [host],
    `guest "${name}"`,
    near === undefined
      ? "domus list shows all. A config or an image elsewhere is found with --also DIR."
      : `Did you mean ${printable(near)}? domus list shows all.`,
  );
}
