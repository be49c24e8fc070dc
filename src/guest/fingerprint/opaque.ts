/** What domus cannot look into, or need not: both ends and samples, or all of it where it is small. */
import { MIB } from "../../base/units.ts";
import { encodeText } from "../../bytes/text.ts";
import type { PartitionTable } from "../../disk/content.ts";
import { memorySource } from "../../disk/source.ts";
import type { ByteSource } from "../../disk/source.ts";
import { clip, samples } from "./region-reader.ts";
import type { PlanOptions, VolumePlan } from "./volume-plan.ts";

/** The header of LUKS2 has 16 MiB; the superblock of the filesystem inside follows. */
const HEAD_BYTES = 32 * MIB;
/** Of swap: what is written first, and its header. */
const SWAP_HEAD_BYTES = MIB;
const TAIL_BYTES = 4 * MIB;
const SAMPLED_BYTES = 4 * MIB;

export type OpaqueOptions = PlanOptions & { readonly format: string; readonly note?: string };

export function planOpaque(source: ByteSource, options: OpaqueOptions): VolumePlan {
  const { format, note, limitBytes } = options;
  const { size } = source;
  const most = format === "swap" ? SWAP_HEAD_BYTES : HEAD_BYTES;
  const head = Math.min(most, Math.floor(limitBytes / 2));
  const tail = Math.min(TAIL_BYTES, Math.floor(limitBytes / 8));
  return {
    format,
    depth: "sample",
    regions: [
      { name: "beginning", source, ranges: clip(0, head, size) },
      { name: "end", source, ranges: clip(size - tail, tail, size) },
      {
        name: "samples",
        source,
        ranges: samples(size, Math.min(SAMPLED_BYTES, Math.floor(limitBytes / 4))),
      },
    ],
    ...(note !== undefined && { note }),
  };
}

/** The name of a region that is the whole volume. */
export const WHOLE_REGION = "all of it";

export function planWhole(source: ByteSource, format: string): VolumePlan {
  const { size } = source;
  return {
    format,
    depth: "whole",
    regions: [{ name: WHOLE_REGION, source, ranges: clip(0, size, size) }],
  };
}

/** A physical volume or an array's member: its volumes are planned for by themselves. */
export function planMember(source: ByteSource, format: string): VolumePlan {
  const { size } = source;
  return {
    format,
    depth: "container",
    regions: [
      { name: "metadata", source, ranges: [...clip(0, MIB, size), ...clip(size - MIB, MIB, size)] },
    ],
  };
}

/** What is around the partitions: the table, its copy, a boot loader. */
export function planTable(source: ByteSource, table: PartitionTable): VolumePlan {
  const { size } = source;
  const ends = table.partitions.map((one) => one.offset + one.size);
  const first = Math.min(MIB, ...table.partitions.map(({ offset }) => offset));
  const last = Math.min(size, Math.max(0, ...ends));
  const tail = Math.min(MIB, size - last);
  // Where logical partitions are is written between them.
  const lines = table.partitions.map(
    (one) => `${one.number} ${one.type} ${one.offset} ${one.size}`,
  );
  const list = memorySource(encodeText(lines.join("\n")));
  return {
    format: `partition table (${table.type})`,
    depth: "container",
    regions: [
      {
        name: "partition table",
        source,
        // An MBR's own sector also where a partition claims it.
        ranges: [...clip(0, Math.max(512, first), size), ...clip(size - tail, tail, size)],
      },
      { name: "partitions", source: list, ranges: clip(0, list.size, list.size) },
    ],
  };
}
