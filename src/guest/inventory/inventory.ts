/** Where every guest of a host is: surveyed, matched, and what contradicts itself. */
import type { Failure } from "../../base/failure.ts";
import type { Finding } from "../../base/finding.ts";
import type { Host } from "../../host/host.ts";
import type { Backing, DomainsFact } from "./facts.ts";
import { guestFindings, hostFindings } from "./findings.ts";
import { matchGuests } from "./match.ts";
import type { Guest } from "./match.ts";
import { surveyInventory } from "./survey.ts";
import type { InventoryOptions } from "./survey.ts";

export type InventoryGuest = Guest & { readonly findings: readonly Finding[] };

export type Inventory = {
  /** In the order of their names. */
  readonly guests: readonly InventoryGuest[];
  /** Those that belong to no guest. */
  readonly findings: readonly Finding[];
  readonly domains: DomainsFact;
  /** What the guests' disks are, by path. */
  readonly backings: ReadonlyMap<string, Backing>;
  /** What could not be looked at. */
  readonly failures: readonly Failure[];
};

/** Never fails for what is on the host: what cannot be read is said in its place. */
export async function readInventory(
  host: Host,
  options: InventoryOptions = {},
): Promise<Inventory> {
  const facts = await surveyInventory(host, options);
  const guests = matchGuests(facts);
  const findings = guestFindings(guests, facts);
  return {
    guests: guests.map((guest, index) => ({ ...guest, findings: findings[index]! })),
    findings: hostFindings(facts),
    domains: facts.domains,
    backings: facts.backings,
    failures: facts.failures,
  };
}
