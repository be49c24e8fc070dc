/**
 * Whether what a look shows of a domain is the domain, or its end. `xl destroy` pauses first and takes its devices away then; and the
 * table of states and the live configurations are not of the same moment. So what was paused or has lost something since the
 * last look is looked at a second time.
 */
import type { Host } from "../../host/host.ts";
import { readRows } from "./look.ts";
import { possessionsOf } from "./observation.ts";
import type { DomainLook, XlProcess } from "./observation.ts";
import type { Tracked } from "./state.ts";

/** The same, but for those that are gone, and those that go: of them only the state is told. */
export async function lookAgain(
  host: Host,
  looks: readonly DomainLook[],
  tracked: readonly Tracked[],
): Promise<readonly DomainLook[]> {
  const before = new Map(tracked.map((one) => [one.domid, one]));
  const doubtful = new Set(
    looks.filter((look) => mayEnd(look, before.get(look.domid))).map(({ domid }) => domid),
  );
  if (doubtful.size === 0) return looks;
  const rows = new Map((await readRows(host)).map((row) => [row.domid, row]));
  return looks.flatMap((look) => {
    if (!doubtful.has(look.domid)) return [look];
    const row = rows.get(look.domid);
    if (row?.uuid !== look.uuid || row.state === "dying") return [];
    if (row.state === look.state || row.doubtful) return [look];
    const { domid, uuid, name, hasRun } = look;
    return [{ domid, uuid, name, hasRun, state: row.state }];
  });
}

function mayEnd({ state, guest }: DomainLook, before: Tracked | undefined): boolean {
  if (!before?.begun) return false;
  if (state === "paused" && before.state !== "paused") return true;
  const { has } = before;
  if (!has || !guest || (state !== "running" && state !== "paused")) return false;
  const now = possessionsOf(guest);
  const vdevs = new Set(now.disks.map(({ vdev }) => vdev));
  return (
    has.disks.some(({ vdev }) => !vdevs.has(vdev)) ||
    has.nics.some((nic) => !now.nics.includes(nic))
  );
}

/** An `xl destroy` is at work on it. */
export function isBeingDestroyed(
  { domid, name }: Pick<DomainLook, "domid" | "name">,
  processes: readonly XlProcess[],
): boolean {
  return processes.some(
    ({ verb, words: [word] }) => verb === "destroy" && (word === String(domid) || word === name),
  );
}
