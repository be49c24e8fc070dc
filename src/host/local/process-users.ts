/** Processes that have a disk open, as far as this one may see (proc_pid_fd(5)): as root, all. */
import { attempt } from "../../base/failure.ts";
import { mapParallel } from "../../base/parallel.ts";
import { fileName } from "../../base/path.ts";
import type { Host } from "../host.ts";
import { blockIdentity, namesIn, readIdentities, readLine } from "./block-graph.ts";
import type { Related } from "./block-graph.ts";
import type { DeviceUser } from "./device-users.ts";

const READS_AT_ONCE = 16;
/** Paths for one call of stat(1). */
const LINK_BATCH = 5000;
/** Flags of open(2): which way, and whether it can be read and written at all. */
const ACCESS_MODE = 0o3;
const O_PATH = 0o10000000;
/** udev looks at a device after each time that it was written to; it only reads, and lets go. */
const PASSERS_BY = new Set(["systemd-udevd", "(udev-worker)", "udevd"]);
const NBD_SERVERS = new Set(["qemu-nbd", "nbd-server", "nbdkit"]);

export type ProcessUser = DeviceUser & {
  readonly pid: number;
  /** Of the domain that it serves: qemu does. */
  readonly domid?: number;
};

export type ProcessQuestion = {
  readonly related: Related;
  /** The disk, and what the files are called that are related to it. */
  readonly paths: readonly string[];
};

/** Without this process. Who came and went while it looked may be missing. */
export async function processUsers(
  host: Host,
  { related, paths }: ProcessQuestion,
): Promise<readonly ProcessUser[]> {
  const own = await attempt(() => host.realPath("/proc/self"));
  const self = own.ok ? fileName(own.value) : "";
  const pids = (await namesIn(host, "/proc")).filter((name) => /^\d+$/.test(name) && name !== self);
  const open = await mapParallel(pids, READS_AT_ONCE, async (pid) =>
    (await namesIn(host, `/proc/${pid}/fd`)).map((fd) => `/proc/${pid}/fd/${fd}`),
  );
  const names = await mapParallel(paths, READS_AT_ONCE, async (path) => {
    const real = await attempt(() => host.realPath(path));
    return fileName(real.ok ? real.value : path);
  });
  const candidates = await linksThatMayLead(host, open.flat(), names);
  const identities = await readIdentities(host, candidates);
  const ours = new Set([
    ...related.files,
    ...related.devices.map(({ number }) => blockIdentity(number)),
  ]);
  const held = candidates.filter((link) => ours.has(identities.get(link) ?? ""));
  const byPid = new Map<number, boolean>();
  for (const link of held) {
    const flags = await readFlags(host, link);
    if (flags === undefined || (flags & O_PATH) !== 0) continue;
    const pid = Number(link.split("/")[2]);
    byPid.set(pid, (byPid.get(pid) ?? false) || (flags & ACCESS_MODE) !== 0);
  }
  const users = await mapParallel([...byPid], READS_AT_ONCE, ([pid, writes]) =>
    describe(host, pid, writes),
  );
  return users.filter((user) => user !== undefined);
}

/**
 * Where a link leads is looked at only when its text makes it possible: a look at a file on a server that is down would not
 * come back. Of a file the last name is the same in every mount and after it was deleted, but for hard links.
 */
async function linksThatMayLead(
  host: Host,
  links: readonly string[],
  names: readonly string[],
): Promise<readonly string[]> {
  const found: string[] = [];
  for (let at = 0; at < links.length; at += LINK_BATCH) {
    const batch = links.slice(at, at + LINK_BATCH);
    const { stdout } = await host.run([
      ...["env", "QUOTING_STYLE=literal", "stat", "--printf=%N\\0", "--"],
      ...batch,
    ]);
    for (const line of stdout.split("\0")) {
      const arrow = line.indexOf(" -> ");
      const target = line.slice(arrow + 4);
      if (arrow < 0 || !target.startsWith("/")) continue;
      const mayLead = names.some((name) => target.includes(`/${name}`)) || target.includes("/dev/");
      if (mayLead) found.push(line.slice(0, arrow));
    }
  }
  return found;
}

/** proc_pid_fdinfo(5). Undefined when it has been closed. */
async function readFlags(host: Host, link: string): Promise<number | undefined> {
  const info = await attempt(() => host.readFile(link.replace("/fd/", "/fdinfo/"), 1_048_576));
  if (!info.ok) return undefined;
  const match = /^flags:\s*([0-7]+)$/m.exec(new TextDecoder().decode(info.value));
  return match ? Number.parseInt(match[1]!, 8) : undefined;
}

async function describe(
  host: Host,
  pid: number,
  writes: boolean,
): Promise<ProcessUser | undefined> {
  const comm = (await readLine(host, `/proc/${pid}/comm`)) ?? "a process";
  if (PASSERS_BY.has(comm) && !writes) return undefined;
  const line = await attempt(() => host.readFile(`/proc/${pid}/cmdline`, 1_048_576));
  const argv = line.ok ? new TextDecoder().decode(line.value).split("\0") : [];
  const domid = argv[argv.indexOf("-xen-domid") + 1];
  const who = `${comm} (process ${pid})`;
  if (argv.includes("-xen-domid") && domid !== undefined && /^\d+$/.test(domid))
    return { kind: "guest", what: `open in ${who}`, writes, pid, domid: Number(domid) };
  if (NBD_SERVERS.has(comm)) return { kind: "nbd", what: `exported by ${who}`, writes, pid };
  const isSync = argv.includes("sync") && (comm === "domus" || argv.some(isDomus));
  if (isSync)
    return { kind: "sync", what: `open in another domus sync (process ${pid})`, writes, pid };
  return { kind: "process", what: `open in ${who}`, writes, pid };
}

function isDomus(argument: string): boolean {
  return /^domus(\.\w+)?$/.test(fileName(argument));
}
