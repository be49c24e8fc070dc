/** Where the record of a copy lies, and how one run at a time gets hold of it (docs/design/copy-record.md, "Place"). */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, readdir, realpath, stat, unlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { ioFailure, missing, refused } from "../../base/failure.ts";
import { parseRecord, TABLE_OFFSET } from "../../sync/record-format.ts";
import type { ParsedRecord } from "../../sync/record-format.ts";
import { errnoOf } from "./errno.ts";
import { makeDirectories } from "./make-directories.ts";

export const RECORD_SUFFIX = ".domus-sync";
/** Of a run that has not changed anything yet. */
const NEW_SUFFIX = ".new";
/** Of a name in a directory, on every filesystem of Linux. */
const MAX_NAME_BYTES = 255;
/** A process that was killed lets go of its files a moment later. */
const PATIENCE_SECONDS = "2";
/** Devices of one host; what lies there beyond is not looked at. */
const MAX_RECORDS = 4096;

export type RecordPlace = {
  /** Absolute, of the target. */
  readonly target: string;
  readonly path: string;
  /** Other records that speak of the same device, under other names. */
  readonly others: readonly string[];
};

export type PlaceOptions = {
  readonly kind: "file" | "block-device";
  readonly path: string;
  readonly stateDirectory: string;
};

/** Beside a file; in the state directory for a device, where names of the same device are found again by what they lead to. */
export async function findRecordPlace(options: PlaceOptions): Promise<RecordPlace> {
  const { kind, path } = options;
  if (kind === "file") {
    const target = await realpath(path).catch(() => resolve(path));
    const name = `${basename(target)}${RECORD_SUFFIX}`;
    if (Buffer.byteLength(name) + NEW_SUFFIX.length <= MAX_NAME_BYTES)
      return { target, path: join(dirname(target), name), others: [] };
    return { target, path: join(recordDirectory(options), recordName(target)), others: [] };
  }
  const target = resolve(path);
  const directory = recordDirectory(options);
  const ours = join(directory, recordName(target));
  const others: string[] = [];
  for (const name of await namesIn(directory)) {
    const other = join(directory, name);
    if (other !== ours && (await speaksOf(other, target))) others.push(other);
  }
  return { target, path: ours, others };
}

function recordDirectory({ stateDirectory: state }: PlaceOptions): string {
  return join(state, "sync");
}

/** `dev-vg0-web1-0123456789abcdef.domus-sync`: for people, and behind it what tells all paths apart. */
export function recordName(target: string): string {
  const digest = createHash("sha256").update(target).digest("hex").slice(0, 16);
  const words = target.replaceAll(/[^A-Za-z0-9_.+]+/g, "-").replace(/^-/, "");
  return `${words.slice(-100)}-${digest}${RECORD_SUFFIX}`;
}

async function namesIn(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch(() => []);
  return names.filter((name) => name.endsWith(RECORD_SUFFIX)).slice(0, MAX_RECORDS);
}

/** Whether the path in the record leads to the same device today. */
async function speaksOf(record: string, target: string): Promise<boolean> {
  const found = await openForReading(record).catch(() => undefined);
  if (!found) return false;
  try {
    const { head } = await readRecord(found, record);
    const [theirs, ours] = await Promise.all([stat(head.path), stat(target)]);
    return theirs.isBlockDevice() && ours.isBlockDevice() && theirs.rdev === ours.rdev;
  } catch {
    return false;
  } finally {
    await found.close();
  }
}

/** Undefined when there is none. */
export async function openForReading(path: string): Promise<FileHandle | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    return await open(path, flags);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
    throw ioFailure([path], "open", errno, error);
  }
}

export async function readRecord(handle: FileHandle, path: string): Promise<ParsedRecord> {
  const bytes = new Uint8Array(TABLE_OFFSET);
  let done = 0;
  while (done < bytes.length) {
    const { bytesRead } = await handle
      .read(bytes, done, bytes.length - done, done)
      .catch((error) => {
        throw ioFailure([path], "read", errnoOf(error), error);
      });
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return parseRecord(bytes.subarray(0, done), [path]);
}

export type HeldRecord = {
  /** Of the record that this run writes; nobody sees it before `place`. */
  readonly handle: FileHandle;
  readonly path: string;
};

/**
 * The file that becomes the record of this run, empty, and held: no other run gets one for the same target until this process
 * lets go of it, or ends. `refused` while another one has it.
 */
export async function holdRecord({ path, target }: RecordPlace): Promise<HeldRecord> {
  const ours = `${path}${NEW_SUFFIX}`;
  try {
    makeDirectories(dirname(path), 0o700);
  } catch (error) {
    throw ioFailure([dirname(path)], "create", errnoOf(error), error);
  }
  // A holder that ends takes its name away, or gives it another: then there is a new file to be had.
  for (let i = 0; i < 100; i++) {
    const handle = await openOwn(ours);
    if (!handle) continue;
    try {
      if (!(await lock(handle))) throw busy(target);
      if (await isAt(handle, ours)) {
        // The record of a run that has begun is held as well, under its new name.
        if (await isHeld(path)) {
          await unlink(ours);
          throw busy(target);
        }
        await handle.truncate(0);
        return { handle, path: ours };
      }
    } catch (error) {
      await handle.close();
      throw error;
    }
    await handle.close();
  }
  throw busy(target);
}

function busy(target: string): Error {
  return refused([target], {
    what: `Nothing was begun: another domus sync is copying to ${target}.`,
    why: "Two copies to the same disk at a time would make a mixture of both.",
    next: "Wait until the other one has ended, then run this command again.",
  });
}

/** Undefined when it has to be tried again: what was there is not ours, and was taken away. */
async function openOwn(path: string): Promise<FileHandle | undefined> {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(path, flags, 0o600).catch((error) => {
    const errno = errnoOf(error);
    if (errno === "ELOOP") return undefined;
    throw ioFailure([path], "create", errno, error);
  });
  if (handle && (await isOwn(handle))) return handle;
  await handle?.close();
  await unlink(path).catch((error) => {
    throw ioFailure([path], "remove", errnoOf(error), error);
  });
  return undefined;
}

/** A regular file of this user that nobody else can read or write: the key in it is a secret. */
export async function isOwn(handle: FileHandle): Promise<boolean> {
  const stats = await handle.stat();
  return (
    stats.isFile() &&
    stats.uid === process.geteuid?.() &&
    (stats.mode & 0o077) === 0 &&
    stats.nlink <= 1
  );
}

async function isAt(handle: FileHandle, path: string): Promise<boolean> {
  const [ours, there] = await Promise.all([handle.stat(), stat(path).catch(() => undefined)]);
  return there !== undefined && ours.ino === there.ino && ours.dev === there.dev;
}

async function isHeld(path: string): Promise<boolean> {
  const handle = await openForReading(path);
  if (!handle) return false;
  try {
    return !(await lock(handle));
  } finally {
    await handle.close();
  }
}

/**
 * flock(2) on our own open file, by flock(1): Node has no call for it, and the lock belongs to the open file, not to who
 * asked for it. The kernel lets go of it when this process ends, however it ends.
 */
function lock(handle: FileHandle): Promise<boolean> {
  return new Promise((done, reject) => {
    const child = spawn("flock", ["-x", "-w", PATIENCE_SECONDS, "3"], {
      stdio: ["ignore", "ignore", "ignore", handle.fd],
    });
    child.on("error", (error) => {
      const errno = errnoOf(error);
      reject(
        errno === "ENOENT"
          ? missing(["this host"], "program flock", "Install it: apt install util-linux")
          : ioFailure(["flock"], "start", errno, error),
      );
    });
    child.on("close", (code) => {
      if (code === 0 || code === 1) done(code === 0);
      else reject(ioFailure(["flock"], "lock the record of the copy", `exit code ${code}`));
    });
  });
}
