/** What is to be done, decided from what both sides say of their ends; or why not. Pure. */
import { refused } from "../../base/failure.ts";
import { sizeText } from "../../base/units.ts";
import type { EndFacts } from "./end-facts.ts";

/** An end of the copy and how to call it. */
export type PlannedEnd = EndFacts & {
  /** Undefined: this machine. */
  readonly host?: string;
};

export type PlanInput = {
  readonly source: PlannedEnd;
  readonly destination: PlannedEnd;
  /** Both names lead to one device. */
  readonly same: boolean;
  /** They are compared, and nothing is written. */
  readonly checkOnly: boolean;
  /** The snapshot that the destination was made equal to. */
  readonly since?: string;
};

export type SyncPlan = {
  readonly source: PlannedEnd;
  readonly destination: PlannedEnd;
  readonly sizeBytes: number;
  /** What is at the destination now. */
  readonly destinationIs: "new file" | "file" | "device" | "stream";
  /** An earlier run to it was cut off. */
  readonly resumes: boolean;
  /** For the source: the snapshot, and its state as the destination's record has it. */
  readonly since?: { readonly snapshot: string; readonly recorded: string };
  /** What a person should know before it begins, a sentence or two each. */
  readonly notes: readonly string[];
};

/** Fails with `refused` when going on could lose data. */
export function planSync(input: PlanInput): SyncPlan {
  const { source, destination, checkOnly, since } = input;
  refuseSame(input);
  if (!checkOnly) {
    refuseUsed(destination);
    refuseUnfinishedSource(source);
    refuseSmall(input);
  }
  const recorded = destination.record === "finished" ? destination.recordedState : undefined;
  return {
    source,
    destination,
    sizeBytes: source.sizeBytes,
    destinationIs: DESTINATION_IS[destination.kind],
    resumes: destination.record === "unfinished" && !checkOnly,
    ...(since !== undefined && recorded !== undefined && { since: { snapshot: since, recorded } }),
    notes: checkOnly
      ? [...usedNotes(source), ...usedNotes(destination)]
      : [
          ...usedNotes(source),
          ...sizeNotes(input),
          ...roomNotes(input),
          ...sinceNotes(input, recorded),
        ],
  };
}

function sinceNotes({ since, destination }: PlanInput, recorded: string | undefined): string[] {
  if (since === undefined || recorded !== undefined) return [];
  const why =
    destination.record === "none"
      ? "has no record of a copy"
      : destination.record === "unfinished"
        ? "is unfinished"
        : "was not made from a snapshot";
  return [`All of it is looked at: ${endName(destination)} ${why}, so --since says nothing.`];
}

const DESTINATION_IS = {
  missing: "new file",
  file: "file",
  "block-device": "device",
  stream: "stream",
} as const;

/** `hostb:/dev/vg/web1`, as a person would write it. */
export function endName({ host, path }: { readonly host?: string; readonly path: string }): string {
  return host === undefined ? path : `${host}:${path}`;
}

function refuseSame({ source, destination, same }: PlanInput): void {
  if (!same) return;
  const [from, to] = [endName(source), endName(destination)];
  throw refused([to], {
    what: `${from} and ${to} are the same device.`,
    why: "Copying it onto itself does nothing good.",
    next: "Name another destination.",
  });
}

function refuseUsed(destination: PlannedEnd): void {
  const [first] = destination.users;
  if (!first) return;
  const name = endName(destination);
  const all = destination.users.map(({ what }) => what);
  // Who has it open is named before the image.
  if (first.kind === "image")
    throw refused([name], {
      what: `${name} has to stay as it is: nothing was written.`,
      why: `It is ${listText(all)}. ${WORTHLESS}`,
      next: `${WAY_OUT.image} If the arguments are swapped: domus sync SOURCE DESTINATION.`,
    });
  throw refused([name], {
    what: `${name} is in use: nothing was written.`,
    why: `It is ${listText(all)}. Who uses a disk does not notice that it is written to from outside, and damages it.`,
    next: `${WAY_OUT[first.kind]} If the arguments are swapped: domus sync SOURCE DESTINATION.`,
  });
}

/** Of a disk that a memory image waits for. */
export const WORTHLESS =
  "One write makes the image worthless: who restores it after that destroys the filesystems.";

/** How to end the use of a disk. */
const WAY_OUT: Readonly<Record<EndFacts["users"][number]["kind"], string>> = {
  mount: "Unmount it first (umount), or name another destination.",
  swap: "Take it out first (swapoff), or name another destination.",
  lvm: "It belongs to a volume group: name a logical volume in it (lvs), or another destination.",
  md: "It belongs to a RAID array: name the array (cat /proc/mdstat), or another destination.",
  dm: "Remove what is mapped on it (dmsetup ls --tree shows it), or name that.",
  loop: "Detach it first (losetup -j FILE, losetup -d), or name another destination.",
  nbd: "Disconnect it first, or name another destination.",
  guest: "Shut the guest down first (xl shutdown), or name another destination.",
  image:
    "To let that guest go on where it was: domus restore GUEST. To give that up: domus start --discard-image GUEST, which keeps the image aside. When it is stopped then, run the command again; or name another destination.",
  process: "End that process first, or name another destination.",
  sync: "Another copy to it is under way: wait for its end.",
};

function refuseUnfinishedSource(source: PlannedEnd): void {
  if (source.record !== "unfinished") return;
  const name = endName(source);
  throw refused([name], {
    what: `${name} is itself an unfinished copy.`,
    why: "A domus sync to it was cut off: part of it is old, part new.",
    next: `Finish that copy first. If the arguments are swapped: domus sync SOURCE DESTINATION.`,
  });
}

function refuseSmall({ source, destination }: PlanInput): void {
  if (destination.kind !== "block-device" || destination.sizeBytes >= source.sizeBytes) return;
  const name = endName(destination);
  const short = source.sizeBytes - destination.sizeBytes;
  throw refused([name], {
    what: `${name} is too small: nothing was written.`,
    why: `It has ${exactSize(destination.sizeBytes)}, the source ${endName(source)} has ${exactSize(source.sizeBytes)}: ${exactSize(short)} more.`,
    next: "Make it larger (lvextend -L for a logical volume), or name another destination.",
  });
}

function exactSize(bytes: number): string {
  const text = sizeText(bytes);
  return text === `${bytes} bytes` || text === "1 byte" ? text : `${text} (${bytes} bytes)`;
}

function listText(all: readonly string[]): string {
  const most = 3;
  if (all.length > most) return `${all.slice(0, most).join(", ")}, and ${all.length - most} more`;
  return all.length < 2 ? all.join("") : `${all.slice(0, -1).join(", ")} and ${all.at(-1)}`;
}

function usedNotes(source: PlannedEnd): string[] {
  const writers = source.users.filter(({ writes }) => writes).map(({ what }) => what);
  if (writers.length === 0) return [];
  return [
    `${endName(source)} can change meanwhile: it is ${listText(writers)}. All of it is read, and what is read is a mixture of moments. ` +
      "For a copy of one moment, stop what uses it, or copy a snapshot (lvcreate -s).",
  ];
}

function sizeNotes({ source, destination }: PlanInput): string[] {
  const more = destination.sizeBytes - source.sizeBytes;
  if (destination.kind === "file" && more > 0)
    return [
      `${endName(destination)} is ${sizeText(more)} longer than the source: it will be cut to ${sizeText(source.sizeBytes)}.`,
    ];
  if (destination.kind === "block-device" && more > 0)
    return [
      `${endName(destination)} is ${sizeText(more)} larger than the source: what lies behind is left as it is.`,
    ];
  return [];
}

/** Nobody knows before it is read how much of the source is zeroes, so this is no reason to refuse. */
function roomNotes({ source, destination }: PlanInput): string[] {
  const { freeBytes, allocatedBytes = 0 } = destination;
  if (freeBytes === undefined) return [];
  const needed = (source.allocatedBytes ?? source.sizeBytes) - allocatedBytes;
  if (needed <= freeBytes) return [];
  return [
    `It may not fit: ${endName(destination)} can grow by ${sizeText(freeBytes)}, and takes up to ${sizeText(needed)} more. ` +
      "If the disk gets full, make room and run the same command again: it goes on where it was.",
  ];
}
