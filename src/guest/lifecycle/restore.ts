/** Restores a guest from its image: built paused, recorded, then let go (docs/design/lifecycle.md, "restore"). */
import { attempt, commandFailed, FailureError, failureText, refused } from "../../base/failure.ts";
import { shellWord } from "../../check/remedy.ts";
import type { ImageRecord } from "../../host/records.ts";
import type { DomainRow } from "../../xen/xl-list.ts";
import { assertAllFree, claimsFor } from "../guard/disk-claims.ts";
import { moveAway } from "./aside.ts";
import { xlSaid } from "../../xen/xl-messages.ts";
import { destroyDomain, domainsWithUuid, neverRan, unpauseDomain } from "./domains.ts";
import { settleRecord } from "./end-save.ts";
import { withOperation } from "./journal.ts";
import type { EnterStep } from "./journal.ts";
import type { RestorePlan } from "./plan-restore.ts";
import type { LifecyclePorts } from "./ports.ts";

export type Restored = {
  readonly domid: number;
  /** Where the image is now. */
  readonly image: string;
};

/** The guest runs when this returns; when it throws, the text says in which state things are. */
export async function runRestore(
  ports: LifecyclePorts,
  plan: RestorePlan,
  signal?: AbortSignal,
): Promise<Restored> {
  const { guest, uuid, path, record } = plan;
  const disks = await claimsFor(ports.guard, plan.disks);
  const data = { uuid, image: path, disks, ...(record && { imageId: record.id }) };
  const start = { kind: "restore", guest, step: "build", data };
  return withOperation(ports, start, async (enter, keep) => {
    // The plan was made before the row was there.
    await assertStillSo(ports, plan);
    const owner = { name: guest, uuid, ...(record && { images: [record.id] }) };
    await assertAllFree(ports.guard, plan.disks, owner);
    signal?.throwIfAborted();
    keep();
    const domain = await build(ports, plan);
    if (domain instanceof FailureError || signal?.aborted) {
      // Not caught: what cannot be put in order keeps its row.
      await destroyBuilt(ports, plan);
      keep(false);
      throw domain instanceof FailureError ? domain : (signal!.reason as Error);
    }
    const { domid } = domain;
    const row = recordRestored(ports, plan, { domid, enter });
    const running = await attempt(() => unpauseDomain(ports, { domid, uuid, name: guest }));
    if (!running.ok)
      throw commandFailed([`domain ${domid}`], {
        what: `${guest} is restored as domain ${domid}, but does not run: ${failureText(running.failure)}`,
        why: "It was built from its image and is still paused.",
        next: `Let it go on: domus resume ${shellWord(guest)}. The next domus command that changes something tries it, too.`,
      });
    enter("away");
    const { path: image } = await moveAway(ports, { ...row, state: "restored" });
    keep(false);
    return { domid, image };
  });
}

async function assertStillSo({ host, records }: LifecyclePorts, plan: RestorePlan): Promise<void> {
  const { guest, uuid, path, record } = plan;
  const [domain] = await domainsWithUuid(host, uuid);
  const now = record && records.images().find(({ id }) => id === record.id);
  if (!domain && (!record || now?.state === record.state)) return;
  throw refused([path], {
    what: domain
      ? `${guest} is there by now, as domain ${domain.domid}.`
      : `The image ${path} is not offered any more.`,
    why: "Somebody else was faster.",
    next: "Run the command again.",
  });
}

/** The domain, whole and paused; or why there is none. */
async function build(
  { host, tell }: LifecyclePorts,
  { guest, uuid, path }: RestorePlan,
): Promise<DomainRow | FailureError> {
  tell(`Restoring ${guest} from ${path}.`);
  const ran = await host.run(["xl", "restore", "-p", path], { survives: true });
  const domains = await domainsWithUuid(host, uuid);
  const [domain] = domains;
  if (ran.exitCode === 0 && domain?.state === "paused" && domains.length === 1) return domain;
  const state = domain ? `domain ${domain.domid} is ${domain.state}` : "there is no domain of it";
  return commandFailed([path], {
    what: `xl restore of ${guest} failed.`,
    why: `xl says: ${xlSaid(ran.stderr) || `nothing; it ended with exit code ${ran.exitCode}, and ${state}`}`,
    next: `The image waits on, unchanged. Look at /var/log/xen (xl-${guest}.log), put right what it says, and restore again.`,
  });
}

/** What was built and has not run; the image waits on. `failed` when it runs. */
export async function destroyBuilt(
  ports: LifecyclePorts,
  { guest, uuid, record }: Pick<RestorePlan, "guest" | "uuid" | "record">,
): Promise<number> {
  const built = await domainsWithUuid(ports.host, uuid);
  for (const domain of built) {
    const { domid } = domain;
    if (!neverRan(domain) && domain.state !== "dying")
      throw commandFailed([`domain ${domid}`], {
        what: `${guest} (domain ${domid}) is ${domain.state}: it has run.`,
        why: "Somebody let it go while it was being restored.",
        next: "The next domus command that changes something records what became of it.",
      });
    await destroyDomain(ports, { domid, uuid, name: guest });
  }
  if (built.length > 0 && record) await settleRecord(ports, record);
  return built.length;
}

/** From here on the image is not offered. */
function recordRestored(
  { records, nowMs }: LifecyclePorts,
  { guest, uuid, path, sizeBytes, savedAtMs, record }: RestorePlan,
  { domid, enter }: { readonly domid: number; readonly enter: EnterStep },
): ImageRecord {
  return records.transaction(() => {
    // The path, too: the file may have been moved since it was recorded.
    const ended = { state: "restored", endedAtMs: nowMs(), path } as const;
    const known = { guest, uuid, path, savedAtMs, sizeBytes, disks: [] };
    const row = record ? { ...record, ...ended } : records.addImage({ ...known, ...ended });
    if (record) records.changeImage(record.id, ended);
    records.addEvent({
      ...{ atMs: nowMs(), guest, uuid, domid, kind: "restored", by: "domus" },
      detail: { image: path },
    });
    enter("run", { domid, imageId: row.id });
    return row;
  });
}
