/**
 * What every filesystem reader offers. Read-only, bounded, no write path anywhere.
 *
 * Paths are not known here: `resolve.ts` walks them (with symlinks) over this interface, `walk.ts` walks trees.
 * Names are strings made by `bytes/text.ts` `decodeText`, so that odd bytes survive.
 */
import type { Finding } from "../../base/finding.ts";
import type { Where } from "../../base/where.ts";
import type { Extent } from "../source.ts";

export type FileKind =
  | "file"
  | "directory"
  | "symlink"
  | "fifo"
  | "socket"
  | "char-device"
  | "block-device";

export type Inode = {
  /** The filesystem's own number, unique in it (FAT: position of the directory entry). */
  readonly number: number;
  readonly kind: FileKind;
  /** The low 12 bits of st_mode. */
  readonly mode: number;
  /** In bytes; 0 for devices. */
  readonly size: number;
  /** What it takes on the device, in bytes and without holes, as `du` counts; only where the filesystem keeps it. */
  readonly allocatedBytes?: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  /** Seconds since 1970, with fraction. */
  readonly mtime: number;
  readonly device?: { readonly major: number; readonly minor: number };
};

export type Entry = {
  readonly name: string;
  /** For `FileSystem.inode`. */
  readonly number: number;
  /** When the directory knows it without reading the inode. */
  readonly kind?: FileKind;
};

export type FileSystemState = {
  /** False when it was not unmounted, or its journal has yet to be replayed. */
  readonly clean: boolean;
  /** For people: `clean`, `journal replayed in memory (12 transactions)`, `errors recorded by the kernel`. */
  readonly text: string;
};

export type FileSystem = {
  /** The kernel's name of the driver: ext2, ext3, ext4, xfs, btrfs, vfat, iso9660. */
  readonly kind: string;
  readonly where: Where;
  readonly label: string;
  /** As `blkid` prints it; empty when there is none. */
  readonly uuid: string;
  readonly blockSizeBytes: number;
  readonly sizeBytes: number;
  /** Where the format counts its inodes; `total` where their number is fixed. */
  readonly inodes?: { readonly used: number; readonly total?: number };
  readonly state: FileSystemState;
  /** What was noticed while opening: features without meaning for reading, recorded errors. */
  readonly notes: readonly Finding[];
  root(): Promise<Inode>;
  inode(entry: Entry): Promise<Inode>;
  /** `undefined` when the directory has no such name. `.` and `..` are not looked up here. */
  lookup(directory: Inode, name: string): Promise<Entry | undefined>;
  /** Every entry except `.` and `..`, in on-disk order. */
  list(directory: Inode, signal?: AbortSignal): AsyncIterable<Entry>;
  /** Holes read as zeroes; a range that ends after the file is shortened to it. */
  read(file: Inode, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  /**
   * `read` of as many bytes as `into` has, which a filesystem may use for the result as a `ByteSource` may, for those
   * who read much and keep nothing. Where it is left out, `read` has to do.
   */
  readInto?(
    file: Inode,
    offset: number,
    into: Uint8Array,
    signal?: AbortSignal,
  ): Promise<Uint8Array>;
  readLink(link: Inode): Promise<string>;
  /**
   * The byte ranges of the underlying source that the filesystem uses, metadata included, in rising order, merged.
   * What lies outside may be zeroed without losing anything.
   */
  usedExtents(signal?: AbortSignal): AsyncIterable<Extent>;
  /**
   * Only where a filesystem has several roots (btrfs): the same filesystem from its top level, whatever its default
   * subvolume is. This is what GRUB sees.
   */
  topLevel?(): Promise<FileSystem>;
  /**
   * Only there, too: the same filesystem from another subvolume, by its path from the top level (`subvol=` in mount
   * options and root flags) or its id (`subvolid=`). `missing` when there is none.
   */
  subvolume?(name: string | number): Promise<FileSystem>;
};
