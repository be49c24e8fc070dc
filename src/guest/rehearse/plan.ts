/** How a copy of a guest is made so that the original is not touched. Pure (docs/design/rehearse.md). */
import { refused } from "../../base/failure.ts";
import { MIB, sizeText } from "../../base/units.ts";
import { copyConfig, leftOut } from "./copy-config.ts";
import type { CopyDiskText } from "./copy-config.ts";
import { rehearsalName, volumeName } from "./names.ts";
import type { RehearsalDisk, RehearsalSurvey } from "./survey.ts";
import type { Volume } from "./volumes.ts";

export type CopyDisk = CopyDiskText & {
  readonly kind: "snapshot" | "overlay" | "shared";
  /** Of the original, where it is a path of dom0. */
  readonly path?: string;
  /** What makes it; absent for one that is shared. */
  readonly argv?: readonly string[];
};

export type RehearsalPlan = {
  readonly guest: string;
  readonly id: string;
  /** Of the copy. */
  readonly name: string;
  readonly uuid: string;
  readonly memoryMib: number;
  readonly disks: readonly CopyDisk[];
  readonly directory: string;
  readonly configPath: string;
  readonly configText: string;
  /** What is different from the guest, and what that means; sentences. */
  readonly notes: readonly string[];
};

export type PlanOptions = {
  /** Eight hexadecimal digits. */
  readonly id: string;
  readonly uuid: string;
  /** For the copy's config and overlays; it need not be there yet. */
  readonly directory: string;
  /** Given by a person: taken as it is. */
  readonly memoryMib?: number;
};

/** `refused` where a copy cannot be made without touching the original, or there is no memory for it. */
export function planRehearsal(survey: RehearsalSurvey, options: PlanOptions): RehearsalPlan {
  const { id, uuid, directory } = options;
  const { guest, config, text, configPath: path } = survey;
  const free = new Map<string, number>();
  const disks = survey.disks.map((disk, index) =>
    planDisk(survey, disk, { index, free, ...options }),
  );
  const memory = planMemory(survey, options.memoryMib);
  const name = rehearsalName(guest, id);
  const snapshots = disks.filter(({ kind }) => kind === "snapshot").length;
  return {
    guest,
    id,
    name,
    uuid,
    memoryMib: memory.mib,
    disks,
    directory,
    configPath: `${directory}/guest.cfg`,
    configText: copyConfig({ text, path, name, uuid, memoryMib: memory.mib, disks }),
    notes: [
      ...(survey.runs && snapshots > 0
        ? [
            "The guest runs: its disks are taken as they are at this moment, as after a power failure. A filesystem check in the copy says nothing about the guest's.",
          ]
        : []),
      ...leftOut(config, text),
      ...memory.notes,
    ],
  };
}

type DiskContext = PlanOptions & {
  readonly index: number;
  /** Room in volume groups and thin pools, by name, of which earlier disks have taken theirs. */
  readonly free: Map<string, number>;
};

function planDisk(survey: RehearsalSurvey, disk: RehearsalDisk, context: DiskContext): CopyDisk {
  const { spec, path, realPath = path, kind, volume } = disk;
  const { vdev, target, format } = spec;
  if (kind === "empty" || (spec.readonly && kind !== "elsewhere")) {
    assertThere(disk);
    return {
      kind: "shared",
      vdev,
      target,
      format,
      text: spec.text,
      ...(path !== undefined && { path }),
    };
  }
  if (kind === "elsewhere" || path === undefined || realPath === undefined)
    throw refused([vdev], {
      what: `No copy can be made of the disk ${vdev} (${target}).`,
      why: "It is no path of dom0: a script attaches it, or another domain serves it.",
      next: "Only who has the disk can make a snapshot of it: rehearse on that, with a config of its own.",
    });
  assertThere(disk);
  const snapshot = volume && format === "raw" ? planSnapshot(volume, context) : undefined;
  if (snapshot) return { ...snapshot, vdev, path };
  if (survey.runs) throw cannotShare(survey, disk);
  return { ...planOverlay({ vdev, realPath, format }, context), path };
}

function assertThere({ spec, path, kind }: RehearsalDisk): void {
  if (kind === "empty" || kind === "file" || kind === "block-device") return;
  throw refused([spec.vdev], {
    what: `The disk ${spec.vdev} cannot be had: ${path} is ${kind === "missing" ? "not there" : "no disk"}.`,
    why: "The guest itself could not be started either.",
    next: "domus check says more.",
  });
}

const EXTENT = 4 * MIB;
const WISHED = 256 * MIB;
const LEAST = 64 * MIB;

function planSnapshot(
  { group, name, sizeBytes, room, freeBytes, thin, isSnapshot }: Volume,
  { id, index, free }: DiskContext,
): Omit<CopyDisk, "vdev" | "path"> | undefined {
  if (isSnapshot) return undefined;
  const copy = volumeName(id, index);
  const made = { kind: "snapshot", target: `/dev/${group}/${copy}`, format: "raw" } as const;
  // It lives for minutes: no daemon has to be started to watch over it.
  const lvcreate = ["lvcreate", "--yes", "--ignoremonitoring", "--snapshot", "--name", copy];
  const left = free.get(room) ?? freeBytes;
  const wished = Math.ceil(Math.max(sizeBytes / 5, Math.min(sizeBytes, WISHED)) / EXTENT) * EXTENT;
  // Its own table takes an extent more than what can change.
  const size = Math.min(wished + EXTENT, Math.floor(left / EXTENT) * EXTENT);
  if (size < (thin ? wished : Math.min(LEAST, wished))) return undefined;
  free.set(room, left - size);
  // Nothing bounds what the copy takes of the pool: full, it would fail all guests that have disks in it.
  if (thin) {
    const active = ["--setactivationskip", "n", "--activate", "y"];
    return { ...made, argv: [...lvcreate, ...active, `${group}/${name}`] };
  }
  return { ...made, argv: [...lvcreate, "--size", `${size}b`, `${group}/${name}`] };
}

/** xl's names of formats are not all QEMU's. */
const QEMU_FORMATS: Readonly<Record<string, string>> = { vhd: "vpc" };

function planOverlay(
  { vdev, realPath, format }: { vdev: string; realPath: string; format: string },
  { directory, index }: DiskContext,
): CopyDisk {
  const target = `${directory}/disk-${index}.qcow2`;
  const below = ["-F", QEMU_FORMATS[format] ?? format, "-b", realPath];
  const argv = ["qemu-img", "create", "-q", "-f", "qcow2", ...below, target];
  return { kind: "overlay", vdev, target, format: "qcow2", argv };
}

function cannotShare({ guest }: RehearsalSurvey, { spec, path, kind, volume }: RehearsalDisk) {
  const why =
    volume && spec.format === "raw"
      ? volume.isSnapshot
        ? "LVM makes no snapshot of a snapshot, and what an overlay rests on must not change under it."
        : `Its ${volume.thin ? "thin pool" : "volume group"} ${volume.room} has only ${sizeText(volume.freeBytes)} free, too little for a snapshot, and what an overlay rests on must not change under it.`
      : kind === "file"
        ? "It is a file: it has no snapshot, and what an overlay rests on must not change under it."
        : "It is no volume of LVM: it has no snapshot, and what an overlay rests on must not change under it.";
  return refused([spec.vdev], {
    what: `${guest} runs, and no safe copy can be made of its disk ${spec.vdev} (${path}).`,
    why,
    next: "Rehearse it while it is stopped, or give it LVM volumes with some room in the group or pool.",
  });
}

const LEAST_MIB = 128;

function planMemory(
  { config, freeMemoryMib }: RehearsalSurvey,
  given: number | undefined,
): { mib: number; notes: string[] } {
  const { memory: own, vcpus } = config;
  if (given !== undefined)
    return { mib: given, notes: given < own ? [lessMemory(given, own, "as you said")] : [] };
  // What Xen needs beside for page tables, shadow and grants.
  const most = Math.floor(((freeMemoryMib - 16 - vcpus) * 64) / 65 / 4) * 4;
  if (own <= most) return { mib: own, notes: [] };
  if (most >= LEAST_MIB)
    return { mib: most, notes: [lessMemory(most, own, `as ${freeMemoryMib} MiB are free`)] };
  throw refused(["memory"], {
    what: "There is no memory for a copy.",
    why: `${freeMemoryMib} MiB are free; the guest has ${own} MiB, and with less than ${LEAST_MIB} MiB it would fail for want of that.`,
    next: "--memory MIB starts it with so much all the same: xl then takes it from dom0, where it may. Or stop another guest first.",
  });
}

function lessMemory(mib: number, own: number, why: string): string {
  return `The copy has ${mib} MiB of memory, not ${own}, ${why}.`;
}
