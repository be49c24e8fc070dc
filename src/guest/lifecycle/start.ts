/** Starts a guest from its disks (docs/design/lifecycle.md, "start"). */
import { FailureError, refused } from "../../base/failure.ts";
import type { DomainRow } from "../../xen/xl-list.ts";
import { assertAllFree, claimsFor } from "../guard/disk-claims.ts";
import { setAside } from "./aside.ts";
import type { DomainName } from "./domain-command.ts";
import { destroyDomain, listDomains, neverRan } from "./domains.ts";
import { failedStart, lookBeforeStart } from "./failed-start.ts";
import { withOperation } from "./journal.ts";
import type { Discarded, StartPlan } from "./plan-start.ts";
import type { LifecyclePorts } from "./ports.ts";

export type Started = {
  readonly domain: DomainName;
  /** Where the images are that were given up. */
  readonly aside: readonly string[];
};

/** The guest's domain runs when this returns. When it throws, the text says in which state things are. */
export async function runStart(
  ports: LifecyclePorts,
  plan: StartPlan,
  signal?: AbortSignal,
): Promise<Started> {
  const { guest, configPath, uuid, discards } = plan;
  const disks = await claimsFor(ports.guard, plan.disks);
  const data = { config: configPath, disks, ...(uuid !== undefined && { uuid }) };
  const step = discards.length > 0 ? "discard" : "create";
  return withOperation(ports, { kind: "start", guest, step, data }, async (enter, keep) => {
    // The plan was made before the row was there.
    await assertNoDomain(ports, plan);
    await assertAllFree(ports.guard, plan.disks);
    signal?.throwIfAborted();
    const aside: string[] = [];
    for (const image of discards) aside.push(await discard(ports, plan, image));
    signal?.throwIfAborted();
    enter("create");
    keep();
    const domain = await create(ports, plan);
    keep(false);
    if (domain instanceof FailureError) throw domain;
    return { domain, aside };
  });
}

async function assertNoDomain(ports: LifecyclePorts, plan: StartPlan): Promise<void> {
  const domain = (await domainsOf(ports, plan))[0];
  if (!domain) return;
  throw refused([`domain ${domain.domid}`], {
    what: `${plan.guest} is there by now, as domain ${domain.domid}.`,
    why: "Somebody else was faster.",
    next: "Run the command again.",
  });
}

/** By name or uuid: a config without a uuid gets a new one at every start. */
async function domainsOf(
  { host }: LifecyclePorts,
  { guest, uuid }: { readonly guest: string; readonly uuid?: string },
): Promise<readonly DomainRow[]> {
  const rows = await listDomains(host);
  return rows.filter((row) => row.name === guest || row.uuid === uuid);
}

async function discard(ports: LifecyclePorts, plan: StartPlan, image: Discarded): Promise<string> {
  const { records } = ports;
  const { path, savedAtMs, sizeBytes, uuid } = image;
  // One that xl has made gets its row now, so that it is not offered again.
  const record =
    image.record ??
    records.addImage({
      ...{ guest: plan.guest, uuid, path, savedAtMs, sizeBytes, disks: [], state: "aside" },
    });
  const why = "the guest was started from its disks with --discard-image";
  return (await setAside(ports, record, { why, alarm: false })).path;
}

/** The domain; or why there is none, when nothing of it is left. Throws when that cannot be said. */
async function create(ports: LifecyclePorts, plan: StartPlan): Promise<DomainName | FailureError> {
  const { host, tell, records, nowMs } = ports;
  const { guest, configPath } = plan;
  tell(`Starting ${guest} from ${configPath}.`);
  const before = await lookBeforeStart(host);
  const ran = await host.run(["xl", "create", configPath], { survives: true });
  const [domain, ...others] = await domainsOf(ports, plan);
  // A guest that ended at once has been started, too: the watch says what became of it.
  if (ran.exitCode === 0 && domain && others.length === 0) {
    const { domid, uuid } = domain;
    records.addEvent({
      ...{ atMs: nowMs(), guest, uuid, domid, kind: "started", by: "domus" },
      detail: { config: configPath },
    });
    return { domid, uuid, name: guest };
  }
  const domids = await removeHalfBuilt(ports, plan);
  return failedStart(ports, plan, { ran, before, domids });
}

/** Destroys what was built and never ran; returns the ids of domains that are still there, since they ran. */
export async function removeHalfBuilt(
  ports: LifecyclePorts,
  guest: { readonly guest: string; readonly uuid?: string },
): Promise<readonly number[]> {
  const left: number[] = [];
  for (const row of await domainsOf(ports, guest)) {
    const { domid, uuid } = row;
    if (neverRan(row)) await destroyDomain(ports, { domid, uuid, name: guest.guest });
    else left.push(domid);
  }
  return left;
}
