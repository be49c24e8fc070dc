/**
 * El Torito: how a BIOS or UEFI boots from a CD. A boot record among the volume descriptors leads to the boot catalog, which
 * lists images: a few sectors of program, a floppy, or for UEFI a FAT filesystem.
 *
 * Source: "El Torito" Bootable CD-ROM Format Specification 1.0 (1995); UEFI specification 2.10, section 13.3.2.1.
 * Not used: selection criteria, which no firmware looks at.
 */
import { corrupt } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import { bytesField, u16le, u32le, u8 } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import { decodeCString, latin1 } from "../../../bytes/text.ts";
import { assertRange } from "../../source.ts";
import type { ByteSource } from "../../source.ts";
import { isoVolumeDescriptor, SECTOR_BYTES } from "./volume-descriptor.ts";

export const bootRecord = struct("el_torito_boot_record", SECTOR_BYTES, {
  boot_system_id: [7, bytesField(32)],
  catalog: [71, u32le],
});

const ENTRY_BYTES = 32;

export const validationEntry = struct("el_torito_validation_entry", ENTRY_BYTES, {
  header_id: [0, u8],
  platform_id: [1, u8],
  id: [4, bytesField(24)],
  key: [30, u16le],
});

export const sectionHeader = struct("el_torito_section_header", ENTRY_BYTES, {
  header_id: [0, u8],
  platform_id: [1, u8],
  count: [2, u16le],
  id: [4, bytesField(28)],
});

export const bootEntry = struct("el_torito_entry", ENTRY_BYTES, {
  boot_indicator: [0, u8],
  media_type: [1, u8],
  load_segment: [2, u16le],
  system_type: [4, u8],
  sector_count: [6, u16le],
  load_rba: [8, u32le],
});

const PLATFORMS: Readonly<Record<number, BootPlatform>> = {
  0x00: "bios",
  0x01: "powerpc",
  0x02: "mac",
  0xef: "uefi",
};
const MEDIA = ["none", "floppy-1.2", "floppy-1.44", "floppy-2.88", "hard-disk"] as const;

export type BootPlatform = "bios" | "powerpc" | "mac" | "uefi" | "unknown";

/** An image that a firmware can start. */
export type BootImage = {
  readonly platform: BootPlatform;
  /** False: listed, and not to be started. */
  readonly bootable: boolean;
  /** What the image is shown as to BIOS programs; `none` is the usual one. */
  readonly emulation: (typeof MEDIA)[number];
  /** Where the BIOS puts it, as a real-mode segment; 0 means 0x7c0. */
  readonly loadSegment: number;
  /** How much the BIOS loads, in bytes: sectors of 512. UEFI: all of the image, 0 or 1 sector for "up to the end". */
  readonly loadBytes: number;
  /** Where the image begins, in bytes of the volume. It was not checked against the volume's size. */
  readonly offset: number;
};

export type ElTorito = {
  /** Who made it, as the catalog says. */
  readonly id: string;
  /** The first is the default one. */
  readonly images: readonly BootImage[];
};

/** The boot catalog of a volume; `undefined` when it has none. One sector of it is read: 63 entries, as firmware does. */
export async function readElTorito(
  source: ByteSource,
  signal?: AbortSignal,
): Promise<ElTorito | undefined> {
  const where = within(source.where, "El Torito");
  // The boot record has a fixed place, behind the primary volume descriptor.
  const at = 17 * SECTOR_BYTES;
  if (at + SECTOR_BYTES > source.size) return undefined;
  const record = await source.read(at, SECTOR_BYTES, signal);
  const { type, id } = isoVolumeDescriptor.read(record, 0, where);
  const { boot_system_id, catalog } = bootRecord.read(record, 0, where);
  const isBootRecord = type === 0 && latin1(id) === "CD001";
  if (!isBootRecord || !latin1(boot_system_id).startsWith("EL TORITO SPECIFICATION")) {
    return undefined;
  }
  assertRange(source, catalog * SECTOR_BYTES, SECTOR_BYTES);
  return parseElTorito(await source.read(catalog * SECTOR_BYTES, SECTOR_BYTES, signal), where);
}

/** The entries of a boot catalog: a validation entry, the default entry, then sections. `corrupt` without the first. */
export function parseElTorito(catalog: Uint8Array, where: Where): ElTorito {
  const at = within(where, "boot catalog");
  const validation = validationEntry.read(catalog, 0, at);
  if (validation.header_id !== 1 || validation.key !== 0xaa55 || sumOfWords(catalog) !== 0) {
    throw corrupt(at, "no sound validation entry", "one with its signature and checksum");
  }
  const platform = PLATFORMS[validation.platform_id] ?? "unknown";
  const images = [parseImage(catalog, ENTRY_BYTES, { platform, where: at })];
  return {
    id: decodeCString(validation.id).trimEnd(),
    images: [...images, ...sections(catalog, at)],
  };
}

const SECTION = 0x90;
const LAST_SECTION = 0x91;
const EXTENSION = 0x44;

/** Each turn goes on by at least one entry of those that the catalog has room for. */
function sections(catalog: Uint8Array, where: Where): BootImage[] {
  const images: BootImage[] = [];
  for (let next = 2 * ENTRY_BYTES; next + ENTRY_BYTES <= catalog.length;) {
    const header = sectionHeader.read(catalog, next, where);
    if (header.header_id !== SECTION && header.header_id !== LAST_SECTION) break;
    const platform = PLATFORMS[header.platform_id] ?? "unknown";
    next += ENTRY_BYTES;
    for (let left = header.count; left > 0 && next + ENTRY_BYTES <= catalog.length; left--) {
      images.push(parseImage(catalog, next, { platform, where }));
      next += ENTRY_BYTES;
      // More selection criteria for the entry before.
      while (catalog[next] === EXTENSION) next += ENTRY_BYTES;
    }
    if (header.header_id === LAST_SECTION) break;
  }
  return images;
}

function parseImage(
  catalog: Uint8Array,
  at: number,
  { platform, where }: { platform: BootPlatform; where: Where },
): BootImage {
  const raw = bootEntry.read(catalog, at, where);
  return {
    platform,
    bootable: raw.boot_indicator === 0x88,
    emulation: MEDIA[raw.media_type & 0x0f] ?? "none",
    loadSegment: raw.load_segment,
    loadBytes: raw.sector_count * 512,
    offset: raw.load_rba * SECTOR_BYTES,
  };
}

/** Of the validation entry: 16 bits, little endian. */
function sumOfWords(catalog: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < ENTRY_BYTES; at += 2) sum += catalog[at]! | (catalog[at + 1]! << 8);
  return sum & 0xffff;
}
