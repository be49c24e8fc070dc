/**
 * The files that the answer names: made as Python's mkstemp makes them (8 random characters, 0600, exclusively), removed
 * again whatever happens unless they are kept.
 */
import { closeSync, constants, ftruncateSync, openSync, unlinkSync, write } from "node:fs";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { ioFailure, overLimit } from "../base/failure.ts";
import { sizeText } from "../base/units.ts";
import type { Out } from "../guest/bootloader/handover-bytes.ts";
import { errnoOf } from "../host/local/errno.ts";

const CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789_";
const RANDOM_LENGTH = 8;
const TRIES = 100;

export type TempFile = { readonly path: string; readonly fd: number };

/** `io` when the directory takes no file. */
export function createTempFile(directory: string, prefix: string): TempFile {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  for (let i = 1; ; i++) {
    const random = Array.from(
      { length: RANDOM_LENGTH },
      () => CHARACTERS[Math.floor(Math.random() * CHARACTERS.length)],
    );
    const path = resolve(directory, prefix + random.join(""));
    try {
      return { path, fd: openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600) };
    } catch (error) {
      const errno = errnoOf(error);
      if (errno !== "EEXIST" || i === TRIES) throw ioFailure([path], "create", errno, error);
    }
  }
}

/** Closed and gone; it is no error when it is gone already. */
export function removeTempFile({ path, fd }: TempFile, isOpen = true): void {
  if (isOpen) attemptTo(() => closeSync(fd));
  attemptTo(() => unlinkSync(path));
}

function attemptTo(work: () => void): void {
  try {
    work();
  } catch {
    // Whatever else is to be removed still has to be.
  }
}

/** Writes to a descriptor, at most `limitBytes`. `io` with ENOSPC and the like, `limit` above the limit. */
export function descriptorOut(fd: number, name: string, limitBytes: number): Out {
  let position = 0;
  const failed = (operation: string) => (error: unknown) => {
    throw ioFailure([name], operation, errnoOf(error), error);
  };
  return {
    async write(chunk) {
      if (position + chunk.length > limitBytes) {
        throw overLimit([name], "its size", sizeText(limitBytes));
      }
      for (let done = 0; done < chunk.length;) {
        const left = chunk.length - done;
        const { bytesWritten } = await promisify(write)(fd, chunk, done, left, position).catch(
          failed("write"),
        );
        done += bytesWritten;
        position += bytesWritten;
      }
    },
    async restart() {
      try {
        ftruncateSync(fd, 0);
      } catch (error) {
        failed("truncate")(error);
      }
      position = 0;
    },
  };
}
