/**
 * A directory in its inode: a header with the parent, then entries packed without gaps.
 *
 * Source: Linux fs/xfs/libxfs/xfs_da_format.h `struct xfs_dir2_sf_hdr`, fs/xfs/libxfs/xfs_dir2_sf.c
 * (`xfs_dir2_sf_verify`).
 */
import { corrupt } from "../../../../base/failure.ts";
import { within } from "../../../../base/where.ts";
import { u8 } from "../../../../bytes/fields.ts";
import { struct } from "../../../../bytes/struct.ts";
import { hasFileTypes } from "../features.ts";
import type { InodeDetail } from "../inode.ts";
import type { XfsVolume } from "../volume.ts";
import { checkedEntry, kindOf } from "./entry.ts";
import type { DirectoryEntry } from "./entry.ts";

/** The parent's number follows, in 4 bytes, or in 8 when any number here needs them. */
export const xfsDir2SfHdr = struct("xfs_dir2_sf_hdr", 2, {
  count: [0, u8],
  i8count: [1, u8],
});

/** Before the name: its length, and its offset in the block that the directory would become. */
const ENTRY_HEAD_SIZE = 3;

/** The entries, without `.` and `..`, which are not stored. */
export function parseShortform(volume: XfsVolume, directory: InodeDetail): DirectoryEntry[] {
  const { size } = directory.inode;
  const where = within(directory.where, "short form");
  if (size > directory.dataFork.length) {
    throw corrupt(where, `${size} bytes`, `at most ${directory.dataFork.length}`);
  }
  const bytes = directory.dataFork.subarray(0, size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { count, i8count } = xfsDir2SfHdr.read(bytes, 0, where);
  const numberSize = i8count === 0 ? 4 : 8;
  const typeSize = hasFileTypes(volume.superblock) ? 1 : 0;
  const entries: DirectoryEntry[] = [];
  let at = xfsDir2SfHdr.size + numberSize;
  // At most 255 entries, each of which moves on.
  for (let i = 0; i < count; i++) {
    const nameLength = at < size ? view.getUint8(at) : 0;
    const nameAt = at + ENTRY_HEAD_SIZE;
    const numberAt = nameAt + nameLength + typeSize;
    if (numberAt + numberSize > size) {
      const found = `entry ${i} with a name of ${nameLength} at byte ${at}`;
      throw corrupt(where, found, `entries inside its ${size} bytes`);
    }
    const high = numberSize === 8 ? view.getUint32(numberAt, false) : 0;
    const inode = high * 2 ** 32 + view.getUint32(numberAt + numberSize - 4, false);
    const name = bytes.subarray(nameAt, nameAt + nameLength);
    const kind = typeSize ? kindOf(view.getUint8(numberAt - 1)) : undefined;
    entries.push(checkedEntry(volume, { inode, name, kind }, where));
    at = numberAt + numberSize;
  }
  if (at !== size) throw corrupt(where, `${count} entries in ${at} bytes`, `${size} bytes of them`);
  return entries;
}
