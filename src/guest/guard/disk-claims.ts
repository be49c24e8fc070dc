/**
 * Disks that commands at work give to guests: in the journal from before it is looked who has them, so that of two commands that
 * want one disk at the same moment, one sees the other (docs/design/lifecycle.md, "No disk for two").
 */
import { attempt, refused } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import { printable } from "../../base/printable.ts";
import type { DiskReach } from "../../host/disk-reach.ts";
import type { DeviceUser } from "../../host/local/device-users.ts";
import type { ProcessMark } from "../../host/local/process-mark.ts";
import type { Operation } from "../../host/records.ts";
import type { SummaryDisk } from "../../xen/domain-summary.ts";
import { targetPath } from "../inventory/read-backings.ts";
import { assertFree } from "./disk-guard.ts";
import type { GuardPorts } from "./disk-guard.ts";
import { overlaps } from "./disk-overlap.ts";
import type { DiskOwner } from "./waiting-disks.ts";

/** A disk that a guest gets or has; its path is one of dom0. */
export type DiskUse = { readonly path: string; readonly writes: boolean };

export type DiskClaim = DiskUse & DiskReach;

/** Of a guest's disks those that are paths of dom0. */
export function diskUses(disks: readonly SummaryDisk[]): readonly DiskUse[] {
  return disks.flatMap((disk) => {
    const path = targetPath(disk);
    return path === undefined ? [] : [{ path, writes: !disk.readonly }];
  });
}

/** What goes into the journal as `disks`. What is not there cannot be claimed, nor given. */
export async function claimsFor(
  { reachesOf }: GuardPorts,
  uses: readonly DiskUse[],
): Promise<readonly DiskClaim[]> {
  const reaches = await reachesOf(uses.map(({ path }) => path));
  return uses.flatMap(({ path, writes }) => {
    const reach = reaches.get(path);
    return reach ? [{ path, writes, ...reach }] : [];
  });
}

/** To be asked after the claims are in the journal: whoever was faster is seen as a user by now. `refused` as `assertFree`. */
export async function assertAllFree(
  guard: GuardPorts,
  uses: readonly DiskUse[],
  owner: DiskOwner,
): Promise<void> {
  for (const { path, writes } of uses) await assertFree(guard, path, { writes, owner });
}

/** The same of a survey: all that speaks against it. Empty when nothing does. */
export async function findTaken(
  guard: GuardPorts,
  uses: readonly DiskUse[],
  owner: DiskOwner,
): Promise<readonly Failure[]> {
  const taken: Failure[] = [];
  for (const { path, writes } of uses) {
    const free = await attempt(() => assertFree(guard, path, { writes, owner }));
    if (!free.ok) taken.push(free.failure);
  }
  return taken;
}

/** The claims of an operation; what is no claim, since somebody has edited the records, is none. */
export function claimsOf({ data }: Pick<Operation, "data">): readonly DiskClaim[] {
  const disks: unknown = data["disks"];
  if (!Array.isArray(disks)) return [];
  return disks.filter(isClaim);
}

function isClaim(value: unknown): value is DiskClaim {
  if (typeof value !== "object" || value === null) return false;
  const { path, writes, identity, reaches } = value as Partial<Record<keyof DiskClaim, unknown>>;
  return (
    typeof path === "string" &&
    typeof writes === "boolean" &&
    typeof identity === "string" &&
    Array.isArray(reaches) &&
    reaches.every((one) => typeof one === "string")
  );
}

/** The first of `wanted` that an operation has claimed, so that both cannot have it. */
export function contested(
  wanted: readonly DiskClaim[],
  operation: Pick<Operation, "data">,
): DiskClaim | undefined {
  const taken = claimsOf(operation);
  return wanted.find((one) =>
    taken.some((other) => (one.writes || other.writes) && overlaps(one, other)),
  );
}

/** `refused`: another command works with the disk, or was cut off in that. */
export function contestedFailure(
  { path }: DiskClaim,
  { kind, guest, step, pid }: Operation,
  isAlive: boolean,
) {
  const by = `domus ${kind} ${printable(guest)}`;
  const why =
    "Two who have a filesystem open, one of them writing, destroy it: neither knows what the other has changed.";
  if (isAlive)
    return refused([path], {
      what: `${path} is taken: ${by} works with it at this moment, as process ${pid}.`,
      why,
      next: "Wait until that has ended, then run the command again.",
    });
  return refused([path], {
    what: `${path} is taken by an earlier ${by}, which was cut off at its step "${step}", and is not in order yet.`,
    why,
    next: "Each command that changes something tries that first, and says what is in the way: put that right, then run the command again.",
  });
}

export type AtWorkPorts = {
  readonly self: ProcessMark;
  readonly isAlive: (mark: ProcessMark) => boolean;
  /** The pids of processes of xl that have this word on their command line. */
  readonly xlWith: (word: string) => readonly number[];
};

/** Whether its process works on, or one of xl that it has left behind: that has a path or a disk of it on its command line. */
export function isOperationAtWork(
  operation: Operation,
  { self, isAlive, xlWith }: AtWorkPorts,
): boolean {
  if (isAlive(operation)) return true;
  const { bootId, data } = operation;
  if ((data["bootId"] ?? bootId) !== self.bootId) return false;
  return Object.values(data).some((word) => typeof word === "string" && xlWith(word).length > 0);
}

/** The same as users of a disk, for who has no row in the journal himself. `operations` are those at work. */
export function claimUsers(
  reach: DiskReach,
  operations: readonly Operation[],
): readonly DeviceUser[] {
  return operations.flatMap((operation): DeviceUser[] => {
    const claim = claimsOf(operation).find((one) => overlaps(one, reach));
    if (!claim) return [];
    const { kind, guest, pid } = operation;
    const what = `taken by domus ${kind} ${guest} (process ${pid})`;
    return [{ kind: "guest", what, writes: claim.writes }];
  });
}
