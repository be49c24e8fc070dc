/**
 * Partition tables made byte by byte, for what sfdisk and sgdisk do not make: other sector sizes, damage, hostility.
 * Deliberately without anything from src/: a mistake there must not make the test agree with it.
 */
import { crc32 } from "node:zlib";

export type MbrEntryBytes = {
  readonly slot: number;
  readonly type: number;
  readonly start: number;
  readonly sectors: number;
  readonly status?: number;
};

/** 512 bytes: an MBR, or an extended boot record. */
export function mbrSector(entries: readonly MbrEntryBytes[], id = 0x12345678): Uint8Array {
  const sector = new Uint8Array(512);
  const view = new DataView(sector.buffer);
  view.setUint32(440, id, true);
  for (const { slot, type, start, sectors, status = 0 } of entries) {
    const at = 446 + (slot - 1) * 16;
    view.setUint8(at, status);
    view.setUint8(at + 4, type);
    view.setUint32(at + 8, start, true);
    view.setUint32(at + 12, sectors, true);
  }
  view.setUint16(510, 0xaa55, true);
  return sector;
}

export type GptPart = {
  readonly first: number;
  readonly last: number;
  readonly index?: number;
  /** As stored, 16 bytes. */
  readonly type?: Uint8Array;
  readonly guid?: Uint8Array;
  readonly attributes?: bigint;
  readonly name?: string;
};

export type GptOptions = {
  readonly diskSectors: number;
  readonly sectorSize?: number;
  readonly parts: readonly GptPart[];
  readonly entryCount?: number;
  readonly entrySize?: number;
  /** Of the first copy. */
  readonly entriesLba?: number;
  /** Of the last sector; the disk may be larger. */
  readonly tableSectors?: number;
  readonly mbr?: Uint8Array;
};

/** The type GUID of a Linux filesystem as it lies on disk. */
const LINUX = Uint8Array.from([
  0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4,
]);

/** A whole disk with a GPT, both copies, and a protective MBR. */
export function gptDisk(options: GptOptions): Uint8Array {
  const { diskSectors, sectorSize = 512, parts, entryCount = 128, entrySize = 128 } = options;
  const disk = new Uint8Array(diskSectors * sectorSize);
  const last = (options.tableSectors ?? diskSectors) - 1;
  const protective = mbrSector([{ slot: 1, type: 0xee, start: 1, sectors: last }], 0);
  disk.set(options.mbr ?? protective);

  const array = new Uint8Array(entryCount * entrySize);
  const view = new DataView(array.buffer);
  for (const [order, part] of parts.entries()) {
    const at = (part.index ?? order) * entrySize;
    array.set(part.type ?? LINUX, at);
    array.set(part.guid ?? new Uint8Array(16).fill(order + 1), at + 16);
    view.setBigUint64(at + 32, BigInt(part.first), true);
    view.setBigUint64(at + 40, BigInt(part.last), true);
    view.setBigUint64(at + 48, part.attributes ?? 0n, true);
    for (const [i, unit] of [...Buffer.from(part.name ?? "", "utf16le")].entries())
      array[at + 56 + i] = unit;
  }
  const arraySectors = Math.ceil(array.length / sectorSize);
  const firstLba = options.entriesLba ?? 2;
  const secondLba = last - arraySectors;
  for (const [lba, other, entries] of [
    [1, last, firstLba],
    [last, 1, secondLba],
  ] as const) {
    const header = new Uint8Array(92);
    const fields = new DataView(header.buffer);
    header.set(Buffer.from("EFI PART"));
    fields.setUint32(8, 0x10000, true);
    fields.setUint32(12, 92, true);
    fields.setBigUint64(24, BigInt(lba), true);
    fields.setBigUint64(32, BigInt(other), true);
    fields.setBigUint64(40, BigInt(firstLba + arraySectors), true);
    fields.setBigUint64(48, BigInt(secondLba - 1), true);
    header.fill(0xd1, 56, 72);
    fields.setBigUint64(72, BigInt(entries), true);
    fields.setUint32(80, entryCount, true);
    fields.setUint32(84, entrySize, true);
    fields.setUint32(88, crc32(array), true);
    fields.setUint32(16, crc32(header), true);
    disk.set(header, lba * sectorSize);
    disk.set(array, entries * sectorSize);
  }
  return disk;
}

/** Changes header fields at `offset` of the disk and makes its CRC right again: hostile rather than damaged. */
export function editGptHeader(
  disk: Uint8Array,
  offset: number,
  edit: (fields: DataView) => void,
): void {
  const fields = new DataView(disk.buffer, disk.byteOffset + offset, 92);
  edit(fields);
  fields.setUint32(16, 0, true);
  fields.setUint32(16, crc32(disk.subarray(offset, offset + 92)), true);
}
