/**
 * Checksums of data: the checksum tree has one for each sector, many in an item; those of files that were synced after
 * the last commit are in the log.
 *
 * Source: Linux fs/btrfs/file-item.c (`btrfs_lookup_bio_sums`), fs/btrfs/tree-checker.c (`check_csum_item`).
 */
import { corrupt } from "../../../base/failure.ts";
import type { Where } from "../../../base/where.ts";
import type { LogicalRange } from "./chunk-map.ts";
import { ITEM, makeKey, OBJECTID, toNumber } from "./key.ts";
import type { Key } from "./key.ts";
import type { Item } from "./tree-block.ts";
import type { ItemTree } from "./tree.ts";
import type { BtrfsVolume } from "./volume.ts";

/** Puts the checksums of a range of whole sectors into `sums`, by sector; a sector without one stays as it is. */
export type ChecksumSource = (
  range: LogicalRange,
  sums: (Uint8Array | undefined)[],
  signal?: AbortSignal,
) => Promise<void>;

/** The checksums that a tree has: the checksum tree, or that of a log. */
export function checksumsIn(volume: BtrfsVolume, tree: ItemTree): ChecksumSource {
  return async (range, sums, signal) => {
    const { bytenr, length } = range;
    const start = checksumKey(bytenr);
    // An item that begins before the range may have checksums for it.
    const before = await tree.floor(start);
    const keys = { first: before?.key ?? start, last: checksumKey(bytenr + length - 1) };
    for await (const item of tree.between(keys, signal)) takeSums(volume, item, range, sums);
  };
}

function checksumKey(bytenr: number): Key {
  return makeKey(OBJECTID.EXTENT_CSUM, ITEM.EXTENT_CSUM, BigInt(bytenr));
}

/** The checksums of one item that lie in the range. */
function takeSums(
  { superblock }: BtrfsVolume,
  { key, bytes, where }: Item,
  { bytenr, length }: LogicalRange,
  sums: (Uint8Array | undefined)[],
): void {
  const { sectorSizeBytes: sector, checksum } = superblock;
  const start = toNumber(key.offset, "address", where);
  if (start % sector !== 0 || bytes.length % checksum.size !== 0) {
    const found = `${bytes.length} bytes of checksums from ${start} on`;
    throw corrupt(where, found, "whole checksums of whole sectors");
  }
  const end = start + (bytes.length / checksum.size) * sector;
  const from = Math.max(start, bytenr);
  const to = Math.min(end, bytenr + length);
  for (let place = from; place < to; place += sector) {
    const at = ((place - start) / sector) * checksum.size;
    sums[(place - bytenr) / sector] = bytes.subarray(at, at + checksum.size);
  }
}

/** Fails when a sector has no checksum: the kernel would not give its data, either. */
export function assertAll(
  sums: readonly (Uint8Array | undefined)[],
  { bytenr }: LogicalRange,
  sectorSizeBytes: number,
  where: Where,
): asserts sums is readonly Uint8Array[] {
  const missing = sums.findIndex((sum) => sum === undefined);
  if (missing < 0) return;
  const place = bytenr + missing * sectorSizeBytes;
  throw corrupt(where, `no checksum for the data at ${place}`, "one for each sector");
}
