/**
 * The ext2/3/4 superblock: 1024 bytes at byte 1024, with copies at the start of some block groups.
 *
 * Source: Linux Documentation/filesystems/ext4/super.rst, fs/ext4/ext4.h `struct ext4_super_block`,
 * fs/ext4/super.c (the checks). Not supported: the incompat features that `features.ts` refuses.
 */
import { corrupt, unsupported } from "../../../base/failure.ts";
import type { Where } from "../../../base/where.ts";
import { crc32cUpdate } from "../../../bytes/crc32c.ts";
import { bytesField, u16le, u32le, u8, uuid } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import type { Read } from "../../../bytes/struct.ts";
import { decodeCString } from "../../../bytes/text.ts";
import { assertChecksum } from "./checksum.ts";
import { INCOMPAT, refuseUnknownIncompat, RO_COMPAT } from "./features.ts";
import type { Features } from "./features.ts";

/** In bytes from the start of the device, whatever the block size. */
export const SUPERBLOCK_OFFSET = 1024;
export const SUPERBLOCK_SIZE = 1024;
const EXT4_SUPER_MAGIC = 0xef53;

/** The fields that are looked at; the kernel has more. */
export const ext4SuperBlock = struct("ext4_super_block", SUPERBLOCK_SIZE, {
  s_inodes_count: [0x0, u32le],
  s_blocks_count_lo: [0x4, u32le],
  s_first_data_block: [0x14, u32le],
  s_log_block_size: [0x18, u32le],
  s_log_cluster_size: [0x1c, u32le],
  s_blocks_per_group: [0x20, u32le],
  s_clusters_per_group: [0x24, u32le],
  s_inodes_per_group: [0x28, u32le],
  s_magic: [0x38, u16le],
  s_state: [0x3a, u16le],
  s_rev_level: [0x4c, u32le],
  s_first_ino: [0x54, u32le],
  s_inode_size: [0x58, u16le],
  s_block_group_nr: [0x5a, u16le],
  s_feature_compat: [0x5c, u32le],
  s_feature_incompat: [0x60, u32le],
  s_feature_ro_compat: [0x64, u32le],
  s_uuid: [0x68, uuid],
  s_volume_name: [0x78, bytesField(16)],
  s_reserved_gdt_blocks: [0xce, u16le],
  s_journal_uuid: [0xd0, uuid],
  s_journal_inum: [0xe0, u32le],
  s_journal_dev: [0xe4, u32le],
  s_desc_size: [0xfe, u16le],
  s_first_meta_bg: [0x104, u32le],
  s_blocks_count_hi: [0x150, u32le],
  s_checksum_type: [0x175, u8],
  s_error_count: [0x194, u32le],
  s_last_error_func: [0x1e0, bytesField(32)],
  s_backup_bgs0: [0x24c, u32le],
  s_backup_bgs1: [0x250, u32le],
  s_checksum_seed: [0x270, u32le],
  s_encoding: [0x27c, u16le],
  s_checksum: [0x3fc, u32le],
});
type Raw = Read<typeof ext4SuperBlock>;

/** Which checksums the metadata carries: none, CRC-16 on group descriptors, or CRC-32C on everything. */
export type ChecksumKind = "none" | "gdt_csum" | "metadata_csum";

/** A superblock whose numbers agree with each other, so that arithmetic with them neither overflows nor divides by 0. */
export type Superblock = Features & {
  /** 1024 to 65536, a power of two. */
  readonly blockSizeBytes: number;
  /** Blocks per bit of the block bitmaps; 1 without bigalloc. */
  readonly blocksPerCluster: number;
  readonly blockCount: number;
  /** 1 when blocks are 1 KiB (the boot block comes before it), otherwise 0. */
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly groupCount: number;
  readonly inodeCount: number;
  readonly inodesPerGroup: number;
  /** 128 up to the block size, a power of two. */
  readonly inodeSizeBytes: number;
  /** The first inode that is not reserved. */
  readonly firstInode: number;
  /** 32, or 64 and more with the feature 64bit. */
  readonly descriptorSizeBytes: number;
  /** The first block of descriptors that lies in its own meta block group. */
  readonly firstMetaBg: number;
  readonly reservedGdtBlocks: number;
  /** The two groups with copies of the superblock under sparse_super2. */
  readonly backupGroups: readonly [number, number];
  readonly checksums: ChecksumKind;
  /** Where every CRC-32C starts. */
  readonly checksumSeed: number;
  readonly uuid: string;
  readonly uuidBytes: Uint8Array;
  readonly label: string;
  /** 0 when there is none, or it is on another device. */
  readonly journalInode: number;
  readonly journalUuid: string;
  /** `EXT4_VALID_FS` and the other bits of s_state. */
  readonly state: number;
  /** Of names in directories that ignore case; 1 is UTF-8. Meaningless without the feature casefold. */
  readonly encoding: number;
  readonly errorCount: number;
  /** The kernel function that recorded the last error; empty when there was none. */
  readonly lastErrorFunction: string;
  /** The block group that this copy was written for; 0 for the primary. */
  readonly groupNumber: number;
};

/** Whether an incompat feature is on. */
export function hasIncompat(superblock: Features, name: keyof typeof INCOMPAT): boolean {
  return (superblock.incompat & INCOMPAT[name]) !== 0;
}

/** Whether a ro_compat feature is on. */
export function hasRoCompat(superblock: Features, name: keyof typeof RO_COMPAT): boolean {
  return (superblock.roCompat & RO_COMPAT[name]) !== 0;
}

/**
 * Checks and translates the 1024 bytes of a superblock. `corrupt` for fields that contradict each other or a wrong
 * checksum, `unsupported` for features that are not read.
 */
export function parseSuperblock(bytes: Uint8Array, where: Where): Superblock {
  const raw = ext4SuperBlock.read(bytes, 0, where);
  if (raw.s_magic !== EXT4_SUPER_MAGIC) {
    throw corrupt(where, `magic 0x${raw.s_magic.toString(16)}`, "0xef53");
  }
  // Revision 0 (before 1995) has no feature fields: what lies there is not meant.
  const dynamic = raw.s_rev_level > 0;
  const features: Features = {
    compat: dynamic ? raw.s_feature_compat : 0,
    incompat: dynamic ? raw.s_feature_incompat : 0,
    roCompat: dynamic ? raw.s_feature_ro_compat : 0,
  };
  // The checksum first: a damaged feature word must not pass for a feature of the future.
  const checksums = parseChecksums(bytes, raw, features, where);
  refuseUnknownIncompat(features.incompat, where);
  const uuidBytes = Uint8Array.from(bytes.subarray(0x68, 0x78));
  const blocks = parseBlocks(raw, features, where);
  return {
    ...features,
    ...blocks,
    ...parseInodes({ raw, features, where }, blocks),
    firstMetaBg: raw.s_first_meta_bg,
    reservedGdtBlocks: raw.s_reserved_gdt_blocks,
    backupGroups: [raw.s_backup_bgs0, raw.s_backup_bgs1],
    checksums,
    checksumSeed: hasIncompat(features, "metadata_csum_seed")
      ? raw.s_checksum_seed
      : crc32cUpdate(~0, uuidBytes),
    uuid: raw.s_uuid,
    uuidBytes,
    label: decodeCString(raw.s_volume_name),
    journalInode: raw.s_journal_inum,
    journalUuid: raw.s_journal_uuid,
    state: raw.s_state,
    encoding: raw.s_encoding,
    errorCount: raw.s_error_count,
    lastErrorFunction: decodeCString(raw.s_last_error_func),
    groupNumber: raw.s_block_group_nr,
  };
}

function parseChecksums(
  bytes: Uint8Array,
  raw: Raw,
  features: Features,
  where: Where,
): ChecksumKind {
  if (!hasRoCompat(features, "metadata_csum")) {
    return hasRoCompat(features, "uninit_bg") ? "gdt_csum" : "none";
  }
  assertChecksum(where, raw.s_checksum, crc32cUpdate(~0, bytes.subarray(0, 0x3fc)));
  if (raw.s_checksum_type !== 1) {
    throw unsupported(
      where,
      `metadata checksum type ${raw.s_checksum_type} (only crc32c is known)`,
    );
  }
  return "metadata_csum";
}

function parseBlocks(raw: Raw, features: Features, where: Where) {
  // 1 KiB to 64 KiB, EXT4_MAX_BLOCK_LOG_SIZE; shifts below stay within 31 bits.
  assertField(where, "s_log_block_size", raw.s_log_block_size, [0, 6]);
  const blockSizeBytes = 1024 << raw.s_log_block_size;
  const bitsPerBlock = blockSizeBytes * 8;
  let blocksPerCluster = 1;
  if (hasRoCompat(features, "bigalloc")) {
    // EXT4_MAX_CLUSTER_LOG_SIZE is 30, counted from 1 byte; the field counts from 1 KiB.
    assertField(where, "s_log_cluster_size", raw.s_log_cluster_size, [raw.s_log_block_size, 20]);
    blocksPerCluster = 2 ** (raw.s_log_cluster_size - raw.s_log_block_size);
    const clusters = raw.s_clusters_per_group;
    assertField(where, "s_clusters_per_group", clusters, [1, bitsPerBlock]);
    const blocks = clusters * blocksPerCluster;
    assertField(where, "s_blocks_per_group", raw.s_blocks_per_group, [blocks, blocks]);
  }
  const blocksPerGroup = raw.s_blocks_per_group;
  assertField(where, "s_blocks_per_group", blocksPerGroup, [1, bitsPerBlock * blocksPerCluster]);
  const high = hasIncompat(features, "64bit") ? raw.s_blocks_count_hi : 0;
  // 48 bits are all that an extent can address; times 64 KiB that is above 2^53, so the size is checked apart.
  assertField(where, "s_blocks_count_hi", high, [0, 0xffff]);
  const blockCount = high * 2 ** 32 + raw.s_blocks_count_lo;
  if (blockCount * blockSizeBytes > Number.MAX_SAFE_INTEGER) {
    throw corrupt(where, `${blockCount} blocks of ${blockSizeBytes} bytes`, "less than 8 PiB");
  }
  const firstDataBlock = raw.s_first_data_block;
  assertField(where, "s_first_data_block", firstDataBlock, [0, 1]);
  const groupCount = Math.ceil((blockCount - firstDataBlock) / blocksPerGroup);
  // Inode numbers have 32 bits and no group is without inodes.
  assertField(where, "number of block groups", groupCount, [1, 2 ** 32 - 1]);
  return {
    blockSizeBytes,
    blocksPerCluster,
    blockCount,
    firstDataBlock,
    blocksPerGroup,
    groupCount,
  };
}

function parseInodes(
  { raw, features, where }: { raw: Raw; features: Features; where: Where },
  { blockSizeBytes, groupCount }: { blockSizeBytes: number; groupCount: number },
) {
  const dynamic = raw.s_rev_level > 0;
  const inodeSizeBytes = dynamic ? raw.s_inode_size : 128;
  assertField(where, "s_inode_size", inodeSizeBytes, [128, blockSizeBytes]);
  assertPowerOfTwo(where, "s_inode_size", inodeSizeBytes);
  const inodesPerGroup = raw.s_inodes_per_group;
  assertField(where, "s_inodes_per_group", inodesPerGroup, [1, blockSizeBytes * 8]);
  const inodeCount = raw.s_inodes_count;
  const product = inodesPerGroup * groupCount;
  assertField(where, "s_inodes_count", inodeCount, [product, product]);
  const firstInode = dynamic ? raw.s_first_ino : 11;
  assertField(where, "s_first_ino", firstInode, [11, 2 ** 32 - 1]);
  let descriptorSizeBytes = 32;
  if (hasIncompat(features, "64bit")) {
    descriptorSizeBytes = raw.s_desc_size;
    assertField(where, "s_desc_size", descriptorSizeBytes, [64, 1024]);
    assertPowerOfTwo(where, "s_desc_size", descriptorSizeBytes);
  }
  return { inodeSizeBytes, inodesPerGroup, inodeCount, firstInode, descriptorSizeBytes };
}

function assertField(
  where: Where,
  name: string,
  value: number,
  [low, high]: readonly [number, number],
): void {
  if (value >= low && value <= high) return;
  throw corrupt(where, `${name} ${value}`, low === high ? String(low) : `${low} to ${high}`);
}

function assertPowerOfTwo(where: Where, name: string, value: number): void {
  // Both operands are below 2^31 here.
  if ((value & (value - 1)) !== 0) throw corrupt(where, `${name} ${value}`, "a power of two");
}
