/** All that can be seen of a host's guests without touching them. */
import { attemptSync } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import type { Host } from "../../host/host.ts";
import type { Records } from "../../host/records.ts";
import type { ImageFact, InventoryFacts } from "./facts.ts";
import { readHotplug } from "./hotplug.ts";
import { isWaiting, peekAtDisks } from "./image-proof.ts";
import { openKnownFiles } from "./known-files.ts";
import type { TextCache } from "./known-files.ts";
import type { Guest } from "./match.ts";
import { readBackings } from "./read-backings.ts";
import { readConfigs } from "./read-configs.ts";
import { readMounts, readUnfinished } from "./read-disk-uses.ts";
import { readDomains } from "./read-domains.ts";
import type { SeenPort } from "./read-domains.ts";
import { readImages } from "./read-images.ts";
import { readOperations } from "./read-operations.ts";
import type { Verdicts } from "./verdicts.ts";

export type InventoryOptions = {
  /** Directories with configs and images beside the usual ones. */
  readonly also?: readonly string[] | undefined;
  /** What domus has written down. Left out: nothing. */
  readonly records?: Pick<Records, "images" | "operations"> | undefined;
  /** Where what Xen says is kept for those who may not ask it. */
  readonly seen?: SeenPort | undefined;
  /** What the last boot checks said. */
  readonly verdicts?: Verdicts | undefined;
  /** Guests whose save images are to be proven by reading their disks, which takes seconds. */
  readonly prove?: (guest: Guest) => boolean;
  /** What was read in earlier runs. Left out: everything is read. */
  readonly cache?: TextCache | undefined;
  readonly signal?: AbortSignal;
};

export async function surveyInventory(
  host: Host,
  { also = [], records, seen, cache, signal }: InventoryOptions = {},
): Promise<InventoryFacts> {
  const failures: Failure[] = [];
  const read = attemptSync(() => ({
    images: records?.images() ?? [],
    operations: records?.operations() ?? [],
  }));
  if (!read.ok) failures.push(read.failure);
  const recorded = read.ok ? read.value : { images: [], operations: [] };
  const known = await openKnownFiles(host, cache);
  const [{ configs, brokenLinks }, { images, lost }, domains, operations] = await Promise.all([
    readConfigs(host, { also, failures, known }),
    readImages(host, { also, records: recorded.images, failures, known, signal }),
    readDomains(host, seen),
    readOperations(host, recorded.operations),
  ]);
  await known.save();
  const guests = [
    ...configs.map(({ guest }) => guest),
    ...images.map(({ image }) => image?.config?.guest),
    ...(domains.kind === "listed" ? domains.domains.map(({ guest }) => guest) : []),
  ];
  const backings = await readBackings(
    host,
    guests.filter((guest) => guest !== undefined),
  );
  const [mounts, unfinished, looked, hotplug] = await Promise.all([
    readMounts(host),
    readUnfinished(host, backings),
    Promise.all(images.map((image) => withPeek(host, image))),
    readHotplug(host),
  ]);
  return {
    ...{ configs, brokenLinks, images: looked, lostImages: lost, operations, domains },
    ...{ backings, mounts, unfinished, hotplug, failures },
  };
}

async function withPeek(host: Host, fact: ImageFact): Promise<ImageFact> {
  const proof = isWaiting(fact) ? await peekAtDisks(host, fact.record!) : undefined;
  return proof ? { ...fact, proof } : fact;
}
