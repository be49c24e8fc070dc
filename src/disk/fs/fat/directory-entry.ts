/**
 * Directory entries of 32 bytes: short names with everything about the file, and before them the slots of long names
 * (VFAT), 13 UTF-16 units each, the last part of the name first.
 *
 * Source: Microsoft "FAT: General Overview of On-Disk Format" 1.03, "FAT Long Directory Entries"; Linux
 * include/uapi/linux/msdos_fs.h, fs/fat/dir.c (`fat_parse_long`). As Linux does, entries behind the end mark (a name that
 * begins with 0) are still looked at, and slots that belong to nothing are passed over.
 */
import { bytesField, u16le, u32le, u8 } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import type { Read } from "../../../bytes/struct.ts";
import { ENTRY_BYTES } from "./boot-sector.ts";
import { shortName, shortNameChecksum, utf16Text } from "./name.ts";

export const msdosDirEntry = struct("msdos_dir_entry", ENTRY_BYTES, {
  name: [0, bytesField(11)],
  attr: [11, u8],
  lcase: [12, u8],
  starthi: [20, u16le],
  time: [22, u16le],
  date: [24, u16le],
  start: [26, u16le],
  size: [28, u32le],
});
export type RawEntry = Read<typeof msdosDirEntry>;

export const msdosDirSlot = struct("msdos_dir_slot", ENTRY_BYTES, {
  id: [0, u8],
  name0_4: [1, bytesField(10)],
  attr: [11, u8],
  alias_checksum: [13, u8],
  name5_10: [14, bytesField(12)],
  name11_12: [28, bytesField(4)],
});

/** ATTR_*: bits of `attr`. A slot of a long name has just the four of `slot`. */
export const ATTR = { readOnly: 0x01, volume: 0x08, directory: 0x10, slot: 0x0f } as const;

export const DELETED = 0xe5;
/** In `id`: the first slot, which has the end of the name. */
const LAST_PART = 0x40;
/** 255 units in parts of 13. */
const MAX_SLOTS = 20;
const UNITS_PER_SLOT = 13;

/** An entry in use: a file or a directory, `.` and `..` among them. */
export type NamedEntry = {
  /** The long name where there is one. */
  readonly name: string;
  readonly shortName: string;
  readonly isDirectory: boolean;
  /** In bytes, from the start of the filesystem. */
  readonly position: number;
};

/** A long name of which some slots were seen. */
type Pending = {
  readonly units: Uint16Array;
  readonly checksum: number;
  /** How many slots are still to come, the next one with this number. */
  left: number;
};

/** Takes the entries of one directory in their order and gives those in use. Long names may span calls. */
export type EntryParser = (bytes: Uint8Array, position: number) => NamedEntry[];

/** `position` is where the bytes, whole entries, begin in the filesystem. */
export function entryParser(): EntryParser {
  let pending: Pending | undefined;
  return (bytes, position) => {
    const found: NamedEntry[] = [];
    for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
      const entry = bytes.subarray(at, at + ENTRY_BYTES);
      if (entry[11] === ATTR.slot) {
        pending = takeSlot(pending, entry);
        continue;
      }
      const long = pending;
      pending = undefined;
      if (isFree(entry) || (entry[11]! & ATTR.volume) !== 0) continue;
      const names = namesOf(entry, long);
      if (!names) continue;
      const isDirectory = (entry[11]! & ATTR.directory) !== 0;
      found.push({ ...names, isDirectory, position: position + at });
    }
    return found;
  };
}

export function isFree(entry: Uint8Array): boolean {
  return entry[0] === 0 || entry[0] === DELETED;
}

/** A slot that does not continue the name begins another one, or belongs to nothing. */
function takeSlot(pending: Pending | undefined, entry: Uint8Array): Pending | undefined {
  const slot = msdosDirSlot.read(entry);
  const number = slot.id & ~LAST_PART;
  if (pending && pending.left > 0) {
    if (number === pending.left && slot.alias_checksum === pending.checksum) {
      putUnits(pending, slot);
      return pending;
    }
  }
  if ((slot.id & LAST_PART) === 0 || number === 0 || number > MAX_SLOTS) return undefined;
  const units = new Uint16Array(number * UNITS_PER_SLOT);
  const begun = { units, checksum: slot.alias_checksum, left: number };
  putUnits(begun, slot);
  return begun;
}

function putUnits(pending: Pending, slot: Read<typeof msdosDirSlot>): void {
  pending.left -= 1;
  let at = pending.left * UNITS_PER_SLOT;
  for (const part of [slot.name0_4, slot.name5_10, slot.name11_12]) {
    for (let i = 0; i < part.length; i += 2) pending.units[at++] = part[i]! | (part[i + 1]! << 8);
  }
}

/** `undefined` for an entry without any name, which Linux passes over. */
function namesOf(
  entry: Uint8Array,
  long: Pending | undefined,
): { name: string; shortName: string } | undefined {
  const raw = msdosDirEntry.read(entry);
  const short = shortName(raw.name, raw.lcase);
  if (long && long.left === 0 && long.checksum === shortNameChecksum(raw.name)) {
    return { name: utf16Text(long.units), shortName: short };
  }
  return short === "" ? undefined : { name: short, shortName: short };
}
