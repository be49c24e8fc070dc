/**
 * The label: an entry of the root directory with the attribute "volume". The copy in the boot sector is not looked at, as
 * `blkid` does not either since util-linux 2.33: programs that change a label forget that one.
 *
 * Source: util-linux libblkid/src/superblocks/vfat.c (`search_fat_label`).
 */
import { decodeText } from "../../../bytes/text.ts";
import { ENTRY_BYTES } from "./boot-sector.ts";
import { ATTR, DELETED, msdosDirEntry } from "./directory-entry.ts";
import type { InodeDetail } from "./inode.ts";
import type { FatVolume } from "./volume.ts";

/** Empty when there is none. Bytes beyond ASCII are not translated: that is how `LABEL=` finds it. */
export async function readLabel(volume: FatVolume, root: InodeDetail): Promise<string> {
  for (const { offset, length } of root.pieces) {
    const bytes = await volume.source.read(offset, length);
    for (let at = 0; at + ENTRY_BYTES <= length; at += ENTRY_BYTES) {
      const { name, attr, start, starthi } = msdosDirEntry.read(bytes, at);
      if (name[0] === 0) return "";
      const isLabel = (attr & (ATTR.volume | ATTR.directory)) === ATTR.volume;
      const isSlot = (attr & 0x3f) === ATTR.slot;
      if (name[0] === DELETED || !isLabel || isSlot || start !== 0 || starthi !== 0) continue;
      const text = Uint8Array.from(name);
      if (text[0] === 0x05) text[0] = DELETED;
      return decodeText(text).replace(/[ \0]+$/, "");
    }
  }
  return "";
}
