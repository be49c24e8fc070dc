/**
 * Directories: blocks of variable-length entries. An indexed (htree) directory is read like any other: its leaf blocks
 * are plain ones, and the blocks of its index look like one empty entry to whoever does not know them.
 *
 * Source: Linux Documentation/filesystems/ext4/directory.rst, fs/ext4/dir.c (`__ext4_check_dir_entry`), fs/ext4/namei.c
 * (`ext4_dirblock_csum_verify`). Checksums of index blocks are not verified, nothing of them is used. Encrypted names are
 * refused.
 */
import { Budget } from "../../../base/budget.ts";
import { corrupt, unsupported } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import { crc32cUpdate } from "../../../bytes/crc32c.ts";
import { u16le, u32le, u8 } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import { decodeText, encodeText } from "../../../bytes/text.ts";
import type { Entry, FileKind } from "../filesystem.ts";
import { foldName, UTF8_12_1 } from "./case-fold.ts";
import { assertChecksum } from "./checksum.ts";
import { withNames } from "./fast-commit-overlay.ts";
import { fileRuns } from "./file-data.ts";
import { INODE_FLAGS } from "./inode.ts";
import type { InodeDetail } from "./inode.ts";
import { parseInlineData } from "./inline-data.ts";
import { hasIncompat } from "./superblock.ts";
import type { Superblock } from "./superblock.ts";
import { readBlock } from "./volume.ts";
import type { Ext4Volume } from "./volume.ts";

/** The name follows it. */
export const ext4DirEntry2 = struct("ext4_dir_entry_2", 8, {
  inode: [0x0, u32le],
  rec_len: [0x4, u16le],
  name_len: [0x6, u8],
  file_type: [0x7, u8],
});

/** The last entry of a leaf block, made to look unused to those who do not know checksums. */
export const ext4DirEntryTail = struct("ext4_dir_entry_tail", 12, {
  det_reserved_zero1: [0x0, u32le],
  det_rec_len: [0x4, u16le],
  det_reserved_zero2: [0x6, u8],
  det_reserved_ft: [0x7, u8],
  det_checksum: [0x8, u32le],
});

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

/** An entry in use. `name` is a view into the block. */
export type DirectoryEntry = {
  readonly inode: number;
  readonly name: Uint8Array;
  readonly kind: FileKind | undefined;
};

const SLASH = 0x2f;
const DOT = 0x2e;
/** 4 GiB of directory, some hundred million names: where a hostile one ends, however large the disk is. */
const MAX_DIRECTORY_BYTES = 2 ** 32;

/** Every entry except `.` and `..`, in on-disk order. */
export async function* listDirectory(
  volume: Ext4Volume,
  directory: InodeDetail,
  signal?: AbortSignal,
): AsyncGenerator<Entry> {
  for await (const entries of entryBlocks(volume, directory, signal)) {
    for (const { inode, name, kind } of entries) {
      const text = decodeText(name);
      yield kind ? { name: text, number: inode, kind } : { name: text, number: inode };
    }
  }
}

/**
 * The entry of that name, `undefined` when there is none. In a directory that ignores case it may be written otherwise:
 * the entry has the name that is stored.
 */
export async function lookupName(
  volume: Ext4Volume,
  directory: InodeDetail,
  name: string,
): Promise<Entry | undefined> {
  const same = nameMatcher(volume, directory, encodeText(name));
  for await (const entries of entryBlocks(volume, directory)) {
    const found = entries.find((entry) => same(entry.name));
    if (!found) continue;
    const { inode, kind } = found;
    const stored = decodeText(found.name);
    return kind ? { name: stored, number: inode, kind } : { name: stored, number: inode };
  }
  return undefined;
}

function nameMatcher(
  { superblock }: Ext4Volume,
  { flags, where }: InodeDetail,
  wanted: Uint8Array,
): (name: Uint8Array) => boolean {
  const exact = (name: Uint8Array) => sameBytes(name, wanted);
  if (!hasIncompat(superblock, "casefold") || !(flags & INODE_FLAGS.casefold)) return exact;
  if (superblock.encoding !== UTF8_12_1) {
    throw unsupported(where, `names in encoding ${superblock.encoding}, which ignore case`);
  }
  const folded = foldName(wanted);
  return folded === undefined ? exact : (name) => exact(name) || foldName(name) === folded;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The entries, a block at a time. */
function entryBlocks(
  volume: Ext4Volume,
  directory: InodeDetail,
  signal?: AbortSignal,
): AsyncGenerator<DirectoryEntry[]> {
  const stored = storedBlocks(volume, directory, signal);
  const names = volume.fastCommits?.names.get(directory.inode.number);
  return names ? withNames(stored, names) : stored;
}

async function* storedBlocks(
  volume: Ext4Volume,
  directory: InodeDetail,
  signal?: AbortSignal,
): AsyncGenerator<DirectoryEntry[]> {
  const { where } = directory;
  if (directory.inode.kind !== "directory") throw corrupt(where, directory.inode.kind, "directory");
  if (directory.flags & INODE_FLAGS.encrypt) {
    throw unsupported(where, "encryption of names in a directory (fscrypt)");
  }
  if (directory.flags & INODE_FLAGS.inlineData) {
    yield* inlineEntries(volume, directory);
    return;
  }
  const { blockSizeBytes, blockCount } = volume.superblock;
  const limit = Math.min(blockCount, MAX_DIRECTORY_BYTES / blockSizeBytes);
  const budget = new Budget(limit, where, "number of directory blocks");
  const end = Math.ceil(directory.inode.size / blockSizeBytes);
  for await (const run of fileRuns(volume, directory, 0, end)) {
    for (let i = 0; i < run.length; i++) {
      signal?.throwIfAborted();
      budget.spend();
      const bytes = await readBlock(volume, run.physical + i, where);
      yield parseDirectoryBlock(volume, directory, run.logical + i, bytes);
    }
  }
}

/** The entries in use of block number `index` of a directory, its checksum verified. */
export function parseDirectoryBlock(
  volume: Ext4Volume,
  directory: InodeDetail,
  index: number,
  bytes: Uint8Array,
): DirectoryEntry[] {
  const where = within(directory.where, `directory block ${index}`);
  if (directory.flags & INODE_FLAGS.index) {
    // Block 0 of an indexed directory is the root of the index, behind `.` and `..`; inner blocks begin with an
    // unused entry as long as the block. Neither has a tail.
    if (index === 0) return parseEntries(volume.superblock, bytes, where);
    const first = ext4DirEntry2.read(bytes, 0, where);
    if (first.inode === 0 && recordLength(first.rec_len, bytes.length) === bytes.length) return [];
  }
  if (volume.superblock.checksums === "metadata_csum") {
    assertTail(bytes, directory.checksumSeed, where);
  }
  return parseEntries(volume.superblock, bytes, where);
}

function assertTail(bytes: Uint8Array, seed: number, where: Where): void {
  const at = bytes.length - ext4DirEntryTail.size;
  const tail = ext4DirEntryTail.read(bytes, at, where);
  if (
    tail.det_reserved_zero1 !== 0 ||
    tail.det_rec_len !== 12 ||
    tail.det_reserved_zero2 !== 0 ||
    tail.det_reserved_ft !== 0xde
  ) {
    throw corrupt(where, "no checksum at its end", "the tail that metadata_csum puts there");
  }
  assertChecksum(where, tail.det_checksum, crc32cUpdate(seed, bytes.subarray(0, at)));
}

/** The first four bytes stand for `.` and `..`: the parent's number. The two parts are entry lists of their own. */
function* inlineEntries(volume: Ext4Volume, directory: InodeDetail): Generator<DirectoryEntry[]> {
  const bytes = parseInlineData(directory);
  const where = within(directory.where, "inline entries");
  const split = directory.iBlock.length;
  yield parseEntries(volume.superblock, bytes.subarray(4, split), where);
  if (bytes.length > split) yield parseEntries(volume.superblock, bytes.subarray(split), where);
}

function parseEntries(superblock: Superblock, bytes: Uint8Array, where: Where): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const typed = hasIncompat(superblock, "filetype");
  let at = 0;
  // Read field by field: of all that is read here, entries are the most numerous (measured).
  while (at < bytes.length) {
    const left = bytes.length - at;
    const length = left < 8 ? 0 : recordLength(view.getUint16(at + 4, true), bytes.length);
    // Without the filetype feature the byte is the upper half of a length that is never above 255.
    const nameLength = left < 8 ? 0 : view.getUint8(at + 6);
    // 8 or more, so that every turn moves on.
    if (length < 8 || length % 4 !== 0 || length > left || 8 + nameLength > length) {
      const found = `an entry of ${length} bytes with a name of ${nameLength} at byte ${at}`;
      throw corrupt(where, found, `room for the name, inside the ${left} bytes left`);
    }
    const inode = view.getUint32(at, true);
    if (inode !== 0) {
      const name = bytes.subarray(at + 8, at + 8 + nameLength);
      const kind = typed ? KINDS[view.getUint8(at + 7) & 0xf] : undefined;
      if (!isDots(name)) entries.push(checkedEntry({ superblock, where }, { inode, name, kind }));
    }
    at += length;
  }
  return entries;
}

function checkedEntry(
  { superblock, where }: { superblock: Superblock; where: Where },
  entry: DirectoryEntry,
): DirectoryEntry {
  const { inode, name } = entry;
  if (name.length === 0 || name.includes(SLASH) || name.includes(0)) {
    throw corrupt(where, `the name ${JSON.stringify(decodeText(name))}`, "a name without / or NUL");
  }
  if (inode < superblock.firstInode || inode > superblock.inodeCount) {
    const expected = `a number from ${superblock.firstInode} to ${superblock.inodeCount}`;
    throw corrupt(where, `inode ${inode} for ${JSON.stringify(decodeText(name))}`, expected);
  }
  return entry;
}

function isDots(name: Uint8Array): boolean {
  return name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT));
}

/** A 16-bit field for lengths up to 65536: at that block size 0 and 65535 mean all of it, and two bits hold bits 16, 17. */
function recordLength(stored: number, blockSize: number): number {
  if (blockSize < 65_536) return stored;
  if (stored === 0 || stored === 65_535) return 65_536;
  return (stored & 0xfffc) | ((stored & 3) << 16);
}
