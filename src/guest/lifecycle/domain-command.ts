/**
 * Commands of xl for one domain. A domain is named by its id, as names are given again and one of digits alone is taken for an id; and
 * as ids are given again, too, it is looked whether the domain still is who it was.
 */
import { commandFailed, refused } from "../../base/failure.ts";
import { shellWord } from "../../check/remedy.ts";
import type { Host, Ran } from "../../host/host.ts";
import { parseXlListVerbose } from "../../xen/xl-list.ts";
import type { DomainRow } from "../../xen/xl-list.ts";
import { noAnswer, xlSaid } from "../../xen/xl-messages.ts";

export type DomainName = {
  readonly domid: number;
  /** In lower case. */
  readonly uuid: string;
  /** For people. */
  readonly name: string;
};

/** What `xl list` prints of a domain that is not there (xen: tools/xl/xl_info.c, tools/xl/xl_utils.c). */
const NO_DOMAIN = /does not exist|invalid domain identifier/i;

/** The domain's row, of whomever it is; undefined when there is no such domain. `failed` when Xen does not tell. */
export async function lookAtDomain(host: Host, domid: number): Promise<DomainRow | undefined> {
  const ran = await host.run(["xl", "list", "-v", String(domid)]);
  const { exitCode, stdout, stderr } = ran;
  const rows = parseXlListVerbose(stdout).filter((row) => row.domid === domid);
  if (rows.length === 1) return rows[0];
  if (rows.length === 0 && (exitCode === 0 || NO_DOMAIN.test(stderr))) return undefined;
  throw noAnswer(rows.length > 1 ? { ...ran, stderr: "two rows for one domain" } : ran);
}

/** The domain's row while it is who it was, else undefined. */
export async function sameDomain(
  host: Host,
  { domid, uuid }: DomainName,
): Promise<DomainRow | undefined> {
  const row = await lookAtDomain(host, domid);
  return row?.uuid === uuid ? row : undefined;
}

/**
 * Runs `argv` to its end, right after the domain was looked at again. `refused` when it is not there any more, or another's by now;
 * `failed`, with what xl said, when xl ends with anything but 0. xl is not to be interrupted: half of a change may stay, so it goes
 * on whatever becomes of this process.
 */
export async function domainCommand(
  host: Host,
  domain: DomainName,
  argv: (domid: string) => readonly string[],
): Promise<Ran> {
  const ran = await askDomain(host, domain, argv);
  if (ran.exitCode !== 0) throw xlFailure(ran, domain);
  return ran;
}

/** `domainCommand`, of which the caller judges the exit code. */
export async function askDomain(
  host: Host,
  domain: DomainName,
  argv: (domid: string) => readonly string[],
): Promise<Ran> {
  await assertSameDomain(host, domain);
  return host.run(argv(String(domain.domid)), { survives: true });
}

/** `refused` when the domain is not there any more, or another's by now. */
export async function assertSameDomain(host: Host, domain: DomainName): Promise<void> {
  if (await sameDomain(host, domain)) return;
  throw refused([`domain ${domain.domid}`], {
    what: `Domain ${domain.domid} is not there any more, or is not ${domain.name} any more.`,
    why: "The guest ended or was started again since it was looked at. Nothing was done.",
    next: "Run the command again.",
  });
}

/** What xl did not do, and what it said. `next` says what state things are in, where the caller knows. */
export function xlFailure(ran: Ran, { domid, name }: DomainName, next?: string) {
  return commandFailed([ran.argv.map(shellWord).join(" ")], {
    what: `${ran.argv.slice(0, 2).join(" ")} failed for ${name} (domain ${domid}).`,
    why: `xl says: ${xlSaid(ran.stderr) || `nothing; it ended with exit code ${ran.exitCode}`}`,
    next:
      next ??
      `domus show ${shellWord(name)} says in which state the guest is now; /var/log/xen has the logs of its device model and of the scripts for disks and interfaces.`,
  });
}
