/** A disk of this machine as the source of a copy (docs/design/sync-engine.md, "The local device"). */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { attempt, ioFailure } from "../../base/failure.ts";
import type { SyncSource } from "../../sync/device.ts";
import { describeBlock } from "./block.ts";
import { diskIdentity } from "./device-identity.ts";
import { resolveDisk } from "./disk-path.ts";
import { errnoOf } from "./errno.ts";
import { readHoleMap } from "./hole-map.ts";
import { runLocal } from "./run.ts";
import { TagThread } from "./segment-tagger.ts";
import { readTargetWitness } from "./target-witness.ts";

export type OpenedSource = SyncSource &
  AsyncDisposable & {
    readonly kind: "file" | "block-device";
    /** As resolved: `vg/lv` is /dev/vg/lv. */
    readonly path: string;
    /** 32 bytes, see "Identity" in docs/design/sync-protocol.md. */
    readonly identity: Uint8Array;
    /**
     * Whether somebody wrote to it since it was opened, as far as the kernel counts that; undefined when it does not. What was
     * read may then be of different times.
     */
    isChanged(): Promise<boolean | undefined>;
  };

export type SourceOptions = {
  /** Whether to find out what need not be read, of a file with holes. Default true. */
  readonly holes?: boolean;
};

/**
 * Opens `name`, a path or `vg/lv`. `missing` when it is not there, `misuse` when it is no disk, `io` when it cannot be
 * opened.
 */
export async function openSyncSource(
  name: string,
  options: SourceOptions = {},
): Promise<OpenedSource> {
  const { path, kind } = await resolveDisk(name);
  const where = [path];
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error) => {
    throw ioFailure(where, "open", errnoOf(error), error);
  });
  const device = await describeBlock(handle, where);
  const threads = new TagThread({ ahead: options.holes !== false });
  try {
    if (kind === "block-device") await dropCache(path);
    const stats = await handle.stat({ bigint: true });
    const before = await readTargetWitness(path);
    const sizeBytes = device.size;
    const holes =
      kind === "file" && options.holes !== false
        ? await readHoleMap({ fd: handle.fd, path, sizeBytes })
        : undefined;
    return {
      kind,
      path,
      where,
      size: sizeBytes,
      identity: await diskIdentity({ stats, sizeBytes }),
      read: (offset, length, signal, into) => device.read(offset, length, signal, into),
      ...(holes && { readsAsZero: (offset, length) => holes.covers(offset, length) }),
      openTagger: (key) => threads.open({ fd: handle.fd, key, where }),
      async isChanged() {
        // What is written through the page cache of a device counts when it leaves it.
        if (kind === "block-device") await handle.sync();
        const now = await readTargetWitness(path);
        return before === "" || now === "" ? undefined : before !== now;
      },
      async [Symbol.asyncDispose]() {
        await threads[Symbol.asyncDispose]();
        await device[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await threads[Symbol.asyncDispose]();
    await handle.close();
    throw error;
  }
}

/**
 * What a guest writes goes past the page cache of its device in dom0. The kernel drops that cache when nobody has the device open
 * any more, but a guest that runs has it open: what was read of it yesterday would be read again. Without the right to
 * do that (CAP_SYS_ADMIN) it stays as it is.
 */
async function dropCache(path: string): Promise<void> {
  await attempt(() => runLocal(["blockdev", "--flushbufs", path]));
}
