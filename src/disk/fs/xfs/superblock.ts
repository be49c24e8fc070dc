/**
 * The XFS superblock: at byte 0, one sector. Every allocation group begins with a copy, which only growing keeps up to
 * date; the copies are not used here, because Linux does not mount without the first either.
 *
 * Source: Linux fs/xfs/libxfs/xfs_format.h `struct xfs_dsb`, fs/xfs/libxfs/xfs_sb.c (the checks). Not supported: versions
 * 1 to 3 (IRIX before 1996) and the features that `features.ts` refuses.
 */
import { corrupt, unsupported } from "../../../base/failure.ts";
import { KIB, TIB } from "../../../base/units.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import { bytesField, u16be, u32be, u64beRaw, u8 } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import type { Read } from "../../../bytes/struct.ts";
import { decodeCString } from "../../../bytes/text.ts";
import { uuidText } from "../../../bytes/uuid.ts";
import type { ByteSource } from "../../source.ts";
import { pastEnd } from "../cut-off.ts";
import { assertChecksum } from "./checksum.ts";
import { hasIncompat, refuseUnknown, VERSION } from "./features.ts";
import type { Features } from "./features.ts";

/** `XFSB` */
export const XFS_SB_MAGIC = 0x58465342;

/** The fields that are looked at; the kernel has more. */
export const xfsDsb = struct("xfs_dsb", 264, {
  sb_magicnum: [0, u32be],
  sb_blocksize: [4, u32be],
  sb_dblocks: [8, u64beRaw],
  sb_uuid: [32, bytesField(16)],
  sb_logstart: [48, u64beRaw],
  sb_rootino: [56, u64beRaw],
  sb_agblocks: [84, u32be],
  sb_agcount: [88, u32be],
  sb_logblocks: [96, u32be],
  sb_versionnum: [100, u16be],
  sb_sectsize: [102, u16be],
  sb_inodesize: [104, u16be],
  sb_inopblock: [106, u16be],
  sb_fname: [108, bytesField(12)],
  sb_blocklog: [120, u8],
  sb_sectlog: [121, u8],
  sb_inodelog: [122, u8],
  sb_inopblog: [123, u8],
  sb_agblklog: [124, u8],
  sb_inprogress: [126, u8],
  sb_icount: [128, u64beRaw],
  sb_ifree: [136, u64beRaw],
  sb_dirblklog: [192, u8],
  sb_features2: [200, u32be],
  sb_bad_features2: [204, u32be],
  sb_features_compat: [208, u32be],
  sb_features_ro_compat: [212, u32be],
  sb_features_incompat: [216, u32be],
  sb_features_log_incompat: [220, u32be],
  sb_meta_uuid: [248, bytesField(16)],
});
type Raw = Read<typeof xfsDsb>;

const CRC_AT = 224;
/** XFS_MIN_SECTORSIZE and XFS_MAX_SECTORSIZE */
const SECTOR_SIZES = [512, 32_768] as const;
/** XFS_MIN_AG_BLOCKS */
const MIN_AG_BLOCKS = 64;
/** XFS_MAX_LOG_BYTES, all but the last sector. */
const MAX_LOG_BYTES = 2 ** 31 - 1;

/** A superblock whose numbers agree with each other, so that arithmetic with them neither overflows nor divides by 0. */
export type Superblock = Features & {
  /** 512 to 65536, a power of two; from 1024 on in version 5. */
  readonly blockSizeBytes: number;
  /** All allocation groups together. */
  readonly blockCount: number;
  /** 512 to 32768, a power of two, at most the block size. */
  readonly sectorSizeBytes: number;
  /** 256 to 2048, a power of two, at most the block size. */
  readonly inodeSizeBytes: number;
  /** Log2 of the inodes in a block. */
  readonly inopblog: number;
  /** Blocks of every allocation group but the last, which can have fewer. */
  readonly agBlocks: number;
  /** Log2 of agBlocks, rounded up: so many bits of a block number are the block in its group. At most 31. */
  readonly agblklog: number;
  readonly agCount: number;
  /** Log2 of the filesystem blocks in a directory block. */
  readonly dirblklog: number;
  readonly rootInode: number;
  /** As it was at the last clean unmount: a mounted filesystem counts in memory (lazysbcount). */
  readonly inodesUsed: number;
  /** The first block of the log, as a filesystem block number; 0 when it is on another device. */
  readonly logStart: number;
  readonly logBlocks: number;
  /** Records of version 2, up to 256 KiB, rather than up to 32 KiB. */
  readonly logV2: boolean;
  readonly uuid: string;
  /** What the log is stamped with. */
  readonly uuidBytes: Uint8Array;
  /** What version 5 stamps its metadata with. */
  readonly metaUuidBytes: Uint8Array;
  readonly label: string;
};

export type SuperblockOptions = {
  /** Sealed by the log: the checksum in the superblock itself is not up to date. */
  readonly replayed?: boolean;
};

/** Reads the superblock and checks it against the size of the device. */
export async function readSuperblock(
  source: ByteSource,
  where: Where,
  options: SuperblockOptions = {},
): Promise<Superblock> {
  const place = within(where, "superblock");
  if (source.size < SECTOR_SIZES[0]) {
    throw corrupt(place, `a device of ${source.size} bytes`, "room for a superblock");
  }
  const { sb_sectsize } = xfsDsb.read(await source.read(0, SECTOR_SIZES[0]), 0, place);
  assertField(place, "sb_sectsize", sb_sectsize, SECTOR_SIZES);
  assertPowerOfTwo(place, "sb_sectsize", sb_sectsize);
  const superblock = parseSuperblock(await source.read(0, sb_sectsize), place, options);
  const { blockCount, blockSizeBytes } = superblock;
  if (blockCount * blockSizeBytes > source.size) {
    throw pastEnd(place, `${blockCount} blocks of ${blockSizeBytes} bytes`, source);
  }
  return superblock;
}

/**
 * Checks and translates a superblock; `bytes` are its whole sector. `corrupt` for fields that contradict each other or a
 * wrong checksum, `unsupported` for features that are not read.
 */
export function parseSuperblock(
  bytes: Uint8Array,
  where: Where,
  { replayed = false }: SuperblockOptions = {},
): Superblock {
  const raw = xfsDsb.read(bytes, 0, where);
  if (raw.sb_magicnum !== XFS_SB_MAGIC) {
    throw corrupt(where, `magic 0x${raw.sb_magicnum.toString(16)}`, "0x58465342");
  }
  const features = parseFeatures(raw);
  // The checksum first: a damaged feature word must not pass for a feature of the future.
  if (features.version === 5 && !replayed) assertChecksum(bytes, CRC_AT, where);
  if (features.version !== 4 && features.version !== 5) {
    throw unsupported(where, `version ${features.version} of XFS (4 and 5 are known)`);
  }
  refuseUnknown(features, where);
  if (raw.sb_inprogress !== 0) {
    throw corrupt(where, `sb_inprogress ${raw.sb_inprogress}`, "0: mkfs.xfs did not finish");
  }
  const sizes = parseSizes(raw, features, where);
  const groups = parseGroups(raw, sizes.blockSizeBytes, where);
  return {
    ...features,
    ...sizes,
    ...groups,
    ...parseLog(raw, features, { ...groups, blockSizeBytes: sizes.blockSizeBytes }, where),
    // Above 2^53 it is rounded, and no inode of the filesystem in either case.
    rootInode: Number(raw.sb_rootino),
    inodesUsed: Number(raw.sb_icount > raw.sb_ifree ? raw.sb_icount - raw.sb_ifree : 0n),
    uuid: uuidText(raw.sb_uuid),
    uuidBytes: Uint8Array.from(raw.sb_uuid),
    metaUuidBytes: Uint8Array.from(
      hasIncompat(features, "meta_uuid") ? raw.sb_meta_uuid : raw.sb_uuid,
    ),
    label: decodeCString(raw.sb_fname),
  };
}

function parseFeatures(raw: Raw): Features {
  const version = raw.sb_versionnum & 0xf;
  if (version === 5) {
    return {
      version,
      versionBits: 0,
      features2: 0,
      compat: raw.sb_features_compat,
      roCompat: raw.sb_features_ro_compat,
      incompat: raw.sb_features_incompat,
      logIncompat: raw.sb_features_log_incompat,
    };
  }
  const versionBits = raw.sb_versionnum & 0xfff0;
  // Some old kernels wrote the word four bytes further on; the kernel takes both together.
  const features2 = raw.sb_features2 | raw.sb_bad_features2;
  return {
    version,
    versionBits,
    features2: versionBits & VERSION.morebits ? features2 >>> 0 : 0,
    compat: 0,
    roCompat: 0,
    incompat: 0,
    logIncompat: 0,
  };
}

function parseSizes(raw: Raw, features: Features, where: Where) {
  const blockSizeBytes = raw.sb_blocksize;
  assertField(where, "sb_blocksize", blockSizeBytes, [features.version === 5 ? 1024 : 512, 65_536]);
  assertPowerOfTwo(where, "sb_blocksize", blockSizeBytes);
  const sectorSizeBytes = raw.sb_sectsize;
  assertField(where, "sb_sectsize", sectorSizeBytes, [512, Math.min(blockSizeBytes, 32_768)]);
  assertPowerOfTwo(where, "sb_sectsize", sectorSizeBytes);
  const inodeSizeBytes = raw.sb_inodesize;
  const smallest = features.version === 5 ? 512 : 256;
  assertField(where, "sb_inodesize", inodeSizeBytes, [smallest, Math.min(blockSizeBytes, 2048)]);
  assertPowerOfTwo(where, "sb_inodesize", inodeSizeBytes);
  const inopblock = blockSizeBytes / inodeSizeBytes;
  // The logarithms say again what the sizes say; with those checked they stay below 17.
  for (const [name, value, of] of [
    ["sb_blocklog", raw.sb_blocklog, blockSizeBytes],
    ["sb_sectlog", raw.sb_sectlog, sectorSizeBytes],
    ["sb_inodelog", raw.sb_inodelog, inodeSizeBytes],
    ["sb_inopblog", raw.sb_inopblog, inopblock],
  ] as const) {
    assertField(where, name, value, [Math.log2(of), Math.log2(of)]);
  }
  assertField(where, "sb_inopblock", raw.sb_inopblock, [inopblock, inopblock]);
  // XFS_MAX_BLOCKSIZE bounds directory blocks, too.
  const dirblklog = raw.sb_dirblklog;
  assertField(where, "sb_dirblklog", dirblklog, [0, Math.log2(65_536 / blockSizeBytes)]);
  return { blockSizeBytes, sectorSizeBytes, inodeSizeBytes, inopblog: raw.sb_inopblog, dirblklog };
}

function parseGroups(raw: Raw, blockSizeBytes: number, where: Where) {
  const agBlocks = raw.sb_agblocks;
  // XFS_MAX_AG_BYTES. With blocks of 512 bytes that is 2^31 of them, so agblklog is at most 31.
  assertField(where, "sb_agblocks", agBlocks, [MIN_AG_BLOCKS, TIB / blockSizeBytes]);
  const agblklog = 32 - Math.clz32(agBlocks - 1);
  assertField(where, "sb_agblklog", raw.sb_agblklog, [agblklog, agblklog]);
  const agCount = raw.sb_agcount;
  assertField(where, "sb_agcount", agCount, [1, 2 ** 32 - 1]);
  // Every group's number and block number together must stay exact: a device of that size is checked for later.
  const blockCount = Number(raw.sb_dblocks);
  const most = Math.min(agCount * agBlocks, Math.floor(Number.MAX_SAFE_INTEGER / blockSizeBytes));
  assertField(where, "sb_dblocks", blockCount, [
    (agCount - 1) * agBlocks + Math.min(MIN_AG_BLOCKS, agBlocks),
    most,
  ]);
  if (agCount * 2 ** agblklog * blockSizeBytes > Number.MAX_SAFE_INTEGER) {
    throw corrupt(where, `${agCount} allocation groups`, "less than 8 PiB");
  }
  return { agBlocks, agblklog, agCount, blockCount };
}

function parseLog(
  raw: Raw,
  features: Features,
  groups: ReturnType<typeof parseGroups> & { blockSizeBytes: number },
  where: Where,
) {
  const logV2 = features.version === 5 || (features.versionBits & VERSION.logv2) !== 0;
  const logBlocks = raw.sb_logblocks;
  const logStart = Number(raw.sb_logstart);
  if (logStart === 0) return { logStart, logBlocks, logV2 };
  const bytes = logBlocks * groups.blockSizeBytes;
  if (bytes < 64 * KIB || bytes > MAX_LOG_BYTES) {
    throw corrupt(where, `a log of ${logBlocks} blocks`, "64 KiB to 2 GiB");
  }
  const group = Math.floor(logStart / 2 ** groups.agblklog);
  const block = logStart - group * 2 ** groups.agblklog;
  const length = Math.min(groups.agBlocks, groups.blockCount - group * groups.agBlocks);
  if (group >= groups.agCount || block === 0 || block + logBlocks > length) {
    throw corrupt(where, `a log of ${logBlocks} blocks from ${logStart} on`, "one inside a group");
  }
  return { logStart, logBlocks, logV2 };
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
