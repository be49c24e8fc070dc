/**
 * What ext2, ext3 and ext4 write at every commit: the journal. Without one, bitmaps and inode tables are written in place.
 * The superblock stays as it is while the filesystem is mounted.
 */
import { attempt, failureText } from "../../base/failure.ts";
import { MIB } from "../../base/units.ts";
import { within } from "../../base/where.ts";
import { COMPAT, driverName } from "../../disk/fs/ext4/features.ts";
import { findSuperblock } from "../../disk/fs/ext4/find-superblock.ts";
import { descriptorTableBlock, inodeTableBlocks } from "../../disk/fs/ext4/group-descriptor.ts";
import { openJournal } from "../../disk/fs/ext4/journal/replay.ts";
import type { Journal } from "../../disk/fs/ext4/journal/scan.ts";
import { ext4Volume } from "../../disk/fs/ext4/volume.ts";
import type { Ext4Volume } from "../../disk/fs/ext4/volume.ts";
import type { ByteSource, Extent } from "../../disk/source.ts";
import { findNewestCommit } from "./ext4-commit.ts";
import type { NewestCommit } from "./ext4-commit.ts";
import { clip, countedSource, ringWindow, samples, SEARCH_BYTES } from "./region-reader.ts";
import type { Region } from "./region-reader.ts";
import type { VolumePlan, PlanOptions } from "./volume-plan.ts";

/** Of the table of group descriptors: all of it up to 64 TiB in blocks of 4 KiB. */
const MAX_TABLE_BYTES = 32 * MIB;
/** Groups whose bitmaps and inode tables are listed: 8 TiB. */
const MAX_GROUPS = 65_536;
/** On each side of the newest commit. */
const AROUND_COMMIT = 4 * MIB;

/** Failures are those of the superblock: then it is nothing that can be planned for. */
export async function planExt4(source: ByteSource, options: PlanOptions): Promise<VolumePlan> {
  const where = within(source.where, "ext4");
  const { superblock, backupBlock } = await findSuperblock(source, where);
  const volume = ext4Volume(source, superblock, where);
  const head = Math.max(4096, superblock.blockSizeBytes);
  const base = {
    format: driverName(superblock),
    regions: [
      { name: "superblock", source, ranges: clip(0, head, source.size) },
      { name: "group descriptors", source, ranges: descriptorRanges(volume) },
    ],
  };
  const damage = backupBlock === undefined ? {} : { note: "its superblock is damaged" };
  if (!(superblock.compat & COMPAT.has_journal)) {
    return { ...base, ...(await planTables(volume, base.regions, options)), ...damage };
  }
  if (superblock.journalInode === 0) {
    return { ...base, depth: "sample", note: "its journal is on another device" };
  }
  const journal = await attempt(() => openJournal(volume));
  if (!journal.ok) {
    return { ...base, depth: "sample", note: failureText(journal.failure) };
  }
  const search = countedSource(journal.value.source, SEARCH_BYTES);
  const newest = await attempt(() =>
    findNewestCommit({ ...journal.value, source: search }, options.signal),
  );
  const commit = newest.ok ? newest.value : undefined;
  const planned = planJournal(journal.value, commit, options.limitBytes);
  return {
    ...base,
    depth: planned.complete ? "commits" : "sample",
    regions: [...base.regions, ...planned.regions],
    ...(commit && { counter: commit.counter }),
    ...(!newest.ok && { note: failureText(newest.failure) }),
    ...damage,
  };
}

/** All of the table that can be listed, whether it is in one piece or in meta block groups. */
function descriptorRanges({ superblock, source }: Ext4Volume): Extent[] {
  const { groupCount, descriptorSizeBytes, blockSizeBytes } = superblock;
  const tableBytes = Math.min(groupCount * descriptorSizeBytes, MAX_TABLE_BYTES);
  const blocks = Math.ceil(tableBytes / blockSizeBytes);
  const ranges: Extent[] = [];
  for (let index = 0; index < blocks; index++) {
    const offset = descriptorTableBlock(superblock, index) * blockSizeBytes;
    append(ranges, clip(offset, blockSizeBytes, source.size));
  }
  return ranges;
}

/** Adjacent ranges become one. */
function append(ranges: Extent[], more: readonly Extent[]): void {
  for (const { offset, length } of more) {
    const last = ranges.at(-1);
    if (last && last.offset + last.length === offset)
      ranges[ranges.length - 1] = { offset: last.offset, length: last.length + length };
    else ranges.push({ offset, length });
  }
}

type JournalPlan = {
  readonly regions: readonly Region[];
  /** Every further commit changes one of the regions. */
  readonly complete: boolean;
};

function planJournal(
  { source, superblock, blockSizeBytes }: Journal,
  commit: NewestCommit | undefined,
  limitBytes: number,
): JournalPlan {
  if (source.size <= limitBytes) {
    const ranges = clip(0, source.size, source.size);
    return { regions: [{ name: "journal", source, ranges }], complete: true };
  }
  const ring = {
    first: superblock.first * blockSizeBytes,
    last: superblock.last * blockSizeBytes,
  };
  // The next commit after an unmount says in the superblock where it is.
  const next = (commit?.nextBlock ?? superblock.first) * blockSizeBytes;
  const fast = (superblock.fastCommitFirst ?? superblock.length) * blockSizeBytes;
  const fastBytes = Math.min(superblock.length * blockSizeBytes - fast, limitBytes);
  const around = Math.min(AROUND_COMMIT, Math.floor(limitBytes / 2));
  return {
    regions: [
      { name: "journal superblock", source, ranges: clip(0, blockSizeBytes, source.size) },
      { name: "newest commits", source, ranges: ringWindow(ring, next, around) },
      { name: "fast commits", source, ranges: clip(fast, fastBytes, source.size) },
      { name: "journal samples", source, ranges: samples(source.size, limitBytes) },
    ],
    complete: commit !== undefined,
  };
}

/** Bitmaps and inode tables: what a file's change is written to when there is no journal. */
async function planTables(
  volume: Ext4Volume,
  before: readonly Region[],
  { limitBytes, signal }: PlanOptions,
): Promise<Pick<VolumePlan, "depth" | "regions" | "note">> {
  const { superblock, source } = volume;
  const { blockSizeBytes, groupCount } = superblock;
  const [bitmaps, tables]: [Extent[], Extent[]] = [[], []];
  const tableBytes = inodeTableBlocks(superblock) * blockSizeBytes;
  let left = limitBytes;
  let complete = groupCount <= MAX_GROUPS;
  let damaged: string | undefined;
  for (let group = 0; group < Math.min(groupCount, MAX_GROUPS); group++) {
    signal?.throwIfAborted();
    const found = await attempt(() => volume.descriptor(group));
    if (!found.ok) {
      damaged ??= failureText(found.failure);
      continue;
    }
    const { blockBitmap, inodeBitmap, inodeTable } = found.value;
    left -= 2 * blockSizeBytes + tableBytes;
    if (left < 0) {
      complete = false;
      break;
    }
    for (const block of [blockBitmap, inodeBitmap])
      append(bitmaps, clip(block * blockSizeBytes, blockSizeBytes, source.size));
    append(tables, clip(inodeTable * blockSizeBytes, tableBytes, source.size));
  }
  return {
    depth: complete && damaged === undefined ? "commits" : "sample",
    regions: [
      ...before,
      { name: "bitmaps", source, ranges: bitmaps },
      { name: "inode tables", source, ranges: tables },
    ],
    ...(damaged !== undefined && { note: damaged }),
  };
}
