/** What XFS writes at every commit: the log. The superblock stays as it is while the filesystem is mounted. */
import { attempt, failureText } from "../../base/failure.ts";
import { MIB } from "../../base/units.ts";
import { within } from "../../base/where.ts";
import { findEnds, headersBefore } from "../../disk/fs/xfs/log/head.ts";
import { readHeader } from "../../disk/fs/xfs/log/record.ts";
import { BASIC_BLOCK, openLog } from "../../disk/fs/xfs/log/ring.ts";
import type { Log } from "../../disk/fs/xfs/log/ring.ts";
import { readSuperblock } from "../../disk/fs/xfs/superblock.ts";
import type { Superblock } from "../../disk/fs/xfs/superblock.ts";
import type { XfsVolume } from "../../disk/fs/xfs/volume.ts";
import type { ByteSource } from "../../disk/source.ts";
import { clip, countedSource, ringWindow, samples, SEARCH_BYTES } from "./region-reader.ts";
import type { Region } from "./region-reader.ts";
import type { VolumeCounter } from "./types.ts";
import type { PlanOptions, VolumePlan } from "./volume-plan.ts";

/** Groups of 1 TiB at most: 4 PiB; mkfs.xfs makes four of small filesystems. */
const MAX_GROUPS = 4096;
/** On each side of the newest record. */
const AROUND_HEAD = 4 * MIB;

/** Failures are those of the superblock: then it is nothing that can be planned for. */
export async function planXfs(source: ByteSource, options: PlanOptions): Promise<VolumePlan> {
  const where = within(source.where, "xfs");
  const superblock = await readSuperblock(source, where);
  const base = {
    format: "xfs",
    regions: [{ name: "group headers", source, ranges: headerRanges(superblock, source) }],
  };
  if (superblock.logStart === 0) {
    return { ...base, depth: "sample", note: "its log is on another device" };
  }
  const volume: XfsVolume = {
    source,
    where,
    superblock,
    replayed: () => false,
    ownerChanged: new Set(),
  };
  const opened = await attempt(() => openLog(volume));
  if (!opened.ok) return { ...base, depth: "sample", note: failureText(opened.failure) };
  const log = opened.value;
  const search = countedSource(log.source, SEARCH_BYTES);
  const newest = await attempt(() => findNewestRecord({ ...log, source: search }));
  const whole = log.source.size <= options.limitBytes;
  return {
    ...base,
    depth: whole || newest.ok ? "commits" : "sample",
    regions: [
      ...base.regions,
      ...logRegions(log, newest.ok ? newest.value.head : 0, options.limitBytes),
    ],
    ...(newest.ok ? { counter: newest.value.counter } : { note: failureText(newest.failure) }),
  };
}

/** Superblock, AGF, AGI and AGFL of each group. */
function headerRanges(
  { agCount, agBlocks, blockSizeBytes, sectorSizeBytes }: Superblock,
  source: ByteSource,
) {
  return Array.from({ length: Math.min(agCount, MAX_GROUPS) }, (_, group) =>
    clip(group * agBlocks * blockSizeBytes, 4 * sectorSizeBytes, source.size),
  ).flat();
}

function logRegions({ source }: Log, head: number, limitBytes: number): Region[] {
  if (source.size <= limitBytes) {
    return [{ name: "log", source, ranges: clip(0, source.size, source.size) }];
  }
  const ring = { first: 0, last: source.size };
  const around = Math.min(AROUND_HEAD, Math.floor(limitBytes / 2));
  return [
    { name: "newest log records", source, ranges: ringWindow(ring, head * BASIC_BLOCK, around) },
    { name: "log samples", source, ranges: samples(source.size, limitBytes) },
  ];
}

type NewestRecord = { readonly counter: VolumeCounter; readonly head: number };

/** `corrupt` when the log does not show where it ends. */
async function findNewestRecord(log: Log): Promise<NewestRecord> {
  const { head } = await findEnds(log);
  const [block] = await headersBefore(log, head, { count: 1, limit: log.length });
  if (block === undefined) return { counter: { text: "empty log" }, head };
  const { lsn } = await readHeader(log, block);
  return { counter: { text: `log record ${lsn >> 32n}:${lsn & 0xffff_ffffn}` }, head };
}
