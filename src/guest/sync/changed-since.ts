/**
 * What changed on a device since a snapshot that a copy was made equal to: so that the next run need not read the rest.
 * Why that is right, and when it is not: docs/design/changed-blocks.md.
 */
import { FailureError } from "../../base/failure.ts";
import type { ChangeMap } from "../../disk/dm/change-map.ts";
import type { Host } from "../../host/host.ts";
import { changedSegments } from "../../sync/changed-segments.ts";
import type { SegmentRun } from "../../sync/segment-runs.ts";
import {
  failureReason,
  findDmDevice,
  listDmDevices,
  NotKnown,
  parseVolumeName,
} from "./dm-devices.ts";
import type { DmDevice } from "./dm-devices.ts";
import {
  isStateOf,
  readStores,
  readStoreState,
  relateSnapshot,
  storeState,
} from "./snapshot-changes.ts";
import { activeThin, inactiveThin, readThinChanges, readThinState } from "./thin-pool-changes.ts";

export type SinceQuestion = {
  /** What is copied now: a path, or `vg/lv`. */
  readonly source: string;
  /** What the destination is equal to. */
  readonly snapshot: string;
  /**
   * The state of the snapshot as the record of the finished copy has it, from `readSnapshotState` or `sourceState`; undefined:
   * it has none. Without it nothing follows from the snapshot.
   */
  readonly recorded: string | undefined;
};

export type ChangedSince = {
  readonly kind: "changed";
  readonly method: "dm-snapshot" | "dm-thin";
  /** For `send`. Segments that are not in there are equal on both sides. */
  readonly looks: readonly SegmentRun[];
  /** In whole chunks of the snapshot or blocks of the pool; `looks` are more, as segments are larger. */
  readonly changedBytes: number;
  /** For the record, when the run has finished; undefined when the source is no snapshot. */
  readonly sourceState?: string;
};

/** `reason` is a sentence for people: everything has to be looked at. */
export type ChangesNotKnown = { readonly kind: "not-known"; readonly reason: string };

/** Looks for what changed since a snapshot. The host is as before when it resolves, whatever happens. */
export async function findChangedSince(
  host: Host,
  question: SinceQuestion,
): Promise<ChangedSince | ChangesNotKnown> {
  return orReason(() => findChanges(host, question));
}

/**
 * The state of a snapshot that is about to be copied, one line for the record of the copy; `not-known` when it is none, so that no later run
 * can be told what changed since. A volume in use has a state, too, where LVM sees no difference: what is written to it later shows.
 */
export async function readSnapshotState(
  host: Host,
  name: string,
): Promise<{ readonly kind: "state"; readonly state: string } | ChangesNotKnown> {
  return orReason(async () => {
    const devices = await listDmDevices(host);
    const device = await findDmDevice(host, devices, name);
    const state = device && (await stateOf(host, devices, device));
    if (state === undefined) throw new NotKnown(`${name} is not a snapshot.`);
    return { kind: "state", state };
  });
}

async function findChanges(host: Host, question: SinceQuestion): Promise<ChangedSince> {
  const { source: sourceName, snapshot: snapshotName, recorded } = question;
  if (recorded === undefined) {
    throw new NotKnown("The record of the destination does not say what snapshot it is equal to.");
  }
  const devices = await listDmDevices(host);
  const source = await findDmDevice(host, devices, sourceName);
  if (!source)
    throw new NotKnown(`${sourceName} is not a logical volume: nothing notes what changes.`);
  const snapshot = await findDmDevice(host, devices, snapshotName);
  if (snapshot?.target === "snapshot") {
    return findInStores(host, devices, { source, snapshot, recorded });
  }
  const volume = parseVolumeName(snapshotName);
  const thin =
    snapshot?.target === "thin"
      ? activeThin(devices, snapshot)
      : !snapshot && volume && (await inactiveThin(host, devices, volume));
  if (!thin) {
    throw new NotKnown(
      snapshot
        ? `${snapshotName} is not a snapshot.`
        : `There is no snapshot ${snapshotName}: lvs shows what there is.`,
    );
  }
  if (source.target !== "thin") throw new NotKnown(`${sourceName} is not a thin volume.`);
  const pair = { source: activeThin(devices, source), snapshot: thin };
  const { map, sourceState } = await readThinChanges(host, devices, { ...pair, recorded });
  map.addFrom(thin.sizeBytes);
  return { kind: "changed", method: "dm-thin", ...looksOf(map), sourceState };
}

type StoreQuestion = {
  readonly source: DmDevice;
  readonly snapshot: DmDevice;
  readonly recorded: string;
};

async function findInStores(
  host: Host,
  devices: readonly DmDevice[],
  { source, snapshot, recorded }: StoreQuestion,
): Promise<ChangedSince> {
  const stores = relateSnapshot(devices, source, snapshot);
  const { sizeBytes } = source;
  const { map, firstExceptions } = await readStores(host, devices, { stores, sizeBytes });
  if (!isStateOf(snapshot, firstExceptions.get(snapshot) ?? [], recorded)) {
    throw new NotKnown(
      `${snapshot.name} is not the snapshot that the destination was made equal to.`,
    );
  }
  map.addFrom(snapshot.sizeBytes);
  // The origin itself is in use, and has none.
  const own = firstExceptions.get(source);
  return {
    kind: "changed",
    method: "dm-snapshot",
    ...looksOf(map),
    ...(own && source.uuid !== "" && { sourceState: storeState(source, own) }),
  };
}

async function stateOf(
  host: Host,
  devices: readonly DmDevice[],
  device: DmDevice,
): Promise<string | undefined> {
  // Without a UUID nothing says that it is the same one later.
  if (device.uuid === "") return undefined;
  if (device.target === "snapshot") return readStoreState(host, devices, device);
  if (device.target !== "thin") return undefined;
  return readThinState(host, device, activeThin(devices, device));
}

function looksOf(map: ChangeMap): Pick<ChangedSince, "looks" | "changedBytes"> {
  const extents = map.extents();
  const changedBytes = extents.reduce((sum, { length }) => sum + length, 0);
  return { looks: changedSegments(extents), changedBytes };
}

async function orReason<T>(work: () => Promise<T>): Promise<T | ChangesNotKnown> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof NotKnown) return { kind: "not-known", reason: error.reason };
    if (error instanceof FailureError) {
      return { kind: "not-known", reason: failureReason(error.failure) };
    }
    throw error;
  }
}
