import { failureText } from "../../base/failure.ts";
import { explainFailure } from "../../base/explain.ts";
import type { Finding } from "../../base/finding.ts";
import { printable } from "../../base/printable.ts";
import { readInventory } from "../../guest/inventory/inventory.ts";
import type { Inventory } from "../../guest/inventory/inventory.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import type { ExitCode } from "../exit-codes.ts";
import { failing } from "../failing.ts";
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

/** The inventory; what could not be looked at is said. */
export async function openInventory(
  { out, openHost, signal }: Context,
  { root, also }: ListFlags,
): Promise<Inventory> {
  const inventory = await readInventory(openHost(root), { also, signal });
  const { domains, failures } = inventory;
  for (const failure of failures) out.say(`Not read: ${printable(failureText(failure))}`);
  if (domains.kind === "unknown") {
    const { what, why } = explainFailure(domains.failure);
    out.say(`What runs is not known: ${printable(what)} ${printable(why)} xl list needs root.`);
  }
  return inventory;
}

export function exitCodeOf(findings: readonly Finding[]): ExitCode {
  return findings.some(({ severity }) => severity === "error") ? EXIT.findings : EXIT.done;
}
