/**
 * The blocks that dm-thin's metadata is made of: 4 KiB, each with a checksum and its own number.
 *
 * Source: Linux drivers/md/persistent-data/dm-block-manager.c `dm_bm_checksum`, drivers/md/dm-thin-metadata.c `sb_check`,
 * drivers/md/persistent-data/dm-btree-spine.c `node_check`.
 */
import { corrupt } from "../../base/failure.ts";
import { hex } from "../../base/units.ts";
import { within } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import { crc32cUpdate } from "../../bytes/crc32c.ts";
import { u32le, u64le } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import type { ByteSource } from "../source.ts";

export const METADATA_BLOCK_BYTES = 4096;

/** How superblocks and tree nodes begin alike. */
export const metadataBlockHeader = struct("metadata block header", 16, {
  csum: [0, u32le],
  flags: [4, u32le],
  blocknr: [8, u64le],
});

/** What the checksum of a kind of block is mixed with, so that none passes for another kind. */
export const SUPERBLOCK_CSUM_XOR = 160_774;
export const BTREE_CSUM_XOR = 121_107;

/** CRC-32C as the kernel's `crc32c()` makes it, over all but the checksum itself. */
export function metadataChecksum(block: Uint8Array, xor: number): number {
  return (crc32cUpdate(~0, block.subarray(4)) ^ xor) >>> 0;
}

export type BlockAsked = { readonly block: number; readonly xor: number; readonly name: string };

/** A block that is what it says it is; `corrupt` when it is not, `io`. */
export async function readMetadataBlock(
  metadata: ByteSource,
  { block, xor, name }: BlockAsked,
): Promise<{ readonly bytes: Uint8Array; readonly where: Where }> {
  const blockCount = Math.floor(metadata.size / METADATA_BLOCK_BYTES);
  if (!(block < blockCount)) {
    throw corrupt(metadata.where, `a ${name} in block ${block}`, `a block below ${blockCount}`);
  }
  const where = within(metadata.where, `${name} in block ${block}`);
  const bytes = await metadata.read(block * METADATA_BLOCK_BYTES, METADATA_BLOCK_BYTES);
  const header = metadataBlockHeader.read(bytes, 0, where);
  const checksum = metadataChecksum(bytes, xor);
  if (header.csum !== checksum) {
    throw corrupt(where, `checksum ${hex(header.csum, 8)}`, hex(checksum, 8));
  }
  if (header.blocknr !== block) {
    throw corrupt(where, `block ${header.blocknr}`, `block ${block}`);
  }
  return { bytes, where };
}
