/** Asks Xen what runs. */
import { attempt } from "../../base/failure.ts";
import type { Host } from "../../host/host.ts";
import { parseXlListLong, parseXlListVerbose } from "../../xen/xl-list.ts";
import type { DomainRow, ListedDomain } from "../../xen/xl-list.ts";
import { askXlList } from "../config/ask-xl-list.ts";
import { readBootId } from "../config/boot-id.ts";
import { runningXen } from "../config/host-xen.ts";
import type { DomainFact, DomainsFact } from "./facts.ts";
import { isRehearsal } from "../rehearse/names.ts";
import { readMonitors } from "./read-monitors.ts";
import { formatSeen, parseSeen } from "./seen-domains.ts";

/** dom0 is no guest. */
const DOM0 = 0;

/** Where what Xen says is kept for those who may not ask it. */
export type SeenPort = {
  /** Undefined: nothing was kept. */
  recall(): string | undefined;
  keep(text: string): void;
};

export async function readDomains(host: Host, seen?: SeenPort): Promise<DomainsFact> {
  if (!host.live) return { kind: "none" };
  const asked = await attempt(() => askXen(host, seen));
  if (asked.ok) return asked.value;
  const xen = await runningXen(host);
  if (!xen) return { kind: "none" };
  return (seen && (await recalled(host, seen))) ?? { kind: "unknown", failure: asked.failure };
}

async function askXen(host: Host, seen: SeenPort | undefined): Promise<DomainsFact> {
  // At the same time: each takes long on a busy host.
  const [table, long] = await Promise.all([askXlList(host, "-v"), askXlList(host, "-l")]);
  const all = joined(parseXlListVerbose(table), parseXlListLong(long));
  const domains = await withoutGone(host, all);
  const { watched, unwatched, making, crashedBefore } = await readMonitors(host, domains);
  if (seen) {
    const ids = { watched: [...watched], unwatched: [...unwatched] };
    const text = formatSeen({
      atMs: Date.now(),
      bootId: await bootIdOf(host),
      table,
      long,
      ...ids,
    });
    if (text !== undefined) seen.keep(text);
  }
  const known = withMonitors(domains, watched, unwatched).map((domain) => {
    const crashes = crashedBefore.get(domain.domid);
    return crashes === undefined ? domain : { ...domain, crashedBefore: crashes };
  });
  return { kind: "listed", making, domains: await withoutEnded(host, known) };
}

/** Of this boot of the host: after it other domains have those numbers. */
async function recalled(host: Host, seen: SeenPort): Promise<DomainsFact | undefined> {
  const text = seen.recall();
  const kept = text === undefined ? undefined : parseSeen(text);
  if (!kept || kept.bootId === "" || kept.bootId !== (await bootIdOf(host))) return undefined;
  const domains = joined(kept.rows, kept.listed);
  const [watched, unwatched] = [new Set(kept.watched), new Set(kept.unwatched)];
  return {
    kind: "listed",
    seenAtMs: kept.atMs,
    domains: withMonitors(domains, watched, unwatched),
  };
}

async function bootIdOf(host: Host): Promise<string> {
  const read = await attempt(() => readBootId(host));
  return read.ok ? read.value : "";
}

/** What ended between the two answers is in the table and has no configuration, as if it had been left half built. */
async function withoutGone(host: Host, domains: readonly DomainFact[]): Promise<DomainFact[]> {
  if (domains.every(({ guest }) => guest)) return [...domains];
  const there = new Set(parseXlListVerbose(await askXlList(host, "-v")).map(({ domid }) => domid));
  return domains.filter(({ domid, guest }) => guest !== undefined || there.has(domid));
}

/** One that has ended may have been taken away since, by a process that has ended with it. */
async function withoutEnded(host: Host, domains: readonly DomainFact[]): Promise<DomainFact[]> {
  const isLeft = ({ state, watched }: DomainFact) =>
    watched === false && (state === "crashed" || state === "shut-down");
  if (!domains.some(isLeft)) return [...domains];
  const there = new Set(parseXlListVerbose(await askXlList(host, "-v")).map(({ domid }) => domid));
  return domains.filter((domain) => !isLeft(domain) || there.has(domain.domid));
}

function withMonitors(
  domains: readonly DomainFact[],
  watched: ReadonlySet<number>,
  unwatched: ReadonlySet<number>,
): DomainFact[] {
  return domains.map((domain) => {
    const isWatched = watched.has(domain.domid);
    return isWatched || unwatched.has(domain.domid) ? { ...domain, watched: isWatched } : domain;
  });
}

function joined(rows: readonly DomainRow[], listed: readonly ListedDomain[]): DomainFact[] {
  const live = new Map(listed.map(({ domid, guest }) => [domid, guest]));
  const seen = new Set<number>();
  return rows.flatMap((row) => {
    // A copy that is rehearsed is nobody's guest, and gone in a minute; one that was cut off is known by its operation.
    if (row.domid === DOM0 || seen.has(row.domid) || isRehearsal(row.name)) return [];
    seen.add(row.domid);
    const guest = live.get(row.domid);
    // A domid is used again after a minute, and a row may be forged: only the uuid makes the two one.
    const same = guest !== undefined && guest.uuid === row.uuid && !row.doubtful;
    const isDoubtful = row.doubtful && guest !== undefined;
    return [
      {
        domid: row.domid,
        name: (same || isDoubtful ? guest.name : undefined) ?? row.name,
        uuid: isDoubtful ? (guest.uuid ?? row.uuid) : row.uuid,
        state: row.doubtful ? "unknown" : row.state,
        memoryMib: row.memoryMib,
        vcpus: row.vcpus,
        ...((same || isDoubtful) && { guest }),
      } satisfies DomainFact,
    ];
  });
}
