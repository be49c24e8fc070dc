/**
 * PE (the EFI executable format), as far as finding a section: a unified kernel image (UKI) carries the kernel in
 * `.linux`, the initramfs in `.initrd`, the command line in `.cmdline`.
 * Microsoft PE Format, "COFF File Header" and "Section Table"; UAPI specification "Unified Kernel Image".
 */
import { corrupt } from "../../base/failure.ts";
import { within, type Where } from "../../base/where.ts";
import { bytesField, u16le, u32le } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import { decodeCString } from "../../bytes/text.ts";

export const dosHeader = struct("IMAGE_DOS_HEADER", 64, {
  e_magic: [0, u16le],
  e_lfanew: [60, u32le],
});
export const coffHeader = struct("IMAGE_FILE_HEADER", 24, {
  Signature: [0, u32le],
  Machine: [4, u16le],
  NumberOfSections: [6, u16le],
  SizeOfOptionalHeader: [20, u16le],
});
export const peSectionHeader = struct("IMAGE_SECTION_HEADER", 40, {
  Name: [0, bytesField(8)],
  VirtualSize: [8, u32le],
  SizeOfRawData: [16, u32le],
  PointerToRawData: [20, u32le],
});

/** `MZ` */
const DOS_MAGIC = 0x5a4d;
/** `PE\0\0` */
const PE_SIGNATURE = 0x4550;
/** The limit that the format itself sets for loaders. */
const MAX_SECTIONS = 96;

export type PeSection = {
  readonly name: string;
  /** A view into the file, without the padding to the file alignment. */
  readonly bytes: Uint8Array;
};

/** Whether the file has the two magics of PE. Never fails. */
export function isPe(bytes: Uint8Array): boolean {
  if (bytes.length < dosHeader.size) return false;
  const { e_magic, e_lfanew } = dosHeader.read(bytes);
  if (e_magic !== DOS_MAGIC || e_lfanew + coffHeader.size > bytes.length) return false;
  return coffHeader.read(bytes, e_lfanew).Signature === PE_SIGNATURE;
}

export type PeTableEntry = {
  readonly name: string;
  /** In the file, in bytes. */
  readonly offset: number;
  readonly sizeBytes: number;
};

/**
 * The section table in file order, from the beginning of a file: `corrupt` when the table is not all in `head`.
 * Nothing says that the file reaches as far as the sections do.
 */
export function parsePeTable(head: Uint8Array, where: Where): PeTableEntry[] {
  const { e_magic, e_lfanew } = dosHeader.read(head, 0, where);
  if (e_magic !== DOS_MAGIC) throw corrupt(where, "no MZ", "a PE file");
  const coff = coffHeader.read(head, e_lfanew, where);
  if (coff.Signature !== PE_SIGNATURE) throw corrupt(where, "no PE signature", "a PE file");
  if (coff.NumberOfSections > MAX_SECTIONS) {
    throw corrupt(where, `${coff.NumberOfSections} sections`, `at most ${MAX_SECTIONS}`);
  }
  const table = e_lfanew + coffHeader.size + coff.SizeOfOptionalHeader;
  return Array.from({ length: coff.NumberOfSections }, (_, i) => {
    const header = peSectionHeader.read(head, table + i * peSectionHeader.size, where);
    return {
      name: decodeCString(header.Name),
      offset: header.PointerToRawData,
      // The raw size is rounded up to the file alignment; a virtual size above it means zeroes, which no file has.
      sizeBytes: Math.min(header.VirtualSize, header.SizeOfRawData),
    };
  });
}

/** The sections in file order. `corrupt` when one of them does not lie inside the file. */
export function parsePeSections(bytes: Uint8Array, where: Where): PeSection[] {
  return parsePeTable(bytes, where).map(({ name, offset, sizeBytes }) => {
    const end = offset + sizeBytes;
    if (end > bytes.length) {
      const found = `a file of ${bytes.length} bytes`;
      throw corrupt(within(where, name), found, `at least ${end}, where the section ends`);
    }
    return { name, bytes: bytes.subarray(offset, end) };
  });
}
