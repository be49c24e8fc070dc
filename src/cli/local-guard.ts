import { readCopyState } from "../guest/sync/copy-state.ts";
import type { GuardPorts } from "../guest/guard/disk-guard.ts";
import type { Host } from "../host/host.ts";
import { imagesThatWait } from "../guest/guard/waiting-disks.ts";
import { readReaches } from "../host/local/block-graph.ts";
import { findDeviceUsers } from "../host/local/device-users.ts";
import type { Records } from "../host/records.ts";

/** What decides whether a disk may be given to a guest, on this machine. */
export function localGuard(host: Host, records: Pick<Records, "images">): GuardPorts {
  return {
    findUsers: (path) => findDeviceUsers(host, path),
    copyState: (path) => readCopyState(host, path),
    reachesOf: (paths) => readReaches(host, paths),
    waitingImages: () => imagesThatWait(host, records),
  };
}
