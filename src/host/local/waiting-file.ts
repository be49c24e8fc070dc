/** `waiting.json` beside the records: written by whoever changes them, read by domus-pygrub (docs/design/records.md). */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import type { Stats } from "node:fs";
import { ioFailure, overLimit } from "../../base/failure.ts";
import { MAX_WAITING_LIST_LENGTH, parseWaitingList } from "../../xen/waiting-list.ts";
import type { WaitingImage } from "../../xen/waiting-list.ts";
import { errnoOf } from "./errno.ts";

/** UTF-8 has three bytes at most for a UTF-16 unit. */
const MAX_BYTES = 3 * MAX_WAITING_LIST_LENGTH;

export function waitingFilePath(directory: string): string {
  return `${directory}/waiting.json`;
}

/** The text as it is; undefined when there is no such file. `io`, and `limit` for one that none of ours has written. */
export function readWaitingText(directory: string): string | undefined {
  const path = waitingFilePath(directory);
  let fd: number | undefined;
  try {
    // Whatever else is under that name, a boot does not wait for it.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (fstatSync(fd).size > MAX_BYTES) throw overLimit([path], "the file", `${MAX_BYTES} bytes`);
    return readFileSync(fd, "utf8");
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT") return undefined;
    throw failureOf(error, path, "read", errno);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Empty when there is no such file. `io`, `corrupt` or `limit` when it cannot be told what waits. */
export function readWaitingFile(directory: string): readonly WaitingImage[] {
  const text = readWaitingText(directory);
  return text === undefined ? [] : parseWaitingList(text, waitingFilePath(directory));
}

export type FileOwner = { readonly mode: number; readonly gid?: number };

/** All or nothing, and on the disk when it returns. One at a time: whoever writes holds the lock of the records. */
export function writeWaitingText(directory: string, text: string, owner: FileOwner): void {
  const path = waitingFilePath(directory);
  const temporary = `${path}.new`;
  try {
    rmSync(temporary, { force: true });
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    withOpen(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, (fd) => {
      if (owner.gid !== undefined) fchownSync(fd, 0, owner.gid);
      fchmodSync(fd, owner.mode);
      const bytes = new TextEncoder().encode(text);
      for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
      fsyncSync(fd);
    });
    renameSync(temporary, path);
    withOpen(directory, constants.O_RDONLY | constants.O_DIRECTORY, fsyncSync);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw failureOf(error, path, "write", errnoOf(error));
  }
}

function withOpen(path: string, flags: number, use: (fd: number) => void): void {
  const fd = openSync(path, flags, 0o600);
  try {
    use(fd);
  } finally {
    closeSync(fd);
  }
}

function failureOf(error: unknown, path: string, op: string, errno: string): unknown {
  return error instanceof Error && "failure" in error ? error : ioFailure([path], op, errno, error);
}

/**
 * The image that waits for this disk: the same path, the same device by another name, or the same file by another way to
 * it. What is not there any more is no disk of anybody.
 */
export function waitingImageOf(
  images: readonly WaitingImage[],
  disk: string,
): WaitingImage | undefined {
  if (images.length === 0) return undefined;
  const own = identityOf(disk);
  return images.find(({ disks }) =>
    disks.some(({ path }) => path === disk || (own !== undefined && identityOf(path) === own)),
  );
}

function identityOf(path: string): string | undefined {
  const stats = statOf(path);
  if (stats?.isBlockDevice()) return `device ${stats.rdev}`;
  return stats && `file ${stats.dev}:${stats.ino}`;
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
