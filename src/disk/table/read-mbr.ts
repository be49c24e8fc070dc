import type { Finding } from "../../base/finding.ts";
import { within } from "../../base/where.ts";
import type { Partition, PartitionTable } from "../content.ts";
import type { ByteSource } from "../source.ts";
import { MAX_PARTITION_NUMBER, readChain } from "./ebr.ts";
import { layoutFindings } from "./layout.ts";
import { isExtended, usedEntries } from "./mbr.ts";
import type { Mbr, MbrEntry } from "./mbr.ts";
import { mbrTypeName, mbrTypeText } from "./partition-types.ts";

export type ReadMbrOptions = {
  readonly sectorSizeBytes: number;
  readonly signal?: AbortSignal | undefined;
};

/** The table of `mbr`, with its logical partitions. Primary partitions come first, then logical ones in chain order. */
export async function readMbr(
  source: ByteSource,
  mbr: Mbr,
  options: ReadMbrOptions,
): Promise<PartitionTable> {
  const { sectorSizeBytes } = options;
  const findings: Finding[] = [];
  const primary: Partition[] = [];
  const logical: Partition[] = [];
  const partition = (entry: MbrEntry, number: number, startSector: number): Partition => ({
    number,
    // Below 2^34 sectors of 2^12 bytes.
    offset: startSector * sectorSizeBytes,
    size: entry.sectors * sectorSizeBytes,
    type: mbrTypeText(entry.type),
    typeName: mbrTypeName(entry.type),
    bootable: (entry.status & 0x80) !== 0,
    partuuid: `${mbr.id}-${number.toString(16).padStart(2, "0")}`,
    label: "",
    logical: number > 4,
  });
  for (const entry of usedEntries(mbr)) {
    primary.push(partition(entry, entry.slot, entry.startSector));
    if (!isExtended(entry)) continue;
    const next = 5 + logical.length;
    const limit = MAX_PARTITION_NUMBER - next + 1;
    const chain = await readChain(source, entry, { ...options, limit });
    findings.push(...chain.findings);
    for (const [at, found] of chain.logical.entries()) {
      logical.push(partition(found.entry, next + at, found.startSector));
    }
  }
  const partitions = [...primary, ...logical];
  const where = within(source.where, "MBR");
  findings.push(...layoutFindings("mbr", partitions, source.size, where));
  return { type: "mbr", sectorSizeBytes, id: mbr.id, partitions, findings };
}
