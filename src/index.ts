/** domus as a library: copying disks, from and to anything that can be read (docs/howto/copy-a-disk.md, "From a program"). */
import { randomBytes } from "node:crypto";
import { connectFar } from "./cli/sync/connect-far.ts";
import { localSyncPorts } from "./cli/sync/local-sync.ts";
import { parseEnd } from "./cli/sync/sync-arguments.ts";
import { VERSION } from "./cli/version.ts";
import type { GivenEnd } from "./guest/sync/given-end.ts";
import { syncDisks } from "./guest/sync/sync-disks.ts";
import type { SyncOutcome, SyncRequest, SyncWorld } from "./guest/sync/sync-disks.ts";
import type { CopyRecord, SyncSource, SyncTarget } from "./sync/device.ts";

export { FailureError } from "./base/failure.ts";
export type { Failure } from "./base/failure.ts";
export { explainFailure } from "./base/explain.ts";
export type { SyncDone, SyncOutcome, StartedRun } from "./guest/sync/sync-disks.ts";
export type { SyncPlan } from "./guest/sync/plan.ts";
export type { SyncCounters } from "./sync/counters.ts";
export type { CopyRecord, SyncSource, SyncTarget } from "./sync/device.ts";

/** A source of your own. The same source has the same identity, 32 bytes; without one it is another one each time. */
export type OwnSource = SyncSource & { readonly identity?: Uint8Array };

/** A destination of your own, of the size that it is told. */
export type OwnTarget = {
  readonly open: (sizeBytes: number) => Promise<SyncTarget> | SyncTarget;
  /** What keeps the copy from being taken for whole before it is. */
  readonly record?: CopyRecord;
};

export type SyncOptions = Partial<Omit<SyncRequest, "source" | "destination">> &
  Pick<Partial<SyncWorld>, "signal" | "onPlan" | "onRun"> & {
    /** As behind `domus sync`: a path, `vg/lv`, `host:path`; or your own. */
    readonly source: string | OwnSource;
    readonly destination: string | OwnTarget;
  };

/**
 * Makes `destination` equal to `source`, as `domus sync` does, and resolves when both sides have agreed that it is. Starts one
 * process for the other side, here or over ssh. Rejects with a `FailureError`: its `failure.kind` is `refused` when going
 * on could have lost data; `explainFailure` has words for it. When `signal` aborts, it rejects with the signal's reason.
 */
export function sync(options: SyncOptions): Promise<SyncOutcome> {
  const { source, destination, signal, onPlan, onRun, ...others } = options;
  const given = givenOf(source, destination);
  const request: SyncRequest = {
    ...DEFAULTS,
    ...others,
    source: typeof source === "string" ? parseEnd(source) : { path: source.where.join(" > ") },
    destination: typeof destination === "string" ? parseEnd(destination) : { path: "destination" },
  };
  return syncDisks(request, {
    ports: localSyncPorts(),
    connect: connectFar,
    program: `domus ${VERSION}`,
    signal: signal ?? new AbortController().signal,
    ...(given && { given }),
    ...(onPlan && { onPlan }),
    ...(onRun && { onRun }),
  });
}

function givenOf(
  source: string | OwnSource,
  destination: string | OwnTarget,
): GivenEnd | undefined {
  if (typeof source !== "string" && typeof destination !== "string")
    throw new TypeError("one of source and destination has to be a name");
  if (typeof source !== "string")
    return {
      role: "source",
      open: () => source,
      identity: source.identity ?? randomBytes(32),
    };
  return typeof destination === "string" ? undefined : { role: "destination", ...destination };
}

const DEFAULTS: Omit<SyncRequest, "source" | "destination"> = {
  dryRun: false,
  ssh: ["ssh"],
  farDomus: "domus",
  bootstrap: false,
  timeoutSeconds: 60,
  bytesPerSecond: 0,
  nice: false,
  checkOnly: false,
  allBlocks: false,
  shutDown: false,
  keepIndex: false,
  full: false,
  verify: false,
};
