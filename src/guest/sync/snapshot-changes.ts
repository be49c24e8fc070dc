/** What a dm-snapshot says of changes: see docs/design/changed-blocks.md. */
import { within } from "../../base/where.ts";
import { sha256 } from "../../bytes/sha256.ts";
import { ChangeMap } from "../../disk/dm/change-map.ts";
import { readExceptions } from "../../disk/dm/exception-store.ts";
import type { Exception } from "../../disk/dm/exception-store.ts";
import type { Host } from "../../host/host.ts";
import { devicePath, NotKnown, readDmStatus, runOrNotKnown } from "./dm-devices.ts";
import type { DmDevice } from "./dm-devices.ts";

/** The exceptions that tell one store from another: the first ones stay as they are. */
const STATE_EXCEPTIONS = 256;

/** The snapshots of whose stores the changes follow: those of one origin. `NotKnown` when they have none in common. */
export function relateSnapshot(
  devices: readonly DmDevice[],
  source: DmDevice,
  snapshot: DmDevice,
): readonly DmDevice[] {
  const origin = snapshot.args[0];
  const merging = devices.some(
    ({ target, args }) => target === "snapshot-merge" && args[0] === origin,
  );
  if (merging) throw new NotKnown("A snapshot is being merged into its origin.");
  const family = devices.filter(({ target, args }) => target === "snapshot" && args[0] === origin);
  const passedDown = family.find(({ args }) => args.includes("discard_passdown_origin"));
  if (passedDown) {
    throw new NotKnown(`${passedDown.name} passes discards on to its origin: no store has them.`);
  }
  if (source.target === "snapshot-origin" && source.args[0] === origin) return [snapshot];
  if (family.includes(source)) return [source, snapshot];
  throw new NotKnown(
    `${snapshot.name} is not a snapshot of ${source.name}, nor of the same origin.`,
  );
}

export type StoresRead = {
  /** The changes that all the stores have together. */
  readonly map: ChangeMap;
  /** Of each store, for its state. */
  readonly firstExceptions: ReadonlyMap<DmDevice, readonly Exception[]>;
};

/** Reads the stores of these snapshots, all of one origin, once each. */
export async function readStores(
  host: Host,
  devices: readonly DmDevice[],
  { stores, sizeBytes }: { readonly stores: readonly DmDevice[]; readonly sizeBytes: number },
): Promise<StoresRead> {
  // Stores of several chunk sizes have the smallest in common, as all are powers of 2.
  const chunkBytes = Math.min(...stores.map(chunkBytesOf));
  const map = new ChangeMap({ deviceBytes: sizeBytes, chunkBytes, where: [stores[0]!.name] });
  const chunkCount = Math.ceil(sizeBytes / chunkBytes);
  const firstExceptions = new Map<DmDevice, Exception[]>();
  for (const snapshot of stores) {
    const perChunk = chunkBytesOf(snapshot) / chunkBytes;
    const first: Exception[] = [];
    await readStore(host, devices, snapshot, (exceptions) => {
      first.push(...exceptions.slice(0, STATE_EXCEPTIONS - first.length));
      for (const { oldChunk } of exceptions) {
        const from = oldChunk * perChunk;
        const end = Math.min(from + perChunk, chunkCount);
        for (let chunk = from; chunk < end; chunk++) map.add(chunk);
      }
      return true;
    });
    firstExceptions.set(snapshot, first);
  }
  return { map, firstExceptions };
}

/** One line that the same snapshot keeps, whatever is written to it or its origin. */
export async function readStoreState(
  host: Host,
  devices: readonly DmDevice[],
  snapshot: DmDevice,
): Promise<string> {
  const first: Exception[] = [];
  await readStore(host, devices, snapshot, (exceptions) => {
    first.push(...exceptions.slice(0, STATE_EXCEPTIONS - first.length));
    return first.length < STATE_EXCEPTIONS;
  });
  return storeState(snapshot, first);
}

/** The same from the first exceptions of its store, at most 256. */
export function storeState(snapshot: DmDevice, first: readonly Exception[]): string {
  const text = first.map(({ oldChunk, newChunk }) => `${oldChunk} ${newChunk}`).join("\n");
  const digest = sha256(new TextEncoder().encode(text)).subarray(0, 16);
  const hex = Buffer.from(digest).toString("hex");
  return ["dm-snapshot", snapshot.uuid, snapshot.sizeBytes, first.length, hex].join(" ");
}

/** Whether `recorded` is the state that this snapshot has, or had when its store had fewer exceptions. */
export function isStateOf(
  snapshot: DmDevice,
  first: readonly Exception[],
  recorded: string,
): boolean {
  const count = Number(recorded.split(" ")[3]);
  if (!(Number.isInteger(count) && count >= 0 && count <= first.length)) return false;
  return snapshot.uuid !== "" && storeState(snapshot, first.slice(0, count)) === recorded;
}

function chunkBytesOf(snapshot: DmDevice): number {
  const sectors = Number(snapshot.args[3]);
  // The kernel takes powers of 2 only; the store's own header is compared later.
  if (!Number.isSafeInteger(sectors) || sectors <= 0 || (sectors & (sectors - 1)) !== 0) {
    throw new NotKnown(`${snapshot.name} has chunks of ${snapshot.args[3]} sectors.`);
  }
  return sectors * 512;
}

/** Until `take` says that it has enough. */
async function readStore(
  host: Host,
  devices: readonly DmDevice[],
  snapshot: DmDevice,
  take: (exceptions: readonly Exception[]) => boolean,
): Promise<void> {
  const [, cow, persistence] = snapshot.args;
  if (cow === undefined || !persistence?.startsWith("P")) {
    throw new NotKnown(`${snapshot.name} keeps its list of changes in memory only.`);
  }
  const path = devicePath(devices, cow);
  // The kernel writes the store past the page cache, which may have it as it was.
  await runOrNotKnown(host, ["blockdev", "--flushbufs", path]);
  await using device = await host.openBlock(path);
  const exceptions = readExceptions({ ...device, where: within(device.where, snapshot.name) });
  let step = await exceptions.next();
  while (!step.done && take(step.value)) step = await exceptions.next();
  if (step.done && step.value.chunkBytes !== chunkBytesOf(snapshot)) {
    throw new NotKnown(`${snapshot.name} and its store do not agree on the size of a chunk.`);
  }
  // Asked last: what made the list useless in the meantime shows.
  const status = await readDmStatus(host, snapshot);
  if (!/^\d+\/\d+$/.test(status[0] ?? "")) {
    throw new NotKnown(
      `${snapshot.name} is no longer valid (${status.join(" ")}): it was full once.`,
    );
  }
}
