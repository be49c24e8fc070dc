/**
 * Block bitmaps: a bit for each cluster (each block, without bigalloc) of a group.
 *
 * Source: Linux Documentation/filesystems/ext4/bitmaps.rst, fs/ext4/bitmap.c (`ext4_block_bitmap_csum_verify`).
 */
import { within } from "../../../base/where.ts";
import { crc32cUpdate } from "../../../bytes/crc32c.ts";
import { assertChecksum } from "./checksum.ts";
import type { GroupDescriptor } from "./group-descriptor.ts";
import { readBlock } from "./volume.ts";
import type { Ext4Volume } from "./volume.ts";

/** A group's block bitmap, its checksum verified. Not for groups whose bitmap was never written. */
export async function readBlockBitmap(
  volume: Ext4Volume,
  descriptor: GroupDescriptor,
): Promise<Uint8Array> {
  const { superblock } = volume;
  const where = within(volume.where, `group ${descriptor.group}`, "block bitmap");
  const bytes = await readBlock(volume, descriptor.blockBitmap, where);
  if (superblock.checksums === "metadata_csum") {
    // Whole bytes: the kernel leaves out the bits after the last one.
    const used = Math.floor(superblock.blocksPerGroup / superblock.blocksPerCluster / 8);
    const computed = crc32cUpdate(superblock.checksumSeed, bytes.subarray(0, used));
    // Descriptors of 32 bytes have room for half of it.
    const mask = superblock.descriptorSizeBytes >= 64 ? 0xffff_ffff : 0xffff;
    assertChecksum(where, descriptor.blockBitmapChecksum, (computed & mask) >>> 0);
  }
  return bytes;
}

/** The runs of set bits among the first `count`, as [first, one past the last]. */
export function* setRuns(bitmap: Uint8Array, count: number): Generator<[number, number]> {
  let start = -1;
  for (let bit = 0; bit < count;) {
    const byte = bitmap[bit >>> 3]!;
    // Eight at a time where all are alike and change nothing.
    if ((bit & 7) === 0 && bit + 8 <= count && byte === (start < 0 ? 0 : 0xff)) {
      bit += 8;
      continue;
    }
    const set = (byte & (1 << (bit & 7))) !== 0;
    if (set && start < 0) start = bit;
    if (!set && start >= 0) {
      yield [start, bit];
      start = -1;
    }
    bit += 1;
  }
  if (start >= 0) yield [start, count];
}
