/** What copies of disks use of this machine, behind the ports of guest/sync. */
import { readFileSync } from "node:fs";
import { stat, statfs } from "node:fs/promises";
import { hostname } from "node:os";
import { ioFailure } from "../../base/failure.ts";
import type { SyncPorts } from "../../guest/sync/ports.ts";
import { BOOT_ID_PATH } from "../../host/local/boot-id.ts";
import { openCopyRecord } from "../../host/local/copy-record.ts";
import { stateDirectory } from "../../base/state-directory.ts";
import { dropCache } from "../../host/local/drop-cache.ts";
import { claimUsers, isOperationAtWork } from "../../guest/guard/disk-claims.ts";
import { waitingUsers } from "../../guest/guard/waiting-disks.ts";
import type { Host } from "../../host/host.ts";
import { findDeviceUsers, readDiskReach, sameDevice } from "../../host/local/device-users.ts";
import type { DeviceUser } from "../../host/local/device-users.ts";
import { errnoOf } from "../../host/local/errno.ts";
import { localHost } from "../../host/local/local-host.ts";
import { openSyncSource } from "../../host/local/sync-source.ts";
import { openSyncTarget } from "../../host/local/sync-target.ts";
import { xlProcessesWith } from "../../host/local/xl-processes.ts";
import { yieldToOthers } from "../../host/local/yield.ts";
import { localGuard } from "../local-guard.ts";
import { localJournal, readLocalRecords } from "../local-records.ts";

async function findClaims(host: Host, path: string): Promise<readonly DeviceUser[]> {
  const reach = await readDiskReach(host, path);
  if (!reach) return [];
  using records = readLocalRecords(process.env);
  const { self, isAlive } = localJournal(records);
  const atWork = records
    .operations()
    .filter((one) => isOperationAtWork(one, { self, isAlive, xlWith: xlProcessesWith }));
  return claimUsers(reach, atWork);
}

async function findWaiting(host: Host, path: string): Promise<readonly DeviceUser[]> {
  using records = readLocalRecords(process.env);
  return await waitingUsers(localGuard(host, records), path);
}

export function localSyncPorts(): SyncPorts {
  const host = localHost();
  return {
    host,
    stateDir: stateDirectory(process.env),
    openRecord: openCopyRecord,
    dropCache,
    hostNames: async () => ({
      host: hostname(),
      bootId: readFileSync(BOOT_ID_PATH, "utf8").trim(),
    }),
    openSource: openSyncSource,
    openTarget: openSyncTarget,
    findUsers: async (path) => {
      // First who is about to be a user: afterwards he is one, and has no claim any more.
      const claims = await findClaims(host, path);
      const users = await findDeviceUsers(host, path);
      // A guest that is saved has it until its image waits: whoever is not seen as the one is seen as the other.
      return [...claims, ...users, ...(await findWaiting(host, path))];
    },
    sameDevice,
    async fileRoom(path) {
      try {
        const [{ bavail, bsize }, { blocks }] = await Promise.all([statfs(path), stat(path)]);
        return { freeBytes: bavail * bsize, allocatedBytes: blocks * 512 };
      } catch (error) {
        throw ioFailure([path], "look at", errnoOf(error), error);
      }
    },
    yieldToOthers,
  };
}
