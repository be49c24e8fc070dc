/** A disk of this machine as the destination of a copy. */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { ioFailure, misuse, missing } from "../../base/failure.ts";
import { assertInside } from "../../base/range.ts";
import { MIB, sizeText } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";
import type { SyncTarget } from "../../sync/device.ts";
import { describeBlock } from "./block.ts";
import { diskIdentity } from "./device-identity.ts";
import { findDisk } from "./disk-path.ts";
import { errnoOf } from "./errno.ts";
import { openSegmentTagger } from "./segment-tagger.ts";

export type OpenedTarget = SyncTarget &
  AsyncDisposable & {
    readonly kind: "file" | "block-device";
    /** As resolved: `vg/lv` is /dev/vg/lv. */
    readonly path: string;
    /** 32 bytes, see "Identity" in docs/design/sync-protocol.md. */
    readonly identity: Uint8Array;
    /** It was not there before. */
    readonly created: boolean;
  };

export type TargetOptions = {
  /** Nothing is there: a sparse file of this size is made. Absent: that is `missing`. */
  readonly createBytes?: number;
  /**
   * Of the source. A device has to be as large; a file becomes exactly as long: it grows when it is opened, what lies
   * behind is cut off by the first flush.
   */
  readonly sizeBytes?: number;
};

/**
 * Opens `name`, a path or `vg/lv`, to be written. A block device is claimed as mounting claims it: the kernel refuses (`io`
 * with EBUSY) when it, a part of it or the disk around it is mounted, swap, or held by LVM, md or dm, and lets nobody else
 * claim it meanwhile. It does not know of processes and guests that only have it open: see device-users.ts.
 */
export async function openSyncTarget(
  name: string,
  options: TargetOptions = {},
): Promise<OpenedTarget> {
  const found = await findDisk(name);
  const { createBytes, sizeBytes } = options;
  if (!found && createBytes === undefined)
    throw missing([name], "such disk", "Look at the name, or let a new file be made.");
  const path = found?.path ?? name;
  const kind = found?.kind ?? "file";
  const where = [path];
  const flags = found
    ? kind === "block-device"
      ? constants.O_RDWR | constants.O_EXCL
      : constants.O_RDWR
    : constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
  const handle = await open(path, flags | constants.O_NONBLOCK, 0o600).catch((error) => {
    throw ioFailure(where, found ? "open for writing" : "create", errnoOf(error), error);
  });
  try {
    if (kind === "file") await setSize(handle, where, found ? sizeBytes : createBytes);
    const device = await describeBlock(handle, where);
    if (sizeBytes !== undefined && device.size < sizeBytes)
      throw misuse(
        `${path} is too small: it has ${sizeText(device.size)} (${device.size} bytes), the source ${sizeText(sizeBytes)} (${sizeBytes} bytes).`,
        "Make it larger (lvextend for a logical volume), or name another destination.",
      );
    const size = kind === "file" ? (sizeBytes ?? device.size) : device.size;
    const stats = await handle.stat({ bigint: true });
    return {
      kind,
      path,
      where,
      size,
      created: !found,
      identity: await diskIdentity({ stats, sizeBytes: size }),
      read: (offset, length, signal, into) => device.read(offset, length, signal, into),
      openTagger: (key) => openSegmentTagger({ fd: handle.fd, key, where }),
      ...writing(handle, where, size),
      [Symbol.asyncDispose]: () => device[Symbol.asyncDispose](),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function setSize(
  handle: FileHandle,
  where: Where,
  sizeBytes: number | undefined,
): Promise<void> {
  const { size } = await handle.stat();
  if (sizeBytes === undefined || size >= sizeBytes) return;
  await handle.truncate(sizeBytes).catch((error) => {
    throw ioFailure(where, `make it ${sizeBytes} bytes long`, errnoOf(error), error);
  });
}

function writing(handle: FileHandle, where: Where, size: number) {
  const write = async (offset: number, bytes: Uint8Array) => {
    assertInside(where, size, { offset, length: bytes.length });
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await handle
        .write(bytes, done, bytes.length - done, offset + done)
        .catch((error) => {
          const op = `write ${bytes.length} bytes at byte ${offset}`;
          throw ioFailure(where, op, errnoOf(error), error);
        });
      done += bytesWritten;
    }
  };
  return {
    write,
    async zero(offset: number, length: number) {
      assertInside(where, size, { offset, length });
      for (let done = 0; done < length; done += ZEROES.length)
        await write(offset + done, ZEROES.subarray(0, Math.min(ZEROES.length, length - done)));
    },
    async flush() {
      const stats = await handle.stat();
      try {
        if (stats.isFile() && stats.size > size) await handle.truncate(size);
        await handle.sync();
      } catch (error) {
        throw ioFailure(where, "flush", errnoOf(error), error);
      }
    },
  };
}

const ZEROES = new Uint8Array(MIB);
