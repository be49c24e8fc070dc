/** Takes away what is left of copies, by what is there and not by what was meant (docs/design/rehearse.md, "Nothing is left"). */
import { attempt, commandFailed, FailureError, failureText } from "../../base/failure.ts";
import { isNameless } from "../../xen/xl-list.ts";
import type { DomainRow } from "../../xen/xl-list.ts";
import { runningXen } from "../config/host-xen.ts";
import { xlSaid } from "../../xen/xl-messages.ts";
import { destroyDomain, listDomains } from "../lifecycle/domains.ts";
import { claimOperation } from "../lifecycle/journal.ts";
import type { LifecyclePorts } from "../lifecycle/ports.ts";
import type { Recover } from "../lifecycle/recover.ts";
import { idIn, idOfDomain, idOfVolume, REHEARSAL_PREFIX } from "./names.ts";
import { findVolumes } from "./volumes.ts";

/** Where copies have their configs and overlays: a directory for each, called by its id. */
export type Workspace = {
  readonly path: (id: string) => string;
  /** Makes the directory with one file in it. `io` when it cannot be made, or is there already. */
  readonly make: (id: string, fileName: string, text: string) => Promise<void>;
  /** Empty when there never was one. */
  readonly list: () => Promise<readonly string[]>;
  /** With all that is in it; no failure when it is not there. */
  readonly remove: (id: string) => Promise<void>;
};

export type CleanPorts = LifecyclePorts & { readonly workspace: Workspace };

export type Cleaned = {
  /** What was taken away, for people. */
  readonly done: readonly string[];
  /** What could not be, with why; empty: nothing is left. */
  readonly left: readonly string[];
};

/** Of an `xl create` that is still at work, and of a destroy that waits for its backends. */
const PATIENCE_MS = 180_000;
const POLL_MS = 500;

/** Of an operation: it was tried for as long as that, and whoever tries again does not wait. */
export const LEFT_STEP = "something is left";

export const CONFIG_NAME = "guest.cfg";

/** `uuid`: of its domain, where it is known. One whose xl was killed early has no other name. */
export type Copy = { readonly id: string; readonly uuid?: string | undefined };

/** Whatever there is of the copy; can be run again and again. `patienceMs`: how long volumes that do not go at once are waited for. */
export async function cleanRehearsal(
  ports: CleanPorts,
  copy: Copy,
  patienceMs = PATIENCE_MS,
): Promise<Cleaned> {
  const { id } = copy;
  const done: string[] = [];
  const left: string[] = [];
  const collect = async (work: () => Promise<readonly string[]>) => {
    const worked = await attempt(work);
    if (worked.ok) done.push(...worked.value);
    else left.push(failureText(worked.failure));
  };
  await collect(() => destroyDomains(ports, copy, left));
  // A volume under a domain that lives cannot be removed, and what lies under its disk must not go.
  if (left.length > 0) return { done, left };
  await collect(() => removeVolumes(ports, id, { patienceMs, left }));
  await collect(async () => {
    const { workspace } = ports;
    if (!(await workspace.list()).includes(id)) return [];
    await workspace.remove(id);
    return [`${workspace.path(id)} is removed.`];
  });
  return { done, left };
}

async function destroyDomains(
  ports: CleanPorts,
  { id, uuid: known }: Copy,
  left: string[],
): Promise<string[]> {
  const { clock, workspace } = ports;
  const config = configOf(ports, id);
  const done: string[] = [];
  const deadline = clock.now() + PATIENCE_MS;
  for (;;) {
    // First this: it outlives domus, and makes the domain before it ends.
    const makers = await ports.xlWith(config);
    const rows = (await domainsNow(ports)).filter(
      (row) => idOfDomain(row.name) === id || (isNameless(row) && row.uuid === known),
    );
    for (const { domid, uuid, name } of rows) {
      await destroyDomain(ports, { domid, uuid, name });
      done.push(`The domain ${name} is destroyed.`);
    }
    if (rows.length === 0 && makers.length === 0) return done;
    if (clock.now() >= deadline) {
      left.push(
        `An xl create of ${workspace.path(id)} has not ended (process ${makers.join(", ")}).`,
      );
      return done;
    }
    await clock.sleep(POLL_MS);
  }
}

/** Domains as they are now; none where no Xen runs. A name can forge a row: only one that nobody disputes is believed. */
async function domainsNow({ host }: CleanPorts): Promise<readonly DomainRow[]> {
  const listed = await attempt(() => listDomains(host));
  if (listed.ok) return listed.value.filter(({ doubtful }) => !doubtful);
  if (await runningXen(host)) throw new FailureError(listed.failure);
  return [];
}

/** The copy's config, as xl is told of it. */
export function configOf({ workspace }: Pick<CleanPorts, "workspace">, id: string): string {
  return `${workspace.path(id)}/${CONFIG_NAME}`;
}

async function removeVolumes(
  ports: CleanPorts,
  id: string,
  { patienceMs, left }: { readonly patienceMs: number; readonly left: string[] },
): Promise<string[]> {
  const { host, clock } = ports;
  const done: string[] = [];
  const deadline = clock.now() + patienceMs;
  for (;;) {
    const volumes = await findVolumes(host, `${REHEARSAL_PREFIX}${id}-`);
    if (volumes.length === 0) return done;
    let said = "";
    for (const { group, name } of volumes) {
      const { exitCode, stderr } = await host.run(
        ["lvremove", "--yes", "--force", `${group}/${name}`],
        { survives: true },
      );
      if (exitCode === 0) done.push(`The volume ${group}/${name} is removed.`);
      else said = `The volume ${group}/${name} could not be removed: ${xlSaid(stderr)}`;
    }
    if (said === "") continue;
    if (clock.now() >= deadline) {
      left.push(said);
      return done;
    }
    await clock.sleep(POLL_MS);
  }
}

/**
 * Copies whose rehearsal is not at work any more: it was killed, or the host lost its power. Those of the records, and what is
 * known by its name alone.
 */
export async function cleanStale(ports: CleanPorts): Promise<Cleaned> {
  const { records } = ports;
  const done: string[] = [];
  const left: string[] = [];
  const add = async (copy: Copy): Promise<boolean> => {
    const cleaned = await cleanRehearsal(ports, copy);
    done.push(...cleaned.done);
    left.push(...cleaned.left);
    return cleaned.left.length === 0;
  };
  // First what is there, then the records: what begins in between has its row before it has a name.
  const ids = new Set(await idsByName(ports, left));
  for (const operation of records.operations()) {
    const copy = rehearsalOf(operation);
    if (!copy) continue;
    ids.delete(copy.id);
    const claimed = claimOperation(ports, operation);
    if (claimed && (await add(copy))) records.endOperation(claimed.id);
  }
  for (const id of ids) await add({ id });
  return { done, left };
}

/** For `recoverOperations`: any command takes away what a rehearsal has left that was cut off. */
export function recoverRehearsal(workspace: Workspace): Recover {
  return async (ports, operation) => {
    const copy = rehearsalOf(operation);
    const patienceMs = operation.step === LEFT_STEP ? 0 : PATIENCE_MS;
    const { left } = copy
      ? await cleanRehearsal({ ...ports, workspace }, copy, patienceMs)
      : { left: [] };
    if (left.length === 0) return "The copy is taken away; the guest was never touched.";
    ports.records.enterStep(operation.id, LEFT_STEP);
    throw commandFailed([operation.guest], {
      what: "Not all of the copy could be taken away.",
      why: left.join(" "),
      next: "domus rehearse --clean tries again.",
    });
  };
}

/** The copy that an operation is about; undefined for one of another kind. */
export function rehearsalOf(operation: {
  readonly kind: string;
  readonly data: Readonly<Record<string, unknown>>;
}): Copy | undefined {
  const { id: text, copyUuid: uuid } = operation.data;
  const id = operation.kind === "rehearse" && typeof text === "string" ? idIn(text) : undefined;
  return id === undefined ? undefined : { id, uuid: typeof uuid === "string" ? uuid : undefined };
}

async function idsByName(ports: CleanPorts, left: string[]): Promise<readonly string[]> {
  const volumes = await attempt(() => findVolumes(ports.host, REHEARSAL_PREFIX));
  if (!volumes.ok) left.push(failureText(volumes.failure));
  return [
    ...(await domainsNow(ports)).map(({ name }) => idOfDomain(name)),
    ...(volumes.ok ? volumes.value : []).map(({ name }) => idOfVolume(name)),
    ...(await ports.workspace.list()).map(idIn),
  ].flatMap((id) => id ?? []);
}
