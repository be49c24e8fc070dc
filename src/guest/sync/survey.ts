/** Looks at one end of a copy. Nothing is changed, and nothing of the device is read but what names it. */
import { attempt, FailureError, isAbsent, misuse } from "../../base/failure.ts";
import { directoryOf } from "../../base/path.ts";
import type { DeviceUser } from "../../host/local/device-users.ts";
import { readSnapshotState } from "./changed-since.ts";
import { readCopyState } from "./copy-state.ts";
import type { EndFacts, Role } from "./end-facts.ts";
import type { SyncPorts } from "./ports.ts";

export type Survey = {
  readonly role: Role;
  readonly path: string;
  /** Of records of devices, in place of the usual one. */
  readonly stateDir?: string | undefined;
  /** Whether to look for who has it open, which takes longest. Default true. */
  readonly users?: boolean;
};

/** `missing` when there is no such source; of a destination that is a fact like others. */
export async function surveyEnd(ports: SyncPorts, survey: Survey): Promise<EndFacts> {
  const { role, path } = survey;
  const opened = await attempt(() => ports.openSource(path, { holes: false }));
  if (!opened.ok) {
    if (role === "source" || !isAbsent(opened.failure)) throw new FailureError(opened.failure);
    return missingEnd(ports, path);
  }
  await using device = opened.value;
  const copy = await readCopyState(ports.host, device.path, survey.stateDir ?? ports.stateDir);
  return {
    path,
    resolved: device.path,
    kind: device.kind,
    sizeBytes: device.size,
    identity: Buffer.from(device.identity).toString("hex"),
    users: survey.users === false ? [] : await usersOf(ports, device.path, role),
    ...(device.kind === "file" && (await ports.fileRoom(device.path))),
    record: copy?.state ?? "none",
    ...(copy?.sourceState !== undefined && { recordedState: copy.sourceState }),
    ...(role === "source" && device.kind === "block-device" && (await snapshotOf(ports, device))),
  };
}

async function snapshotOf({ host }: SyncPorts, { path }: { readonly path: string }) {
  const found = await readSnapshotState(host, path);
  return found.kind === "state" ? { snapshotState: found.state } : {};
}

/** A file that will be made. */
async function missingEnd(ports: SyncPorts, path: string): Promise<EndFacts> {
  if (path.endsWith("/") || /(^|\/)\.\.?$/.test(path))
    throw misuse(`${path} is a directory.`, `Name the file: ${path.replace(/\/*$/, "/")}disk.img`);
  if (/^\/dev\/(?!shm\/)/.test(path))
    throw misuse(
      `There is no device ${path}.`,
      "Make the volume first (lvcreate -L SIZE -n NAME GROUP), at least as large as the source. domus makes files, not devices.",
    );
  const parent = path.includes("/") ? directoryOf(path) : ".";
  const room = await attempt(() => ports.fileRoom(parent));
  if (!room.ok)
    throw misuse(
      `There is no directory ${parent} for ${path}.`,
      `Make it first (mkdir -p ${parent}), or look at the name.`,
    );
  const { freeBytes } = room.value;
  return {
    path,
    resolved: path,
    kind: "missing",
    sizeBytes: 0,
    identity: "",
    users: [],
    ...(freeBytes !== undefined && { freeBytes }),
    record: "none",
  };
}

async function usersOf(ports: SyncPorts, path: string, role: Role): Promise<readonly DeviceUser[]> {
  const users = await ports.findUsers(path);
  // What an image needs as it is may be read.
  return users.filter(({ kind }) => role !== "source" || kind !== "image").slice(0, MAX_USERS);
}

/** Said one by one; a machine with more on one disk has its reasons. */
const MAX_USERS = 100;
