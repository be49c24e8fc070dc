/**
 * The MBR ("dos") partition table: four entries at the end of sector 0. There is no specification; Linux's
 * block/partitions/msdos.c and util-linux' libfdisk agree on what is here.
 *
 * Not supported: tables inside BSD, Solaris, Minix and UnixWare partitions, AIX disks, and CHS addresses (the LBA
 * fields count, as in Linux).
 */
import type { Where } from "../../base/where.ts";
import { u16le, u32le, u8 } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import { isExtendedType } from "./partition-types.ts";

/** Sector 0 of the disk; only its first 512 bytes count, whatever the sector size. */
export const MBR_BYTES = 512;

/** `struct msdos_partition` of include/linux/msdos_partition.h. */
export const msdosPartition = struct("msdos_partition", 16, {
  boot_ind: [0, u8],
  sys_ind: [4, u8],
  start_sect: [8, u32le],
  nr_sects: [12, u32le],
});

/** The rest of sector 0, under the names of `legacy_mbr` in block/partitions/efi.h. */
export const legacyMbr = struct("legacy_mbr", MBR_BYTES, {
  unique_mbr_signature: [440, u32le],
  signature: [510, u16le],
});

const PARTITION_RECORDS = 446;

/** The part of a FAT or NTFS boot sector that tells it from a boot program (Microsoft's FAT specification, 3.1). */
export const biosParameterBlock = struct("bios_parameter_block", 36, {
  jump: [0, u8],
  bytes_per_sector: [11, u16le],
  sectors_per_cluster: [13, u8],
  reserved_sectors: [14, u16le],
  media: [21, u8],
});

/** One of the four entries. Sectors are the disk's logical ones. */
export type MbrEntry = {
  /** 1 to 4 */
  readonly slot: number;
  /** 0x80: active. */
  readonly status: number;
  readonly type: number;
  readonly startSector: number;
  /** 0: the entry is not in use. */
  readonly sectors: number;
};

export type Mbr = {
  /** The "disk signature", 8 hex digits. */
  readonly id: string;
  /** All four, in the order of their slots. */
  readonly entries: readonly MbrEntry[];
};

/** `undefined` without the 0xAA55 at the end. An extended boot record is read by this, too. */
export function parseRecord(sector: Uint8Array, where: Where): Mbr | undefined {
  const mbr = legacyMbr.read(sector, 0, where);
  if (mbr.signature !== 0xaa55) return undefined;
  const entries = [1, 2, 3, 4].map((slot) => {
    const record = msdosPartition.read(sector, PARTITION_RECORDS + (slot - 1) * 16, where);
    return {
      slot,
      status: record.boot_ind,
      type: record.sys_ind,
      startSector: record.start_sect,
      sectors: record.nr_sects,
    };
  });
  return { id: mbr.unique_mbr_signature.toString(16).padStart(8, "0"), entries };
}

/**
 * As `parseRecord`, for sector 0: a status that is neither 0 nor 0x80 means that the bytes there are the program of
 * a boot sector, not a table.
 */
export function parseMbr(sector: Uint8Array, where: Where): Mbr | undefined {
  const mbr = parseRecord(sector, where);
  return mbr?.entries.every(({ status }) => status === 0 || status === 0x80) ? mbr : undefined;
}

/** Linux goes by the size alone; an entry of type 0 that has one counts. */
export function usedEntries(mbr: Mbr): MbrEntry[] {
  return mbr.entries.filter((entry) => entry.sectors > 0);
}

/**
 * `protective`: says "this disk has a GPT". `hybrid`: and has partitions of its own besides. `unusable`: an entry of the
 * protective type that does not begin at sector 1, where Linux believes neither the MBR nor the GPT.
 */
export function protectiveKind(mbr: Mbr): "none" | "protective" | "hybrid" | "unusable" {
  const protective = mbr.entries.filter((entry) => entry.type === 0xee);
  if (protective.length === 0) return "none";
  if (!protective.some((entry) => entry.startSector === 1)) return "unusable";
  return mbr.entries.some((entry) => entry.type !== 0xee && entry.type !== 0)
    ? "hybrid"
    : "protective";
}

/**
 * Whether the entries can be trusted in a sector that is also a filesystem's boot sector: at least one is in use, all
 * lie on the disk, none begins at sector 0 (isohybrid images do that), none overlap. Bytes of a boot program
 * that happen to have good status bytes do not pass.
 */
export function isSaneLayout(mbr: Mbr, diskSectors: number): boolean {
  const used = usedEntries(mbr).toSorted((a, b) => a.startSector - b.startSector);
  let end = 1;
  for (const entry of used) {
    if (entry.type === 0 || entry.startSector < end) return false;
    end = entry.startSector + entry.sectors;
  }
  return used.length > 0 && end <= diskSectors;
}

/** Whether sector 0 begins as the boot sector of FAT or NTFS does. */
export function isBootSector(sector: Uint8Array, where: Where): boolean {
  const bpb = biosParameterBlock.read(sector, 0, where);
  return (
    (bpb.jump === 0xeb || bpb.jump === 0xe9) &&
    bpb.bytes_per_sector >= 512 &&
    bpb.bytes_per_sector <= 4096 &&
    isPowerOfTwo(bpb.bytes_per_sector) &&
    isPowerOfTwo(bpb.sectors_per_cluster) &&
    (bpb.media === 0xf0 || bpb.media >= 0xf8)
  );
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}

export function isExtended(entry: MbrEntry): boolean {
  return isExtendedType(entry.type);
}
