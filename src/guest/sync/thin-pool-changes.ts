/** What a thin pool's metadata says of changes between two volumes: see docs/design/changed-blocks.md. */
import { within } from "../../base/where.ts";
import { cachedSource } from "../../disk/cache.ts";
import { ChangeMap } from "../../disk/dm/change-map.ts";
import { differingBlocks, findMappingSince } from "../../disk/dm/thin-changes.ts";
import { readThinMetadata, readThinVolume } from "../../disk/dm/thin-metadata.ts";
import type { ThinMetadata, ThinVolume } from "../../disk/dm/thin-metadata.ts";
import type { Host } from "../../host/host.ts";
import {
  deviceByNumber,
  devicePath,
  dmNameOf,
  NotKnown,
  readDmStatus,
  runOrNotKnown,
} from "./dm-devices.ts";
import type { DmDevice, VolumeName } from "./dm-devices.ts";

/** A thin volume, active or not. */
export type ThinName = {
  /** For messages. */
  readonly name: string;
  /** As device-mapper has it. */
  readonly uuid: string;
  readonly sizeBytes: number;
  readonly thinId: number;
  readonly pool: DmDevice;
};

/** A device with the target `thin`. */
export function activeThin(devices: readonly DmDevice[], device: DmDevice): ThinName {
  const { name, uuid, sizeBytes, args } = device;
  if (args.length > 2) {
    throw new NotKnown(`${name} has an external origin: what it does not map lies elsewhere.`);
  }
  const pool = deviceByNumber(devices, args[0]);
  if (pool?.target !== "thin-pool") throw new NotKnown(`The pool of ${name} cannot be found.`);
  return { name, uuid, sizeBytes, thinId: Number(args[1]), pool };
}

/** A thin volume that is not active, as LVM knows it; undefined when it knows no such volume, or of another kind. */
export async function inactiveThin(
  host: Host,
  devices: readonly DmDevice[],
  { group, volume }: VolumeName,
): Promise<ThinName | undefined> {
  const fields = "vg_uuid,lv_uuid,lv_name,lv_size,thin_id,pool_lv,origin";
  const asked = ["lvs", "--reportformat", "json", "--units", "b", "--nosuffix", "-o", fields];
  const ran = await host.run([...asked, group]);
  const rows = ran.exitCode === 0 ? parseLvs(ran.stdout) : [];
  const row = rows.find(({ lv_name }) => lv_name === volume);
  if (!row || !/^\d+$/.test(row["thin_id"] ?? "")) return undefined;
  const name = `${group}/${volume}`;
  assertNoExternalOrigin(rows, row, name);
  const poolName = dmNameOf({ group, volume: row["pool_lv"] ?? "" });
  const pool = devices.find(
    (device) =>
      device.target === "thin-pool" && [`${poolName}-tpool`, poolName].includes(device.name),
  );
  if (!pool) throw new NotKnown(`The pool of ${name} is not active.`);
  const uuid = `${row["vg_uuid"]}${row["lv_uuid"]}`.replaceAll("-", "");
  const { lv_size: size, thin_id: thinId } = row;
  return { name, uuid: `LVM-${uuid}`, sizeBytes: Number(size), thinId: Number(thinId), pool };
}

type LvsRow = Readonly<Record<string, string>>;

/** A volume, or one that it is a snapshot of, may lie over a volume outside the pool: lvmthin(7), "external origin". */
function assertNoExternalOrigin(rows: readonly LvsRow[], row: LvsRow, name: string): void {
  const seen = new Set<LvsRow>();
  for (let at: LvsRow | undefined = row; at && !seen.has(at);) {
    seen.add(at);
    if (at["pool_lv"] !== row["pool_lv"]) {
      throw new NotKnown(`${name} has an external origin: what it does not map lies elsewhere.`);
    }
    const { origin }: LvsRow = at;
    at = rows.find(({ lv_name }) => lv_name === origin);
  }
}

/** The rows of `lvs --reportformat json`; none when it is something else. */
export function parseLvs(json: string): readonly LvsRow[] {
  let report: unknown;
  try {
    report = JSON.parse(json);
  } catch {
    return [];
  }
  const listIn = (value: unknown, key: string): unknown[] => {
    const list = isRecord(value) ? value[key] : undefined;
    return Array.isArray(list) ? list : [];
  };
  return listIn(report, "report").flatMap((part) =>
    listIn(part, "lv").flatMap((row) =>
      isRecord(row) && Object.values(row).every((value) => typeof value === "string")
        ? [row as LvsRow]
        : [],
    ),
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

export type ThinPair = { readonly source: ThinName; readonly snapshot: ThinName };

/** Changes between two volumes of a pool, and what both are now. `recorded` is the state that the snapshot must still have. */
export async function readThinChanges(
  host: Host,
  devices: readonly DmDevice[],
  { source, snapshot, recorded }: ThinPair & { readonly recorded: string },
): Promise<{ readonly map: ChangeMap; readonly sourceState: string }> {
  if (source.pool.number !== snapshot.pool.number) {
    throw new NotKnown(`${source.name} and ${snapshot.name} are not in one pool.`);
  }
  return withMetadataSnapshot(host, devices, source.pool, async (thin) => {
    const before = await readThinVolume(thin, snapshot.thinId);
    const after = await readThinVolume(thin, source.thinId);
    await assertUnchanged(snapshot, before, { thin, recorded });
    const map = new ChangeMap({
      deviceBytes: source.sizeBytes,
      chunkBytes: thin.dataBlockBytes,
      where: [source.name],
    });
    const blockCount = Math.ceil(source.sizeBytes / thin.dataBlockBytes);
    for await (const blocks of differingBlocks(before.mappings, after.mappings)) {
      // A volume that was made smaller keeps its map.
      for (const block of blocks) if (block < blockCount) map.add(block);
    }
    return { map, sourceState: stateOf(source, after.mappedBlocks * thin.dataBlockBytes) };
  });
}

async function assertUnchanged(
  snapshot: ThinName,
  volume: ThinVolume,
  { thin, recorded }: { readonly thin: ThinMetadata; readonly recorded: string },
): Promise<void> {
  if (stateOf(snapshot, volume.mappedBlocks * thin.dataBlockBytes) !== recorded) {
    throw new NotKnown(
      `${snapshot.name} is not what the destination was made equal to, or not any more.`,
    );
  }
  const written = await findMappingSince(volume.mappings, volume.creationTime);
  if (written !== undefined) {
    throw new NotKnown(
      `${snapshot.name} was written to after it was made, at byte ${written * thin.dataBlockBytes} for one: what its copy holds is not known.`,
    );
  }
}

/** What a volume is now, for the record of a copy of it. Reads no metadata. */
export async function readThinState(
  host: Host,
  device: DmDevice,
  volume: ThinName,
): Promise<string> {
  const [mapped] = await readDmStatus(host, device);
  if (!/^\d+$/.test(mapped ?? "")) {
    throw new NotKnown(`${volume.name} is not in order (${mapped ?? "no status"}).`);
  }
  return stateOf(volume, Number(mapped) * 512);
}

function stateOf({ uuid, sizeBytes, thinId }: ThinName, mappedBytes: number): string {
  return ["dm-thin", uuid, sizeBytes, thinId, mappedBytes / 512].join(" ");
}

/** Runs `work` while the pool keeps its metadata as they are, and releases them whatever happens. */
async function withMetadataSnapshot<T>(
  host: Host,
  devices: readonly DmDevice[],
  pool: DmDevice,
  work: (thin: ThinMetadata) => Promise<T>,
): Promise<T> {
  const metadata = pool.args[0];
  if (metadata === undefined) throw new NotKnown(`${pool.name} has no metadata.`);
  const command = ["dmsetup", "message", pool.name, "0"];
  const reserved = await host.run([...command, "reserve_metadata_snap"]);
  if (reserved.exitCode !== 0) throw await whyNotReserved(host, pool, reserved.stderr);
  const release = [...command, "release_metadata_snap"];
  let result: T;
  try {
    result = await readHeld(host, devices, { pool, metadata }, work);
  } catch (error) {
    await host.run(release);
    throw error;
  }
  const released = await host.run(release);
  if (released.exitCode !== 0) {
    throw new NotKnown(
      `The pool ${pool.name} keeps its metadata snapshot (${released.stderr.trim()}): ${release.join(" ")}`,
    );
  }
  return result;
}

async function readHeld<T>(
  host: Host,
  devices: readonly DmDevice[],
  { pool, metadata }: { readonly pool: DmDevice; readonly metadata: string },
  work: (thin: ThinMetadata) => Promise<T>,
): Promise<T> {
  const path = devicePath(devices, metadata);
  // The kernel writes the metadata past the page cache, which may have them as they were.
  await runOrNotKnown(host, ["blockdev", "--flushbufs", path]);
  await using device = await host.openBlock(path);
  const source = cachedSource({ ...device, where: within(device.where, pool.name) });
  return await work(await readThinMetadata(source));
}

async function whyNotReserved(host: Host, pool: DmDevice, stderr: string): Promise<NotKnown> {
  const [, , , heldRoot] = await readDmStatus(host, pool);
  if (heldRoot !== undefined && heldRoot !== "-") {
    return new NotKnown(
      `The pool ${pool.name} has a metadata snapshot already. If nothing else reads it (a backup, thin_delta), release it: dmsetup message ${pool.name} 0 release_metadata_snap`,
    );
  }
  return new NotKnown(`The pool ${pool.name} gives no metadata snapshot: ${stderr.trim()}`);
}
