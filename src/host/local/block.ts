/** Devices and image files of this machine, read-only. */
import { constants, readFile } from "node:fs";
import { promisify } from "node:util";
import { ioFailure, unsupported } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import { assertInside } from "../../base/range.ts";
import type { BlockDevice } from "../../disk/source.ts";
import { inheritedDescriptor, openDescriptor } from "./descriptor.ts";
import type { Descriptor } from "./descriptor.ts";
import { errnoOf } from "./errno.ts";

/** Opens `path` for reading. `io` when it cannot be opened, `unsupported` when it is no disk at all. */
export async function openLocalBlock(path: string, where: Where): Promise<BlockDevice> {
  // O_NONBLOCK: opening a FIFO or an empty CD-ROM drive must not wait for anybody.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const handle = await openDescriptor(path, flags).catch((error) => {
    throw ioFailure(where, "open", errnoOf(error), error);
  });
  return describeBlock(handle, where);
}

/** A disk that another process has opened for this one. The descriptor stays open. */
export function openInheritedBlock(fd: number, where: Where): Promise<BlockDevice> {
  return describeBlock(inheritedDescriptor(fd), where);
}

/** What `handle` reads, as a disk; it is closed with it, and when it is none. */
export async function describeBlock(handle: Descriptor, where: Where): Promise<BlockDevice> {
  try {
    const stats = await handle.stat();
    if (stats.isDirectory()) throw unsupported(where, "a directory as a disk");
    if (stats.isBlockDevice())
      return blockDevice(handle, where, await readGeometry(stats.rdev, where));
    if (stats.isFile()) {
      const { size, mtimeMs: modifiedMs } = stats;
      return blockDevice(handle, where, { size, blockSize: 512, modifiedMs });
    }
    throw unsupported(where, "a disk that is neither a file nor a block device");
  } catch (error) {
    await handle.close();
    throw error;
  }
}

type Geometry = {
  readonly size: number;
  readonly blockSize: number;
  readonly readOnly?: boolean;
  readonly modifiedMs?: number;
};

/**
 * From sysfs, because st_size of a device is 0 and there is no ioctl in Node. `size` counts 512-byte units
 * whatever the sector size is (Documentation/ABI/stable/sysfs-block).
 */
async function readGeometry(rdev: number, where: Where): Promise<Geometry> {
  const major = Math.floor(rdev / 256) % 4096;
  const minor = (rdev % 256) + Math.floor(rdev / 0x100000) * 256;
  const dir = `/sys/dev/block/${major}:${minor}`;
  const number = async (file: string) => Number((await promisify(readFile)(file, "utf8")).trim());
  try {
    const size = (await number(`${dir}/size`)) * 512;
    // A partition has no queue of its own: its disk's is one level up.
    const blockSize = await number(`${dir}/queue/logical_block_size`).catch(() =>
      number(`${dir}/../queue/logical_block_size`),
    );
    const readOnly = (await number(`${dir}/ro`).catch(() => 0)) === 1;
    return { size, blockSize, readOnly };
  } catch (error) {
    throw ioFailure(where, "find the size", errnoOf(error), error);
  }
}

function blockDevice(handle: Descriptor, where: Where, geometry: Geometry): BlockDevice {
  const { size, blockSize, readOnly, modifiedMs } = geometry;
  const device: BlockDevice = {
    size,
    blockSize,
    ...(readOnly && { readOnly }),
    ...(modifiedMs !== undefined && { modifiedMs }),
    where,
    async read(offset, length, signal, into) {
      assertInside(where, size, { offset, length });
      signal?.throwIfAborted();
      const out = into?.length === length ? into : new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const got = await handle.read(out, done, length - done, offset + done).catch((error) => {
          throw ioFailure(where, `read ${length} bytes at byte ${offset}`, errnoOf(error), error);
        });
        // The device shrank under us: an I/O failure, because the size was right when it was opened.
        if (got.bytesRead === 0) {
          throw ioFailure(where, `read ${length} bytes at byte ${offset}`, "unexpected end");
        }
        done += got.bytesRead;
      }
      return out;
    },
    async *extents() {
      if (size > 0) yield { offset: 0, length: size };
    },
    async [Symbol.asyncDispose]() {
      await handle.close();
    },
  };
  return device;
}
