/**
 * Directory entries: each name is there twice, by the hash of its name (DIR_ITEM, several names when hashes collide)
 * and in the order of creation (DIR_INDEX).
 *
 * Source: Linux include/uapi/linux/btrfs_tree.h `struct btrfs_dir_item`, fs/btrfs/tree-checker.c (`check_dir_item`),
 * fs/btrfs/ctree.h (`btrfs_name_hash`).
 */
import { corrupt, unsupported } from "../../../base/failure.ts";
import { crc32cUpdate } from "../../../bytes/crc32c.ts";
import { bytesField, u16le, u8 } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import { decodeText } from "../../../bytes/text.ts";
import type { FileKind } from "../filesystem.ts";
import { KEY_SIZE, readKey } from "./key.ts";
import type { Key } from "./key.ts";
import type { Item } from "./tree-block.ts";

/** The name follows it. */
export const btrfsDirItem = struct("btrfs_dir_item", 30, {
  location: [0, bytesField(KEY_SIZE)],
  data_len: [25, u16le],
  name_len: [27, u16le],
  type: [29, u8],
});

/** BTRFS_NAME_LEN */
const MAX_NAME = 255;
/** BTRFS_FT_ENCRYPTED, a flag beside the type. */
const FT_ENCRYPTED = 0x80;
const KINDS: readonly (FileKind | undefined)[] = [
  undefined,
  "file",
  "directory",
  "char-device",
  "block-device",
  "fifo",
  "socket",
  "symlink",
];

export type DirEntry = {
  /** The key of an inode in the same subvolume, or of the root of another one. */
  readonly location: Key;
  /** A view into the item. */
  readonly name: Uint8Array;
  /** As stored; compared by the replay of logs. */
  readonly type: number;
  readonly kind: FileKind | undefined;
};

const SLASH = 0x2f;

/** The hash by which names are looked up. */
export function nameHash(name: Uint8Array): bigint {
  return BigInt(crc32cUpdate(~1, name));
}

/** The entries of a DIR_ITEM or DIR_INDEX item. */
export function dirEntriesOf({ bytes, where }: Item): DirEntry[] {
  const entries: DirEntry[] = [];
  // Every turn takes the 30 bytes of the struct at least.
  for (let at = 0; at < bytes.length;) {
    const raw = btrfsDirItem.read(bytes, at, where);
    const { name_len: length, data_len: data, type } = raw;
    const from = at + btrfsDirItem.size;
    if (length > MAX_NAME || data !== 0 || from + length > bytes.length) {
      const found = `a name of ${length} bytes and ${data} bytes of data`;
      throw corrupt(where, found, `a name inside the ${bytes.length - from} bytes left`);
    }
    if (type & FT_ENCRYPTED) throw unsupported(where, "encryption of names (fscrypt)");
    const name = bytes.subarray(from, from + length);
    if (length === 0 || name.includes(SLASH) || name.includes(0)) {
      throw corrupt(where, `the name ${JSON.stringify(decodeText(name))}`, "one without / or NUL");
    }
    const location = raw.location;
    const view = new DataView(location.buffer, location.byteOffset, location.byteLength);
    entries.push({ location: readKey(view, 0), name, type, kind: KINDS[type] });
    at = from + length;
  }
  return entries;
}

/** The bytes of an item with these entries: the replay of a log takes some out and puts others in. */
export function dirItemBytes(entries: readonly DirEntry[]): Uint8Array {
  const size = entries.reduce((sum, { name }) => sum + btrfsDirItem.size + name.length, 0);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { location, name, type } of entries) {
    view.setBigUint64(at, location.objectid, true);
    view.setUint8(at + 8, location.type);
    view.setBigUint64(at + 9, location.offset, true);
    view.setUint16(at + 27, name.length, true);
    view.setUint8(at + 29, type);
    bytes.set(name, at + btrfsDirItem.size);
    at += btrfsDirItem.size + name.length;
  }
  return bytes;
}
