/** A domain that a command works on: found, made to go on, ended; all of it by its id and uuid. */
import { commandFailed, overLimit } from "../../base/failure.ts";
import type { Host } from "../../host/host.ts";
import { parseXlListVerbose } from "../../xen/xl-list.ts";
import type { DomainRow } from "../../xen/xl-list.ts";
import { xlSaid } from "../../xen/xl-messages.ts";
import { askXlList } from "../config/ask-xl-list.ts";
import { domainCommand, sameDomain } from "./domain-command.ts";
import type { DomainName } from "./domain-command.ts";
import type { LifecyclePorts } from "./ports.ts";

/** The kernel lets go of a domain's memory and devices after xl has said that it is destroyed. */
const GONE_WITHIN_MS = 120_000;
const XL_ENDS_WITHIN_MS = 60_000;
const POLL_MS = 250;

/** All but dom0. `failed` when Xen does not tell. */
export async function listDomains(host: Host): Promise<readonly DomainRow[]> {
  return parseXlListVerbose(await askXlList(host, "-v")).filter(({ domid }) => domid !== 0);
}

/** The domains that have the uuid, looked at one by one: a row of the whole list can be part of a name. */
export async function domainsWithUuid(host: Host, uuid: string): Promise<readonly DomainRow[]> {
  const found: DomainRow[] = [];
  for (const { domid, name } of await listDomains(host)) {
    const row = await sameDomain(host, { domid, uuid, name });
    if (row) found.push(row);
  }
  return found;
}

/** Built, and not run yet: nothing is lost with it. */
export function neverRan({ state, cpuSeconds }: DomainRow): boolean {
  return state === "paused" && cpuSeconds === 0;
}

/** Runs again, or is what it was when it was paused by somebody else. */
export async function unpauseDomain(ports: LifecyclePorts, domain: DomainName): Promise<void> {
  await domainCommand(ports.host, domain, (domid) => ["xl", "unpause", domid]);
  const row = await sameDomain(ports.host, domain);
  if (row?.state === "paused")
    throw commandFailed([`domain ${domain.domid}`], {
      what: `${domain.name} (domain ${domain.domid}) is still paused.`,
      why: "xl unpause ended without an error, and Xen says that it does not run: it was paused more than once.",
      next: `Let it go on: xl unpause ${domain.domid}`,
    });
}

/** What a person does with a domain that is suspended, and may stay so: nothing of domus lets it go on. */
export function suspendedWayOut(domid: number): string {
  return `See who does: ps ax | grep "[x]l ". When nobody does, it was cut off: xl resume ${domid} lets the guest go on, from Xen 4.21. Before: xl save -c ${domid} /var/tmp/scrap, which lets it go on at its end, after a minute in which it does not answer; then remove that file.`;
}

/**
 * Lets a domain go on that was suspended to be saved. Newer xl has a command for it. An older one does it after another save,
 * be it that this succeeds, or fails after a minute in which the guest did not answer; `scratch` is the file for it.
 */
export async function resumeDomain(
  ports: LifecyclePorts,
  domain: DomainName,
  scratch: string,
): Promise<DomainRow | undefined> {
  const { host, files } = ports;
  const resumed = async () => {
    const row = await sameDomain(host, domain);
    return row?.state === "suspended" ? undefined : { row };
  };
  await host.run(["xl", "resume", String(domain.domid)], { survives: true });
  const first = await resumed();
  if (first) return first.row;
  ports.tell(`${domain.name} is suspended; to let it go on may take a minute.`);
  await files.remove(scratch);
  await files.create(scratch);
  // -p: without it the domain would be gone after a save that succeeds.
  const ran = await host.run(["xl", "save", "-p", String(domain.domid), scratch], {
    survives: true,
  });
  const second = await resumed();
  if (second) return second.row;
  throw commandFailed([`domain ${domain.domid}`], {
    what: `${domain.name} (domain ${domain.domid}) is suspended and could not be made to go on.`,
    why: `A save of it was cut off. xl says: ${xlSaid(ran.stderr) || `exit code ${ran.exitCode}`}`,
    next: `Try again with the next command. If it stays so: xl destroy ${domain.domid}, and start the guest from its disks, as after a power failure.`,
  });
}

/** Until it is gone. Nothing where it is not there. */
export async function destroyDomain(ports: LifecyclePorts, domain: DomainName): Promise<void> {
  const { host } = ports;
  const before = await sameDomain(host, domain);
  if (!before) return;
  if (before.state !== "dying")
    await domainCommand(host, domain, (domid) => ["xl", "destroy", domid]);
  const isGone = await until(
    ports,
    async () => (await sameDomain(host, domain)) === undefined,
    GONE_WITHIN_MS,
  );
  if (!isGone)
    throw overLimit([`domain ${domain.domid}`], "the time to end", `${GONE_WITHIN_MS / 1000} s`);
}

/** Waits for the xl of a command that was killed; false when it does not end. */
export function xlHasEnded(ports: LifecyclePorts, word: string): Promise<boolean> {
  return until(ports, async () => (await ports.xlWith(word)).length === 0, XL_ENDS_WITHIN_MS);
}

async function until(
  { clock }: LifecyclePorts,
  isSo: () => Promise<boolean>,
  withinMs: number,
): Promise<boolean> {
  const end = clock.now() + withinMs;
  for (;;) {
    if (await isSo()) return true;
    if (clock.now() > end) return false;
    await clock.sleep(POLL_MS);
  }
}
