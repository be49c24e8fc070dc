/**
 * Running guests that have a disk. Xen's block backend opens devices without claiming them, so the kernel keeps nobody away: it has
 * to be asked what it serves (linux: drivers/block/xen-blkback/xenbus.c), and libxl what it gave to whom.
 */
import { attempt, FailureError } from "../../base/failure.ts";
import { parseXlListLong, parseXlListVerbose } from "../../xen/xl-list.ts";
import type { ListedDomain } from "../../xen/xl-list.ts";
import { noAnswer } from "../../xen/xl-messages.ts";
import type { Host } from "../host.ts";
import { blockIdentity, namesIn, readIdentities, readLine } from "./block-graph.ts";
import type { Identity, Related } from "./block-graph.ts";
import type { DeviceUser } from "./device-users.ts";
import type { ProcessUser } from "./process-users.ts";

const BACKENDS = "/sys/bus/xen-backend/devices";

type Domains = {
  readonly listed: readonly ListedDomain[];
  /** `domain web1 (running)` */
  nameOf(domid: number): string;
};

export type GuestQuestion = {
  readonly related: Related;
  /** What the disk is built on. */
  readonly under: readonly Identity[];
  /** Those that have the disk open: what qemu serves is found among them. */
  readonly processes: readonly ProcessUser[];
};

/** One for each domain and disk. A `failed` failure on a Xen host whose `xl` does not answer: then nobody knows. */
export async function guestUsers(
  host: Host,
  { related, under, processes }: GuestQuestion,
): Promise<readonly DeviceUser[]> {
  const domains = await readDomains(host);
  const users = new Map<number, DeviceUser>();
  const add = (domid: number, disk: string, writes: boolean) => {
    if (users.get(domid)?.writes === true) return;
    users.set(domid, { kind: "guest", what: `${disk} of ${domains.nameOf(domid)}`, writes });
  };
  /** How a guest's disk of that identity is the one that is asked about. */
  const ours = new Map([
    ...under.map((identity) => [identity, "built on "] as const),
    ...related.files.map((identity) => [identity, ""] as const),
    ...related.devices.map(({ number }) => [blockIdentity(number), ""] as const),
  ]);
  const disks = domains.listed.flatMap(({ domid, guest }) =>
    guest.disks
      .filter(({ elsewhere, target }) => !elsewhere && target !== "")
      .map((disk) => ({ ...disk, domid, path: devicePath(disk.target) })),
  );
  const identities = await readIdentities(
    host,
    disks.map(({ path }) => path),
  );
  for (const { domid, path, vdev, readonly } of disks) {
    const how = ours.get(identities.get(path) ?? "");
    if (how !== undefined) add(domid, `${how}disk ${vdev}`, !readonly);
  }
  for (const name of await namesIn(host, BACKENDS)) {
    const match = /^vbd-(\d+)-\d+$/.exec(name);
    if (!match) continue;
    const number = decimal(await readLine(host, `${BACKENDS}/${name}/physical_device`));
    const how = number === undefined ? undefined : ours.get(blockIdentity(number));
    if (how === undefined) continue;
    const mode = await readLine(host, `${BACKENDS}/${name}/mode`);
    add(Number(match[1]), `${how}a disk`, mode?.startsWith("w") !== false);
  }
  for (const { domid, writes } of processes) if (domid !== undefined) add(domid, "a disk", writes);
  return [...users.values()];
}

/** libxl takes names without a slash in front from below /dev (xl-disk-configuration(5)). */
function devicePath(target: string): string {
  return target.startsWith("/") ? target : `/dev/${target}`;
}

/** `253:3` of `fd:3`. */
function decimal(number: string | undefined): string | undefined {
  const match = /^([0-9a-f]+):([0-9a-f]+)$/.exec(number ?? "");
  return match
    ?.slice(1)
    .map((part) => Number.parseInt(part, 16))
    .join(":");
}

async function readDomains(host: Host): Promise<Domains> {
  if (!(await isControlDomain(host))) return { listed: [], nameOf: (domid) => `domain ${domid}` };
  const listed = parseXlListLong((await ask(host, "-l")) ?? "[]");
  const rows = parseXlListVerbose((await ask(host, "-v")) ?? "");
  const states = new Map(rows.map((row) => [row.domid, row.doubtful ? undefined : row.state]));
  const names = new Map(listed.map(({ domid, guest }) => [domid, guest.name]));
  return {
    listed,
    nameOf(domid) {
      const state = states.get(domid);
      return `domain ${names.get(domid) ?? domid}${state === undefined ? "" : ` (${state})`}`;
    },
  };
}

/** A domain that may ask Xen about others, from where xenfs is mounted; else any that runs on Xen and has xl. */
async function isControlDomain(host: Host): Promise<boolean> {
  const capabilities = await readLine(host, "/proc/xen/capabilities");
  if (capabilities !== undefined) return capabilities.includes("control_d");
  return (await readLine(host, "/sys/hypervisor/type")) === "xen";
}

/** Undefined when there is no `xl`. */
async function ask(host: Host, flag: string): Promise<string | undefined> {
  const ran = await attempt(() => host.run(["xl", "list", flag]));
  if (!ran.ok && ran.failure.kind === "missing") return undefined;
  if (!ran.ok) throw new FailureError(ran.failure);
  if (ran.value.exitCode !== 0) throw noAnswer(ran.value);
  return ran.value.stdout;
}
