/**
 * Inodes: 128 bytes, and with larger ones `i_extra_isize` bytes more, then extended attributes.
 *
 * Source: Linux Documentation/filesystems/ext4/inodes.rst, fs/ext4/ext4.h `struct ext4_inode`, fs/ext4/inode.c
 * (`__ext4_iget`, `ext4_inode_csum`). Owner's high bits are those of Linux; GNU/Hurd's author field is not read.
 */
import { corrupt } from "../../../base/failure.ts";
import type { Where } from "../../../base/where.ts";
import { bytesField, i32le, u16le, u32le } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import type { Read } from "../../../bytes/struct.ts";
import type { FileKind, Inode } from "../filesystem.ts";
import { assertChecksum, checksumOfNumber, checksumWithHole } from "./checksum.ts";
import { RO_COMPAT } from "./features.ts";
import { hasIncompat } from "./superblock.ts";
import { inodeWhere } from "./volume.ts";
import type { Ext4Volume } from "./volume.ts";

/** The first 128 bytes. */
export const ext4Inode = struct("ext4_inode", 128, {
  i_mode: [0x0, u16le],
  i_uid: [0x2, u16le],
  i_size_lo: [0x4, u32le],
  i_mtime: [0x10, i32le],
  i_gid: [0x18, u16le],
  i_links_count: [0x1a, u16le],
  i_blocks_lo: [0x1c, u32le],
  i_flags: [0x20, u32le],
  i_block: [0x28, bytesField(60)],
  i_generation: [0x64, u32le],
  i_size_high: [0x6c, u32le],
  l_i_blocks_high: [0x74, u16le],
  l_i_uid_high: [0x78, u16le],
  l_i_gid_high: [0x7a, u16le],
  l_i_checksum_lo: [0x7c, u16le],
});

/** The fields from byte 128 on; each is there only when `i_extra_isize` reaches over it. */
export const ext4InodeExtra = struct("ext4_inode (beyond 128 bytes)", 32, {
  i_extra_isize: [0x0, u16le],
  i_checksum_hi: [0x2, u16le],
  i_mtime_extra: [0x8, u32le],
});
type Raw = Read<typeof ext4Inode>;

const CHECKSUM_LO_AT = 0x7c;
const CHECKSUM_HI_AT = 0x82;
const MTIME_EXTRA_END = 0x8c;

/** EXT4_ROOT_INO */
export const ROOT_INODE = 2;

/** The EXT4_*_FL bits of `i_flags` that change how an inode is read. */
export const INODE_FLAGS = {
  encrypt: 0x800,
  index: 0x1000,
  hugeFile: 0x4_0000,
  extents: 0x8_0000,
  inlineData: 0x1000_0000,
  casefold: 0x4000_0000,
} as const;

const KINDS: Readonly<Record<number, FileKind>> = {
  0x1: "fifo",
  0x2: "char-device",
  0x4: "directory",
  0x6: "block-device",
  0x8: "file",
  0xa: "symlink",
  0xc: "socket",
};

/** What the readers of contents need to know beyond `Inode`. */
export type InodeDetail = {
  readonly inode: Inode;
  readonly flags: number;
  /** 60 bytes: the root of the extent tree or block map, a short symlink's target, or the start of inline data. */
  readonly iBlock: Uint8Array;
  /** The in-inode extended attributes, from their magic number on; empty when nothing needs them. */
  readonly attributes: Uint8Array;
  /** Where the checksums of what belongs to this inode start. */
  readonly checksumSeed: number;
  readonly where: Where;
};

/** Reads inode `number`, which may come from anywhere: `corrupt` when there is no such inode or it is not in use. */
export async function readInode(volume: Ext4Volume, number: number): Promise<InodeDetail> {
  return parseInode(volume, number, await readInodeBytes(volume, number));
}

/** The bytes of inode `number`, in use or not: those that a fast commit brought, or those in the inode table. */
export async function readInodeBytes(volume: Ext4Volume, number: number): Promise<Uint8Array> {
  const replayed = volume.fastCommits?.inodes.get(number);
  if (replayed) return replayed;
  const { superblock } = volume;
  const where = inodeWhere(volume, number);
  if (!(number >= 1 && number <= superblock.inodeCount)) {
    throw corrupt(where, "a reference to it", `inode numbers from 1 to ${superblock.inodeCount}`);
  }
  const group = Math.floor((number - 1) / superblock.inodesPerGroup);
  const index = (number - 1) % superblock.inodesPerGroup;
  const { inodeTable } = await volume.descriptor(group);
  const at = inodeTable * superblock.blockSizeBytes + index * superblock.inodeSizeBytes;
  return volume.source.read(at, superblock.inodeSizeBytes);
}

/** Checks and translates an inode; `bytes` are all of it. */
export function parseInode(volume: Ext4Volume, number: number, bytes: Uint8Array): InodeDetail {
  const where = inodeWhere(volume, number);
  const raw = ext4Inode.read(bytes, 0, where);
  const extraSize = parseExtraSize(bytes, where);
  const seed = checksumOfNumber(
    checksumOfNumber(volume.superblock.checksumSeed, number),
    raw.i_generation,
  );
  // Linux computes the checksum of an inode that it replays; the journal has verified these bytes.
  const replayed = volume.fastCommits?.inodes.has(number) === true;
  if (volume.superblock.checksums === "metadata_csum" && !replayed) {
    assertInodeChecksum({ bytes, extraSize, seed, where }, raw.l_i_checksum_lo);
  }
  const kind = KINDS[raw.i_mode >>> 12];
  if (!kind || raw.i_links_count === 0) {
    const found = `mode 0${raw.i_mode.toString(8)} and ${raw.i_links_count} links`;
    throw corrupt(where, found, "an inode in use");
  }
  const iBlock = Uint8Array.from(raw.i_block);
  const device =
    kind === "char-device" || kind === "block-device" ? parseDevice(iBlock) : undefined;
  const inline = (raw.i_flags & INODE_FLAGS.inlineData) !== 0;
  return {
    inode: {
      number,
      kind,
      mode: raw.i_mode & 0xfff,
      size: device ? 0 : parseSize(volume, raw, kind, where),
      allocatedBytes: parseBlocks(volume, raw),
      uid: raw.l_i_uid_high * 0x1_0000 + raw.i_uid,
      gid: raw.l_i_gid_high * 0x1_0000 + raw.i_gid,
      links: raw.i_links_count,
      mtime: parseMtime(bytes, raw, extraSize),
      ...(device ? { device } : {}),
    },
    flags: raw.i_flags,
    iBlock,
    attributes: inline ? bytes.slice(128 + extraSize) : new Uint8Array(0),
    checksumSeed: seed,
    where,
  };
}

/** `i_extra_isize`, checked to stay inside the inode; 0 for inodes of 128 bytes. */
function parseExtraSize(bytes: Uint8Array, where: Where): number {
  if (bytes.length === 128) return 0;
  const size = ext4InodeExtra.read(bytes, 128, where).i_extra_isize;
  if (size > bytes.length - 128 || size % 4 !== 0) {
    throw corrupt(where, `i_extra_isize ${size}`, `a multiple of 4 up to ${bytes.length - 128}`);
  }
  return size;
}

function assertInodeChecksum(
  inode: { bytes: Uint8Array; extraSize: number; seed: number; where: Where },
  low: number,
): void {
  const { bytes, extraSize, seed, where } = inode;
  const core = checksumWithHole(seed, bytes.subarray(0, 128), CHECKSUM_LO_AT, 2);
  const rest = bytes.subarray(128);
  if (128 + extraSize >= CHECKSUM_HI_AT + 2) {
    const high = ext4InodeExtra.read(bytes, 128, where).i_checksum_hi;
    const computed = checksumWithHole(core, rest, CHECKSUM_HI_AT - 128, 2);
    assertChecksum(where, high * 0x1_0000 + low, computed);
  } else {
    // No room for the upper half: the lower 16 bits are all there is to compare.
    assertChecksum(where, low, checksumWithHole(core, rest, 0, 0) & 0xffff);
  }
}

function parseSize(volume: Ext4Volume, raw: Raw, kind: FileKind, where: Where): number {
  // Before large_dir only regular files had a size above 4 GiB, and the field meant something else elsewhere.
  const wide = kind === "file" || hasIncompat(volume.superblock, "large_dir");
  const size = (wide ? raw.i_size_high * 2 ** 32 : 0) + raw.i_size_lo;
  if (size > Number.MAX_SAFE_INTEGER) throw corrupt(where, `a size of ${size}`, "below 2^53 bytes");
  return size;
}

/** In units of 512 bytes, for huge files in blocks (`ext4_inode_blocks`): at most 2^48 of 64 KiB, which stays exact as a power of two. */
function parseBlocks({ superblock }: Ext4Volume, raw: Raw): number {
  if (!(superblock.roCompat & RO_COMPAT.huge_file)) return raw.i_blocks_lo * 512;
  const blocks = raw.l_i_blocks_high * 2 ** 32 + raw.i_blocks_lo;
  return blocks * (raw.i_flags & INODE_FLAGS.hugeFile ? superblock.blockSizeBytes : 512);
}

/** Seconds: 32 bits signed, two more bits of epoch and 30 of nanoseconds in the extra field. */
function parseMtime(bytes: Uint8Array, raw: Raw, extraSize: number): number {
  if (128 + extraSize < MTIME_EXTRA_END) return raw.i_mtime;
  const extra = ext4InodeExtra.read(bytes, 128).i_mtime_extra;
  return raw.i_mtime + (extra & 3) * 2 ** 32 + (extra >>> 2) / 1e9;
}

/** The kernel's old encoding (8 bits each) in the first word, else the new one (12 and 20 bits) in the second. */
function parseDevice(iBlock: Uint8Array): { major: number; minor: number } {
  const view = new DataView(iBlock.buffer, iBlock.byteOffset, iBlock.byteLength);
  const old = view.getUint32(0, true);
  if (old !== 0) return { major: (old >>> 8) & 0xff, minor: old & 0xff };
  const device = view.getUint32(4, true);
  return {
    major: (device & 0xf_ff00) >>> 8,
    minor: (device & 0xff) | ((device >>> 12) & 0xf_ff00),
  };
}
