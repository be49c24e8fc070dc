/**
 * The metadata of a dm-thin pool: its superblock, the volumes in it, and where each one's map begins.
 *
 * Source: Linux drivers/md/dm-thin-metadata.c `struct thin_disk_superblock`, `struct disk_device_details`,
 * `__reserve_metadata_snap`, `pack_block_time`.
 */
import { corrupt, missing, unsupported } from "../../base/failure.ts";
import { hex } from "../../base/units.ts";
import { within } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import { bytesField, u32le, u64le } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import type { ByteSource } from "../source.ts";
import { lookUp } from "./btree.ts";
import type { Tree } from "./btree.ts";
import { METADATA_BLOCK_BYTES, readMetadataBlock, SUPERBLOCK_CSUM_XOR } from "./metadata-block.ts";

export const thinDiskSuperblock = struct("thin_disk_superblock", 364, {
  csum: [0, u32le],
  flags: [4, u32le],
  blocknr: [8, u64le],
  uuid: [16, bytesField(16)],
  magic: [32, u64le],
  version: [40, u32le],
  /** Goes up with every snapshot. */
  time: [44, u32le],
  trans_id: [48, u64le],
  /** Block of the metadata snapshot's superblock; 0 when none is reserved. */
  held_root: [56, u64le],
  data_space_map_root: [64, bytesField(128)],
  metadata_space_map_root: [192, bytesField(128)],
  /** Of the tree from thin id to the root of the volume's own tree. */
  data_mapping_root: [320, u64le],
  device_details_root: [328, u64le],
  /** In sectors of 512 bytes, as the next one. */
  data_block_size: [336, u32le],
  metadata_block_size: [340, u32le],
  metadata_nr_blocks: [344, u64le],
  compat_flags: [352, u32le],
  compat_ro_flags: [356, u32le],
  incompat_flags: [360, u32le],
});

export const diskDeviceDetails = struct("disk_device_details", 24, {
  mapped_blocks: [0, u64le],
  transaction_id: [8, u64le],
  creation_time: [16, u32le],
  snapshotted_time: [20, u32le],
});

export const THIN_SUPERBLOCK_MAGIC = 27_022_010;
/** Version 1 had other trees and was never released. */
export const THIN_VERSION = 2;

const SECTOR_BYTES = 512;
/** 64 KiB to 1 GiB in steps of 64 KiB: `DATA_DEV_BLOCK_SIZE_MIN_SECTORS` and `_MAX_SECTORS` of drivers/md/dm-thin.c. */
const MIN_DATA_BLOCK_SECTORS = 128;
const MAX_DATA_BLOCK_SECTORS = 2_097_152;

export type ThinMetadata = {
  readonly metadata: ByteSource;
  /** In bytes: what a mapping maps. */
  readonly dataBlockBytes: number;
  readonly mappingRoot: number;
  readonly detailsRoot: number;
};

export type ThinVolume = {
  readonly thinId: number;
  readonly mappedBlocks: number;
  /** The pool's time when it was made; mappings that it got from its origin are older. */
  readonly creationTime: number;
  /** From block of the volume to what `parseMapping` reads. */
  readonly mappings: Tree;
};

export type Mapping = {
  /** Block of the data device. */
  readonly dataBlock: number;
  /** The pool's time when it was written. */
  readonly time: number;
};

/** A superblock that this reader knows: failures are `corrupt` and `unsupported`. */
function parseSuperblock(bytes: Uint8Array, where: Where) {
  const superblock = thinDiskSuperblock.read(bytes, 0, where);
  const { magic, version, incompat_flags, data_block_size: sectors } = superblock;
  if (magic !== THIN_SUPERBLOCK_MAGIC) {
    throw corrupt(where, `magic ${magic}`, `${THIN_SUPERBLOCK_MAGIC}`);
  }
  if (version !== THIN_VERSION) throw unsupported(where, `version ${version} of thin metadata`);
  if (incompat_flags !== 0) {
    throw unsupported(where, `feature ${hex(incompat_flags)} of thin metadata`);
  }
  if (
    sectors < MIN_DATA_BLOCK_SECTORS ||
    sectors > MAX_DATA_BLOCK_SECTORS ||
    sectors % MIN_DATA_BLOCK_SECTORS !== 0
  ) {
    throw corrupt(where, `data blocks of ${sectors} sectors`, "a multiple of 128 up to 2097152");
  }
  return superblock;
}

async function readSuperblock(metadata: ByteSource, block: number) {
  const asked = { block, xor: SUPERBLOCK_CSUM_XOR, name: "superblock" };
  const { bytes, where } = await readMetadataBlock(metadata, asked);
  return parseSuperblock(bytes, where);
}

/**
 * The metadata snapshot of a pool in use (`missing` when none is reserved): nothing in it changes until it is released.
 * `snapshot: false` is for the metadata of a pool that nobody uses.
 */
export async function readThinMetadata(
  device: ByteSource,
  options: { readonly snapshot: boolean } = { snapshot: true },
): Promise<ThinMetadata> {
  const metadata = { ...device, where: within(device.where, "thin metadata") };
  const { held_root } = await readSuperblock(metadata, 0);
  if (options.snapshot && held_root === 0) throw missing(metadata.where, "metadata snapshot");
  const superblock = await readSuperblock(metadata, options.snapshot ? held_root : 0);
  if (superblock.metadata_block_size * SECTOR_BYTES !== METADATA_BLOCK_BYTES) {
    const found = `metadata blocks of ${superblock.metadata_block_size} sectors`;
    throw corrupt(metadata.where, found, "8 sectors");
  }
  return {
    metadata,
    dataBlockBytes: superblock.data_block_size * SECTOR_BYTES,
    mappingRoot: superblock.data_mapping_root,
    detailsRoot: superblock.device_details_root,
  };
}

/** The volume with that thin id; `missing` when the pool has none. */
export async function readThinVolume(thin: ThinMetadata, thinId: number): Promise<ThinVolume> {
  const { metadata } = thin;
  const where = within(metadata.where, `thin volume ${thinId}`);
  const roots = { metadata, root: thin.mappingRoot, valueBytes: 8 };
  const details = { metadata, root: thin.detailsRoot, valueBytes: diskDeviceDetails.size };
  const rootValue = await lookUp(roots, thinId);
  const detailsValue = await lookUp(details, thinId);
  if (!rootValue || !detailsValue) throw missing(where, "such volume in the pool");
  const found = diskDeviceDetails.read(bytesOf(detailsValue), 0, where);
  return {
    thinId,
    mappedBlocks: found.mapped_blocks,
    creationTime: found.creation_time,
    mappings: { metadata, root: u64le.get(rootValue, 0, where), valueBytes: 8 },
  };
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** 40 bits of block number above 24 bits of time. */
export function parseMapping(value: DataView): Mapping {
  const low = value.getUint32(0, true);
  const high = value.getUint32(4, true);
  return { dataBlock: high * 256 + (low >>> 24), time: low & 0xffffff };
}
