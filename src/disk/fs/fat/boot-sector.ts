/**
 * The boot sector of FAT12, FAT16 and FAT32, and where it says that everything is.
 *
 * Source: Microsoft "FAT: General Overview of On-Disk Format" 1.03; Linux include/uapi/linux/msdos_fs.h, fs/fat/inode.c
 * (`fat_read_bpb`, `fat_fill_super`). What Linux mounts is read, what it refuses is `corrupt`. Not supported: floppies
 * without a parameter block, which Linux mounts with the option dos1xfloppy only.
 */
import { corrupt } from "../../../base/failure.ts";
import type { Where } from "../../../base/where.ts";
import { bytesField, u16le, u32le, u8 } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import type { Read } from "../../../bytes/struct.ts";

export const BOOT_SECTOR_BYTES = 512;

/** What all three have. */
export const fatBootSector = struct("fat_boot_sector", BOOT_SECTOR_BYTES, {
  sector_size: [0x0b, u16le],
  sec_per_clus: [0x0d, u8],
  reserved: [0x0e, u16le],
  fats: [0x10, u8],
  dir_entries: [0x11, u16le],
  sectors: [0x13, u16le],
  media: [0x15, u8],
  fat_length: [0x16, u16le],
  total_sect: [0x20, u32le],
});

/** FAT12 and FAT16. */
export const fatBootSector16 = struct("fat_boot_sector (fat16)", BOOT_SECTOR_BYTES, {
  state: [0x25, u8],
  signature: [0x26, u8],
  vol_id: [0x27, bytesField(4)],
});

export const fatBootSector32 = struct("fat_boot_sector (fat32)", BOOT_SECTOR_BYTES, {
  length: [0x24, u32le],
  root_cluster: [0x2c, u32le],
  state: [0x41, u8],
  vol_id: [0x43, bytesField(4)],
});

/** Clusters are numbered from 2 on (FAT_START_ENT). */
export const FIRST_CLUSTER = 2;

/** MAX_FAT12, MAX_FAT16, MAX_FAT32: how many clusters there can be; the numbers above mean something else. */
const MAX_CLUSTERS = { 12: 0xff4, 16: 0xfff4, 32: 0x0fff_fff6 } as const;

/** Entries of a directory have 32 bytes. */
export const ENTRY_BYTES = 32;

/** Offsets and sizes are in bytes of the device. */
export type Geometry = {
  /** Of an entry of the file allocation table. */
  readonly bits: 12 | 16 | 32;
  readonly sectorSizeBytes: number;
  readonly clusterSizeBytes: number;
  readonly fatOffset: number;
  /** Of one table; they follow one another. */
  readonly fatSizeBytes: number;
  readonly fatCount: number;
  /** The root directory of FAT12 and FAT16 has a place of its own. */
  readonly rootOffset: number;
  readonly rootSizeBytes: number;
  /** The first cluster of FAT32's root directory, else 0. */
  readonly rootCluster: number;
  /** Where cluster 2 is. */
  readonly dataOffset: number;
  /** The highest cluster number, plus one. */
  readonly clusterEnd: number;
  readonly sizeBytes: number;
  /** Serial number as `1234-ABCD`, empty when there is none. */
  readonly volumeId: string;
  /** FAT_STATE_DIRTY and its neighbour, which DOS sets when the disk had errors. */
  readonly state: number;
};

/** Checks and translates a boot sector: `bytes` are its first 512. */
export function parseBootSector(bytes: Uint8Array, where: Where): Geometry {
  const raw = fatBootSector.read(bytes, 0, where);
  const raw32 = fatBootSector32.read(bytes, 0, where);
  checkFields(raw, where);
  const sectorSizeBytes = raw.sector_size;
  // Linux goes by this field and not by the number of clusters, as the specification has it.
  const isFat32 = raw.fat_length === 0;
  const fatSectors = isFat32 ? raw32.length : raw.fat_length;
  if (fatSectors === 0) throw corrupt(where, "a file allocation table of 0 sectors", "1 or more");
  // At most 2^32 sectors of 2^12 bytes each, 2^8 tables: below 2^53.
  const fatOffset = raw.reserved * sectorSizeBytes;
  const fatSizeBytes = fatSectors * sectorSizeBytes;
  const rootOffset = fatOffset + raw.fats * fatSizeBytes;
  const rootSizeBytes = raw.dir_entries * ENTRY_BYTES;
  const dataOffset = rootOffset + rootSizeBytes;
  const sizeBytes = (raw.sectors || raw.total_sect) * sectorSizeBytes;
  const clusterSizeBytes = raw.sec_per_clus * sectorSizeBytes;
  if (dataOffset + clusterSizeBytes > sizeBytes) {
    throw corrupt(where, `${sizeBytes} bytes in all`, `room for clusters after byte ${dataOffset}`);
  }
  const clusters = Math.floor((sizeBytes - dataOffset) / clusterSizeBytes);
  const bits = isFat32 ? 32 : clusters > MAX_CLUSTERS[12] ? 16 : 12;
  const entries = Math.floor((fatSizeBytes * 8) / bits) - FIRST_CLUSTER;
  const usable = Math.min(clusters, entries);
  if (usable < 1 || usable > MAX_CLUSTERS[bits]) {
    throw corrupt(where, `${usable} clusters in FAT${bits}`, `1 to ${MAX_CLUSTERS[bits]}`);
  }
  const clusterEnd = usable + FIRST_CLUSTER;
  const rootCluster = isFat32 ? raw32.root_cluster : 0;
  if (isFat32 && (rootCluster < FIRST_CLUSTER || rootCluster >= clusterEnd)) {
    throw corrupt(where, `a root directory in cluster ${rootCluster}`, `2 to ${clusterEnd - 1}`);
  }
  return {
    bits,
    sectorSizeBytes,
    clusterSizeBytes,
    fatOffset,
    fatSizeBytes,
    fatCount: raw.fats,
    rootOffset,
    rootSizeBytes: isFat32 ? 0 : rootSizeBytes,
    rootCluster,
    dataOffset,
    clusterEnd,
    sizeBytes,
    ...parseIdentity(bytes, isFat32, where),
  };
}

function checkFields(raw: Read<typeof fatBootSector>, where: Where): void {
  const { sector_size: size, sec_per_clus: perCluster } = raw;
  if (size < 512 || size > 4096 || !isPowerOfTwo(size)) {
    throw corrupt(where, `sectors of ${size} bytes`, "512, 1024, 2048 or 4096");
  }
  if (!isPowerOfTwo(perCluster)) {
    throw corrupt(where, `${perCluster} sectors in a cluster`, "a power of two");
  }
  if (raw.reserved === 0) throw corrupt(where, "no reserved sectors", "1 or more");
  if (raw.fats === 0) throw corrupt(where, "no file allocation table", "1 or more");
  if (raw.media < 0xf8 && raw.media !== 0xf0) {
    throw corrupt(where, `medium 0x${raw.media.toString(16)}`, "0xf0 or 0xf8 to 0xff");
  }
  if ((raw.dir_entries * ENTRY_BYTES) % size !== 0) {
    throw corrupt(where, `${raw.dir_entries} entries in the root directory`, "whole sectors");
  }
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}

/** As `blkid` prints the serial number; FAT12 and FAT16 have one only where the signature says so. */
function parseIdentity(bytes: Uint8Array, isFat32: boolean, where: Where) {
  if (isFat32) {
    const { vol_id, state } = fatBootSector32.read(bytes, 0, where);
    return { volumeId: volumeIdText(vol_id), state };
  }
  const { vol_id, signature, state } = fatBootSector16.read(bytes, 0, where);
  const present = signature === 0x28 || signature === 0x29;
  return { volumeId: present ? volumeIdText(vol_id) : "", state };
}

function volumeIdText(id: Uint8Array): string {
  if (id.every((byte) => byte === 0)) return "";
  const digits = Array.from(id.toReversed(), (byte) => byte.toString(16).padStart(2, "0"));
  return `${digits[0]}${digits[1]}-${digits[2]}${digits[3]}`.toUpperCase();
}
