/** Which guest is meant by what a person types. */
import { missing, misuse } from "../../base/failure.ts";
import { nearestWord } from "../../base/nearest-word.ts";
import { printable } from "../../base/printable.ts";
import type { Inventory, InventoryGuest } from "./inventory.ts";
import type { Guest } from "./match.ts";

/** All that are called so; `missing` with the nearest name when none is. `host` is for the message. */
export function findGuests(inventory: Inventory, host: string, name: string): InventoryGuest[] {
  const guests = inventory.guests.filter((guest) => isCalled(guest, name));
  if (guests.length > 0) return guests;
  const near = nearestWord(
    name,
    inventory.guests.map((guest) => guest.name),
  );
  // `domus attach xvdb web1`
  const device = DEVICE.test(name)
    ? " The guest comes first, what it is given or what is taken from it comes behind it."
    : "";
  throw missing(
    [host],
    `guest "${name}"`,
    near === undefined
      ? `domus list shows all.${device} A config or an image elsewhere is found with --also DIR.`
      : `Did you mean ${printable(near)}? domus list shows all.${device}`,
  );
}

/** What nobody calls a guest: a disk as in a config, a vdev, a MAC address. */
const DEVICE = /,|^(?:xvd|sd|hd|vd)[a-z]{1,2}\d*$|^(?:[0-9a-f]{1,2}:){5}/i;

/** The one that is called so, for what changes something. `misuse` when there are several. */
export function findGuest(inventory: Inventory, host: string, name: string): InventoryGuest {
  const [guest, ...others] = findGuests(inventory, host, name);
  if (others.length === 0) return guest!;
  throw misuse(
    `${others.length + 1} guests are called ${printable(name)}.`,
    "Name the one that is meant by its uuid, its domain id, or the path of its config: domus show lists them.",
  );
}

/** By its name, its uuid, or the path of its config or of an image. A number is no name to xl, but a domain's id. */
export function isCalled({ name, uuid, config, domains, images }: Guest, wanted: string): boolean {
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
