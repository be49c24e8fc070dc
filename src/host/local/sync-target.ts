/** A disk of this machine as the destination of a copy (docs/design/sync-engine.md, "The local device"). */
import { open, unlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { ioFailure, misuse, missing, refused, unsupported } from "../../base/failure.ts";
import { assertInside } from "../../base/range.ts";
import { MIB, sizeText } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";
import type { BlockDevice } from "../../disk/source.ts";
import type { SegmentTagger, SyncTarget } from "../../sync/device.ts";
import { describeBlock } from "./block.ts";
import { claimDisk } from "./claim-disk.ts";
import { deviceNumber, diskIdentity } from "./device-identity.ts";
import { findDisk } from "./disk-path.ts";
import { DiskWriter } from "./disk-writer.ts";
import { DiskZeroing } from "./disk-zeroing.ts";
import { errnoOf } from "./errno.ts";
import { allHole, readHoleMap } from "./hole-map.ts";
import type { HoleMap } from "./hole-map.ts";
import { RangeHelper } from "./range-helper.ts";
import { runLocal } from "./run.ts";
import { TagThread } from "./segment-tagger.ts";
import { readThinVolume } from "./thin-volume.ts";

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
   * behind is cut off by `flush`.
   */
  readonly sizeBytes?: number;
};

/**
 * Opens `name`, a path or `vg/lv`, to be written. `refused` when it is too small, or when somebody has claimed it: see
 * claim-disk.ts. That does not tell of processes and guests which only have it open: see device-users.ts.
 *
 * Writes and zeroes may still be on their way when they resolve: reading the range, tags of it and `flush` wait for them, and
 * fail when they have failed (ENOSPC, EIO: `io`). From the first failure on everything fails.
 */
export async function openSyncTarget(
  name: string,
  options: TargetOptions = {},
): Promise<OpenedTarget> {
  const found = await findDisk(name);
  const { createBytes, sizeBytes } = options;
  if (!found) assertMayCreate(name, createBytes);
  const { path, kind } = found ?? { path: name, kind: "file" as const };
  const handle = await claimDisk({ path, kind, create: !found });
  try {
    if (kind === "file") await grow(handle, [path], found ? sizeBytes : createBytes);
    const device = await describeBlock(handle, [path]);
    if (device.readOnly) throw readOnly(path);
    const size = kind === "file" ? (sizeBytes ?? device.size) : device.size;
    if (sizeBytes !== undefined && device.size < sizeBytes) throw tooSmall(path, device, sizeBytes);
    const stats = await handle.stat({ bigint: true });
    const thin = kind === "file" ? undefined : await thinVolume([path], stats.rdev);
    const holes = found ? await holesOf(handle, path, device.size) : allHole(size);
    const disk = new LocalDisk({
      handle,
      device,
      kind,
      size,
      holes,
      discardsToZero: thin !== undefined,
    });
    return {
      kind,
      path,
      where: [path],
      size,
      created: !found,
      identity: await diskIdentity({ stats, sizeBytes: size }),
      read: (offset, length, signal, into) => disk.read(offset, length, signal, into),
      readsAsZero: (offset, length) => disk.readsAsZero(offset, length),
      openTagger: (key) => disk.openTagger(key),
      write: (offset, bytes) => disk.write(offset, bytes),
      zero: (offset, length) => disk.zero(offset, length),
      flush: () => disk.flush(found ? undefined : dirname(path)),
      [Symbol.asyncDispose]: () => disk.close(),
    };
  } catch (error) {
    await handle.close();
    // It is empty, and nobody else made it.
    if (!found) await unlink(path).catch(() => {});
    throw error;
  }
}

function assertMayCreate(name: string, createBytes: number | undefined): void {
  const next = "Look at the name. lvs shows logical volumes; lvcreate makes one.";
  if (createBytes === undefined) throw missing([name], "such disk", next);
  // A wrong name of a device would fill the memory that /dev is in.
  if (/^\/(dev\/(?!shm\/)|proc\/|sys\/|run\/)/.test(name))
    throw misuse(`${name} is not there, and no file is made in that place.`, next);
}

async function grow(handle: FileHandle, where: Where, sizeBytes: number | undefined) {
  const { size } = await handle.stat();
  if (sizeBytes === undefined || size >= sizeBytes) return;
  await handle.truncate(sizeBytes).catch((error) => {
    throw ioFailure(where, `make it ${sizeBytes} bytes long`, errnoOf(error), error);
  });
}

/** The kernel lets it be opened, and refuses to write. */
function readOnly(path: string) {
  return refused([path], {
    what: `${path} is read-only: nothing was written.`,
    why: "The kernel lets nobody write to this device.",
    next: "Name another destination, or let it be written: lvchange --permission rw VG/LV, blockdev --setrw DEVICE.",
  });
}

function tooSmall(path: string, { size }: BlockDevice, sizeBytes: number) {
  return refused([path], {
    what: `${path} is too small: nothing was written.`,
    why: `It has ${sizeText(size)} (${size} bytes), the source ${sizeText(sizeBytes)} (${sizeBytes} bytes).`,
    next: "Make it larger (lvextend for a logical volume), or name another destination.",
  });
}

/** `unsupported` when what is written to a part of the volume can make old bytes appear elsewhere. */
async function thinVolume(where: Where, rdev: bigint) {
  const thin = await readThinVolume({ run: runLocal }, deviceNumber(rdev));
  if (thin?.zeroesNewBlocks === false)
    throw unsupported(
      where,
      "a thin pool that does not zero new blocks (lvchange --zero y VG/POOL changes that)",
    );
  return thin;
}

async function holesOf(handle: FileHandle, path: string, sizeBytes: number) {
  const stats = await handle.stat();
  return stats.isFile() ? readHoleMap({ fd: handle.fd, path, sizeBytes }) : undefined;
}

type DiskParts = {
  readonly handle: FileHandle;
  readonly device: BlockDevice;
  readonly kind: "file" | "block-device";
  readonly size: number;
  readonly holes: HoleMap | undefined;
  readonly discardsToZero: boolean;
};

class LocalDisk {
  readonly #parts: DiskParts;
  readonly #writer: DiskWriter;
  readonly #helper: RangeHelper;
  readonly #zeroing: DiskZeroing;
  readonly #threads = new TagThread({ ahead: true });
  /** A bit for each MiB that something was written to: what the hole map says of it is over. */
  readonly #touched: Uint8Array;

  constructor(parts: DiskParts) {
    const { handle, device, kind, discardsToZero } = parts;
    const opened = { fd: handle.fd, where: device.where };
    this.#parts = parts;
    this.#writer = new DiskWriter(opened);
    this.#helper = new RangeHelper(opened);
    this.#zeroing = new DiskZeroing({
      kind,
      discardsToZero,
      disk: device,
      writer: this.#writer,
      helper: this.#helper,
    });
    this.#touched = new Uint8Array(parts.holes ? Math.ceil(parts.size / MIB / 8) : 0);
  }

  async read(offset: number, length: number, signal?: AbortSignal, into?: Uint8Array) {
    if (this.#writer.isPending(offset, length)) await this.#writer.settled();
    return this.#parts.device.read(offset, length, signal, into);
  }

  readsAsZero(offset: number, length: number): boolean {
    const { holes } = this.#parts;
    if (!holes?.covers(offset, length)) return false;
    for (let unit = Math.floor(offset / MIB); unit * MIB < offset + length; unit++)
      if ((this.#touched[unit >>> 3]! >>> (unit & 7)) & 1) return false;
    return true;
  }

  openTagger(key: Uint8Array): SegmentTagger {
    const { handle, device } = this.#parts;
    const tagger = this.#threads.open({ fd: handle.fd, key, where: device.where });
    return {
      tags: async (segments) => {
        if (segments.some(({ offset, length }) => this.#writer.isPending(offset, length)))
          await this.#writer.settled();
        return tagger.tags(segments);
      },
      close: () => tagger.close(),
    };
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#touch(offset, bytes.length);
    await this.#writer.write(offset, bytes);
  }

  async zero(offset: number, length: number): Promise<void> {
    if (this.readsAsZero(offset, length)) return;
    this.#touch(offset, length);
    await this.#zeroing.zero(offset, length);
  }

  #touch(offset: number, length: number): void {
    const { device, size, holes } = this.#parts;
    assertInside(device.where, size, { offset, length });
    if (!holes) return;
    for (let unit = Math.floor(offset / MIB); unit * MIB < offset + length; unit++)
      this.#touched[unit >>> 3]! |= 1 << (unit & 7);
  }

  /** Also the name of a file that was made, which `directory` has. */
  async flush(directory?: string): Promise<void> {
    const { handle, kind, size, device } = this.#parts;
    await this.#writer.settled();
    try {
      if (kind === "file" && (await handle.stat()).size > size) await handle.truncate(size);
      await handle.sync();
      if (directory === undefined) return;
      await using parent = await open(directory, "r");
      await parent.sync();
    } catch (error) {
      throw ioFailure(device.where, "flush", errnoOf(error), error);
    }
  }

  async close(): Promise<void> {
    await this.#writer.close();
    await this.#helper.close();
    await this.#threads[Symbol.asyncDispose]();
    await this.#parts.device[Symbol.asyncDispose]();
  }
}
