/** Asks Xen what runs. */
import { attempt, ioFailure } from "../../base/failure.ts";
import type { Host } from "../../host/host.ts";
import { parseXlListLong, parseXlListVerbose } from "../../xen/xl-list.ts";
import type { DomainRow, ListedDomain } from "../../xen/xl-list.ts";
import { runningXen } from "../config/host-xen.ts";
import type { DomainFact, DomainsFact } from "./facts.ts";

/** dom0 is no guest. */
const DOM0 = 0;

export async function readDomains(host: Host): Promise<DomainsFact> {
  if (!host.live) return { kind: "none" };
  const asked = await attempt(async () => {
    // The table first: what ends in between has a row and no configuration, and not the other way round.
    const rows = parseXlListVerbose(await ask(host, "-v"));
    return joined(rows, parseXlListLong(await ask(host, "-l")));
  });
  if (asked.ok) return { kind: "listed", domains: asked.value };
  const xen = await runningXen(host);
  return xen ? { kind: "unknown", failure: asked.failure } : { kind: "none" };
}

async function ask(host: Host, flag: string): Promise<string> {
  const { exitCode, stdout, stderr } = await host.run(["xl", "list", flag]);
  if (exitCode === 0) return stdout;
  const said = stderr.trim().split("\n").at(-1) ?? "";
  throw ioFailure([`xl list ${flag}`], "asking Xen", said === "" ? `exit code ${exitCode}` : said);
}

function joined(rows: readonly DomainRow[], listed: readonly ListedDomain[]): DomainFact[] {
  const live = new Map(listed.map(({ domid, guest }) => [domid, guest]));
  const seen = new Set<number>();
  return rows.flatMap((row) => {
    if (row.domid === DOM0 || seen.has(row.domid)) return [];
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
