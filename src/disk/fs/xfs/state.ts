/** What an XFS filesystem says about itself: was it unmounted, does it ask for repair, what could not be replayed. */
import { failureText } from "../../../base/failure.ts";
import type { Failure } from "../../../base/failure.ts";
import type { Finding } from "../../../base/finding.ts";
import type { Where } from "../../../base/where.ts";
import type { FileSystemState } from "../filesystem.ts";
import { hasIncompat, unknownFeatures } from "./features.ts";
import type { Replay } from "./log/replay.ts";
import type { Superblock } from "./superblock.ts";

/** What is known once a filesystem is open. */
export type Opened = {
  /** After the replay, when there was one. */
  readonly superblock: Superblock;
  readonly where: Where;
  /** Set when the log was dirty. */
  readonly replay?: Replay;
  /** Why the log could not be read or replayed. */
  readonly logFailure?: Failure;
};

/** The log is on another device: whether it is clean is not known. */
export function logElsewhere({ superblock }: Opened): boolean {
  return superblock.logStart === 0;
}

/** One line that says whether what is shown is all there is. */
export function describeState(opened: Opened): FileSystemState {
  const said: string[] = [];
  if (hasIncompat(opened.superblock, "needsrepair")) said.push("marked as in need of repair");
  if (logElsewhere(opened)) said.push("log on another device, not looked at");
  if (opened.logFailure) said.push(`log not replayed: ${causeText(opened.logFailure)}`);
  if (opened.replay) said.push(replayText(opened.replay));
  return said.length === 0
    ? { clean: true, text: "clean" }
    : { clean: false, text: said.join("; ") };
}

function replayText({ transactions: count, unfinished }: Replay): string {
  const base =
    count === 0
      ? "not cleanly unmounted, nothing in the log to replay"
      : `log replayed in memory (${count} ${count === 1 ? "transaction" : "transactions"})`;
  return unfinished > 0 ? `${base}; changes of files cut off in the middle` : base;
}

function causeText(failure: Failure): string {
  if (failure.kind === "unsupported") return "domus does not know something in it";
  return failure.kind === "limit" ? "it is larger than domus takes" : "it is damaged";
}

/** Why the free-space trees cannot be trusted to leave every used block out; `undefined` when they can. */
export function freeSpaceDistrusted(opened: Opened): string | undefined {
  const { superblock, logFailure } = opened;
  if (logElsewhere(opened)) return "a log on another device, not looked at";
  if (logFailure) return "a log that was not replayed";
  if (hasIncompat(superblock, "needsrepair")) return "the mark that it needs repair";
  // A feature that only matters to writers may well change what the trees mean.
  return unknownFeatures(superblock).find((name) => name.startsWith("ro_compat"));
}

/** What an admin should know about the filesystem. */
export function describeNotes(opened: Opened): Finding[] {
  const { superblock, where, replay, logFailure } = opened;
  const notes: Finding[] = unknownFeatures(superblock).map((name) => ({
    code: "xfs-unknown-feature",
    severity: "note",
    where,
    what: `This filesystem has ${name}, which domus does not know.`,
    why: "Such a feature does not change how files are read.",
    next: "Nothing needs to be done.",
  }));
  if (hasIncompat(superblock, "needsrepair")) notes.push(needsRepairNote(where));
  if (logElsewhere(opened)) notes.push(logElsewhereNote(where));
  if (logFailure) notes.push(notReplayedNote(where, logFailure));
  if (replay && replay.unfinished > 0) notes.push(unfinishedNote(where, replay.unfinished));
  return notes;
}

function needsRepairNote(where: Where): Finding {
  return {
    code: "xfs-needs-repair",
    severity: "error",
    where,
    what: "This filesystem is marked as in need of repair.",
    why: "Linux will not mount it: a repair or a change of its features was cut off.",
    next: "Stop the guest and run xfs_repair on this filesystem.",
  };
}

function logElsewhereNote(where: Where): Finding {
  return {
    code: "xfs-log-elsewhere",
    severity: "warning",
    where,
    what: "The log of this filesystem is on another device. Its newest changes may not be shown.",
    why: "domus looks at one device at a time. Linux replays the log when it mounts the filesystem.",
    next: "Shut the guest down properly, then look again.",
  };
}

function notReplayedNote(where: Where, failure: Failure): Finding {
  if (failure.kind !== "corrupt") {
    return {
      code: "xfs-log-not-replayed",
      severity: "warning",
      where,
      what: "The newest changes, kept in the log, are not shown.",
      why: `domus does not replay this log: ${failureText(failure)}. Linux may.`,
      next: "Shut the guest down properly, then look again.",
    };
  }
  return {
    code: "xfs-log-damaged",
    severity: "error",
    where,
    what: "The log is damaged. What is shown is older than it, and may contradict itself.",
    why: `Linux will not mount this filesystem as it is: ${failureText(failure)}.`,
    next: "Stop the guest, copy the disk, and run xfs_repair on this filesystem. If it refuses, xfs_repair -L drops the log and with it the newest changes.",
  };
}

function unfinishedNote(where: Where, count: number): Finding {
  return {
    code: "xfs-log-unfinished",
    severity: "warning",
    where,
    what: `${count} ${count === 1 ? "change" : "changes"} of files' contents were cut off in the middle.`,
    why: "The log says that blocks were about to be moved into or out of files. Linux finishes that when it mounts the filesystem; here it is not done.",
    next: "Start the guest and shut it down properly, then look again.",
  };
}
