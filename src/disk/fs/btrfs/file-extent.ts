/**
 * File extents: which bytes of a file are where.
 *
 * Source: Linux include/uapi/linux/btrfs_tree.h `struct btrfs_file_extent_item`, fs/btrfs/tree-checker.c
 * (`check_extent_data_item`), fs/btrfs/fs.h (BTRFS_MAX_COMPRESSED).
 */
import { corrupt, unsupported } from "../../../base/failure.ts";
import { KIB } from "../../../base/units.ts";
import { u16le, u64le, u8 } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import type { Read } from "../../../bytes/struct.ts";
import type { LogicalRange } from "./chunk-map.ts";
import { ITEM, makeKey, MAX_OFFSET, toNumber } from "./key.ts";
import type { InodeDetail } from "./inode.ts";
import type { Item } from "./tree-block.ts";
import type { BtrfsVolume } from "./volume.ts";

/** What all extents have; the data of an inline one follows. */
export const btrfsFileExtentItem = struct("btrfs_file_extent_item (common)", 21, {
  ram_bytes: [8, u64le],
  compression: [16, u8],
  encryption: [17, u8],
  other_encoding: [18, u16le],
  type: [20, u8],
});
type Raw = Read<typeof btrfsFileExtentItem>;

/** What the others have behind it. */
export const btrfsFileExtentDisk = struct("btrfs_file_extent_item (regular)", 32, {
  disk_bytenr: [0, u64le],
  disk_num_bytes: [8, u64le],
  offset: [16, u64le],
  num_bytes: [24, u64le],
});

const FILE_EXTENT_SIZE = 53;
const EXTENT_TYPE = { inline: 0, regular: 1, prealloc: 2 } as const;

/** BTRFS_COMPRESS_*, by number. */
const COMPRESSIONS = ["none", "zlib", "lzo", "zstd"] as const;
export type ExtentCompression = (typeof COMPRESSIONS)[number];

/** BTRFS_MAX_COMPRESSED and BTRFS_MAX_UNCOMPRESSED: what bounds the work for one extent. */
const MAX_COMPRESSED = 128 * KIB;

/** Bytes of a file that lie together. */
export type FileExtent = {
  /** The first byte in the file. */
  readonly start: number;
  /** The first byte after it. */
  readonly end: number;
  readonly compression: ExtentCompression;
} & (
  | {
      readonly kind: "inline";
      /** As stored, a view into the item. */
      readonly data: Uint8Array;
    }
  | {
      readonly kind: "regular";
      /** What was allocated: a logical address and a length in bytes. */
      readonly diskBytenr: number;
      readonly diskBytes: number;
      /** Where the file's bytes begin in what was allocated, after unpacking. */
      readonly offset: number;
      /** The size of all of it, after unpacking. */
      readonly ramBytes: number;
    }
  /** Reads as zeroes: nothing was allocated, or not written yet. */
  | { readonly kind: "hole" }
);

/**
 * The extents that have bytes of a file from `from` to `to` (not included), by rising place. Each begins after the one
 * before it ended. What no extent has is a hole, too.
 */
export async function* fileExtents(
  volume: BtrfsVolume,
  { subvolume, objectid }: InodeDetail,
  { from, to }: { readonly from: number; readonly to: number },
  signal?: AbortSignal,
): AsyncGenerator<FileExtent> {
  const before = await subvolume.tree.floor(makeKey(objectid, ITEM.EXTENT_DATA, BigInt(from)));
  const first = before?.key ?? makeKey(objectid, ITEM.EXTENT_DATA);
  const range = { first, last: { ...first, offset: MAX_OFFSET } };
  let free = 0;
  for await (const item of subvolume.tree.between(range, signal)) {
    const extent = parseFileExtent(volume, item);
    if (extent.start >= to) return;
    if (extent.start < free) {
      throw corrupt(item.where, `an extent from byte ${extent.start} on`, `one from ${free} on`);
    }
    free = extent.end;
    if (extent.end > from) yield extent;
  }
}

/** What an EXTENT_DATA item has allocated, written or not; inline data and holes have nothing. */
export function allocationOf({ bytes, where }: Item): LogicalRange | undefined {
  if (btrfsFileExtentItem.read(bytes, 0, where).type === EXTENT_TYPE.inline) return undefined;
  const raw = btrfsFileExtentDisk.read(bytes, btrfsFileExtentItem.size, where);
  const { disk_bytenr: bytenr, disk_num_bytes: length } = raw;
  return bytenr === 0 ? undefined : { bytenr, length };
}

/** Checks and translates an EXTENT_DATA item. */
export function parseFileExtent({ superblock }: BtrfsVolume, item: Item): FileExtent {
  const { bytes, where, key } = item;
  const raw = btrfsFileExtentItem.read(bytes, 0, where);
  const compression = COMPRESSIONS[raw.compression];
  if (!compression) throw unsupported(where, `compression type ${raw.compression}`);
  if (raw.encryption !== 0) throw unsupported(where, "encryption of file contents");
  if (raw.other_encoding !== 0) throw unsupported(where, `encoding ${raw.other_encoding}`);
  if (compression !== "none" && raw.ram_bytes > MAX_COMPRESSED) {
    throw corrupt(where, `${raw.ram_bytes} compressed bytes`, `at most ${MAX_COMPRESSED}`);
  }
  const start = toNumber(key.offset, "offset", where);
  const sector = superblock.sectorSizeBytes;
  if (start % sector !== 0) {
    throw corrupt(where, `an extent from byte ${start} on`, `a multiple of ${sector}`);
  }
  if (raw.type === EXTENT_TYPE.inline) return parseInline(item, raw, compression);
  return parseRegular(item, raw, { start, sector, compression });
}

function parseInline({ bytes, where, key }: Item, raw: Raw, compression: ExtentCompression) {
  const data = bytes.subarray(btrfsFileExtentItem.size);
  const { ram_bytes: end } = raw;
  if (key.offset !== 0n) throw corrupt(where, `inline data at byte ${key.offset}`, "at byte 0");
  if (compression === "none" && end !== data.length) {
    throw corrupt(where, `${data.length} bytes of inline data`, `${end}`);
  }
  return { kind: "inline", start: 0, end, compression, data } as const;
}

function parseRegular(
  { bytes, where }: Item,
  { type, ram_bytes: ramBytes }: Raw,
  file: { start: number; sector: number; compression: ExtentCompression },
): FileExtent {
  const { start, sector, compression } = file;
  if (type !== EXTENT_TYPE.regular && type !== EXTENT_TYPE.prealloc) {
    throw corrupt(where, `an extent of type ${type}`, "0, 1 or 2");
  }
  if (bytes.length !== FILE_EXTENT_SIZE) {
    throw corrupt(where, `an item of ${bytes.length} bytes`, `${FILE_EXTENT_SIZE}`);
  }
  const raw = btrfsFileExtentDisk.read(bytes, btrfsFileExtentItem.size, where);
  const { disk_bytenr: diskBytenr, disk_num_bytes: diskBytes, offset, num_bytes: length } = raw;
  const odd = [diskBytenr, diskBytes, offset, length].find((value) => value % sector !== 0);
  if (odd !== undefined) throw corrupt(where, `${odd}`, `a multiple of ${sector}`);
  if (length === 0 || !Number.isSafeInteger(start + length)) {
    throw corrupt(where, `${length} bytes at byte ${start}`, "some, below 2^53");
  }
  const end = start + length;
  if (diskBytenr === 0 || type === EXTENT_TYPE.prealloc) {
    return { kind: "hole", start, end, compression };
  }
  const available = compression === "none" ? diskBytes : ramBytes;
  if (offset + length > available) {
    throw corrupt(
      where,
      `${length} bytes from ${offset} on`,
      `no more than there are: ${available}`,
    );
  }
  if (compression !== "none" && diskBytes > MAX_COMPRESSED) {
    throw corrupt(where, `${diskBytes} bytes compressed`, `at most ${MAX_COMPRESSED}`);
  }
  return { kind: "regular", start, end, compression, diskBytenr, diskBytes, offset, ramBytes };
}
