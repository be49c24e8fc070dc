/** Ports over disks in memory, for sessions in one process. */
import { ioFailure, missing } from "../../../../src/base/failure.ts";
import type { SyncPorts } from "../../../../src/guest/sync/ports.ts";
import type { SyncRequest } from "../../../../src/guest/sync/sync-disks.ts";
import type { Host } from "../../../../src/host/host.ts";
import type { DeviceUser } from "../../../../src/host/local/device-users.ts";
import { newKey } from "../../../../src/sync/digests.ts";
import { memoryDevice } from "../../sync/memory-device.ts";

export type Machine = {
  readonly disks: Map<string, Uint8Array>;
  readonly users?: () => readonly DeviceUser[];
  /** Opening this one for writing fails. */
  readonly unwritable?: string;
  /** Somebody writes to all of them. */
  readonly changing?: boolean;
};

const NO_HOST = {
  name: "test",
  live: false,
  list: () => Promise.reject(missing(["test"], "directory")),
  realPath: (path: string) => Promise.resolve(path),
  openBlock: (path: string) => Promise.reject(missing([path], "file")),
} as unknown as Host;

export function portsOf(
  { disks, users, unwritable, changing }: Machine,
  bootId: string,
): SyncPorts {
  const open = (path: string) => {
    const bytes = disks.get(path);
    if (!bytes) throw missing([path], "such disk");
    const identity = new Uint8Array(32).fill(bytes.length % 251);
    identity.set(Buffer.from(bootId + path).subarray(0, 32));
    return {
      ...memoryDevice(bytes),
      ...{ kind: "file" as const, path, where: [path], identity, created: false },
      isChanged: async () => changing,
      async [Symbol.asyncDispose]() {},
    };
  };
  return {
    host: NO_HOST,
    stateDir: "/nowhere",
    hostNames: async () => ({ host: "test", bootId }),
    openSource: async (path) => open(path),
    async openTarget(path, { createBytes }) {
      if (path === unwritable) throw ioFailure([path], "open for writing", "EACCES");
      if (createBytes !== undefined) disks.set(path, new Uint8Array(createBytes));
      return open(path);
    },
    openRecord: async () => ({
      ...{ state: "none", path: "", key: newKey(), knownSegments: 0, unchanged: false },
      async begin() {},
      async finish() {},
      async [Symbol.asyncDispose]() {},
    }),
    findUsers: async () => users?.() ?? [],
    sameDevice: async (one, other) => one === other,
    fileRoom: async () => ({}),
    dropCache: async () => true,
    yieldToOthers: async () => {},
  };
}

export const REQUEST: SyncRequest = {
  source: { path: "/a" },
  destination: { host: "hostb", path: "/b" },
  ...{ dryRun: false, checkOnly: false, allBlocks: true, shutDown: false },
  ...{ keepIndex: false, full: false, verify: false, nice: false },
  ...{ ssh: ["ssh"], farDomus: "domus", bootstrap: false, timeoutSeconds: 60, bytesPerSecond: 0 },
};
