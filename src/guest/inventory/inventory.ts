/** Where every guest of a host is: surveyed, matched, and what contradicts itself. */
import type { Failure } from "../../base/failure.ts";
import type { Finding } from "../../base/finding.ts";
import type { Host } from "../../host/host.ts";
import type { Backing, DomainsFact, ImageFact } from "./facts.ts";
import { guestFindings, hostFindings } from "./findings.ts";
import { isWaiting, proveDisks } from "./image-proof.ts";
import { matchGuests } from "./match.ts";
import type { Guest, Part } from "./match.ts";
import { surveyInventory } from "./survey.ts";
import type { InventoryOptions } from "./survey.ts";
import type { CheckVerdict } from "./verdicts.ts";

export type InventoryGuest = Guest & {
  readonly findings: readonly Finding[];
  /** What the last boot check said. */
  readonly check?: CheckVerdict;
};

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
  const guests = await proven(host, matchGuests(facts), options);
  const findings = guestFindings(guests, facts);
  return {
    guests: guests.map((guest, index) => {
      const check = options.verdicts?.get(guest.config?.realPath ?? "");
      return { ...guest, findings: findings[index]!, ...(check && { check }) };
    }),
    findings: hostFindings(guests, facts),
    domains: facts.domains,
    backings: facts.backings,
    failures: facts.failures,
  };
}

/** One after the other: each reads its disks. Of a guest that runs there is nothing to prove. */
async function proven(
  host: Host,
  guests: readonly Guest[],
  { prove, signal }: InventoryOptions,
): Promise<readonly Guest[]> {
  if (!prove) return guests;
  const done: Guest[] = [];
  for (const guest of guests) {
    const images: Part<ImageFact>[] = [];
    for (const { fact, by } of guest.images) {
      const asked = guest.domains.length === 0 && isWaiting(fact) && prove(guest);
      const record = asked ? fact.record : undefined;
      const proof = record && (await proveDisks(host, { ...fact, record }, signal));
      images.push({ fact: proof ? { ...fact, proof } : fact, by });
    }
    done.push({ ...guest, images });
  }
  return done;
}
