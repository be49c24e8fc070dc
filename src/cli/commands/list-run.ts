import { FailureError, failureText } from "../../base/failure.ts";
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
import { wrap } from "../render/text.ts";

export type ListFlags = {
  readonly json: boolean;
  readonly root?: string;
  readonly also?: readonly string[];
};

export const run = failing(async function (this: Context, flags: ListFlags) {
  const { out } = this;
  const { inventory, state } = await openWithState(this, flags);
  state[Symbol.dispose]();
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

/**
 * The inventory for a command that acts on what runs; what could not be looked at is said. Fails as Xen does when it does not tell:
 * nothing is done on what was seen earlier, or on a guess.
 */
export async function openInventory(context: Context, flags: ListFlags): Promise<Inventory> {
  const { inventory, state } = await readWithState(context, flags);
  state[Symbol.dispose]();
  if (inventory.domains.kind === "unknown") throw new FailureError(inventory.domains.failure);
  sayNotRead(context, inventory);
  return inventory;
}

/** The inventory with what is kept of guests, which is the caller's to close; what could not be looked at is said. */
export async function openWithState(
  context: Context,
  flags: ListFlags,
  prove?: InventoryOptions["prove"],
): Promise<OpenedInventory> {
  const opened = await readWithState(context, flags, prove);
  sayNotRead(context, opened.inventory);
  return opened;
}

async function readWithState(
  { openHost, openState, signal, isRoot }: Context,
  { root, also }: ListFlags,
  prove?: InventoryOptions["prove"],
): Promise<OpenedInventory> {
  const host = openHost(root);
  const state = (await openState?.(root)) ?? NO_STATE;
  const { records, verdicts, cache } = state;
  // Root may ask Xen: where it does not answer, what was seen earlier is no answer.
  const seen =
    state.seen && isRoot !== false ? { ...state.seen, recall: () => undefined } : state.seen;
  const options = { also, signal, records, verdicts, seen, cache, ...(prove && { prove }) };
  const inventory = await readInventory(host, options);
  const failures = [...(state.failure ? [state.failure] : []), ...inventory.failures];
  return { inventory: { ...inventory, failures }, state };
}

function sayNotRead({ out, isRoot }: Context, { failures, domains }: Inventory): void {
  for (const failure of failures) out.say(`Not read: ${printable(failureText(failure))}`);
  if (domains.kind === "unknown") {
    const { what, why, next } = explainFailure(domains.failure);
    // xl's words have no full stop.
    const cause = /[.!?]$/.test(why) ? why : `${why}.`;
    const text = printable(`What runs is not known: ${what} ${cause} ${next}`);
    out.say(wrap(text, out.width).join("\n"));
    if (isRoot === false)
      out.say(
        "What root saw last is shown to members of the group domus, once root has run domus list.",
      );
  }
  if (domains.kind === "listed" && domains.seenAtMs !== undefined)
    out.say(
      `Domains are those that root saw ${ageText(domains.seenAtMs, Date.now())} ago: xl list needs root.`,
    );
}

const NO_STATE: GuestState = { verdicts: new Map(), [Symbol.dispose]: () => {} };

export function exitCodeOf(findings: readonly Finding[]): ExitCode {
  return findings.some(({ severity }) => severity === "error") ? EXIT.findings : EXIT.done;
}
