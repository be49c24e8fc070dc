/**
 * Inodes: a core of 100 bytes (version 5: 176), then the data fork, then the fork of extended attributes.
 *
 * Source: Linux fs/xfs/libxfs/xfs_format.h `struct xfs_dinode`, fs/xfs/libxfs/xfs_inode_buf.c (`xfs_dinode_verify`).
 * Extended attributes are not read.
 */
import { corrupt, overLimit } from "../../../base/failure.ts";
import type { Where } from "../../../base/where.ts";
import { bytesField, u16be, u32be, u64beRaw, u8 } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import type { Read } from "../../../bytes/struct.ts";
import type { FileKind, Inode } from "../filesystem.ts";
import { assertChecksum, assertUuid } from "./checksum.ts";
import { hasIncompat } from "./features.ts";
import { inodeOffset, inodeWhere } from "./volume.ts";
import type { XfsVolume } from "./volume.ts";

/** The core as version 4 has it; the fields are the same in version 5. */
export const xfsDinode = struct("xfs_dinode", 100, {
  di_magic: [0, u16be],
  di_mode: [2, u16be],
  di_version: [4, u8],
  di_format: [5, u8],
  di_onlink: [6, u16be],
  di_uid: [8, u32be],
  di_gid: [12, u32be],
  di_nlink: [16, u32be],
  /** With nrext64; padding otherwise. */
  di_big_nextents: [24, u64beRaw],
  /** Nanoseconds with bigtime; otherwise seconds in the upper half and nanoseconds in the lower, both signed. */
  di_mtime: [40, u64beRaw],
  di_size: [56, u64beRaw],
  di_nblocks: [64, u64beRaw],
  /** Without nrext64. */
  di_nextents: [76, u32be],
  di_forkoff: [82, u8],
  di_flags: [90, u16be],
});
type Raw = Read<typeof xfsDinode>;

/** What version 5 adds. */
export const xfsDinodeV3 = struct("xfs_dinode (beyond 100 bytes)", 76, {
  di_flags2: [20, u64beRaw],
  di_ino: [52, u64beRaw],
  di_uuid: [60, bytesField(16)],
});

const XFS_DINODE_MAGIC = 0x494e;
const CRC_AT = 100;

/** XFS_DIFLAG_REALTIME: the contents are on the realtime device. */
const DIFLAG_REALTIME = 0x1;
const DIFLAG2_BIGTIME = 0x8n;
const DIFLAG2_NREXT64 = 0x10n;

/** The S_IF* values, shifted. Directory entries number the kinds otherwise. */
const KINDS: Readonly<Record<number, FileKind>> = {
  0x1: "fifo",
  0x2: "char-device",
  0x4: "directory",
  0x6: "block-device",
  0x8: "file",
  0xa: "symlink",
  0xc: "socket",
};

/** How the data fork holds what it holds: XFS_DINODE_FMT_*. */
const FORMATS = ["device", "local", "extents", "btree"] as const;
export type ForkFormat = (typeof FORMATS)[number];

const FORMATS_OF: Readonly<Record<FileKind, readonly ForkFormat[]>> = {
  file: ["extents", "btree"],
  directory: ["local", "extents", "btree"],
  symlink: ["local", "extents"],
  fifo: ["device"],
  socket: ["device"],
  "char-device": ["device"],
  "block-device": ["device"],
};

/** What the readers of contents need to know beyond `Inode`. */
export type InodeDetail = {
  readonly inode: Inode;
  readonly format: ForkFormat;
  /** The data fork: contents, extents or the root of a tree of them. */
  readonly dataFork: Uint8Array;
  /** Number of extents in the data fork or its tree. */
  readonly extentCount: number;
  readonly realtime: boolean;
  readonly where: Where;
};

/** Bytes before the data fork. */
export function coreSize(version: number): number {
  return version === 5 ? 176 : 100;
}

/** Reads inode `number`, which may come from anywhere: `corrupt` when there is no such inode or it is not in use. */
export async function readInode(volume: XfsVolume, number: number): Promise<InodeDetail> {
  const where = inodeWhere(volume, number);
  const offset = inodeOffset(volume.superblock, number);
  if (offset === undefined) throw corrupt(where, "a reference to it", "the number of an inode");
  const { inodeSizeBytes } = volume.superblock;
  const bytes = await volume.source.read(offset, inodeSizeBytes);
  const replayed = volume.replayed(offset, inodeSizeBytes);
  return parseInode(volume, { number, bytes, replayed });
}

export type RawInode = {
  readonly number: number;
  /** All of it. */
  readonly bytes: Uint8Array;
  /** Sealed by the log: the checksum in the inode itself is not up to date. */
  readonly replayed: boolean;
};

/** Checks and translates an inode. */
export function parseInode(volume: XfsVolume, { number, bytes, replayed }: RawInode): InodeDetail {
  const where = inodeWhere(volume, number);
  const raw = xfsDinode.read(bytes, 0, where);
  if (raw.di_magic !== XFS_DINODE_MAGIC) {
    throw corrupt(where, `inode magic 0x${raw.di_magic.toString(16)}`, "0x494e");
  }
  const flags2 =
    volume.superblock.version === 5 ? parseV3(volume, { number, bytes, replayed }) : 0n;
  const versions = volume.superblock.version === 5 ? [3] : [1, 2];
  if (!versions.includes(raw.di_version)) {
    throw corrupt(where, `inode version ${raw.di_version}`, versions.join(" or "));
  }
  const kind = KINDS[raw.di_mode >>> 12];
  const links = raw.di_version === 1 ? raw.di_onlink : raw.di_nlink;
  if (!kind || links === 0) {
    const found = `mode 0${raw.di_mode.toString(8)} and ${links} links`;
    throw corrupt(where, found, "an inode in use");
  }
  const fork = parseFork(volume, raw, { kind, bytes, where });
  const big = hasIncompat(volume.superblock, "nrext64") && (flags2 & DIFLAG2_NREXT64) !== 0n;
  const device = kind.endsWith("-device") ? parseDevice(fork.dataFork) : undefined;
  return {
    inode: {
      number,
      kind,
      mode: raw.di_mode & 0xfff,
      size: fork.format === "device" ? 0 : parseSize(raw, where),
      ...allocated(volume, raw),
      uid: raw.di_uid,
      gid: raw.di_gid,
      links,
      mtime: parseMtime(raw, (flags2 & DIFLAG2_BIGTIME) !== 0n),
      ...(device ? { device } : {}),
    },
    ...fork,
    extentCount: big ? Number(raw.di_big_nextents) : raw.di_nextents,
    realtime: kind === "file" && (raw.di_flags & DIFLAG_REALTIME) !== 0,
    where,
  };
}

/** Verifies what version 5 can verify; gives di_flags2. */
function parseV3(volume: XfsVolume, { number, bytes, replayed }: RawInode): bigint {
  const where = inodeWhere(volume, number);
  if (!replayed) assertChecksum(bytes, CRC_AT, where);
  const raw = xfsDinodeV3.read(bytes, 100, where);
  assertUuid(raw.di_uuid, volume.superblock.metaUuidBytes, where);
  if (raw.di_ino !== BigInt(number)) throw corrupt(where, `di_ino ${raw.di_ino}`, String(number));
  return raw.di_flags2;
}

function parseFork(
  volume: XfsVolume,
  raw: Raw,
  { kind, bytes, where }: { kind: FileKind; bytes: Uint8Array; where: Where },
) {
  const format = FORMATS[raw.di_format];
  if (!format || !FORMATS_OF[kind].includes(format)) {
    throw corrupt(where, `di_format ${raw.di_format} of a ${kind}`, FORMATS_OF[kind].join(" or "));
  }
  const core = coreSize(volume.superblock.version);
  const room = bytes.length - core;
  // In units of 8 bytes; 0 when there are no extended attributes.
  const size = raw.di_forkoff === 0 ? room : raw.di_forkoff * 8;
  if (size > room) throw corrupt(where, `di_forkoff ${raw.di_forkoff}`, `at most ${room / 8}`);
  return { format, dataFork: Uint8Array.from(bytes.subarray(core, core + size)) };
}

function parseSize(raw: Raw, where: Where): number {
  const size = raw.di_size;
  if (size >= 2n ** 63n) throw corrupt(where, `a size of ${size} bytes`, "below 2^63");
  // A sparse file may be larger; nothing here counts further.
  if (size > Number.MAX_SAFE_INTEGER) throw overLimit(where, "the size of a file", "2^53 bytes");
  return Number(size);
}

/** Contents, attributes and the trees that map both. More than the filesystem has is not worth repeating. */
function allocated({ superblock }: XfsVolume, raw: Raw): { allocatedBytes?: number } {
  const blocks = Number(raw.di_nblocks);
  if (blocks > superblock.blockCount) return {};
  return { allocatedBytes: blocks * superblock.blockSizeBytes };
}

/** Seconds: nanoseconds since 1901 in 64 bits (bigtime), or two times 32 bits, seconds and nanoseconds. */
function parseMtime(raw: Raw, bigtime: boolean): number {
  const time = raw.di_mtime;
  if (!bigtime) {
    return Number(BigInt.asIntN(32, time >> 32n)) + Number(BigInt.asIntN(32, time)) / 1e9;
  }
  // XFS_BIGTIME_EPOCH_OFFSET: it begins where 32 bits with a sign do.
  return Number(time / 1_000_000_000n) - 2 ** 31 + Number(time % 1_000_000_000n) / 1e9;
}

/** IRIX's encoding: 14 bits major, 18 bits minor. */
function parseDevice(fork: Uint8Array): { major: number; minor: number } {
  const device = new DataView(fork.buffer, fork.byteOffset, fork.byteLength).getUint32(0, false);
  return { major: (device >>> 18) & 0x3fff, minor: device & 0x3ffff };
}
