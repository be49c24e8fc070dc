/** Places that are worth damage and that no declared struct covers while the input is read: lists, and what is copied first. */
import { parseBootSector } from "../../src/disk/fs/fat/boot-sector.ts";
import { fieldsAt } from "./damage.ts";
import type { Field } from "./damage.ts";
import { JOURNAL_TYPE, journalLayout } from "./seals/ext4-journal.ts";
import { viewOf } from "./seals/seal.ts";
import { logOf, recordsOf } from "./seals/xfs.ts";

/** The first entries of the file allocation table, where chains are. */
export function fatPlaces(input: Uint8Array): Field[] {
  const { fatOffset, bits, clusterEnd } = parseBootSector(input.subarray(0, 512), ["fuzz"]);
  return Array.from({ length: Math.min(clusterEnd, 2000) }, (_, cluster) => ({
    name: "FAT entry",
    at: fatOffset + Math.floor((cluster * bits) / 8),
    size: Math.ceil(bits / 8),
    bigEndian: false,
  }));
}

/** The roots of extent trees, which are copied out of their inodes. */
function extentRoots(known: readonly Field[]): Field[] {
  return known
    .filter(({ name }) => name === "ext4_inode.i_block")
    .flatMap(({ at }) => [
      ...fieldsAt("ext4_extent_header", at),
      ...[12, 24, 36, 48].flatMap((entry) => fieldsAt("ext4_extent", at + entry)),
    ]);
}

/** Extents and trees of them begin behind the core of version 3, after 176 bytes. */
export function xfsPlaces(input: Uint8Array, known: readonly Field[]): Field[] {
  const forks = known
    .filter(({ name }) => name === "xfs_dinode.di_magic")
    .flatMap(({ at }) => {
      const fork = at + (input[at + 4] === 3 ? 176 : 100);
      // 2: a list of extents; 3: a tree.
      if (input[at + 5] === 3) return [fork, fork + 4, fork + 8].flatMap((one) => btreeRoot(one));
      if (input[at + 5] !== 2) return fieldsAt("xfs_dir2_sf_hdr", fork);
      return [0, 16, 32].flatMap((entry) => fieldsAt("xfs_bmbt_rec", fork + entry));
    });
  return [...forks, ...xfsLogPlaces(input)];
}

const btreeRoot = (at: number): Field[] => [
  ...fieldsAt("xfs_bmdr_block", at),
  ...fieldsAt("xfs_bmbt_ptr", at),
];

/** Directory entries, extents in inodes, and what the journal says of its copies. */
export function ext4Places(input: Uint8Array, known: readonly Field[]): Field[] {
  const view = viewOf(input);
  const blockSize = 1024 << view.getUint32(1024 + 0x18, true);
  const fields = extentRoots(known);
  const add = (name: string, at: number, size: number, bigEndian = false) =>
    fields.push({ name, at, size, bigEndian });
  for (let block = 0; block + blockSize <= input.length; block += blockSize) {
    // The entry for the directory itself begins its first block.
    if (view.getUint32(block + 4, true) !== 0x0201_000c || input[block + 8] !== 0x2e) continue;
    for (let at = block; at + 12 <= block + blockSize;) {
      add("directory entry inode", at, 4);
      add("directory entry length", at + 4, 2);
      add("directory entry name length", at + 6, 1);
      add("directory entry name", at + 8, 1);
      at += Math.max(8, view.getUint16(at + 4, true));
    }
  }
  const journal = journalLayout(input, blockSize);
  for (const { tagAt } of journal?.copies ?? []) {
    add("journal tag block", tagAt, 4, true);
    add("journal tag flags", tagAt + 4, 4, true);
  }
  for (const { at, type } of journal?.blocks ?? []) {
    fields.push(...fieldsAt("journal_header_t", at));
    if (type !== JOURNAL_TYPE.revoke) continue;
    add("bytes of revocations", at + 12, 4, true);
    add("revoked block", at + 16, 4, true);
    add("revoked block", at + 20, 4, true);
  }
  return fields;
}

/** XFS_LI_ types of xfs_log_format.h, with the struct that begins with them. */
const LOG_ITEMS: Readonly<Record<number, string>> = {
  0x123b: "xfs_inode_log_format",
  0x123c: "xfs_buf_log_format",
  0x123f: "xfs_icreate_log",
};

/** Records, operations and items of the log, which is copied before it is read. */
function xfsLogPlaces(input: Uint8Array): Field[] {
  const view = viewOf(input);
  const fields: Field[] = [];
  for (const record of recordsOf(view, logOf(view))) {
    fields.push(...fieldsAt("xlog_rec_header", record));
    const end = Math.min(record + 512 + view.getUint32(record + 12), input.length - 64);
    for (let at = record + 512; at < end;) {
      fields.push(...fieldsAt("xlog_op_header", at));
      const type = LOG_ITEMS[view.getUint16(at + 12, true)];
      fields.push(...fieldsAt(type ?? "xfs log item format", at + 12));
      at += 12 + view.getUint32(at + 4);
    }
  }
  return fields;
}

/** The entries of the tables that say where clusters are. */
export function qcow2Places(input: Uint8Array): Field[] {
  const view = viewOf(input);
  const clusterSize = 2 ** view.getUint32(20);
  const firstTable = Number(view.getBigUint64(40));
  const entries = (name: string, table: number, count: number) =>
    Array.from({ length: count }, (_, i) => ({
      name,
      at: table + 8 * i,
      size: 8,
      bigEndian: true,
    }));
  const first = entries("L1 entry", firstTable, view.getUint32(36));
  const second = first.flatMap(({ at }) => {
    const table = Number(view.getBigUint64(at) & 0xff_ffff_ffff_fe00n);
    return table === 0 ? [] : entries("L2 entry", table, clusterSize / 8);
  });
  return [...first, ...second];
}

/** The block allocation table, and the bitmaps of the blocks that are there. */
export function vhdPlaces(input: Uint8Array): Field[] {
  const view = viewOf(input);
  const table = Number(view.getBigUint64(512 + 16));
  const blocks = Array.from({ length: view.getUint32(512 + 28) }, (_, i) => ({
    name: "block allocation",
    at: table + 4 * i,
    size: 4,
    bigEndian: true,
  }));
  const bitmaps = blocks.flatMap(({ at }) => {
    const sector = view.getUint32(at);
    if (sector === 0xffff_ffff) return [];
    return [{ name: "block bitmap", at: sector * 512, size: 8, bigEndian: true }];
  });
  return [...blocks, ...bitmaps];
}
