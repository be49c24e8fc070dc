/**
 * What the record of a copy says of a disk, for everything but the copy itself: nothing starts a guest from a disk that is half old,
 * half new. Through the door to the operating system, so it works on a dead host's file tree too (docs/design/copy-record.md).
 */
import { attempt, FailureError, isAbsent } from "../../base/failure.ts";
import { STATE_DIRECTORY } from "../../base/state-directory.ts";
import type { Host } from "../../host/host.ts";
import { parseRecord, TABLE_OFFSET } from "../../sync/record-format.ts";
import { deviceKey } from "../disks/device-key.ts";

const RECORD_SUFFIX = ".domus-sync";
/** Devices of one host; more are not looked at. */
const MAX_RECORDS = 4096;

export type CopyState = {
  readonly state: "unfinished" | "finished";
  /** The path of the record. */
  readonly record: string;
  /** For people: what the source was called, when it began. Absent when the record cannot be read. */
  readonly source?: string;
  readonly begunMs?: number;
  /** Of a finished copy of a snapshot, what tells that one from all others. */
  readonly sourceState?: string;
};

/** A record of the state directory, and which device it speaks of. */
export type DeviceCopy = CopyState & {
  /** The same for all names of the device; see `NeighbourDisk`. Undefined when the record cannot be read. */
  readonly key?: string;
};

/** Undefined when there is no record of a copy to `path`; `io` when that cannot be told. */
export async function readCopyState(
  host: Host,
  path: string,
  stateDirectory: string = STATE_DIRECTORY,
): Promise<CopyState | undefined> {
  const beside = await readFileCopy(host, path);
  if (beside) return beside;
  const devices = await readDeviceCopies(host, stateDirectory);
  if (devices.length === 0) return undefined;
  return copyOf(devices, await deviceKey(host, path));
}

/** By the record beside a file. */
export async function readFileCopy(host: Host, path: string): Promise<CopyState | undefined> {
  const real = await attempt(() => host.realPath(path));
  return readRecord(host, `${real.ok ? real.value : path}${RECORD_SUFFIX}`);
}

/** Those of the state directory: of all devices, and of files with names that leave no room for more. */
export async function readDeviceCopies(
  host: Host,
  stateDirectory: string = STATE_DIRECTORY,
): Promise<readonly DeviceCopy[]> {
  const directory = `${stateDirectory}/sync`;
  const listed = await attempt(() => host.list(directory));
  if (!listed.ok) {
    if (isAbsent(listed.failure)) return [];
    throw new FailureError(listed.failure);
  }
  const names = listed.value.filter((name) => name.endsWith(RECORD_SUFFIX)).slice(0, MAX_RECORDS);
  const copies: DeviceCopy[] = [];
  for (const name of names) {
    const copy = await readRecord(host, `${directory}/${name}`);
    if (copy) copies.push({ ...copy, ...(copy.path && { key: await deviceKey(host, copy.path) }) });
  }
  return copies;
}

/** Of the device with that key; the unfinished one, when two records speak of it. */
export function copyOf(copies: readonly DeviceCopy[], key: string): DeviceCopy | undefined {
  const ours = copies.filter((one) => one.key === key);
  return ours.find(({ state }) => state === "unfinished") ?? ours[0];
}

/** `path`: of the target. A record that is damaged or of another version tells of an unfinished copy. */
async function readRecord(
  host: Host,
  record: string,
): Promise<(CopyState & { readonly path?: string }) | undefined> {
  const read = await attempt(async () => {
    await using file = await host.openBlock(record);
    const bytes = await file.read(0, Math.min(file.size, TABLE_OFFSET));
    return parseRecord(bytes, [record]);
  });
  if (read.ok) {
    const { head, mark } = read.value;
    const state = mark?.state === "finished" ? "finished" : "unfinished";
    const sourceState = mark?.sourceState;
    return {
      ...{ state, record, source: head.sourceName, begunMs: head.begunMs, path: head.path },
      ...(sourceState !== undefined && { sourceState }),
    };
  }
  const { failure } = read;
  if (isAbsent(failure)) return undefined;
  if (failure.kind === "io") throw new FailureError(failure);
  return { state: "unfinished", record };
}
