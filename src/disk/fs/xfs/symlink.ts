/**
 * Symlinks: in the inode itself, or in up to three extents; in version 5 each of those has a header.
 *
 * Source: Linux fs/xfs/libxfs/xfs_format.h `struct xfs_dsymlink_hdr`, fs/xfs/libxfs/xfs_symlink_remote.c.
 */
import { corrupt } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import { bytesField, u32be, u64beRaw } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import { decodeText } from "../../../bytes/text.ts";
import { fileExtents } from "./data-fork.ts";
import type { Extent } from "./extent-record.ts";
import { readFileData } from "./file-data.ts";
import type { InodeDetail } from "./inode.ts";
import { assertSelfDescription } from "./volume.ts";
import type { XfsVolume } from "./volume.ts";

/** A part of the target follows it. */
export const xfsDsymlinkHdr = struct("xfs_dsymlink_hdr", 56, {
  sl_magic: [0, u32be],
  /** Where in the target this part belongs. */
  sl_offset: [4, u32be],
  sl_bytes: [8, u32be],
  sl_uuid: [16, bytesField(16)],
  sl_owner: [32, u64beRaw],
  sl_blkno: [40, u64beRaw],
});
const CRC_AT = 12;

/** `XSLM` */
const XFS_SYMLINK_MAGIC = 0x58534c4d;
/** XFS_SYMLINK_MAXLEN, in bytes. */
const MAX_TARGET_BYTES = 1024;
/** XFS_SYMLINK_MAPS: three blocks of 512 bytes hold the longest target and its headers. */
const MAX_BLOCKS = 3;

/** The target of a symlink. */
export async function readSymlink(volume: XfsVolume, link: InodeDetail): Promise<string> {
  const { inode, where, dataFork, format } = link;
  if (inode.kind !== "symlink") throw corrupt(where, inode.kind, "symlink");
  const { size } = inode;
  if (size === 0 || size > MAX_TARGET_BYTES) {
    throw corrupt(where, `a symlink of ${size} bytes`, `1 to ${MAX_TARGET_BYTES}`);
  }
  if (format === "local") {
    if (size <= dataFork.length) return decodeText(dataFork.subarray(0, size));
    throw corrupt(where, `a symlink of ${size} bytes in the inode`, `at most ${dataFork.length}`);
  }
  if (volume.superblock.version === 4) {
    return decodeText(await readFileData(volume, link, { offset: 0, length: size }));
  }
  return decodeText(await readParts(volume, link));
}

async function readParts(volume: XfsVolume, link: InodeDetail): Promise<Uint8Array> {
  const { size } = link.inode;
  const target = new Uint8Array(size);
  let done = 0;
  for await (const extent of fileExtents(volume, link, 0, MAX_BLOCKS)) {
    const part = await readPart(volume, link, extent, done);
    target.set(part, done);
    done += part.length;
    if (done === size) return target;
  }
  throw corrupt(link.where, `${done} bytes of a symlink`, `${size} bytes`);
}

/** What an extent has of the target. An extent is one block of metadata, however long. */
async function readPart(
  volume: XfsVolume,
  link: InodeDetail,
  extent: Extent,
  done: number,
): Promise<Uint8Array> {
  const { blockSizeBytes } = volume.superblock;
  const where = within(link.where, `symlink block ${extent.physical}`);
  const offset = extent.physical * blockSizeBytes;
  const bytes = await volume.source.read(offset, extent.length * blockSizeBytes);
  const raw = xfsDsymlinkHdr.read(bytes, 0, where);
  if (raw.sl_magic !== XFS_SYMLINK_MAGIC) {
    throw corrupt(where, `magic 0x${raw.sl_magic.toString(16)}`, "0x58534c4d");
  }
  const header = { crcAt: CRC_AT, blkno: raw.sl_blkno, uuid: raw.sl_uuid, owner: raw.sl_owner };
  assertSelfDescription(volume, { bytes, offset, where }, header, link.inode.number);
  const length = Math.min(link.inode.size - done, bytes.length - xfsDsymlinkHdr.size);
  if (raw.sl_offset !== done || raw.sl_bytes !== length) {
    const found = `${raw.sl_bytes} bytes for byte ${raw.sl_offset} of the target`;
    throw corrupt(where, found, `${length} bytes for byte ${done}`);
  }
  return bytes.subarray(xfsDsymlinkHdr.size, xfsDsymlinkHdr.size + length);
}
