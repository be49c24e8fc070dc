/**
 * The partition tables as probers. A GPT announced by a protective MBR wins over the MBR's own partitions, as in
 * Linux; a GPT that nothing announces counts only where the MBR has no partitions.
 */
import { corrupt } from "../../base/failure.ts";
import type { Finding } from "../../base/finding.ts";
import { within } from "../../base/where.ts";
import type { Content, Magic, PartitionTable, ProbeContext, Prober } from "../content.ts";
import type { ByteSource } from "../source.ts";
import { hybridMbr, ignoredByLinux } from "./findings.ts";
import {
  isBootSector,
  isSaneLayout,
  MBR_BYTES,
  parseMbr,
  parseRecord,
  protectiveKind,
  usedEntries,
} from "./mbr.ts";
import type { Mbr } from "./mbr.ts";
import { readGpt, seesGpt } from "./read-gpt.ts";
import { readMbr } from "./read-mbr.ts";

const BOOT_SIGNATURE: Magic = { offset: 510, bytes: Uint8Array.of(0x55, 0xaa) };
const EFI_PART = new TextEncoder().encode("EFI PART");
const SECTOR_SIZES = [512, 4096] as const;

export const gptProber: Prober = {
  name: "GPT",
  magics: [
    BOOT_SIGNATURE,
    ...SECTOR_SIZES.map((size): Magic => ({ offset: size, bytes: EFI_PART })),
  ],
  async probe(source, context) {
    const sector = await source.read(0, MBR_BYTES, context.signal);
    const mbr = parseRecord(sector, source.where);
    const announced = mbr ? protectiveKind(mbr) : "none";
    if (
      mbr &&
      announced === "none" &&
      parseMbr(sector, source.where) &&
      usedEntries(mbr).length > 0
    )
      return undefined;
    const table = await findGpt(source, context, mbr);
    if (table) {
      const findings = [...mbrFindings(announced, source), ...table.findings];
      return { kind: "table", table: { ...table, findings } };
    }
    if (announced === "none" || announced === "unusable") return undefined;
    throw corrupt(
      within(source.where, "MBR"),
      "an MBR that announces a GPT, and no GPT",
      "a GPT header at sector 1 or in the last sector",
    );
  },
};

/** The device's own sector size first, then the others: an image may come from a disk of another kind. */
async function findGpt(
  source: ByteSource,
  context: ProbeContext,
  mbr: Mbr | undefined,
): Promise<PartitionTable | undefined> {
  const own = context.sectorSizeBytes;
  const sizes = new Set(own === undefined ? SECTOR_SIZES : [own, ...SECTOR_SIZES]);
  const announcedBy = mbr?.entries.find((entry) => entry.type === 0xee);
  for (const sectorSizeBytes of sizes) {
    const options = { sectorSizeBytes, announcedBy, signal: context.signal };
    if (!(await seesGpt(source, options))) continue;
    const table = await readGpt(source, options);
    if (own === undefined || own === sectorSizeBytes) return table;
    const why = `The table is made for sectors of ${sectorSizeBytes} bytes, and this disk has ${own}`;
    const finding = ignoredByLinux(within(source.where, "GPT"), why);
    return { ...table, findings: [finding, ...table.findings] };
  }
  return undefined;
}

function mbrFindings(
  announced: ReturnType<typeof protectiveKind>,
  source: ByteSource,
): readonly Finding[] {
  const where = within(source.where, "MBR");
  switch (announced) {
    case "protective":
      return [];
    case "hybrid":
      return [hybridMbr(where)];
    case "unusable":
      return [ignoredByLinux(where, "The MBR's entry of type 0xee does not begin at sector 1")];
    case "none":
      return [ignoredByLinux(where, "The MBR does not announce it (no entry of type 0xee)")];
  }
}

/** The MBR in sector 0 of the source, when it is one and no GPT is announced by it. */
async function mbrOf(source: ByteSource, signal?: AbortSignal): Promise<Mbr | undefined> {
  const sector = await source.read(0, MBR_BYTES, signal);
  const mbr = parseMbr(sector, source.where);
  if (!mbr || protectiveKind(mbr) !== "none") return undefined;
  const diskSectors = Math.floor(source.size / MBR_BYTES);
  if (isBootSector(sector, source.where) && !isSaneLayout(mbr, diskSectors)) return undefined;
  return mbr;
}

async function tableContent(
  source: ByteSource,
  mbr: Mbr,
  { sectorSizeBytes = 512, signal }: ProbeContext,
): Promise<Content> {
  return { kind: "table", table: await readMbr(source, mbr, { sectorSizeBytes, signal }) };
}

export const mbrProber: Prober = {
  name: "MBR",
  magics: [BOOT_SIGNATURE],
  async probe(source, context) {
    const mbr = await mbrOf(source, context.signal);
    return mbr && usedEntries(mbr).length > 0 ? tableContent(source, mbr, context) : undefined;
  },
};

/** Asked last: a boot sector with zeroes where the entries would be has the same shape. */
export const emptyMbrProber: Prober = {
  name: "MBR without partitions",
  magics: [BOOT_SIGNATURE],
  async probe(source, context) {
    const mbr = await mbrOf(source, context.signal);
    return mbr && tableContent(source, mbr, context);
  },
};
