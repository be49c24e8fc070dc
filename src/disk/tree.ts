/**
 * A disk and what is on it, as a tree: whole disk, partitions. It is two levels deep by construction, since Linux looks
 * for tables on whole disks only; a table in a partition is named and not followed. What lies on several partitions is
 * put together afterwards: assemble.ts.
 */
import { corrupt } from "../base/failure.ts";
import { cachedSource } from "./cache.ts";
import type { Content, Partition, ProbeContext, Volume } from "./content.ts";
import { detectContent } from "./detect.ts";
import { windowSource } from "./source.ts";
import type { ByteSource } from "./source.ts";
import { partitionStep } from "./table/layout.ts";
import { isContainer } from "./table/partition-types.ts";

/**
 * Reads what a disk holds. Damage never fails here: it is in `tried` and in the table's findings. The source should be
 * the bare device: one cache is put over it, which all volumes inside share.
 *
 * An extended partition has no volume: it is there to hold the logical ones. A partition that reaches past the end of
 * the disk has a source of what is there.
 */
export async function readVolumes(source: ByteSource, context: ProbeContext = {}): Promise<Volume> {
  const disk = cachedSource(source);
  const detected = await detectContent(disk, context);
  const children = await readPartitions(disk, detected.content, context);
  return { name: "whole disk", source: disk, ...detected, children };
}

/** The volumes of the table that `content` is; none when it is something else. */
export async function readPartitions(
  disk: ByteSource,
  content: Content,
  context: ProbeContext = {},
): Promise<Volume[]> {
  const children: Volume[] = [];
  if (content.kind !== "table") return children;
  for (const partition of content.table.partitions) {
    if (!isContainer(partition)) children.push(await readPartition(disk, partition, context));
  }
  return children;
}

async function readPartition(
  disk: ByteSource,
  partition: Partition,
  context: ProbeContext,
): Promise<Volume> {
  const name = partitionStep(partition);
  const offset = Math.min(partition.offset, disk.size);
  const size = Math.min(partition.size, disk.size - offset);
  const source = windowSource(disk, offset, size, name);
  const volume = { name, source, partition, children: [] };
  if (size > 0) return { ...volume, ...(await detectContent(source, context)) };
  const found = `a partition that begins at byte ${partition.offset}`;
  const failure = corrupt(source.where, found, `one on the disk of ${disk.size} bytes`).failure;
  return { ...volume, content: { kind: "unknown" }, tried: [{ name: "partition table", failure }] };
}
