import { attempt, corrupt, failureText } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import type { Finding } from "../../base/finding.ts";
import { within } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import type { Partition, PartitionTable } from "../content.ts";
import type { ByteSource } from "../source.ts";
import { MAX_PARTITION_NUMBER } from "./ebr.ts";
import {
  backupDamaged,
  badRange,
  copiesDiffer,
  ignoredByLinux,
  numberLimit,
  primaryDamaged,
} from "./findings.ts";
import { hasGptSignature, readGptCopy } from "./gpt.ts";
import type { GptCopy, GptEntry, GptHeader } from "./gpt.ts";
import { layoutFindings } from "./layout.ts";
import type { MbrEntry } from "./mbr.ts";
import { gptTypeName } from "./partition-types.ts";

/** Attribute bit 2, "legacy BIOS bootable" (UEFI 2.10, table 5-8). */
const LEGACY_BIOS_BOOTABLE = 4n;

export type ReadGptOptions = {
  readonly sectorSizeBytes: number;
  /**
   * The MBR's entry of type 0xee. Without one only the first copy counts: the second may be a leftover at the end of a
   * disk that was long since formatted.
   */
  readonly announcedBy: MbrEntry | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** Whether a header is where one belongs: a cheap look before `readGpt`. */
export async function seesGpt(source: ByteSource, options: ReadGptOptions): Promise<boolean> {
  const { sectorSizeBytes, signal } = options;
  for (const lba of [1, ...backupPlaces(source, options)]) {
    if ((lba + 1) * sectorSizeBytes > source.size) continue;
    const sector = await attempt(() => source.read(lba * sectorSizeBytes, sectorSizeBytes, signal));
    if (sector.ok && hasGptSignature(sector.value)) return true;
  }
  return false;
}

/**
 * The table from its first copy, or from the second when that is damaged (with a finding). A failure when neither
 * is intact; its text has the reasons of all.
 */
export async function readGpt(
  source: ByteSource,
  options: ReadGptOptions,
): Promise<PartitionTable> {
  const { sectorSizeBytes, signal } = options;
  const where = within(source.where, "GPT");
  const copyAt = (lba: number) =>
    attempt(() => readGptCopy(source, { lba, sectorSizeBytes, signal }));
  const first = await copyAt(1);
  if (first.ok) {
    // Above 2^53 the conversion is not exact, but then it is also past the end of any disk.
    const second = await copyAt(Number(first.value.header.alternateLba));
    const findings = second.ok
      ? compareCopies(first.value, second.value, where)
      : [backupDamaged(where, reasonText(second.failure))];
    return toTable(source, first.value, findings, options);
  }
  const reasons = [reasonText(first.failure)];
  for (const lba of backupPlaces(source, options)) {
    const second = await copyAt(lba);
    if (second.ok) {
      const findings = [primaryDamaged(where, reasons[0]!)];
      return toTable(source, second.value, findings, options);
    }
    reasons.push(reasonText(second.failure));
  }
  throw corrupt(where, reasons.join("; "), "one intact copy of the table");
}

/** The sectors where the backup header can be, without sector 1. */
function backupPlaces(source: ByteSource, options: ReadGptOptions): number[] {
  if (!options.announcedBy) return [];
  const last = Math.floor(source.size / options.sectorSizeBytes) - 1;
  // The entry covers all after sector 0, so its size is the number of the last sector, from before the disk grew.
  const places = new Set([last, options.announcedBy.sectors]);
  return [...places].filter((lba) => lba > 1 && lba <= last);
}

/** Without the way to the disk, which the finding has in its `where`. */
function reasonText(failure: Failure): string {
  return failureText({ ...failure, where: failure.where.slice(-1) });
}

function compareCopies(first: GptCopy, second: GptCopy, where: Where): Finding[] {
  const [a, b] = [first.header, second.header];
  const same =
    a.diskGuid === b.diskGuid &&
    a.entryCount === b.entryCount &&
    a.entrySizeBytes === b.entrySizeBytes &&
    a.entriesCrc32 === b.entriesCrc32;
  return same ? [] : [copiesDiffer(where)];
}

function toTable(
  source: ByteSource,
  copy: GptCopy,
  copyFindings: readonly Finding[],
  { sectorSizeBytes }: ReadGptOptions,
): PartitionTable {
  const where = within(source.where, "GPT");
  const lastLba = Math.floor(source.size / sectorSizeBytes) - 1;
  const findings = [...copyFindings];
  findings.push(...linuxObjections(copy.header, lastLba).map((why) => ignoredByLinux(where, why)));
  const numbered = copy.entries.filter((entry) => entry.number <= MAX_PARTITION_NUMBER);
  const beyond = copy.entries.length - numbered.length;
  if (beyond > 0) findings.push(numberLimit(where, beyond));
  const partitions: Partition[] = [];
  for (const entry of numbered) {
    if (isUsableRange(entry, sectorSizeBytes)) partitions.push(toPartition(entry, sectorSizeBytes));
    else {
      const range = `sectors ${entry.firstLba} to ${entry.lastLba}`;
      findings.push(badRange(within(where, `partition ${entry.number}`), range));
    }
  }
  findings.push(...layoutFindings("gpt", partitions, source.size, where));
  return { type: "gpt", sectorSizeBytes, id: copy.header.diskGuid, partitions, findings };
}

/** What makes Linux refuse a table that is otherwise intact (`is_gpt_valid` in block/partitions/efi.c). */
function linuxObjections(header: GptHeader, lastLba: number): string[] {
  const objections: string[] = [];
  const { firstUsableLba, lastUsableLba, entrySizeBytes } = header;
  if (firstUsableLba > BigInt(lastLba) || lastUsableLba > BigInt(lastLba)) {
    const last = `sector ${lastUsableLba}, and the disk ends with sector ${lastLba}`;
    objections.push(`The table is made for a larger disk: it uses the sectors up to ${last}`);
  } else if (lastUsableLba < firstUsableLba) {
    const range = `${firstUsableLba} to ${lastUsableLba}`;
    objections.push(`The table says that partitions can use the sectors ${range}`);
  }
  if (entrySizeBytes !== 128) {
    objections.push(`The table's entries have ${entrySizeBytes} bytes; Linux knows 128 only`);
  }
  return objections;
}

/** In order, and small enough that byte offsets are exact. */
function isUsableRange(entry: GptEntry, sectorSizeBytes: number): boolean {
  const limit = BigInt(Math.floor(Number.MAX_SAFE_INTEGER / sectorSizeBytes));
  return entry.firstLba <= entry.lastLba && entry.lastLba < limit;
}

function toPartition(entry: GptEntry, sectorSizeBytes: number): Partition {
  return {
    number: entry.number,
    offset: Number(entry.firstLba) * sectorSizeBytes,
    size: Number(entry.lastLba - entry.firstLba + 1n) * sectorSizeBytes,
    type: entry.typeGuid,
    typeName: gptTypeName(entry.typeGuid),
    bootable: (entry.attributes & LEGACY_BIOS_BOOTABLE) !== 0n,
    partuuid: entry.guid,
    label: entry.name,
    logical: false,
  };
}
