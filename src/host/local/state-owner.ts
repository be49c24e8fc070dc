/** Whose the state directory is: root's, and the group's whose members may look (docs/design/records.md, "Where"). */
import { chmodSync, chownSync, readFileSync, statSync } from "node:fs";
import { ioFailure } from "../../base/failure.ts";
import { STATE_DIRECTORY } from "../../base/state-directory.ts";
import { errnoOf } from "./errno.ts";
import { makeDirectories } from "./make-directories.ts";
import type { FileOwner } from "./waiting-file.ts";

/** Its members may list and show. */
export const STATE_GROUP = "domus";

/**
 * Makes it when it is not there. One that is there is given to the group when it is domus's own: it may be older than the
 * group, and systemd gives a directory that it makes for a service to root's. `io` when that cannot be.
 */
export function makeStateDirectory(
  directory: string,
  { group = STATE_GROUP, isOwn = directory === STATE_DIRECTORY } = {},
): void {
  try {
    if (statSync(directory, { throwIfNoEntry: false })) {
      if (isOwn) shareWithGroup(directory, 0o750, group);
      return;
    }
    makeDirectories(directory, 0o700);
    shareWithGroup(directory, 0o750, group);
  } catch (error) {
    throw ioFailure([directory], "make", errnoOf(error), error);
  }
}

/** For root and the group, when there is one; else for root alone. Nothing when there is no such file. `io` otherwise. */
export function shareWithGroup(path: string, wish: number, group = STATE_GROUP): void {
  const { gid, mode } = stateOwner(wish, group);
  try {
    if (gid !== undefined) chownSync(path, 0, gid);
    chmodSync(path, mode);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw ioFailure([path], "chmod", errnoOf(error), error);
  }
}

/** Without a group to share with, the bits of the group and of others are left out of `mode`. */
export function stateOwner(mode: number, group = STATE_GROUP): FileOwner {
  const gid = process.getuid?.() === 0 ? groupId(group) : undefined;
  return gid === undefined ? { mode: mode & 0o700 } : { mode, gid };
}

function groupId(name: string): number | undefined {
  try {
    const line = readFileSync("/etc/group", "utf8")
      .split("\n")
      .find((one) => one.startsWith(`${name}:`));
    return line === undefined ? undefined : Number(line.split(":")[2]);
  } catch {
    return undefined;
  }
}
