/** All that can be seen of a host's guests without touching them. */
import type { Failure } from "../../base/failure.ts";
import type { Host } from "../../host/host.ts";
import type { InventoryFacts } from "./facts.ts";
import { readBackings } from "./read-backings.ts";
import { readConfigs } from "./read-configs.ts";
import { readDomains } from "./read-domains.ts";
import { readImages } from "./read-images.ts";

export type InventoryOptions = {
  /** Directories with configs and images beside the usual ones. */
  readonly also?: readonly string[] | undefined;
  readonly signal?: AbortSignal;
};

export async function surveyInventory(
  host: Host,
  { also = [], signal }: InventoryOptions = {},
): Promise<InventoryFacts> {
  const failures: Failure[] = [];
  const [{ configs, brokenLinks }, images, domains] = await Promise.all([
    readConfigs(host, also, failures),
    readImages(host, also, failures, signal),
    readDomains(host),
  ]);
  const guests = [
    ...configs.map(({ guest }) => guest),
    ...images.map(({ image }) => image?.config?.guest),
    ...(domains.kind === "listed" ? domains.domains.map(({ guest }) => guest) : []),
  ];
  const backings = await readBackings(
    host,
    guests.filter((guest) => guest !== undefined),
  );
  return { configs, brokenLinks, images, domains, backings, failures };
}
