/** Which domain a command is for that a person gave a guest. */
import { FailureError, misuse } from "../../base/failure.ts";
import { printable } from "../../base/printable.ts";
import { shellWord } from "../../check/remedy.ts";
import type { DomainFact } from "../inventory/facts.ts";
import type { Inventory, InventoryGuest } from "../inventory/inventory.ts";
import { assertGuestName } from "./guest-name.ts";

/**
 * The domain of the guest that is most alive; `wanted` is what the person typed, and names one of several by its id. Undefined when
 * the guest has none. `misuse` when it has several that live; `refused` for a name that xl does not handle safely; the
 * inventory's failure when Xen does not tell.
 */
export function targetDomain(
  { domains: asked }: Inventory,
  { name, domains }: InventoryGuest,
  wanted: string,
): DomainFact | undefined {
  if (asked.kind === "unknown") throw new FailureError(asked.failure);
  const facts = domains.map(({ fact }) => fact);
  const named = facts.find(({ domid }) => String(domid) === wanted);
  const living = facts.filter(({ state }) => state === "running" || state === "paused");
  if (!named && living.length > 1)
    throw misuse(
      `${printable(name)} has ${living.length} domains: ${living.map(({ domid }) => domid).join(", ")}.`,
      "Name the one that is meant by its id. domus show says which is which.",
    );
  const domain = named ?? facts[0];
  if (domain) assertGuestName(domain.name, domain.domid);
  return domain;
}

/** `misuse`: there is no domain to do it to, or not in this state. */
export function cannot(verb: string, guest: Pick<InventoryGuest, "name" | "state">, next: string) {
  return misuse(`${printable(guest.name)} is ${guest.state}: it cannot be ${verb}.`, next);
}

/** What to do with a guest that does not run. */
export function startHint({ name, state }: Pick<InventoryGuest, "name" | "state">): string {
  const word = shellWord(name);
  if (state === "saved") return `domus restore ${word} brings it back.`;
  if (state === "crashed" || state === "shut-down")
    return `Its domain is still there, and keeps its disks: domus stop --destroy-after 0 ${word} takes it away.`;
  return `domus start ${word} starts it.`;
}
