/**
 * What the system says of a disk: who it is, and how much was written to it. All that this host still has to write is flushed
 * before, and what it has read of a device is forgotten (docs/design/fingerprint.md, "Reading what is there").
 */
import { constants } from "node:fs";
import type { BigIntStats } from "node:fs";
import { open, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { attempt, ioFailure, unsupported } from "../../base/failure.ts";
import type { DeviceCounter, DiskObservation, DiskWrites, FileTimes } from "../disk-observation.ts";
import { readBootId } from "./boot-id.ts";
import { deviceNumber, diskIdentity } from "./device-identity.ts";
import { errnoOf } from "./errno.ts";
import { readText } from "./read-text.ts";
import { runLocal } from "./run.ts";
import { settledStats } from "./target-witness.ts";
import { countsWrites, writtenSectors } from "./write-counters.ts";

/** `io` when it cannot be opened or flushed, `unsupported` when it is no disk. */
export async function observeLocalDisk(
  path: string,
  { settle = true }: { readonly settle?: boolean } = {},
): Promise<DiskObservation> {
  // O_NONBLOCK: opening a FIFO or an empty CD-ROM drive must not wait for anybody.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error) => {
    throw ioFailure([path], "open", errnoOf(error), error);
  });
  try {
    const stats = await handle.stat({ bigint: true });
    if (stats.isFile()) {
      if (settle) await flush(handle, path);
      const identity = await identityOf(stats, Number(stats.size));
      const file = await fileTimes(path, settle);
      return { identity, ...(file && { writes: { bootId: "", counters: [], file } }) };
    }
    if (!stats.isBlockDevice())
      throw unsupported([path], "a disk that is neither a file nor a block device");
    if (settle) {
      await flush(handle, path);
      // Without the right to do that (CAP_SYS_ADMIN) it stays; who reads guests' disks is root.
      await attempt(() => runLocal(["blockdev", "--flushbufs", path]));
    }
    const sys = `/sys/dev/block/${deviceNumber(stats.rdev)}`;
    const sizeBytes = Number((await readText(`${sys}/size`)) ?? 0) * 512;
    const writes = await deviceWrites(path, sys, settle);
    return { identity: await identityOf(stats, sizeBytes), ...(writes && { writes }) };
  } finally {
    await handle.close();
  }
}

/** What is in this host's memory would reach the disk later, and count then. */
async function flush(handle: FileHandle, path: string): Promise<void> {
  await handle.sync().catch((error) => {
    const errno = errnoOf(error);
    // There is nothing to flush on what is read-only.
    if (errno !== "EINVAL" && errno !== "EROFS") throw ioFailure([path], "flush", errno, error);
  });
}

async function identityOf(stats: BigIntStats, sizeBytes: number): Promise<string> {
  return Buffer.from(await diskIdentity({ stats, sizeBytes })).toString("hex");
}

async function fileTimes(path: string, settle: boolean): Promise<FileTimes | undefined> {
  const first = await stat(path, { bigint: true }).catch((error) => {
    throw ioFailure([path], "look at", errnoOf(error), error);
  });
  const stats = settle ? await settledStats(path, first) : first;
  if (!stats?.isFile()) return undefined;
  return {
    inode: String(stats.ino),
    sizeBytes: String(stats.size),
    mtimeNs: String(stats.mtimeNs),
    ctimeNs: String(stats.ctimeNs),
  };
}

/** Undefined where something is missing without which the rest says nothing. */
async function deviceWrites(
  path: string,
  sys: string,
  settle: boolean,
): Promise<DiskWrites | undefined> {
  const isPartition = (await readText(`${sys}/partition`)) !== undefined;
  const disk = isPartition ? `${sys}/..` : sys;
  if (!(await countsWrites(path, sys, disk))) return undefined;
  const own = await counterOf(sys, disk);
  // Through the disk around it anybody can write to a partition.
  const around = isPartition ? await counterOf(disk, disk) : undefined;
  const bootId = readBootId();
  if (bootId === undefined || own === undefined || (isPartition && !around)) return undefined;
  const behind = await readText(`${sys}/loop/backing_file`);
  const counters = around ? [own, around] : [own];
  if (behind === undefined) return { bootId, counters };
  const file = await attempt(() => fileTimes(behind, settle));
  // The file of a loop device may have been deleted, or be beyond a mount that is not seen here: then it can be written unseen.
  return file.ok && file.value ? { bootId, counters, file: file.value } : undefined;
}

async function counterOf(sys: string, disk: string): Promise<DeviceCounter | undefined> {
  const [device, diskseq, counters] = await Promise.all([
    readText(`${sys}/dev`),
    readText(`${disk}/diskseq`),
    readText(`${sys}/stat`),
  ]);
  const [sectorsWritten, sectorsDiscarded] = writtenSectors(counters)?.split("+") ?? [];
  if (!device || !diskseq || !sectorsWritten || !sectorsDiscarded) return undefined;
  return { device, diskseq, sectorsWritten, sectorsDiscarded };
}
