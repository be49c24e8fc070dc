/**
 * Copies a file or a tree from a guest's filesystem to this host. What the guest chose (names, links, modes, times)
 * decides over nothing outside of the destination:
 *
 * - Names are single components: `..` and slashes are refused.
 * - Files are made anew, never opened: what is there already is not written to, nor what a link leads to.
 * - Links are made and not followed: every directory on the way to a file is one that was seen to be no link.
 * - Modes lose setuid, setgid, sticky, and what lets group and others write. Owners are not taken over.
 * - Devices, FIFOs and sockets are passed over.
 */
import { constants } from "node:fs";
import { link, lstat, lutimes, mkdir, open, symlink, unlink, utimes } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { basename, join } from "node:path";
import { attempt, corrupt, FailureError, ioFailure, unsupported } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import { MIB } from "../../base/units.ts";
import { encodeText } from "../../bytes/text.ts";
import type { FileSystem, Inode } from "../../disk/fs/filesystem.ts";
import type { Resolved } from "../../disk/fs/resolve.ts";
import { walk } from "../../disk/fs/walk.ts";
import { errnoOf } from "../../host/local/errno.ts";

export type Copied = {
  files: number;
  /** Their sizes, holes included. */
  bytes: number;
  links: number;
  /** Further names of files that were copied before. */
  hardLinks: number;
  /** What is of a kind that is not copied; the first of them. */
  passedOver: string[];
  passedOverCount: number;
  /** What the guest's disk did not give, with the path on it; the first of them. */
  failures: { path: string; failure: Failure }[];
  failureCount: number;
  /** Files here that lack something; the first of them. */
  incomplete: string[];
  /** The file that is being written. */
  begun?: string;
};

export type CopyJob = {
  readonly fs: FileSystem;
  /** Whether files and links that exist are replaced. */
  readonly force: boolean;
  readonly signal: AbortSignal;
  /** What was done, also when it ends with a failure. */
  readonly copied: Copied;
};

export function nothingCopied(): Copied {
  return {
    ...{ files: 0, bytes: 0, links: 0, hardLinks: 0 },
    ...{ passedOver: [], passedOverCount: 0, failures: [], failureCount: 0, incomplete: [] },
  };
}

/** A disk can be made of nothing else; what is said has to end. */
const MAX_NAMED = 1000;

function fail({ copied }: CopyJob, path: string, failure: Failure): void {
  copied.failureCount += 1;
  if (copied.failures.length < MAX_NAMED) copied.failures.push({ path, failure });
}

function passOver({ copied }: CopyJob, what: string): void {
  copied.passedOverCount += 1;
  if (copied.passedOver.length < MAX_NAMED) copied.passedOver.push(what);
}

const CHUNK_BYTES = 4 * MIB;
/** Compared as a whole: byte by byte, the copy of a sparse disk took five times as long (measured). */
const ZEROES = new Uint8Array(CHUNK_BYTES);
const MODE_MASK = 0o755;
/** So that a tree can be written, and removed again. */
const OWNER_ENTERS = 0o700;
/** Files with several names that are remembered, so that the next name becomes a link to the first. */
const MAX_LINKED = 500_000;

/**
 * Copies `resolved` to the path `to` itself. What the guest's disk does not give is in `copied.failures`, and the copy
 * goes on; what this host refuses ends it.
 */
export async function copyOut(job: CopyJob, { inode, path }: Resolved, to: string): Promise<void> {
  if (inode.kind === "directory") await copyTree(job, { inode, path }, to);
  else if (inode.kind === "file") await copyFile(job, { inode, path }, to);
  else throw unsupported([...job.fs.where, path], `copying a ${inode.kind}`);
}

/** As cp does: into `dest` when that is a directory, else to `dest` itself. */
export async function destinationOf(dest: string, path: string): Promise<string> {
  const found = await lstat(dest).catch(() => undefined);
  const name = basename(path);
  return found?.isDirectory() && name !== "" ? join(dest, safeName(name)) : dest;
}

/** A name from the guest as one component of a path of ours; what cannot be one is a failure. */
function safeName(name: string): string {
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")) {
    throw corrupt([name], "a name that is no file name", "a single path component");
  }
  return name;
}

type Found = { readonly inode: Inode; readonly path: string };

async function copyFile(job: CopyJob, { inode, path }: Found, to: string): Promise<void> {
  const { copied } = job;
  await using file = await createFile(job, inode, to);
  copied.begun = to;
  const read = await attempt(() => copyContents(job, inode, { file, to }));
  // Without an answer of this host it was the guest's disk.
  if (!read.ok && read.failure.where[0] === to) throw new FailureError(read.failure);
  await onHost(to, "write", () => file.truncate(inode.size));
  await setTimes(inode, (time) => file.utimes(time, time));
  delete copied.begun;
  if (!read.ok) {
    fail(job, path, read.failure);
    if (copied.incomplete.length < MAX_NAMED) copied.incomplete.push(to);
    return;
  }
  copied.files += 1;
  copied.bytes += inode.size;
}

/**
 * Always a new file, so that neither a link nor another name of an old one leads elsewhere. Modes are subject to the
 * umask of who copies.
 */
async function createFile(job: CopyJob, inode: Inode, to: string): Promise<FileHandle> {
  if (job.force) await removeOld(to);
  const { O_WRONLY, O_CREAT, O_NOFOLLOW, O_EXCL } = constants;
  const flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_EXCL;
  return open(bytesOf(to), flags, inode.mode & MODE_MASK).catch((error) => {
    const errno = errnoOf(error);
    const hint = job.force ? "it is no regular file" : "it exists: --force overwrites";
    throw ioFailure([to], errno === "EEXIST" ? `create (${hint})` : "create", errno, error);
  });
}

/** With --force: a file or a link that is in the way. A directory, a device or a FIFO stays. */
async function removeOld(at: string): Promise<void> {
  const found = await lstat(bytesOf(at)).catch(() => undefined);
  if (!found?.isFile() && !found?.isSymbolicLink()) return;
  await onHost(at, "remove", () => unlink(bytesOf(at)));
}

async function copyContents(
  job: CopyJob,
  inode: Inode,
  { file, to }: { file: FileHandle; to: string },
): Promise<void> {
  for (let at = 0; at < inode.size; at += CHUNK_BYTES) {
    job.signal.throwIfAborted();
    const length = Math.min(CHUNK_BYTES, inode.size - at);
    const bytes = await job.fs.read(inode, at, length, job.signal);
    // Zeroes are left out: a sparse file stays sparse.
    if (Buffer.compare(bytes, ZEROES.subarray(0, bytes.length)) === 0) continue;
    await onHost(to, "write", () => writeAll(file, bytes, at));
  }
}

/** A disk that gets full takes what still fits, and says so only when it is asked to take the rest. */
async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    if (bytesWritten === 0) throw new Error("nothing was written");
    done += bytesWritten;
  }
}

type Made = { readonly at: string; readonly inode: Inode };

async function copyTree(job: CopyJob, top: Found, to: string): Promise<void> {
  const { fs, copied, signal } = job;
  /** From the top to where the walk is. Their times are set when nothing in them changes any more. */
  const way: Made[] = [{ at: to, inode: top.inode }];
  /** The first name here of every file that has several. */
  const first = new Map<number, string>();
  const leave = async () => {
    const { at, inode } = way.pop()!;
    await setTimes(inode, (time) => utimes(bytesOf(at), time, time));
  };
  await makeDirectory(to, top.inode);
  const onFailure = (path: string, failure: Failure) => fail(job, path, failure);
  const options = { from: top.path, sorted: true, onFailure, signal };
  for await (const { path, inode, depth } of walk(fs, options)) {
    while (way.length > depth) await leave();
    const at = join(way.at(-1)!.at, safeName(path.slice(path.lastIndexOf("/") + 1)));
    if (inode.kind === "directory") {
      await makeDirectory(at, inode);
      way.push({ at, inode });
    } else if (inode.kind === "file") {
      const known = first.get(inode.number);
      if (known !== undefined && (await linkTo(job, known, at))) continue;
      const before = copied.files;
      await copyFile(job, { inode, path }, at);
      const whole = copied.files > before;
      if (inode.links > 1 && whole && first.size < MAX_LINKED) first.set(inode.number, at);
    } else if (inode.kind === "symlink") await copyLink(job, { inode, path }, at);
    else passOver(job, `${path} (${inode.kind})`);
  }
  while (way.length > 0) await leave();
}

/** Another name of a file that was copied; false where this host cannot (FAT), and it is copied again. */
async function linkTo({ force, copied }: CopyJob, known: string, at: string): Promise<boolean> {
  if (force) await removeOld(at);
  const made = await link(bytesOf(known), bytesOf(at)).then(
    () => true,
    () => false,
  );
  if (made) copied.hardLinks += 1;
  return made;
}

/** Where something is in its place already, the copy goes on without it. */
async function copyLink(job: CopyJob, { inode, path }: Found, at: string): Promise<void> {
  const target = await attempt(() => job.fs.readLink(inode));
  if (!target.ok) {
    fail(job, path, target.failure);
    return;
  }
  if (job.force) await removeOld(at);
  const made = await attempt(() =>
    onHost(at, "link", () => symlink(bytesOf(target.value), bytesOf(at))),
  );
  if (!made.ok) {
    const errno = made.failure.kind === "io" ? made.failure.errno : "";
    passOver(job, `${at} (link: ${errno === "EEXIST" ? "it exists" : errno})`);
    return;
  }
  job.copied.links += 1;
  await setTimes(inode, (time) => lutimes(bytesOf(at), time, time));
}

async function makeDirectory(path: string, { mode }: Inode): Promise<void> {
  const bytes = bytesOf(path);
  await mkdir(bytes, (mode & MODE_MASK) | OWNER_ENTERS).catch(async (error) => {
    // Not one behind a link: that leads elsewhere.
    const found = await lstat(bytes).catch(() => undefined);
    if (found?.isDirectory()) return;
    throw ioFailure([path], "make the directory", errnoOf(error), error);
  });
}

/** A time that this host cannot keep (before 1901, after 2446) is no reason to lose the file. */
async function setTimes({ mtime }: Inode, set: (time: number) => Promise<void>): Promise<void> {
  await set(mtime).catch(() => undefined);
}

/** Bytes, so that a name that is not UTF-8 arrives as it is. */
function bytesOf(path: string): Buffer {
  return Buffer.from(encodeText(path));
}

async function onHost<T>(path: string, op: string, work: () => Promise<T>): Promise<T> {
  return work().catch((error: unknown) => {
    throw ioFailure([path], op, errnoOf(error), error);
  });
}
