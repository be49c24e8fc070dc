/** What all forms of directories have in common: numbers of kinds, and what a name and its inode can be. */
import { corrupt } from "../../../../base/failure.ts";
import type { Where } from "../../../../base/where.ts";
import { decodeText } from "../../../../bytes/text.ts";
import type { FileKind } from "../../filesystem.ts";
import { inodeOffset } from "../volume.ts";
import type { XfsVolume } from "../volume.ts";

/** XFS_DIR3_FT_*. A whiteout (8) is a character device. */
const KINDS: readonly (FileKind | undefined)[] = [
  undefined,
  "file",
  "directory",
  "char-device",
  "block-device",
  "fifo",
  "socket",
  "symlink",
  "char-device",
];

/** An entry in use. `name` is a view into the block or inode. */
export type DirectoryEntry = {
  readonly inode: number;
  readonly name: Uint8Array;
  readonly kind: FileKind | undefined;
};

const SLASH = 0x2f;
const DOT = 0x2e;

/** The kind that a byte of file type stands for; unknown ones are none. */
export function kindOf(fileType: number): FileKind | undefined {
  return KINDS[fileType];
}

/** `.` and `..` are entries like any other, except in the short form. */
export function isDots(name: Uint8Array): boolean {
  return name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT));
}

/** Fails with `corrupt` for names that no file can have and for inodes that cannot be. */
export function checkedEntry(
  volume: XfsVolume,
  entry: DirectoryEntry,
  where: Where,
): DirectoryEntry {
  const { inode, name } = entry;
  if (name.length === 0 || name.includes(SLASH) || name.includes(0)) {
    throw corrupt(where, `the name ${JSON.stringify(decodeText(name))}`, "a name without / or NUL");
  }
  if (inodeOffset(volume.superblock, inode) === undefined) {
    const found = `inode ${inode} for ${JSON.stringify(decodeText(name))}`;
    throw corrupt(where, found, "the number of an inode");
  }
  return entry;
}
