/** Opens a disk to be written by this process only, as far as others take notice. */
import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { ioFailure, refused } from "../../base/failure.ts";
import { errnoOf } from "./errno.ts";

/** A process that was killed lets go of its disks a moment later: what it began is waited for. */
const PATIENCE_MS = 2000;
const RETRY_MS = 50;
/** flock(1), when somebody else has the lock. */
const LOCKED = 1;

export type ClaimOptions = {
  readonly path: string;
  readonly kind: "file" | "block-device";
  /** Nothing is there: a file is made, for nobody but its owner. */
  readonly create: boolean;
};

/**
 * A block device with O_EXCL, which mounts, swap, LVM, md and dm respect, in both directions. Any disk with a lock (flock(2)), which
 * keeps a second copy away, and udev (systemd: docs/BLOCK_DEVICE_LOCKING.md). `refused` when somebody has claimed it, `io` when it
 * cannot be opened.
 */
export async function claimDisk({ path, kind, create }: ClaimOptions): Promise<FileHandle> {
  const flags =
    constants.O_RDWR |
    constants.O_NONBLOCK |
    (create ? constants.O_CREAT : 0) |
    (create || kind === "block-device" ? constants.O_EXCL : 0);
  const handle = await openPatiently(path, flags, create);
  try {
    if (await lock(handle)) return handle;
    throw refused([path], {
      what: `${path} is locked: nothing was written.`,
      why: "Another program that writes to it has it for itself, such as another copy to it.",
      next: "Wait until that has ended. fuser -v shows who has it open.",
    });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function openPatiently(path: string, flags: number, create: boolean): Promise<FileHandle> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await open(path, flags, 0o600);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno !== "EBUSY")
        throw ioFailure([path], create ? "create" : "open for writing", errno, error);
      if (performance.now() > until)
        throw refused([path], {
          what: `${path} is in use: nothing was written.`,
          why: "It, a part of it or the disk around it is mounted, swap, or held by LVM, md or another device.",
          next: "See what holds it: lsblk shows devices and mounts, swapon --show swap, fuser -v processes.",
        });
      await sleep(RETRY_MS);
    }
  }
}

/**
 * The lock belongs to the open file, not to the process: what flock(1) takes stays after it has ended. True where there is no such
 * program or no such lock (some network filesystems): it is one guard of several.
 */
function lock(handle: FileHandle): Promise<boolean> {
  const seconds = String(PATIENCE_MS / 1000);
  const child = spawn("flock", ["--exclusive", "--timeout", seconds, "3"], {
    stdio: ["ignore", "ignore", "ignore", handle.fd],
  });
  return new Promise((resolve) => {
    child.on("error", () => resolve(true));
    child.on("close", (code) => resolve(code !== LOCKED));
  });
}
