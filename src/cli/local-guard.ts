import { readCopyState } from "../guest/sync/copy-state.ts";
import type { GuardPorts } from "../guest/guard/disk-guard.ts";
import type { Host } from "../host/host.ts";
import { findDeviceUsers, readDiskReach } from "../host/local/device-users.ts";

/** What decides whether a disk may be given to a guest, on this machine. */
export function localGuard(host: Host): GuardPorts {
  return {
    findUsers: (path) => findDeviceUsers(host, path),
    copyState: (path) => readCopyState(host, path),
    reachOf: (path) => readDiskReach(host, path),
  };
}
