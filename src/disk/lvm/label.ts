/**
 * The label of an LVM2 physical volume: lib/label/label.h and lib/format_text/layout.h of LVM2. It names the volume and
 * says where its metadata areas are; which group it belongs to is written there (metadata-area.ts).
 */
import { corrupt } from "../../base/failure.ts";
import { hex } from "../../base/units.ts";
import { within } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import { crc32Update } from "../../bytes/crc32.ts";
import { bytesField, u32le, u64le, u64leRaw } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import { latin1 } from "../../bytes/text.ts";
import type { Magic, Prober } from "../content.ts";
import type { ByteSource } from "../source.ts";

const SECTOR_BYTES = 512;
/** The label is in one of the first four sectors, by default in the second. */
const LABEL_SCAN_SECTORS = 4;
/** INITIAL_CRC of LVM2's lib/misc/crc.h; there is no inversion at the end. */
export const INITIAL_CRC = 0xf597a6cf;
const CRC_START = 20;

export const labelHeader = struct("label_header", 32, {
  id: [0, bytesField(8)],
  sector_xl: [8, u64leRaw],
  crc_xl: [16, u32le],
  offset_xl: [20, u32le],
  type: [24, bytesField(8)],
});

export const pvHeader = struct("pv_header", 40, {
  pv_uuid: [0, bytesField(32)],
  device_size_xl: [32, u64leRaw],
});

/** One of the lists behind `pv_header`: data areas, then metadata areas, each ended by an offset of 0. */
export const diskLocn = struct("disk_locn", 16, {
  offset: [0, u64le],
  size: [8, u64le],
});

/** A part of a physical volume, in bytes. */
export type Area = { readonly offset: number; readonly size: number };

export type PvLabel = {
  /** As `pvs` prints it: `xxxxxx-xxxx-xxxx-xxxx-xxxx-xxxx-xxxxxx`. */
  readonly uuid: string;
  /** None, one at the start, or a second one at the end; a volume without any is described by others of its group. */
  readonly metadataAreas: readonly Area[];
};

/** `sector` has the label of the sector with number `index`. `undefined` when there is none. */
export function parsePvLabel(sector: Uint8Array, index: number, where: Where): PvLabel | undefined {
  const label = labelHeader.read(sector, 0, where);
  if (latin1(label.id) !== "LABELONE" || latin1(label.type) !== "LVM2 001") return undefined;
  if (label.sector_xl !== BigInt(index)) {
    throw corrupt(where, `a label that belongs to sector ${label.sector_xl}`, `sector ${index}`);
  }
  const sum = crc32Update(INITIAL_CRC, sector.subarray(CRC_START, SECTOR_BYTES));
  if (sum !== label.crc_xl) {
    throw corrupt(where, `label CRC ${hex(label.crc_xl, 8)}`, hex(sum, 8));
  }
  const id = latin1(pvHeader.read(sector, label.offset_xl, where).pv_uuid);
  if (!/^[0-9A-Za-z!#]{32}$/.test(id))
    throw corrupt(where, "a uuid of other characters", "letters and digits");
  const dataAreas = parseAreas(sector, label.offset_xl + pvHeader.size, where);
  // Where data lies is said by the group's metadata (pe_start); its list is here only to get past it.
  const next = label.offset_xl + pvHeader.size + (dataAreas.length + 1) * diskLocn.size;
  return { uuid: uuidText(id), metadataAreas: parseAreas(sector, next, where) };
}

/** Each step takes 16 of the sector's 512 bytes, and reading past them fails: the list ends. */
function parseAreas(sector: Uint8Array, at: number, where: Where): Area[] {
  const areas: Area[] = [];
  for (let next = at; ; next += diskLocn.size) {
    const { offset, size } = diskLocn.read(sector, next, where);
    if (offset === 0) return areas;
    areas.push({ offset, size });
  }
}

function uuidText(id: string): string {
  return id.replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6})$/, "$1-$2-$3-$4-$5-$6-$7");
}

/** The label in one of the first sectors; `undefined` when there is none. */
export async function readPvLabel(
  source: ByteSource,
  signal?: AbortSignal,
): Promise<PvLabel | undefined> {
  for (let index = 0; index < LABEL_SCAN_SECTORS; index++) {
    if ((index + 1) * SECTOR_BYTES > source.size) break;
    const sector = await source.read(index * SECTOR_BYTES, SECTOR_BYTES, signal);
    const label = parsePvLabel(sector, index, within(source.where, "LVM2", `sector ${index}`));
    if (label) return label;
  }
  return undefined;
}

export const lvm2Prober: Prober = {
  name: "LVM2",
  magics: Array.from({ length: LABEL_SCAN_SECTORS }, (_, sector): Magic => ({
    offset: sector * SECTOR_BYTES,
    bytes: new TextEncoder().encode("LABELONE"),
  })),
  async probe(source, { signal }) {
    const label = await readPvLabel(source, signal);
    return label && { kind: "member", member: { system: "lvm2", group: "", id: label.uuid } };
  },
};
