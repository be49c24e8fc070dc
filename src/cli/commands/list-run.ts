import { failureText } from "../../base/failure.ts";
import { explainFailure } from "../../base/explain.ts";
import type { Finding } from "../../base/finding.ts";
import { printable } from "../../base/printable.ts";
import { readInventory } from "../../guest/inventory/inventory.ts";
import type { Inventory } from "../../guest/inventory/inventory.ts";
import type { InventoryOptions } from "../../guest/inventory/survey.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import type { ExitCode } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import type { GuestState } from "../guest-state.ts";
import { ageText } from "../render/age.ts";
import { inventoryJson } from "../render/inventory-json.ts";
import { inventoryTable } from "../render/inventory-table.ts";

export type ListFlags = {
  readonly json: boolean;
  readonly root?: string;
  readonly also?: readonly string[];
};

export const run = failing(async function (this: Context, flags: ListFlags) {
  const { out } = this;
  const inventory = await openInventory(this, flags);
  const { guests, findings } = inventory;
  if (flags.json) out.json(inventoryJson(inventory, guests));
  else if (guests.length > 0 || findings.length > 0) out.result(inventoryTable(inventory, out));
  else {
    out.say("No guest: no config in /etc/xen, no domain, no save image in the usual places.");
    out.say("Configs and images elsewhere are named with --also DIR.");
  }
  return exitCodeOf([...guests.flatMap((guest) => guest.findings), ...findings]);
});

export type OpenedInventory = { readonly inventory: Inventory; readonly state: GuestState };

/** The inventory; what could not be looked at is said. */
export async function openInventory(context: Context, flags: ListFlags): Promise<Inventory> {
  const { inventory, state } = await openWithState(context, flags);
  state[Symbol.dispose]();
  return inventory;
}

/** The inventory with what is kept of guests, which is the caller's to close. */
export async function openWithState(
  { out, openHost, openState, signal }: Context,
  { root, also }: ListFlags,
  prove?: InventoryOptions["prove"],
): Promise<OpenedInventory> {
  const host = openHost(root);
  const state = (await openState?.(root)) ?? NO_STATE;
  const { records, verdicts, seen, cache } = state;
  const options = { also, signal, records, verdicts, seen, cache, ...(prove && { prove }) };
  const inventory = await readInventory(host, options);
  const { domains } = inventory;
  const failures = [...(state.failure ? [state.failure] : []), ...inventory.failures];
  for (const failure of failures) out.say(`Not read: ${printable(failureText(failure))}`);
  if (domains.kind === "unknown") {
    const { what, why } = explainFailure(domains.failure);
    out.say(`What runs is not known: ${printable(what)} ${printable(why)} xl list needs root.`);
    out.say(
      "What root saw last is shown to members of the group domus, once root has run domus list.",
    );
  }
  if (domains.kind === "listed" && domains.seenAtMs !== undefined)
    out.say(
      `Domains are those that root saw ${ageText(domains.seenAtMs, Date.now())} ago: xl list needs root.`,
    );
  return { inventory: { ...inventory, failures }, state };
}

const NO_STATE: GuestState = { verdicts: new Map(), [Symbol.dispose]: () => {} };

export function exitCodeOf(findings: readonly Finding[]): ExitCode {
  return findings.some(({ severity }) => severity === "error") ? EXIT.findings : EXIT.done;
}
