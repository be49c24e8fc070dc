/** A disk of this machine as the source of a copy. */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { ioFailure } from "../../base/failure.ts";
import type { SyncSource } from "../../sync/device.ts";
import { describeBlock } from "./block.ts";
import { diskIdentity } from "./device-identity.ts";
import { resolveDisk } from "./disk-path.ts";
import { errnoOf } from "./errno.ts";
import { openSegmentTagger } from "./segment-tagger.ts";

export type OpenedSource = SyncSource &
  AsyncDisposable & {
    readonly kind: "file" | "block-device";
    /** As resolved: `vg/lv` is /dev/vg/lv. */
    readonly path: string;
    /** 32 bytes, see "Identity" in docs/design/sync-protocol.md. */
    readonly identity: Uint8Array;
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
  _options: SourceOptions = {},
): Promise<OpenedSource> {
  const { path, kind } = await resolveDisk(name);
  const where = [path];
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error) => {
    throw ioFailure(where, "open", errnoOf(error), error);
  });
  const device = await describeBlock(handle, where);
  const stats = await handle.stat({ bigint: true });
  return {
    kind,
    path,
    where,
    size: device.size,
    identity: await diskIdentity({ stats, sizeBytes: device.size }),
    read: (offset, length, signal, into) => device.read(offset, length, signal, into),
    openTagger: (key) => openSegmentTagger({ fd: handle.fd, key, where }),
    [Symbol.asyncDispose]: () => device[Symbol.asyncDispose](),
  };
}
