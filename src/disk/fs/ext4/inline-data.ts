/**
 * Inline data: a small file or directory kept in its inode. The first 60 bytes take the place of the block map, what is
 * left is the value of the extended attribute `system.data` in the same inode.
 *
 * Source: Linux Documentation/filesystems/ext4/inlinedata.rst and attributes.rst, fs/ext4/xattr.h, fs/ext4/inline.c.
 * Other attributes are not read, nor is the attribute block: inline data is never there.
 */
import { corrupt } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import { u16le, u32le, u8 } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import { latin1 } from "../../../bytes/text.ts";
import type { InodeDetail } from "./inode.ts";

/** The name follows it, then padding to a multiple of 4. */
export const ext4XattrEntry = struct("ext4_xattr_entry", 16, {
  e_name_len: [0x0, u8],
  e_name_index: [0x1, u8],
  e_value_offs: [0x2, u16le],
  e_value_inum: [0x4, u32le],
  e_value_size: [0x8, u32le],
});

const EXT4_XATTR_MAGIC = 0xea02_0000;
const EXT4_XATTR_INDEX_SYSTEM = 7;

/** The inode's bytes of inline data, as many as the file's size says. */
export function parseInlineData(file: InodeDetail): Uint8Array {
  const { size } = file.inode;
  const value = systemData(file.attributes, within(file.where, "system.data attribute"));
  const available = file.iBlock.length + value.length;
  if (size > available) {
    throw corrupt(file.where, `${size} bytes of inline data`, `at most ${available}`);
  }
  const out = new Uint8Array(available);
  out.set(file.iBlock);
  out.set(value, file.iBlock.length);
  return out.subarray(0, size);
}

/** The value of `system.data`; empty when there is no such attribute, as with files of up to 60 bytes. */
function systemData(attributes: Uint8Array, where: Where): Uint8Array {
  if (attributes.length < 4) return attributes.subarray(0, 0);
  const view = new DataView(attributes.buffer, attributes.byteOffset, attributes.byteLength);
  if (view.getUint32(0, true) !== EXT4_XATTR_MAGIC) return attributes.subarray(0, 0);
  // Offsets of values count from the first entry.
  const entries = attributes.subarray(4);
  let at = 0;
  // Every turn moves on by at least the 16 bytes of an entry; four zero bytes end the list.
  while (at + 4 <= entries.length && view.getUint32(4 + at, true) !== 0) {
    const entry = ext4XattrEntry.read(entries, at, where);
    const name = entries.subarray(at + ext4XattrEntry.size).subarray(0, entry.e_name_len);
    if (entry.e_name_index === EXT4_XATTR_INDEX_SYSTEM && latin1(name) === "data") {
      const { e_value_offs: from, e_value_size: size, e_value_inum: inode } = entry;
      if (inode !== 0 || from + size > entries.length) {
        const found = inode ? `its value in inode ${inode}` : `${size} bytes at ${from}`;
        throw corrupt(where, found, `a value inside ${entries.length} bytes`);
      }
      return entries.subarray(from, from + size);
    }
    at += (ext4XattrEntry.size + entry.e_name_len + 3) & ~3;
  }
  return entries.subarray(0, 0);
}
