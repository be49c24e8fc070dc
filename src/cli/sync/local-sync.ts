/** What copies of disks use of this machine: the real ones behind the ports of guest/sync. */
import { readFileSync } from "node:fs";
import { stat, statfs } from "node:fs/promises";
import { Socket } from "node:net";
import { hostname } from "node:os";
import { ioFailure, misuse } from "../../base/failure.ts";
import type { Far, FarOptions, SyncPorts } from "../../guest/sync/ports.ts";
import { openCopyRecord } from "../../host/local/copy-record.ts";
import { stateDirectory } from "../../host/local/copy-record-place.ts";
import { dropCache } from "../../host/local/drop-cache.ts";
import { findDeviceUsers, sameDevice } from "../../host/local/device-users.ts";
import { errnoOf } from "../../host/local/errno.ts";
import { ownCommand, startFar } from "../../host/local/far-process.ts";
import { localHost } from "../../host/local/local-host.ts";
import { PipeReader } from "../../host/local/pipe-reader.ts";
import { openSyncSource } from "../../host/local/sync-source.ts";
import { openSyncTarget } from "../../host/local/sync-target.ts";
import { yieldToOthers } from "../../host/local/yield.ts";
import type { Channel } from "../../sync/channel.ts";
import { streamChannel } from "../../sync/stream-channel.ts";

export function localSyncPorts(): SyncPorts {
  const host = localHost();
  return {
    host,
    stateDir: stateDirectory(process.env),
    openRecord: openCopyRecord,
    dropCache,
    hostNames: async () => ({
      host: hostname(),
      bootId: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
    }),
    openSource: openSyncSource,
    openTarget: openSyncTarget,
    findUsers: (path) => findDeviceUsers(host, path),
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

/** Starts the far side: over ssh when there is a host, else as another process of ours. */
export async function connectFar(options: FarOptions): Promise<Far> {
  const { host, ssh, domus, timeoutSeconds } = options;
  const argv =
    host === undefined
      ? [...ownCommand(), "sync", "--serve"]
      : [
          ...ssh,
          "-T",
          "-o",
          `ConnectTimeout=${timeoutSeconds}`,
          "-o",
          `ServerAliveInterval=${Math.max(1, Math.floor(timeoutSeconds / 3))}`,
          "--",
          host,
          `${domus} sync --serve`,
        ];
  const { child, ended, kill } = await startFar(argv, host === undefined);
  const where = [host ?? "the other process"];
  const channel = streamChannel({ input: child.stdout, output: child.stdin, where });
  return { channel, ended, kill };
}

/** Our own stdin and stdout as the channel of the far side. */
export function servedChannel(): Channel {
  try {
    const where = ["the near side"];
    const reader = new PipeReader(0, where);
    // Not process.stdout: Node writes to a pipe there without letting anything else go on.
    const output = new Socket({ fd: 1, readable: false, writable: true });
    const channel = streamChannel({ input: reader.socket, output, where });
    return { ...channel, read: () => reader.read() };
  } catch (error) {
    if (errnoOf(error) !== "ERR_INVALID_FD_TYPE") throw error;
    throw misuse(
      "--serve is spoken over a pipe, not by hand.",
      "domus sync SRC HOST:DST starts it at the other end by itself.",
    );
  }
}
