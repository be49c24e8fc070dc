/** What an ext4 filesystem says about itself: was it unmounted, does it know of errors, what could not be replayed. */
import type { Finding } from "../../../base/finding.ts";
import { countText } from "../../../base/units.ts";
import type { Where } from "../../../base/where.ts";
import type { FileSystemState } from "../filesystem.ts";
import { COMPAT, unknownFeatures } from "./features.ts";
import type { FastCommits } from "./journal/fast-commit-replay.ts";
import type { Replay } from "./journal/replay.ts";

import { hasIncompat } from "./superblock.ts";
import type { Superblock } from "./superblock.ts";

const EXT4_VALID_FS = 0x1;
const EXT4_ERROR_FS = 0x2;

/** What is known once a filesystem is open. */
export type Opened = {
  /** After the replay, when there was one. */
  readonly superblock: Superblock;
  readonly where: Where;
  /** Set when a journal inside the filesystem was to be replayed. */
  readonly replay?: Replay;
  /** Set when the log of that journal was not empty. */
  readonly fastCommits?: FastCommits;
  /** The primary superblock is damaged; this is where the copy that was used lies. */
  readonly backupBlock?: number;
};

/** The journal is on another device, and was in use. */
function journalElsewhere({ superblock, replay }: Opened): boolean {
  return hasIncompat(superblock, "needs_recovery") && replay === undefined;
}

/** One line that says whether what is shown is all there is. */
export function describeState(opened: Opened): FileSystemState {
  const { superblock, replay, backupBlock } = opened;
  const said: string[] = [];
  if (backupBlock !== undefined) said.push(`superblock damaged, copy in block ${backupBlock} used`);
  if (journalElsewhere(opened)) said.push("journal on another device, not replayed");
  if (replay) said.push(replayText(replay, opened.fastCommits));
  else if ((superblock.state & EXT4_VALID_FS) === 0) said.push("not cleanly unmounted");
  if (superblock.state & EXT4_ERROR_FS) said.push("errors recorded by the kernel");
  return said.length === 0
    ? { clean: true, text: "clean" }
    : { clean: false, text: said.join("; ") };
}

function replayText(replay: Replay, fast: FastCommits | undefined): string {
  const count = replay.transactions;
  const base =
    count === 0
      ? "not cleanly unmounted, nothing in the journal to replay"
      : `journal replayed in memory (${countText(count, "transaction")})`;
  if (fast?.refused !== undefined) return `${base}; fast commits after it not replayed`;
  return fast?.overlay ? `${base} and ${countText(fast.commits, "fast commit")}` : base;
}

/** Why the block bitmaps cannot be trusted to name every used block; `undefined` when they can. */
export function bitmapsDistrusted(opened: Opened): string | undefined {
  const { superblock, backupBlock } = opened;
  if (backupBlock !== undefined) return "a damaged superblock";
  if (journalElsewhere(opened)) return "a journal on another device, not replayed";
  if (opened.fastCommits?.refused !== undefined) return "fast commits in the journal, not replayed";
  if (superblock.state & EXT4_ERROR_FS) return "errors recorded by the kernel";
  // Without a journal nothing orders the writing of bitmaps.
  const journaled = (superblock.compat & COMPAT.has_journal) !== 0;
  if (!journaled && (superblock.state & EXT4_VALID_FS) === 0) return "not cleanly unmounted";
  // A feature that only matters to writers may well change what the bitmaps mean.
  return unknownFeatures(superblock).find((name) => name.startsWith("ro_compat"));
}

/** What an admin should know about the filesystem. */
export function describeNotes(opened: Opened): Finding[] {
  const { superblock, where, replay, backupBlock } = opened;
  const notes: Finding[] = unknownFeatures(superblock).map((name) => ({
    code: "ext4-unknown-feature",
    severity: "note",
    where,
    what: `This filesystem has ${name}, which domus does not know.`,
    why: "Such a feature does not change how files are read.",
    next: "Nothing needs to be done.",
  }));
  if (superblock.state & EXT4_ERROR_FS || superblock.errorCount > 0) {
    const last = superblock.lastErrorFunction
      ? `, the last in ${superblock.lastErrorFunction}`
      : "";
    notes.push({
      code: "ext4-errors-recorded",
      severity: "warning",
      where,
      what: `The guest's kernel recorded ${superblock.errorCount || "some"} errors in this filesystem${last}.`,
      why: "Its structures contradicted each other, or the disk failed. Files may be damaged.",
      next: "Stop the guest and run e2fsck -f on this filesystem.",
    });
  }
  if (backupBlock !== undefined) notes.push(backupNote(where, backupBlock));
  if (replay?.damagedEnd) notes.push(damagedEndNote(where));
  const fast = opened.fastCommits;
  if (fast?.damaged) notes.push(damagedFastCommitNote(where, fast.refused ?? "damage"));
  else if (fast?.refused !== undefined) notes.push(fastCommitNote(where, fast.refused));
  if (journalElsewhere(opened)) notes.push(journalElsewhereNote(opened));
  return notes;
}

function backupNote(where: Where, block: number): Finding {
  return {
    code: "ext4-superblock-damaged",
    severity: "error",
    where,
    what: `The superblock is damaged. Its copy in block ${block} was used.`,
    why: "Linux will not mount this filesystem as it is.",
    next: `Stop the guest and run e2fsck -b ${block} on this filesystem.`,
  };
}

function damagedEndNote(where: Where): Finding {
  return {
    code: "ext4-journal-end-damaged",
    severity: "error",
    where,
    what: "The last transaction in the journal is damaged. It was left out.",
    why: "Linux will not mount this filesystem as it is.",
    next: "Stop the guest and run e2fsck -f on this filesystem.",
  };
}

function damagedFastCommitNote(where: Where, damage: string): Finding {
  return {
    code: "ext4-journal-end-damaged",
    severity: "error",
    where,
    what: `The fast commits at the end of the journal are damaged (${damage}). They were left out.`,
    why: "Linux will not mount this filesystem as it is.",
    next: "Stop the guest and run e2fsck -f on this filesystem.",
  };
}

function fastCommitNote(where: Where, refused: string): Finding {
  return {
    code: "ext4-journal-not-replayed",
    severity: "warning",
    where,
    what: `The newest changes, kept as fast commits in the journal, are not shown: ${refused}.`,
    why: "domus does not replay such fast commits. Linux may when it mounts the filesystem.",
    next: "Shut the guest down properly, then look again.",
  };
}

function journalElsewhereNote({ where, superblock }: Opened): Finding {
  return {
    code: "ext4-journal-not-replayed",
    severity: "warning",
    where,
    what: `The newest changes are in a journal on another device (UUID ${superblock.journalUuid}). They are not shown.`,
    why: "domus looks at one device at a time. Linux will replay the journal when it mounts the filesystem.",
    next: "Shut the guest down properly, then look again.",
  };
}
