/**
 * Symlinks: up to 59 bytes in the inode itself ("fast"), longer ones in a block or as inline data.
 *
 * Source: Linux Documentation/filesystems/ext4/ifork.rst, fs/ext4/inode.c (`ext4_inode_is_fast_symlink`).
 */
import { corrupt, unsupported } from "../../../base/failure.ts";
import { decodeText } from "../../../bytes/text.ts";
import { readFileData } from "./file-data.ts";
import { INODE_FLAGS } from "./inode.ts";
import type { InodeDetail } from "./inode.ts";
import type { Ext4Volume } from "./volume.ts";

/** The target of a symlink. `unsupported` when it is encrypted. */
export async function readSymlink(volume: Ext4Volume, link: InodeDetail): Promise<string> {
  const { inode, flags, where } = link;
  if (inode.kind !== "symlink") throw corrupt(where, inode.kind, "symlink");
  if (flags & INODE_FLAGS.encrypt) throw unsupported(where, "encryption of symlinks (fscrypt)");
  // The kernel makes none longer than a block.
  const limit = volume.superblock.blockSizeBytes;
  if (inode.size === 0 || inode.size > limit) {
    throw corrupt(where, `a symlink of ${inode.size} bytes`, `1 to ${limit}`);
  }
  const fast = inode.size < link.iBlock.length && (flags & INODE_FLAGS.extents) === 0;
  const target = fast
    ? link.iBlock.subarray(0, inode.size)
    : await readFileData(volume, link, { offset: 0, length: inode.size });
  return decodeText(target);
}
