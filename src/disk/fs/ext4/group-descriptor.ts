/**
 * Block group descriptors: where each group has its bitmaps and its part of the inode table.
 *
 * Source: Linux Documentation/filesystems/ext4/group_descr.rst and blockgroup.rst, fs/ext4/ext4.h
 * `struct ext4_group_desc`, fs/ext4/super.c (`descriptor_loc`, `ext4_group_desc_csum`), fs/ext4/balloc.c.
 */
import { corrupt } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import { crc16Update } from "../../../bytes/crc16.ts";
import { u16le, u32le } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import { assertChecksum, checksumOfNumber, checksumWithHole } from "./checksum.ts";
import { hasIncompat, hasRoCompat } from "./superblock.ts";
import type { Superblock } from "./superblock.ts";

/** The first half of a descriptor, or all of it without the feature 64bit. */
export const ext4GroupDesc = struct("ext4_group_desc", 32, {
  bg_block_bitmap_lo: [0x0, u32le],
  bg_inode_bitmap_lo: [0x4, u32le],
  bg_inode_table_lo: [0x8, u32le],
  bg_free_blocks_count_lo: [0xc, u16le],
  bg_flags: [0x12, u16le],
  bg_block_bitmap_csum_lo: [0x18, u16le],
  bg_checksum: [0x1e, u16le],
});

/** The second half, there when descriptors have 64 bytes or more. */
export const ext4GroupDescHigh = struct("ext4_group_desc (second half)", 32, {
  bg_block_bitmap_hi: [0x0, u32le],
  bg_inode_bitmap_hi: [0x4, u32le],
  bg_inode_table_hi: [0x8, u32le],
  bg_free_blocks_count_hi: [0xc, u16le],
  bg_block_bitmap_csum_hi: [0x18, u16le],
});

const CHECKSUM_AT = 0x1e;
const EXT4_BG_BLOCK_UNINIT = 0x2;

/** A descriptor whose block numbers have been checked. */
export type GroupDescriptor = {
  readonly group: number;
  /** Block numbers, checked to lie in the filesystem, the inode table with its whole length. */
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
  /** Clusters (blocks, without bigalloc) that the block bitmap has as free. */
  readonly freeClusters: number;
  /** The block bitmap was never written: nothing but the group's own metadata is in use. */
  readonly blockUninit: boolean;
  /** 32 bits, or 16 when descriptors have 32 bytes only. */
  readonly blockBitmapChecksum: number;
};

/** How many blocks a group's part of the inode table has. */
export function inodeTableBlocks(superblock: Superblock): number {
  const { inodesPerGroup, inodeSizeBytes, blockSizeBytes } = superblock;
  return Math.ceil((inodesPerGroup * inodeSizeBytes) / blockSizeBytes);
}

/** The first block of a group. */
export function groupFirstBlock(superblock: Superblock, group: number): number {
  return superblock.firstDataBlock + group * superblock.blocksPerGroup;
}

/** One past the last block of a group; the last group may be shorter than the others. */
export function groupEndBlock(superblock: Superblock, group: number): number {
  return Math.min(groupFirstBlock(superblock, group + 1), superblock.blockCount);
}

/** Whether a group begins with a copy of the superblock. */
export function groupHasSuperblock(superblock: Superblock, group: number): boolean {
  if (group === 0) return true;
  // compat feature sparse_super2: the two copies are named.
  if (superblock.compat & 0x200) return superblock.backupGroups.includes(group);
  if (group === 1 || !hasRoCompat(superblock, "sparse_super")) return true;
  return isPowerOf(3, group) || isPowerOf(5, group) || isPowerOf(7, group);
}

function isPowerOf(base: number, value: number): boolean {
  let power = base;
  while (power < value) power *= base;
  return power === value;
}

/** The block that holds the `index`th block of the descriptor table. */
export function descriptorTableBlock(superblock: Superblock, index: number): number {
  const { blockSizeBytes, descriptorSizeBytes, firstDataBlock } = superblock;
  if (!hasIncompat(superblock, "meta_bg") || index < superblock.firstMetaBg) {
    // The table follows the superblock, which is in block 1 when blocks are 1 KiB, else in block 0.
    return (blockSizeBytes === 1024 ? 1 : 0) + 1 + index;
  }
  const group = index * (blockSizeBytes / descriptorSizeBytes);
  let offset = groupHasSuperblock(superblock, group) ? 1 : 0;
  // bigalloc with 1 KiB blocks counts the boot block as part of the first group.
  if (blockSizeBytes === 1024 && index === 0 && firstDataBlock === 0) offset += 1;
  return groupFirstBlock(superblock, group) + offset;
}

/** How many blocks at the start of a group hold the superblock's copy, descriptors, and room for more of them. */
export function groupHeadBlocks(superblock: Superblock, group: number): number {
  const { blockSizeBytes, descriptorSizeBytes, firstMetaBg, groupCount } = superblock;
  const perBlock = blockSizeBytes / descriptorSizeBytes;
  const metaBg = hasIncompat(superblock, "meta_bg");
  const bootBlock = group === 0 && blockSizeBytes === 1024 && superblock.firstDataBlock === 0;
  const own = (groupHasSuperblock(superblock, group) ? 1 : 0) + (bootBlock ? 1 : 0);
  const metaGroup = Math.floor(group / perBlock);
  if (!metaBg || metaGroup < firstMetaBg) {
    if (!groupHasSuperblock(superblock, group)) return 0;
    const table = metaBg ? firstMetaBg : Math.ceil(groupCount / perBlock);
    return own + table + superblock.reservedGdtBlocks;
  }
  // A meta block group keeps its descriptors in its first, second and last group.
  const place = group % perBlock;
  return own + (place === 0 || place === 1 || place === perBlock - 1 ? 1 : 0);
}

/** Checks and translates one descriptor; `bytes` are exactly its own. `corrupt` for a wrong checksum or place. */
export function parseGroupDescriptor(
  superblock: Superblock,
  group: number,
  bytes: Uint8Array,
  fsWhere: Where,
): GroupDescriptor {
  const where = within(fsWhere, `group ${group}`, "descriptor");
  const raw = ext4GroupDesc.read(bytes, 0, where);
  assertDescriptorChecksum({ superblock, group, bytes, where }, raw.bg_checksum);
  const high = bytes.length >= 64 ? ext4GroupDescHigh.read(bytes, 32, where) : undefined;
  const place = (name: string, low: number, upper = 0, length = 1) => {
    const block = upper * 2 ** 32 + low;
    const { firstDataBlock, blockCount } = superblock;
    if (block > firstDataBlock && block + length <= blockCount) return block;
    const expected = `a place for ${length} blocks between ${firstDataBlock + 1} and ${blockCount}`;
    throw corrupt(where, `${name} in block ${block}`, expected);
  };
  const tableBlocks = inodeTableBlocks(superblock);
  return {
    group,
    blockBitmap: place("block bitmap", raw.bg_block_bitmap_lo, high?.bg_block_bitmap_hi),
    inodeBitmap: place("inode bitmap", raw.bg_inode_bitmap_lo, high?.bg_inode_bitmap_hi),
    inodeTable: place("inode table", raw.bg_inode_table_lo, high?.bg_inode_table_hi, tableBlocks),
    freeClusters:
      (high ? high.bg_free_blocks_count_hi * 0x1_0000 : 0) + raw.bg_free_blocks_count_lo,
    // The flag means something only when the descriptor has a checksum to prove it.
    blockUninit: superblock.checksums !== "none" && (raw.bg_flags & EXT4_BG_BLOCK_UNINIT) !== 0,
    blockBitmapChecksum:
      (high ? high.bg_block_bitmap_csum_hi * 0x1_0000 : 0) + raw.bg_block_bitmap_csum_lo,
  };
}

type Checked = {
  readonly superblock: Superblock;
  readonly group: number;
  readonly bytes: Uint8Array;
  readonly where: Where;
};

function assertDescriptorChecksum(checked: Checked, stored: number): void {
  const { superblock, group, bytes, where } = checked;
  if (superblock.checksums === "metadata_csum") {
    const seed = checksumOfNumber(superblock.checksumSeed, group);
    assertChecksum(where, stored, checksumWithHole(seed, bytes, CHECKSUM_AT, 2) & 0xffff);
  } else if (superblock.checksums === "gdt_csum") {
    const number = new Uint8Array(4);
    new DataView(number.buffer).setUint32(0, group, true);
    let crc = crc16Update(crc16Update(0xffff, superblock.uuidBytes), number);
    crc = crc16Update(crc, bytes.subarray(0, CHECKSUM_AT));
    // Here the field itself is left out, not read as zeroes.
    crc = crc16Update(crc, bytes.subarray(CHECKSUM_AT + 2));
    assertChecksum(where, stored, crc);
  }
}
