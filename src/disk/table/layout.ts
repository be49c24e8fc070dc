/** What can be wrong with the partitions of a table as a set, whatever kind of table it is. */
import type { Finding } from "../../base/finding.ts";
import { within } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import type { Partition } from "../content.ts";
import { partitionOverlap, partitionPastEnd } from "./findings.ts";
import { isContainer } from "./partition-types.ts";

/** The step that a partition adds to a where-path, and the name of its volume. */
export function partitionStep(partition: Partition): string {
  return `partition ${partition.number}`;
}

/** Partitions that reach past the end of the disk or into each other. At most two findings a partition. */
export function layoutFindings(
  table: "mbr" | "gpt",
  partitions: readonly Partition[],
  diskBytes: number,
  where: Where,
): Finding[] {
  const findings: Finding[] = [];
  for (const partition of partitions) {
    if (partition.offset + partition.size <= diskBytes) continue;
    const at = within(where, partitionStep(partition));
    findings.push(partitionPastEnd({ where: at, partition, diskBytes, table }));
  }
  // An extended partition contains the logical ones, that is its purpose.
  const sorted = partitions
    .filter((partition) => !isContainer(partition))
    .toSorted((a, b) => a.offset - b.offset || a.number - b.number);
  let furthest: Partition | undefined;
  for (const partition of sorted) {
    if (furthest && partition.offset < furthest.offset + furthest.size) {
      const at = within(where, partitionStep(partition));
      findings.push(partitionOverlap(at, partition.number, furthest.number));
    }
    const end = partition.offset + partition.size;
    if (!furthest || end > furthest.offset + furthest.size) furthest = partition;
  }
  return findings;
}
