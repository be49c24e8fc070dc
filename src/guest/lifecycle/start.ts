/** Starts a guest from its disks (docs/design/lifecycle.md, "start"). */
import { attempt, FailureError, refused } from "../../base/failure.ts";
import { MIB } from "../../base/units.ts";
import { decodeText } from "../../bytes/text.ts";
import type { Host } from "../../host/host.ts";
import { settingsOf } from "../../xen/config-settings.ts";
import { parseConfig } from "../../xen/config-syntax.ts";
import { isNameless } from "../../xen/xl-list.ts";
import type { DomainRow } from "../../xen/xl-list.ts";
import { assertAllFree, claimsFor } from "../guard/disk-claims.ts";
import type { DiskOwner } from "../guard/waiting-disks.ts";
import { setAside } from "./aside.ts";
import type { DomainName } from "./domain-command.ts";
import { destroyDomain, listDomains, neverRan } from "./domains.ts";
import { failedStart, lookBeforeStart } from "./failed-start.ts";
import { withOperation } from "./journal.ts";
import type { Discarded, StartPlan } from "./plan-start.ts";
import type { LifecyclePorts } from "./ports.ts";
import { assertNotComing } from "./successor.ts";

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
  const { guest, configPath, discards } = plan;
  const disks = await claimsFor(ports.guard, plan.disks);
  const made = await uuidToMake(ports.host, plan);
  const data = { config: configPath, disks, ...(made && { uuid: made.uuid }) };
  const step = discards.length > 0 ? "discard" : "create";
  return withOperation(ports, { kind: "start", guest, step, data }, async (enter, keep) => {
    // The plan was made before the row was there.
    await assertNoDomain(ports, plan);
    await assertAllFree(ports.guard, plan.disks, ownerOf(plan));
    signal?.throwIfAborted();
    const aside: string[] = [];
    for (const image of discards) aside.push(await discard(ports, plan, image));
    signal?.throwIfAborted();
    enter("create");
    keep();
    const domain = await create(ports, plan, made);
    keep(false);
    if (domain instanceof FailureError) throw domain;
    return { domain, aside };
  });
}

async function assertNoDomain(ports: LifecyclePorts, plan: StartPlan): Promise<void> {
  const domain = (await domainsOf(ports, plan))[0];
  if (!domain) return assertNotComing(ports.host, plan.guest);
  throw refused([`domain ${domain.domid}`], {
    what: `${plan.guest} is there by now, as domain ${domain.domid}.`,
    why: "Somebody else was faster.",
    next: "Run the command again.",
  });
}

function ownerOf({ guest, uuid, discards }: StartPlan): DiskOwner {
  return { name: guest, uuid, images: discards.flatMap(({ record }) => record?.id ?? []) };
}

type MadeUuid = {
  readonly uuid: string;
  /** It is not in the config, but for xl to be told of. */
  readonly isNew: boolean;
};

/**
 * What the domain will be known by: Xen has its uuid from the moment it is there, its name comes later, and of one whose xl was
 * killed in between, never. xl makes up a uuid where the config has none; so it is made up here, and xl is told. Undefined for a
 * config whose uuid= is not understood, which xl refuses.
 */
async function uuidToMake(host: Host, plan: StartPlan): Promise<MadeUuid | undefined> {
  if (plan.uuid !== undefined) return { uuid: plan.uuid, isNew: false };
  const read = await attempt(() => host.readFile(plan.configPath, MIB));
  const settings = read.ok ? settingsOf(parseConfig(decodeText(read.value))) : undefined;
  if (!settings || settings.has("uuid")) return undefined;
  return { uuid: crypto.randomUUID(), isNew: true };
}

/** By name or uuid: one of the name that somebody else has made is in the way, too. */
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
  const kept = (await setAside(ports, record, { why, alarm: false })).path;
  // At once: the start may fail.
  ports.tell(`The image ${path} was given up; it is kept as ${kept}.`);
  return kept;
}

/** The domain; or why there is none, when nothing of it is left. Throws when that cannot be said. */
async function create(
  ports: LifecyclePorts,
  plan: StartPlan,
  made: MadeUuid | undefined,
): Promise<DomainName | FailureError> {
  const { host, tell, records, nowMs } = ports;
  const { guest, configPath } = plan;
  tell(`Starting ${guest} from ${configPath}.`);
  const before = await lookBeforeStart(host);
  // Settings on the command line are read behind the config (xl(1), "create").
  const more = made?.isNew === true ? [`uuid="${made.uuid}"`] : [];
  const ran = await host.run(["xl", "create", configPath, ...more], { survives: true });
  const own = { guest, ...(made && { uuid: made.uuid }) };
  const [domain, ...others] = await builtDomains(ports, own);
  // A guest that ended at once has been started, too: the watch says what became of it.
  if (ran.exitCode === 0 && domain && others.length === 0) {
    const { domid, uuid } = domain;
    records.addEvent({
      ...{ atMs: nowMs(), guest, uuid, domid, kind: "started", by: "domus" },
      detail: { config: configPath },
    });
    return { domid, uuid, name: guest };
  }
  const { left, doubtful } = await removeHalfBuilt(ports, own);
  return failedStart(ports, plan, { ran, before, domids: [...left, ...doubtful] });
}

/** What a start has made: by its uuid. Where that is not known, by its name. */
async function builtDomains(
  { host }: LifecyclePorts,
  { guest, uuid }: StartedGuest,
): Promise<readonly DomainRow[]> {
  const rows = await listDomains(host);
  return rows.filter((row) => (uuid === undefined ? row.name === guest : row.uuid === uuid));
}

export type StartedGuest = {
  readonly guest: string;
  /** Absent: of an operation that does not know it. */
  readonly uuid?: string;
};

export type Removed = {
  /** The ids of domains that are still there, since they ran. */
  readonly left: readonly number[];
  /** Those that may be what is left of it, and stay: they have its name or none, and its uuid is not known. */
  readonly doubtful: readonly number[];
};

/** Destroys what was built and never ran. */
export async function removeHalfBuilt(
  ports: LifecyclePorts,
  started: StartedGuest,
): Promise<Removed> {
  const { guest, uuid } = started;
  const built = await builtDomains(ports, started);
  const left = built.filter((row) => !neverRan(row)).map(({ domid }) => domid);
  // One of its uuid and another name is a clone that somebody else is making.
  const isNamedSo = (row: DomainRow) => neverRan(row) && (row.name === guest || isNameless(row));
  if (uuid === undefined) {
    const rows = (await listDomains(ports.host)).filter(isNamedSo);
    return { left, doubtful: rows.map(({ domid }) => domid) };
  }
  for (const { domid } of built.filter(isNamedSo))
    await destroyDomain(ports, { domid, uuid, name: guest });
  return { left, doubtful: [] };
}
