/** What a btrfs filesystem says about itself: was there a log to replay, does it know of errors, is this all of it. */
import { explainFailure } from "../../../base/explain.ts";
import type { Finding } from "../../../base/finding.ts";
import type { Where } from "../../../base/where.ts";
import type { FileSystemState } from "../filesystem.ts";
import { unknownFeatures } from "./features.ts";
import { OBJECTID } from "./key.ts";
import type { OpenedLog } from "./log/open-log.ts";
import type { Superblock } from "./superblock.ts";

/** What is known once a filesystem is open. */
export type Known = {
  readonly superblock: Superblock;
  readonly where: Where;
  /** Set when there was a log. */
  readonly log?: OpenedLog;
  /** The primary superblock is damaged; this is where the copy that was used lies. */
  readonly copyOffset?: number;
  readonly defaultSubvolume: bigint;
};

/** One line that says whether what is shown is all there is. */
export function describeState({ superblock, log, copyOffset }: Known): FileSystemState {
  const said: string[] = [];
  if (copyOffset !== undefined) said.push(`superblock damaged, copy at byte ${copyOffset} used`);
  if (log?.ok) {
    said.push(`log replayed in memory (${log.inodes} ${log.inodes === 1 ? "inode" : "inodes"})`);
  }
  if (log && !log.ok) said.push("log of synced files not replayed");
  if (superblock.errorsRecorded) said.push("errors recorded by the kernel");
  return said.length === 0
    ? { clean: true, text: "clean" }
    : { clean: false, text: said.join("; ") };
}

/** Why the extent tree cannot be trusted to name every used byte; `undefined` when it can. */
export function extentsDistrusted({ superblock, log, copyOffset }: Known): string | undefined {
  if (copyOffset !== undefined) return "a damaged superblock";
  if (log && !log.ok) return "a log that cannot be read";
  if (superblock.errorsRecorded) return "errors recorded by the kernel";
  if (superblock.deviceCount === 1 && superblock.totalBytes !== superblock.deviceBytes)
    return "one device, and not its size for that of the filesystem";
  // A feature that only matters to writers may well change what the extent tree means.
  return unknownFeatures(superblock).find((name) => name.startsWith("compat_ro"));
}

/** What an admin should know about the filesystem. */
export function describeNotes(known: Known): Finding[] {
  const { superblock, where, log, copyOffset, defaultSubvolume } = known;
  const notes: Finding[] = unknownFeatures(superblock).map((name) => ({
    code: "btrfs-unknown-feature",
    severity: "note",
    where,
    what: `This filesystem has ${name}, which domus does not know.`,
    why: "Such a feature does not change how files are read. A kernel that does not know it either mounts read-only.",
    next: "Nothing needs to be done.",
  }));
  if (copyOffset !== undefined) notes.push(copyNote(where, copyOffset));
  if (log && !log.ok) notes.push(logNote(known, log));
  if (superblock.errorsRecorded) notes.push(errorsNote(where));
  if (superblock.deviceCount > 1) notes.push(devicesNote(known));
  if (defaultSubvolume !== OBJECTID.FS_TREE) notes.push(defaultNote(where, defaultSubvolume));
  return notes;
}

function copyNote(where: Where, offset: number): Finding {
  return {
    code: "btrfs-superblock-damaged",
    severity: "error",
    where,
    what: `The superblock is damaged. Its copy at byte ${offset} was used.`,
    why: "Linux looks at the first superblock only and will not mount this filesystem as it is.",
    next: "Stop the guest and run btrfs rescue super-recover on this filesystem.",
  };
}

function logNote({ where }: Known, log: Extract<OpenedLog, { ok: false }>): Finding {
  const { what, why } = explainFailure(log.failure);
  const damaged = log.failure.kind === "corrupt";
  return {
    code: "btrfs-log-not-replayed",
    severity: damaged ? "error" : "warning",
    where,
    what: "The log of files that were synced last is not replayed. Those files are shown as they were before.",
    why: damaged
      ? `${what} ${why} Linux will probably refuse to mount this filesystem.`
      : `${what} ${why}`,
    next: damaged
      ? "If Linux cannot mount it either, stop the guest, make a copy, then run btrfs rescue zero-log: what was synced in the last seconds is lost."
      : "Shut the guest down properly, then look again.",
  };
}

function errorsNote(where: Where): Finding {
  return {
    code: "btrfs-errors-recorded",
    severity: "warning",
    where,
    what: "The guest's kernel recorded errors in this filesystem.",
    why: "Its structures contradicted each other, or the disk failed. Files may be damaged.",
    next: "Run btrfs device stats and btrfs scrub in the guest, or btrfs check --readonly with the guest stopped.",
  };
}

function devicesNote({ superblock, where }: Known): Finding {
  const { deviceCount, deviceId } = superblock;
  return {
    code: "btrfs-several-devices",
    severity: "note",
    where,
    what: `This is device ${deviceId} of a filesystem over ${deviceCount} devices.`,
    why: "domus reads what this device has a copy of. Another device may have newer data, if this one was away for a time.",
    next: "If files cannot be read, look at the other disks of the guest.",
  };
}

function defaultNote(where: Where, id: bigint): Finding {
  return {
    code: "btrfs-default-subvolume",
    severity: "note",
    where,
    what: `Paths begin in subvolume ${id}, the default of this filesystem.`,
    why: "Linux mounts it when the mount options name no other subvolume.",
    next: "Nothing needs to be done.",
  };
}
