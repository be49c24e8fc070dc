/** Puts configs, domains and images together into guests. Pure; the rules are in docs/design/inventory.md. */
import { fileName } from "../../base/path.ts";
import type { ImageRecord } from "../../host/records.ts";
import type { DomainSummary } from "../../xen/domain-summary.ts";
import { isNameless } from "../../xen/xl-list.ts";
import type {
  ConfigFact,
  DomainFact,
  ImageFact,
  InventoryFacts,
  LostImage,
  OperationFact,
} from "./facts.ts";
import { targetPath } from "./read-backings.ts";

/** What made a part one of a guest; `alone` where nothing else is known of it. */
export type MatchedBy = "uuid" | "name" | "disks" | "alone";

export type Part<T> = { readonly fact: T; readonly by: MatchedBy };

export type GuestState = DomainFact["state"] | "saved" | "stopped";

export type Guest = {
  /** The live one before that of the config, that before the one in an image. */
  readonly name: string;
  readonly uuid?: string;
  readonly state: GuestState;
  readonly config?: ConfigFact;
  /** More than one where a crashed domain is kept beside its successor. The one that is most alive first. */
  readonly domains: readonly Part<DomainFact>[];
  /** Newest first. */
  readonly images: readonly Part<ImageFact>[];
  /** Images that it should have, by domus's records. */
  readonly lostImages: readonly LostImage[];
  /** What domus does to it, or was cut off in. */
  readonly operations: readonly OperationFact[];
  /** What it has: live, else by its config, else by its newest image. */
  readonly has?: DomainSummary;
};

type Draft = {
  readonly config?: ConfigFact;
  readonly domains: Part<DomainFact>[];
  readonly images: Part<ImageFact>[];
  readonly lostImages: LostImage[];
};

/** What a part is known by. */
type Marks = {
  readonly name?: string | undefined;
  readonly uuid?: string | undefined;
  /** Of writable disks. */
  readonly disks: readonly string[];
};

/** In the order of their names. */
export function matchGuests(facts: InventoryFacts): Guest[] {
  const index = new GuestIndex();
  const marks = (guest: DomainSummary | undefined) => marksOf(guest, facts);
  for (const config of facts.configs) {
    index.add({ ...nothing(), config }, marks(config.guest));
  }
  matchDomains(index, facts);
  for (const fact of facts.images.toSorted(newestFirst)) {
    const saved = fact.image?.config?.guest;
    const known = saved || !fact.record ? marks(saved) : marksOfRecord(fact.record);
    const [draft, by] = index.find(known);
    draft.images.push({ fact, by });
    index.add(draft, known);
  }
  for (const lost of facts.lostImages) {
    const known = marksOfRecord(lost.record);
    const [draft] = index.find(known);
    draft.lostImages.push(lost);
    index.add(draft, known);
  }
  const operations = Map.groupBy(facts.operations, ({ operation }) => operation.guest);
  const unknown = facts.domains.kind === "unknown";
  return index.drafts
    .map((draft) => guestOf(draft, unknown))
    .map((guest) => ({ ...guest, operations: operations.get(guest.name) ?? [] }))
    .toSorted(byName);
}

/** By their disks last: one that has a guest's disk while the guest itself runs is another guest at its disk. */
function matchDomains(index: GuestIndex, facts: InventoryFacts): void {
  const { domains } = facts;
  if (domains.kind !== "listed") return;
  const give = (fact: DomainFact, [draft, by]: [Draft, MatchedBy], known: Marks) => {
    draft.domains.push({ fact, by });
    index.add(draft, known);
  };
  const strangers: { readonly fact: DomainFact; readonly known: Marks }[] = [];
  for (const fact of domains.domains) {
    const { name, uuid, guest } = fact;
    const known = { ...marksOf(guest, facts), name, uuid };
    const found = index.find(known);
    if (found[1] === "disks") strangers.push({ fact, known });
    else give(fact, found, known);
  }
  for (const { fact, known } of strangers) {
    const [draft, by] = index.find(known);
    const isOther =
      by === "disks" && isAlive(fact) && draft.domains.some((one) => isAlive(one.fact));
    give(fact, isOther ? [nothing(), "alone"] : [draft, by], known);
  }
}

function isAlive({ state }: DomainFact): boolean {
  return state === "running" || state === "paused";
}

function nothing(): Omit<Draft, "config"> {
  return { domains: [], images: [], lostImages: [] };
}

function marksOfRecord({ guest, uuid }: ImageRecord): Marks {
  return { name: guest, uuid, disks: [] };
}

function marksOf(guest: DomainSummary | undefined, { backings }: InventoryFacts): Marks {
  const disks = (guest?.disks ?? []).flatMap((disk) => {
    const path = disk.readonly ? undefined : targetPath(disk);
    return path === undefined ? [] : (backings.get(path)?.key ?? path);
  });
  return { name: guest?.name, uuid: guest?.uuid, disks };
}

/** Of one time, the order of their paths, so that the result does not hang on the order of a directory. */
function newestFirst(a: ImageFact, b: ImageFact): number {
  return (b.modifiedMs ?? 0) - (a.modifiedMs ?? 0) || (a.path < b.path ? -1 : 1);
}

function byName(a: Guest, b: Guest): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return (a.config?.path ?? "") < (b.config?.path ?? "") ? -1 : 1;
}

/** A class for the three indexes that grow together. */
class GuestIndex {
  readonly drafts: Draft[] = [];
  readonly #seen = new Set<Draft>();
  readonly #byUuid = new Map<string, Set<Draft>>();
  readonly #byName = new Map<string, Set<Draft>>();
  readonly #byDisk = new Map<string, Set<Draft>>();

  /** Makes a guest known by these marks, too. */
  add(draft: Draft, { name, uuid, disks }: Marks): void {
    if (!this.#seen.has(draft)) this.drafts.push(draft);
    this.#seen.add(draft);
    if (uuid !== undefined) put(this.#byUuid, uuid, draft);
    if (name !== undefined) put(this.#byName, name, draft);
    for (const disk of disks) put(this.#byDisk, disk, draft);
  }

  /** The guest that a part belongs to; a new one when there is none. */
  find({ name, uuid, disks }: Marks): [Draft, MatchedBy] {
    const sameUuid = [...(this.#byUuid.get(uuid ?? "") ?? [])];
    const sameName = this.#byName.get(name ?? "") ?? new Set();
    // Several configs with one uuid are copies of each other: then only the name tells.
    const both = sameUuid.filter((draft) => sameName.has(draft));
    const [identified] = both.length > 0 ? both : sameUuid.length === 1 ? sameUuid : [];
    if (identified) return [identified, "uuid"];
    const named = [...sameName].find(startsWithHost) ?? [...sameName][0];
    if (named) return [named, "name"];
    const sameDisk = new Set(disks.flatMap((disk) => [...(this.#byDisk.get(disk) ?? [])]));
    const [sharing] = sameDisk;
    if (sharing && sameDisk.size === 1) return [sharing, "disks"];
    return [nothing(), "alone"];
  }
}

function put(index: Map<string, Set<Draft>>, key: string, draft: Draft): void {
  const there = index.get(key);
  if (there) there.add(draft);
  else index.set(key, new Set([draft]));
}

/** Of several configs with one name, the one that starts with the host is meant. */
function startsWithHost({ config }: Draft): boolean {
  return config !== undefined && config.autostart.length > 0;
}

/** From the most alive on. */
const LIVELINESS: readonly DomainFact["state"][] = [
  "running",
  "paused",
  "suspended",
  "unknown",
  "shut-down",
  "crashed",
  "dying",
];

function guestOf(
  { config, domains: unsorted, images, lostImages }: Draft,
  unknown: boolean,
): Omit<Guest, "operations"> {
  const domains = unsorted.toSorted(
    (a, b) => LIVELINESS.indexOf(a.fact.state) - LIVELINESS.indexOf(b.fact.state),
  );
  const domain = domains[0]?.fact;
  const saved = images.find(({ fact }) => fact.image?.config?.guest)?.fact.image?.config?.guest;
  const has = domain?.guest ?? config?.guest ?? saved;
  const record = images.find(({ fact }) => fact.record)?.fact.record ?? lostImages[0]?.record;
  const uuid = domain?.uuid ?? config?.guest?.uuid ?? saved?.uuid ?? record?.uuid;
  const file = fileName(config?.path ?? images[0]?.fact.path ?? "");
  const live = domain && !isNameless(domain) ? domain.name : undefined;
  const known = live ?? config?.guest?.name ?? saved?.name ?? record?.guest ?? domain?.name;
  return {
    name: known ?? file.replace(/\.cfg$/, ""),
    ...(uuid !== undefined && { uuid }),
    state: domain?.state ?? (unknown ? "unknown" : stateAtRest(images)),
    ...(config && { config }),
    ...{ domains, images, lostImages },
    ...(has && { has }),
  };
}

/** Of a guest without a domain. An image that nobody can restore saves nothing. */
function stateAtRest(images: readonly Part<ImageFact>[]): GuestState {
  return images.some(({ fact }) => mayRestore(fact)) ? "saved" : "stopped";
}

function mayRestore(fact: ImageFact): boolean {
  if (fact.record && fact.record.state !== "waiting") return false;
  const end = fact.image?.end.kind;
  return end === "complete" || end === "unknown" || isClosed(fact);
}

/** By domus's record it is there; who asks may not look at it. */
export function isClosed({ image, record, failure }: ImageFact): boolean {
  const isDenied = failure?.kind === "io" && ["EACCES", "EPERM"].includes(failure.errno);
  return image === undefined && record !== undefined && isDenied;
}

/** domus has given it a name that says so, out of the way of all that restores: nobody waits for it, and nothing is wrong. */
export function isPutAway({ path, record, restoredAtBoot }: ImageFact): boolean {
  const isEnded = record?.state === "restored" || record?.state === "aside";
  return isEnded && !restoredAtBoot && path.endsWith(`.${record.state}`);
}
