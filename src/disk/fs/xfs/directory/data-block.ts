/**
 * A block of entries: a header, then entries and free space, each aligned to 8 bytes and closed by a tag with its own
 * place. A directory of one block (the "block" form) has its hash table at the end of it; in larger directories
 * (the "leaf" and "node" forms) hash tables and the list of free space are blocks far behind, which nothing here needs.
 *
 * Source: Linux fs/xfs/libxfs/xfs_da_format.h `struct xfs_dir2_data_hdr`, `xfs_dir3_data_hdr`, `xfs_dir2_block_tail`,
 * fs/xfs/libxfs/xfs_dir2_data.c (`__xfs_dir3_data_check`).
 */
import { corrupt } from "../../../../base/failure.ts";
import type { Where } from "../../../../base/where.ts";
import { bytesField, u32be, u64beRaw } from "../../../../bytes/fields.ts";
import { struct } from "../../../../bytes/struct.ts";
import { hasFileTypes } from "../features.ts";
import { assertSelfDescription } from "../volume.ts";
import type { MetadataBlock, XfsVolume } from "../volume.ts";
import { checkedEntry, isDots, kindOf } from "./entry.ts";
import type { DirectoryEntry } from "./entry.ts";

/** Version 4; three places of free space follow the magic number. */
export const xfsDir2DataHdr = struct("xfs_dir2_data_hdr", 16, { magic: [0, u32be] });

/** Version 5. */
export const xfsDir3DataHdr = struct("xfs_dir3_data_hdr", 64, {
  magic: [0, u32be],
  blkno: [8, u64beRaw],
  uuid: [24, bytesField(16)],
  owner: [40, u64beRaw],
});
const CRC_AT = 4;

/** At the very end of a block with its own hash table, which lies before it. */
export const xfsDir2BlockTail = struct("xfs_dir2_block_tail", 8, {
  count: [0, u32be],
  stale: [4, u32be],
});
const HASH_ENTRY_SIZE = 8;

/** Magic numbers by version: of a block with its own hash table, and of one without. */
const MAGICS: Readonly<Record<number, { readonly block: number; readonly data: number }>> = {
  4: { block: 0x58443242, data: 0x58443244 }, // XD2B, XD2D
  5: { block: 0x58444233, data: 0x58444433 }, // XDB3, XDD3
};

/** Stands where an entry in use has the upper bits of an inode number. */
const FREE_TAG = 0xffff;

/** The entries in use of a block, its seals verified; `owner` is the directory's inode number. */
export function parseDataBlock(
  volume: XfsVolume,
  block: MetadataBlock,
  owner: number,
): DirectoryEntry[] {
  const { bytes, where } = block;
  const { version } = volume.superblock;
  const magics = MAGICS[version]!;
  const { magic } = xfsDir2DataHdr.read(bytes, 0, where);
  if (magic !== magics.block && magic !== magics.data) {
    const expected = `0x${magics.data.toString(16)} or 0x${magics.block.toString(16)}`;
    throw corrupt(where, `magic 0x${magic.toString(16)}`, expected);
  }
  let start: number = xfsDir2DataHdr.size;
  if (version === 5) {
    const raw = xfsDir3DataHdr.read(bytes, 0, where);
    const header = { crcAt: CRC_AT, blkno: raw.blkno, uuid: raw.uuid, owner: raw.owner };
    assertSelfDescription(volume, block, header, owner);
    start = xfsDir3DataHdr.size;
  }
  const end = magic === magics.block ? endOfEntries(bytes, start, where) : bytes.length;
  return parseEntries(volume, bytes.subarray(0, end), start, where);
}

/** Where the hash table begins. */
function endOfEntries(bytes: Uint8Array, start: number, where: Where): number {
  const tailAt = bytes.length - xfsDir2BlockTail.size;
  const { count, stale } = xfsDir2BlockTail.read(bytes, tailAt, where);
  const end = tailAt - count * HASH_ENTRY_SIZE;
  if (end >= start && stale <= count) return end;
  throw corrupt(where, `a hash table of ${count} entries, ${stale} stale`, "one inside the block");
}

function parseEntries(
  volume: XfsVolume,
  bytes: Uint8Array,
  start: number,
  where: Where,
): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const typeSize = hasFileTypes(volume.superblock) ? 1 : 0;
  let at = start;
  // Read field by field: of all that is read here, entries are the most numerous (measured for ext4).
  while (at < bytes.length) {
    const left = bytes.length - at;
    const free = left >= 8 && view.getUint16(at, false) === FREE_TAG;
    const nameLength = left >= 9 && !free ? view.getUint8(at + 8) : 0;
    // A number, a length, the name, the file type, the tag; the next multiple of 8.
    const length = free
      ? view.getUint16(at + 2, false)
      : (8 + 1 + nameLength + typeSize + 2 + 7) & ~7;
    // 8 or more, so that every turn moves on.
    if (length < 8 || length % 8 !== 0 || length > left) {
      const what = free ? "free space" : "an entry";
      throw corrupt(where, `${what} of ${length} bytes at byte ${at}`, `at most ${left} bytes`);
    }
    const tag = view.getUint16(at + length - 2, false);
    if (tag !== at) throw corrupt(where, `tag ${tag} of what is at byte ${at}`, String(at));
    if (!free) {
      const name = bytes.subarray(at + 9, at + 9 + nameLength);
      const inode = view.getUint32(at, false) * 2 ** 32 + view.getUint32(at + 4, false);
      const kind = typeSize ? kindOf(view.getUint8(at + 9 + nameLength)) : undefined;
      if (!isDots(name)) entries.push(checkedEntry(volume, { inode, name, kind }, where));
    }
    at += length;
  }
  return entries;
}
