/**
 * A disk and what is on it, as a tree: whole disk, partitions. It is two levels deep by construction, since Linux looks
 * for tables on whole disks only; a table in a partition is named and not followed. What lies on several partitions is
 * put together afterwards: assemble.ts.
 */
import { corrupt } from "../base/failure.ts";
import { cachedSource } from "./cache.ts";
import type { Partition, PartitionTable, ProbeContext, Volume } from "./content.ts";
import { detectContent } from "./detect.ts";
import { hybridContent, tableInFront, withoutOldImage } from "./hybrid.ts";
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
  return { name: "whole disk", source: disk, ...(await readDisk(disk, context)) };
}

/** What is on something that can have partitions: a disk, an array. `disk` should have a cache. */
export async function readDisk(
  disk: ByteSource,
  context: ProbeContext = {},
): Promise<Pick<Volume, "content" | "tried" | "children">> {
  const detected = withoutOldImage(await detectContent(disk, context));
  const { content } = detected;
  if (content.kind === "table") {
    return { ...detected, children: await readPartitions(disk, content.table, context) };
  }
  const table = await tableInFront(disk, content, context);
  if (!table) return { ...detected, children: [] };
  const children = await readPartitions(disk, table, context);
  return {
    ...detected,
    content: await hybridContent(disk, { content, table }, children),
    children,
  };
}

async function readPartitions(
  disk: ByteSource,
  table: PartitionTable,
  context: ProbeContext,
): Promise<Volume[]> {
  const children: Volume[] = [];
  for (const partition of table.partitions) {
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
