/**
 * The btrfs superblock: 4096 bytes at 64 KiB, with copies at 64 MiB and 256 GiB.
 *
 * Source: Linux include/uapi/linux/btrfs_tree.h `struct btrfs_super_block`, fs/btrfs/disk-io.c
 * (`btrfs_validate_super`). Not supported: the incompat features that `features.ts` refuses, seed devices, images that
 * hold metadata only (btrfs-image). The backup roots in it are not used; Linux does not either unless told to.
 */
import { corrupt, unsupported } from "../../../base/failure.ts";
import { sizeText } from "../../../base/units.ts";
import type { Where } from "../../../base/where.ts";
import { bytesField, u16le, u32le, u64le, u64leRaw, u8, uuid } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import type { Read } from "../../../bytes/struct.ts";
import { decodeCString, latin1 } from "../../../bytes/text.ts";
import { assertBlockChecksum, checksumKind } from "./checksum.ts";
import type { ChecksumKind } from "./checksum.ts";
import { hasIncompat, refuseUnknownIncompat } from "./features.ts";
import type { Features } from "./features.ts";
import { OBJECTID } from "./key.ts";

export const SUPERBLOCK_SIZE = 4096;
/** In bytes from the start of the device: the primary, then its copies. */
export const SUPERBLOCK_OFFSETS = [0x1_0000, 0x400_0000, 0x40_0000_0000] as const;
export const MAGIC_AT = 64;
export const MAGIC = "_BHRfS_M";

/** The fields that are looked at; the kernel has more. `dev_item` is this device's, unpacked here. */
export const btrfsSuperBlock = struct("btrfs_super_block", SUPERBLOCK_SIZE, {
  fsid: [32, uuid],
  bytenr: [48, u64le],
  flags: [56, u64leRaw],
  magic: [MAGIC_AT, bytesField(8)],
  generation: [72, u64leRaw],
  root: [80, u64le],
  chunk_root: [88, u64le],
  log_root: [96, u64le],
  total_bytes: [112, u64le],
  bytes_used: [120, u64le],
  root_dir_objectid: [128, u64leRaw],
  num_devices: [136, u64le],
  sectorsize: [144, u32le],
  nodesize: [148, u32le],
  sys_chunk_array_size: [160, u32le],
  chunk_root_generation: [164, u64leRaw],
  compat_flags: [172, u64leRaw],
  compat_ro_flags: [180, u64leRaw],
  incompat_flags: [188, u64leRaw],
  csum_type: [196, u16le],
  root_level: [198, u8],
  chunk_root_level: [199, u8],
  log_root_level: [200, u8],
  dev_item_devid: [201, u64leRaw],
  dev_item_total_bytes: [209, u64le],
  dev_item_uuid: [267, uuid],
  dev_item_fsid: [283, uuid],
  label: [299, bytesField(256)],
  metadata_uuid: [571, uuid],
  sys_chunk_array: [811, bytesField(2048)],
});
type Raw = Read<typeof btrfsSuperBlock>;

/** BTRFS_MAX_LEVEL: levels are 0 to 7. A node has 121 pointers at least, so no device needs more. */
export const MAX_LEVEL = 8;

/** BTRFS_SUPER_FLAG_*: what makes a device something else than a filesystem of its own. */
const SUPER_FLAG = {
  error: 1n << 2n,
  seeding: 1n << 32n,
  metadump: 1n << 33n,
  metadumpV2: 1n << 34n,
  changingFsid: 1n << 35n,
  changingFsidV2: 1n << 36n,
} as const;

/** Where the root of a tree is, and what its block must say. */
export type TreeRoot = {
  /** The tree's id, which its blocks have as owner. */
  readonly id: bigint;
  /** The logical address. */
  readonly bytenr: number;
  readonly generation: bigint;
  readonly level: number;
};

/** A superblock whose numbers are within the bounds of the format. */
export type Superblock = Features & {
  readonly fsid: string;
  /** What every block of metadata says it belongs to: `fsid`, unless that was changed later. */
  readonly metadataUuid: string;
  readonly label: string;
  readonly generation: bigint;
  readonly checksum: ChecksumKind;
  /** 4096 to 65536, a power of two. */
  readonly sectorSizeBytes: number;
  /** The size of a block of metadata: at least a sector, at most 65536, a power of two. */
  readonly nodeSizeBytes: number;
  /** Of all devices together. */
  readonly totalBytes: number;
  /** Of all extents together, each once, whatever copies there are. */
  readonly usedBytes: number;
  readonly deviceCount: number;
  /** This device. */
  readonly deviceId: bigint;
  readonly deviceUuid: string;
  readonly deviceBytes: number;
  readonly rootTree: TreeRoot;
  readonly chunkTree: TreeRoot;
  /** The tree of log trees; there is one when files were synced after the last commit. */
  readonly logTree: TreeRoot | undefined;
  /** The directory in the root tree that names the default subvolume. */
  readonly rootDirectory: bigint;
  /** The chunks that the chunk tree is in. */
  readonly systemChunks: Uint8Array;
  readonly errorsRecorded: boolean;
};

/**
 * Checks and translates the 4096 bytes of a superblock that lies at `offset`. `corrupt` for a wrong checksum or fields
 * that contradict each other, `unsupported` for what is not read.
 */
export function parseSuperblock(bytes: Uint8Array, offset: number, where: Where): Superblock {
  const raw = btrfsSuperBlock.read(bytes, 0, where);
  if (latin1(raw.magic) !== MAGIC) throw corrupt(where, "another magic number", MAGIC);
  const checksum = checksumKind(raw.csum_type, where);
  assertBlockChecksum(checksum, bytes, where);
  if (raw.bytenr !== offset) throw corrupt(where, `bytenr ${raw.bytenr}`, `${offset}, its place`);
  refuseUnknownIncompat(raw.incompat_flags, where);
  refuseFlags(raw.flags, where);
  assertSizes(raw, where);
  const features = {
    compat: raw.compat_flags,
    compatRo: raw.compat_ro_flags,
    incompat: raw.incompat_flags,
  };
  const metadataUuid = hasIncompat(features, "metadata_uuid") ? raw.metadata_uuid : raw.fsid;
  if (raw.dev_item_fsid !== metadataUuid) {
    throw corrupt(where, `a device of filesystem ${raw.dev_item_fsid}`, metadataUuid);
  }
  return {
    ...features,
    ...parseRoots(raw, where),
    fsid: raw.fsid,
    metadataUuid,
    label: decodeCString(raw.label),
    generation: raw.generation,
    checksum,
    sectorSizeBytes: raw.sectorsize,
    nodeSizeBytes: raw.nodesize,
    totalBytes: raw.total_bytes,
    usedBytes: raw.bytes_used,
    deviceCount: raw.num_devices,
    deviceId: raw.dev_item_devid,
    deviceUuid: raw.dev_item_uuid,
    deviceBytes: raw.dev_item_total_bytes,
    rootDirectory: raw.root_dir_objectid,
    systemChunks: raw.sys_chunk_array.slice(0, raw.sys_chunk_array_size),
    errorsRecorded: (raw.flags & SUPER_FLAG.error) !== 0n,
  };
}

function refuseFlags(flags: bigint, where: Where): void {
  if (flags & SUPER_FLAG.seeding) throw unsupported(where, "a seed device (btrfstune -S)");
  if (flags & (SUPER_FLAG.metadump | SUPER_FLAG.metadumpV2)) {
    throw unsupported(where, "an image of metadata without data (btrfs-image)");
  }
  if (flags & (SUPER_FLAG.changingFsid | SUPER_FLAG.changingFsidV2)) {
    throw unsupported(where, "a change of the filesystem's uuid that was cut off (btrfstune -u)");
  }
}

function assertSizes(raw: Raw, where: Where): void {
  const { sectorsize, nodesize, sys_chunk_array_size: arraySize, num_devices: devices } = raw;
  if (!isPowerOfTwo(sectorsize) || sectorsize < 4096 || sectorsize > 65_536) {
    throw corrupt(where, `sectorsize ${sectorsize}`, "a power of two from 4096 to 65536");
  }
  if (!isPowerOfTwo(nodesize) || nodesize < sectorsize || nodesize > 65_536) {
    throw corrupt(where, `nodesize ${nodesize}`, `a power of two from ${sectorsize} to 65536`);
  }
  if (arraySize > 2048) throw corrupt(where, `sys_chunk_array_size ${arraySize}`, "at most 2048");
  if (devices === 0) throw corrupt(where, "num_devices 0", "at least 1");
  // The kernel takes no less, and everything that is divided by a size below this would be odd.
  if (raw.dev_item_total_bytes < SUPERBLOCK_OFFSETS[0] + SUPERBLOCK_SIZE) {
    throw corrupt(where, `a device of ${sizeText(raw.dev_item_total_bytes)}`, "room for itself");
  }
}

function parseRoots(raw: Raw, where: Where) {
  const rootTree = {
    id: OBJECTID.ROOT_TREE,
    bytenr: raw.root,
    generation: raw.generation,
    level: raw.root_level,
  };
  const chunkTree = {
    id: OBJECTID.CHUNK_TREE,
    bytenr: raw.chunk_root,
    generation: raw.chunk_root_generation,
    level: raw.chunk_root_level,
  };
  // Written in the transaction that was never committed: the one after the superblock's.
  const log = {
    id: OBJECTID.TREE_LOG,
    bytenr: raw.log_root,
    generation: raw.generation + 1n,
    level: raw.log_root_level,
  };
  for (const { id, bytenr, level } of [rootTree, chunkTree, log]) {
    if (level >= MAX_LEVEL) throw corrupt(where, `level ${level} of tree ${id}`, "at most 7");
    if (bytenr % raw.sectorsize !== 0) {
      throw corrupt(where, `tree ${id} at ${bytenr}`, `a multiple of ${raw.sectorsize}`);
    }
  }
  return { rootTree, chunkTree, logTree: log.bytenr === 0 ? undefined : log };
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}
