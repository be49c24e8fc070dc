/**
 * Logical partitions: a chain of extended boot records (EBR), each shaped like an MBR, inside an extended partition.
 * In each, a data entry is relative to that EBR, and the link to the next EBR is relative to the extended partition.
 * All as in `parse_extended` of Linux's block/partitions/msdos.c, so that the numbers are the kernel's, except that a
 * chain that comes back to itself ends there.
 */
import { attempt, failureText } from "../../base/failure.ts";
import type { Finding } from "../../base/finding.ts";
import { within } from "../../base/where.ts";
import type { ByteSource } from "../source.ts";
import { chainDamaged, chainLoop } from "./findings.ts";
import { isExtended, MBR_BYTES, parseRecord, usedEntries } from "./mbr.ts";
import type { Mbr, MbrEntry } from "./mbr.ts";

/** Linux's DISK_MAX_PARTS is 256, with the whole disk as number 0. */
export const MAX_PARTITION_NUMBER = 255;

/**
 * Linux gives up after 100 records in a row without data. With at most 251 logical partitions no chain that it follows
 * to the end has more links than this.
 */
const MAX_EMPTY_RECORDS = 100;

export type Logical = {
  readonly entry: MbrEntry;
  /** From the start of the disk, in logical sectors. */
  readonly startSector: number;
};

export type Chain = { readonly logical: readonly Logical[]; readonly findings: readonly Finding[] };

export type ChainOptions = {
  readonly sectorSizeBytes: number;
  /** How many partitions there may yet be. */
  readonly limit: number;
  readonly signal?: AbortSignal | undefined;
};

/** Follows the chain of one extended partition. Damage ends the chain with a finding; it never fails. */
export async function readChain(
  source: ByteSource,
  extended: MbrEntry,
  options: ChainOptions,
): Promise<Chain> {
  const where = within(source.where, `partition ${extended.slot}`);
  const logical: Logical[] = [];
  const done = (finding: Finding): Chain => ({ logical, findings: [finding] });
  // Sector numbers stay below 2^34 (two 32-bit numbers added), byte offsets below 2^46.
  const seen = new Set<number>();
  let at = { sector: extended.startSector, sectors: extended.sectors };
  for (let empty = 0; ; empty++) {
    const offset = at.sector * options.sectorSizeBytes;
    if (seen.has(at.sector)) return done(chainLoop(where, offset));
    seen.add(at.sector);
    if (empty >= MAX_EMPTY_RECORDS) {
      return done(chainDamaged(where, `${empty} records in a row hold no partition`));
    }
    const record = await readRecord(source, offset, options.signal);
    if (typeof record === "string") {
      // Some systems make an extended partition without any record in it: that is empty rather than damaged.
      return done(chainDamaged(where, record, seen.size === 1 ? "warning" : "error"));
    }
    for (const entry of dataEntries(record, at, extended)) {
      if (logical.length >= options.limit) {
        const reason = `There are more logical partitions than Linux's number ${MAX_PARTITION_NUMBER} allows`;
        return done(chainDamaged(where, reason));
      }
      logical.push({ entry, startSector: at.sector + entry.startSector });
      empty = -1;
    }
    const link = usedEntries(record).find(isExtended);
    if (!link) return { logical, findings: [] };
    at = { sector: extended.startSector + link.startSector, sectors: link.sectors };
  }
}

/** The record, or in words why there is none. */
async function readRecord(
  source: ByteSource,
  offset: number,
  signal: AbortSignal | undefined,
): Promise<Mbr | string> {
  if (offset + MBR_BYTES > source.size)
    return `A link leads past the end of the disk, to byte ${offset}`;
  const read = await attempt(() => source.read(offset, MBR_BYTES, signal));
  if (!read.ok) return `The record at byte ${offset} cannot be read (${failureText(read.failure)})`;
  return (
    parseRecord(read.value, source.where) ?? `There is no extended boot record at byte ${offset}`
  );
}

/** Usually one. The third and fourth entry may hold garbage and count only when they lie inside, as in Linux. */
function dataEntries(
  record: Mbr,
  at: { readonly sector: number; readonly sectors: number },
  extended: MbrEntry,
): MbrEntry[] {
  return usedEntries(record).filter((entry) => {
    if (isExtended(entry)) return false;
    if (entry.slot <= 2) return true;
    const start = at.sector + entry.startSector;
    return (
      entry.startSector + entry.sectors <= at.sectors &&
      start >= extended.startSector &&
      start + entry.sectors <= extended.startSector + extended.sectors
    );
  });
}
