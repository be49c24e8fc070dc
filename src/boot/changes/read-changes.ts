/** Finds the package managers' logs in a guest's filesystem, rotated ones included, and reads the newest of them. */
import { attempt } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import { MIB } from "../../base/units.ts";
import { within } from "../../base/where.ts";
import { unpack } from "../../bytes/decompress/decompress.ts";
import { sniffCompression } from "../../bytes/decompress/format.ts";
import { decodeText } from "../../bytes/text.ts";
import type { Entry, FileSystem } from "../../disk/fs/filesystem.ts";
import { resolvePath } from "../../disk/fs/resolve.ts";
import { parseApkLog } from "./apk-log.ts";
import { parseAptHistory, withCommands } from "./apt-history.ts";
import type { AptRun } from "./apt-history.ts";
import { parseDnfLog } from "./dnf-log.ts";
import { parseDnf5Log } from "./dnf5-log.ts";
import { parseDpkgLog } from "./dpkg-log.ts";
import type { LogText } from "./log-text.ts";
import type { PackageChange } from "./package-change.ts";
import { parsePacmanLog } from "./pacman-log.ts";
import { parseYumLog } from "./yum-log.ts";
import { parseZypperHistory } from "./zypper-history.ts";

export type ReadChangesOptions = {
  readonly signal?: AbortSignal;
  /** Of each log file, unpacked, the newest part up to this many bytes is read. Default 8 MiB. */
  readonly limitBytes?: number;
};

export type ChangeLogs = {
  /** By time, oldest first; of equal times in the order of the logs. */
  readonly changes: readonly PackageChange[];
  /** Every log that was found, and why it could not be read. */
  readonly logs: readonly { readonly path: string; readonly failure?: Failure }[];
  /** Databases of package managers that are there and are not read: they know what is installed, or more. */
  readonly unread: readonly string[];
};

type Parsed = { readonly changes?: readonly PackageChange[]; readonly runs?: readonly AptRun[] };

type LogKind = {
  readonly directory: string;
  readonly name: string;
  readonly parse: (log: LogText) => Parsed;
};

const KINDS: readonly LogKind[] = [
  {
    directory: "/var/log",
    name: "pacman.log",
    parse: (log) => ({ changes: parsePacmanLog(log) }),
  },
  { directory: "/var/log", name: "dpkg.log", parse: (log) => ({ changes: parseDpkgLog(log) }) },
  { directory: "/var/log", name: "yum.log", parse: (log) => ({ changes: parseYumLog(log) }) },
  { directory: "/var/log", name: "dnf.rpm.log", parse: (log) => ({ changes: parseDnfLog(log) }) },
  { directory: "/var/log", name: "dnf5.log", parse: (log) => ({ changes: parseDnf5Log(log) }) },
  {
    directory: "/var/log/zypp",
    name: "history",
    parse: (log) => ({ changes: parseZypperHistory(log) }),
  },
  { directory: "/var/log", name: "apk.log", parse: (log) => ({ changes: parseApkLog(log) }) },
  {
    directory: "/var/log/apt",
    name: "history.log",
    parse: (log) => ({ runs: parseAptHistory(log) }),
  },
];

/** They are SQLite, Berkeley DB, or have no times of installation. */
const DATABASES: readonly string[] = [
  "/usr/lib/sysimage/libdnf5/transaction_history.sqlite",
  "/var/lib/dnf/history.sqlite",
  "/var/lib/yum/history",
  "/usr/lib/sysimage/rpm/rpmdb.sqlite",
  "/usr/lib/sysimage/rpm/Packages.db",
  "/var/lib/rpm/rpmdb.sqlite",
  "/var/lib/rpm/Packages",
  "/lib/apk/db/installed",
];

/** logrotate keeps 12 months of dpkg.log and apt's history; a directory with more of them is not believed. */
const MAX_LOGS_OF_A_KIND = 24;
/** /var/log of a busy machine has hundreds of names. */
const MAX_NAMES = 20_000;
/** Ten years of a system that changes a lot; beyond it the newest are kept. */
const MAX_CHANGES = 100_000;
/** What of a packed log is unpacked to get at its end. */
const MAX_UNPACKED = 64 * MIB;

/** All changes that the logs tell of, by time. A log that cannot be read is left out: see `readChangeLogs`. */
export async function readChanges(
  fs: FileSystem,
  options: ReadChangesOptions = {},
): Promise<PackageChange[]> {
  return [...(await readChangeLogs(fs, options)).changes];
}

/** As `readChanges`, and says which logs there were. A guest without any log is no failure. */
export async function readChangeLogs(
  fs: FileSystem,
  options: ReadChangesOptions = {},
): Promise<ChangeLogs> {
  const logs: { path: string; failure?: Failure }[] = [];
  const parts: Parsed[] = [];
  for (const kind of KINDS) {
    const found = await attempt(() => findLogs(fs, kind, options.signal));
    if (!found.ok) {
      // No such directory: another distribution.
      if (found.failure.kind !== "missing") {
        logs.push({ path: kind.directory, failure: found.failure });
      }
      continue;
    }
    let left = MAX_CHANGES;
    for (const { path, entry } of found.value) {
      if (left <= 0) break;
      const read = await attempt(async () =>
        kind.parse(await readNewest(fs, path, entry, options)),
      );
      logs.push(read.ok ? { path } : { path, failure: read.failure });
      if (!read.ok) continue;
      const { changes = [], runs = [] } = read.value;
      parts.push({ changes: changes.slice(-left), runs: runs.slice(-left) });
      left -= changes.length + runs.length;
    }
  }
  // Logs were read newest first. toSorted is stable, so changes of one second keep the order of their log.
  parts.reverse();
  const changes = withCommands(
    parts.flatMap((part) => part.changes ?? []),
    parts.flatMap((part) => part.runs ?? []),
  );
  const unread = await unreadDatabases(fs);
  return { changes: changes.toSorted((a, b) => a.time - b.time), logs, unread };
}

async function unreadDatabases(fs: FileSystem): Promise<string[]> {
  const found: string[] = [];
  for (const path of DATABASES) {
    if ((await attempt(() => resolvePath(fs, path))).ok) found.push(path);
  }
  return found;
}

type FoundLog = { readonly path: string; readonly entry: Entry };

/** `x.log`, `x.log.1`, `x.log.2.gz`, `x.log-20230620.xz`: the newest first, at most 24. */
async function findLogs(
  fs: FileSystem,
  kind: LogKind,
  signal: AbortSignal | undefined,
): Promise<FoundLog[]> {
  const { inode } = await resolvePath(fs, kind.directory);
  const found: { name: string; entry: Entry; age: number }[] = [];
  let names = 0;
  for await (const entry of fs.list(inode, signal)) {
    if (++names > MAX_NAMES) break;
    const age = ageOf(kind.name, entry.name);
    if (age !== undefined) found.push({ name: entry.name, entry, age });
  }
  found.sort((a, b) => a.age - b.age);
  return found
    .slice(0, MAX_LOGS_OF_A_KIND)
    .map(({ name, entry }) => ({ path: `${kind.directory}/${name}`, entry }));
}

/** 0 for the current log, larger for older ones, undefined for other files. */
function ageOf(base: string, name: string): number | undefined {
  if (!name.startsWith(base)) return undefined;
  const suffix = /^(?:\.(\d{1,3})|-(\d{8}))?(?:\.(?:gz|xz|zst|bz2))?$/.exec(
    name.slice(base.length),
  );
  if (!suffix) return undefined;
  if (suffix[1] !== undefined) return Number(suffix[1]);
  // Days of later dates are larger; nothing is older than the year 0.
  if (suffix[2] !== undefined) return 1e8 - Number(suffix[2]);
  return 0;
}

async function readNewest(
  fs: FileSystem,
  path: string,
  entry: Entry,
  options: ReadChangesOptions,
): Promise<LogText> {
  const { signal, limitBytes = 8 * MIB } = options;
  const where = within(fs.where, path);
  const inode = await fs.inode(entry);
  // Not followed when it is a link: the name of a log is no reason to read whatever it points to.
  if (inode.kind !== "file") return { text: "", where };
  const head = await fs.read(inode, 0, 16, signal);
  const compression = sniffCompression(head);
  if (compression === undefined) {
    const from = Math.max(0, inode.size - limitBytes);
    const bytes = await fs.read(inode, from, inode.size - from, signal);
    return logText(bytes, { cut: from > 0, where, writtenAt: inode.mtime });
  }
  const packed = await fs.read(inode, 0, Math.min(inode.size, MAX_UNPACKED), signal);
  const tail = new Tail(limitBytes);
  const unpacked = unpack(compression, packed, {
    limit: MAX_UNPACKED,
    where,
    ...(signal && { signal }),
  });
  for await (const chunk of unpacked) tail.push(chunk);
  return logText(tail.bytes(), { cut: tail.cut, where, writtenAt: inode.mtime });
}

/** The end of a stream. */
class Tail {
  #chunks: Uint8Array[] = [];
  #length = 0;
  readonly #limit: number;
  cut = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    while (this.#chunks.length > 1 && this.#length - this.#chunks[0]!.length >= this.#limit) {
      this.#length -= this.#chunks.shift()!.length;
      this.cut = true;
    }
  }

  bytes(): Uint8Array {
    const all = Buffer.concat(this.#chunks);
    if (all.length > this.#limit) this.cut = true;
    return all.subarray(Math.max(0, all.length - this.#limit));
  }
}

function logText(
  bytes: Uint8Array,
  { cut, where, writtenAt }: { cut: boolean; where: LogText["where"]; writtenAt: number },
): LogText {
  // What is left of a line that was cut says nothing.
  const start = cut ? bytes.indexOf(0x0a) + 1 : 0;
  return { text: decodeText(bytes.subarray(start)), where, writtenAt, ...(cut && { cut }) };
}
