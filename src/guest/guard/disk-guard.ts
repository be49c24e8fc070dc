/**
 * Whether a disk may be given to a guest: never to two who write, never half of a copy, never what the memory image of another one
 * waits for. Who attaches or starts asks here.
 */
import { refused } from "../../base/failure.ts";
import type { DeviceUser } from "../../host/local/device-users.ts";
import type { CopyState } from "../sync/copy-state.ts";
import { assertNoImageWaits } from "./waiting-disks.ts";
import type { DiskOwner, WaitingPorts } from "./waiting-disks.ts";

/** How the things are found out that decide; tests have their own. */
export type GuardPorts = WaitingPorts & {
  readonly findUsers: (path: string) => Promise<readonly DeviceUser[]>;
  readonly copyState: (path: string) => Promise<CopyState | undefined>;
};

/**
 * Nothing when the disk at `path`, as libxl would open it, may be given to `owner`; otherwise `refused`, with who has it. A guest that
 * only reads it may share it with others who do.
 */
export async function assertFree(
  ports: GuardPorts,
  path: string,
  { writes, owner }: { readonly writes: boolean; readonly owner: DiskOwner },
): Promise<void> {
  const { findUsers, copyState } = ports;
  const copy = await copyState(path);
  if (copy?.state === "unfinished")
    throw refused([path], {
      what: `${path} is an unfinished copy.`,
      why: `Part of it is old and part is new: a guest would find a damaged filesystem, and write to it. The record is ${copy.record}.`,
      next: "Run the same domus sync again: it completes the copy.",
    });
  const users = (await findUsers(path)).filter((user) => writes || user.writes);
  if (users.length === 0) return assertNoImageWaits(ports, path, { writes, owner });
  throw refused([path], {
    what: `${path} is in use: it is ${users.map(({ what }) => what).join(", ")}.`,
    why: writes
      ? "Two who have a filesystem open, one of them writing, destroy it: neither knows what the other has changed."
      : "Who reads a filesystem that somebody else writes to finds it damaged.",
    next: users.every(({ kind }) => kind === "loop")
      ? `Nobody is seen to use it through that. A start of a guest that failed leaves it so: losetup -d ${users.map(({ what }) => /\/dev\/loop\d+/.exec(what)?.[0] ?? "DEVICE").join(" ")}, unless you look into it from dom0.`
      : "Let go of it there first, or give the guest another disk.",
  });
}
