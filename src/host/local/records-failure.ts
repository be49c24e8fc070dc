/** What SQLite says of the records, as a failure with what to do about it. */
import { accessSync, constants, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { FailureError } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import { errnoOf } from "./errno.ts";

/** Result codes of SQLite (https://www.sqlite.org/rescode.html); the extended ones have them in their low byte. */
const BUSY = 5;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;

export function isSqlite(error: unknown): error is Error {
  return error instanceof Error && "code" in error && error.code === "ERR_SQLITE_ERROR";
}

/** For an error of SQLite, on the database at `path`. */
export function recordsFailure(path: string, op: string, error: Error): FailureError {
  const failure = failureOf(path, op, error);
  return new FailureError(failure, { cause: error });
}

function failureOf(path: string, op: string, error: Error): Failure {
  const where = [path];
  const io = { kind: "io", where, op } as const;
  switch (resultCode(error)) {
    case NOTADB:
    case CORRUPT:
      return damagedRecords(path, `other data (${error.message})`).failure;
    case BUSY:
      return {
        ...io,
        errno: error.message,
        next: `Another command is writing to them for long. Who: fuser -v ${path}. Wait until it has ended, then run the command again.`,
      };
    case READONLY:
    case IOERR:
    case FULL:
    case CANTOPEN:
      return { ...io, errno: causeAt(path) ?? error.message };
    default:
      return { ...io, errno: error.message };
  }
}

function resultCode(error: Error): number {
  return "errcode" in error ? Number(error.errcode) & 0xff : 0;
}

/** `corrupt`: what is there are no records, or not any more. */
export function damagedRecords(path: string, found: string): FailureError {
  const place = `${dirname(path)}/damaged`;
  return new FailureError({
    kind: "corrupt",
    where: [path],
    found,
    expected: "a database of records",
    next: `Put it aside, with the files beside it: mkdir ${place}; mv ${path}* ${place}/. domus begins anew: the history is lost then, and so is what proves that save images still fit their disks. Before a guest is started, domus list shows whether an image of it waits.`,
  });
}

/** SQLite keeps errno to itself: what stands in the way of writing there; undefined when nothing does. */
function causeAt(path: string): string | undefined {
  const directory = dirname(path);
  try {
    accessSync(directory, constants.W_OK);
    const { bavail } = statfsSync(directory);
    return bavail === 0 ? "ENOSPC" : undefined;
  } catch (error) {
    return errnoOf(error);
  }
}

/** Whether there is a database; `io` for who may not know. */
export function isThere(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return false;
    throw new FailureError({
      ...{ kind: "io", where: [path], op: "open the records", errno },
      next: "Run domus as root, or as a member of the group domus.",
    });
  }
}
