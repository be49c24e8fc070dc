/**
 * Inodes: an item of 160 bytes each.
 *
 * Source: Linux include/uapi/linux/btrfs_tree.h `struct btrfs_inode_item`, fs/btrfs/inode.c
 * (`btrfs_read_locked_inode`), fs/btrfs/tree-checker.c (`check_inode_item`).
 */
import { corrupt, overLimit } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import { u32le, u64leRaw } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import type { FileKind, Inode } from "../filesystem.ts";
import { ITEM, makeKey } from "./key.ts";
import { inodeNumber } from "./subvolume.ts";
import type { Subvolume } from "./subvolume.ts";

export const btrfsInodeItem = struct("btrfs_inode_item", 160, {
  generation: [0, u64leRaw],
  size: [16, u64leRaw],
  nbytes: [24, u64leRaw],
  nlink: [40, u32le],
  uid: [44, u32le],
  gid: [48, u32le],
  mode: [52, u32le],
  rdev: [56, u64leRaw],
  flags: [64, u64leRaw],
  mtime_sec: [136, u64leRaw],
  mtime_nsec: [144, u32le],
});

/** BTRFS_INODE_NODATASUM: its data has no checksums. */
export const NODATASUM = 1n;

const KINDS: Readonly<Record<number, FileKind>> = {
  0o010000: "fifo",
  0o020000: "char-device",
  0o040000: "directory",
  0o060000: "block-device",
  0o100000: "file",
  0o120000: "symlink",
  0o140000: "socket",
};

/** What the readers of contents need to know beyond `Inode`. */
export type InodeDetail = {
  readonly inode: Inode;
  readonly subvolume: Subvolume;
  /** Its own number in the subvolume. */
  readonly objectid: bigint;
  readonly flags: bigint;
  readonly where: Where;
};

/** Reads an inode that something refers to: `corrupt` when it is not there. */
export async function readInode(subvolume: Subvolume, objectid: bigint): Promise<InodeDetail> {
  const where = within(subvolume.where, `inode ${objectid}`);
  const item = await subvolume.tree.find(makeKey(objectid, ITEM.INODE_ITEM));
  if (!item) throw corrupt(where, "a reference to it", "an inode that is there");
  const raw = btrfsInodeItem.read(item.bytes, 0, where);
  const kind = KINDS[raw.mode & 0o170000];
  if (!kind || raw.nlink === 0) {
    const found = `mode 0${raw.mode.toString(8)} and ${raw.nlink} links`;
    throw corrupt(where, found, "an inode in use");
  }
  const isDevice = kind === "char-device" || kind === "block-device";
  const inode: Inode = {
    number: inodeNumber(subvolume, objectid, where),
    kind,
    mode: raw.mode & 0xfff,
    size: isDevice ? 0 : parseSize(raw.size, where),
    ...allocated(subvolume, raw.nbytes),
    uid: raw.uid,
    gid: raw.gid,
    links: raw.nlink,
    mtime: Number(BigInt.asIntN(64, raw.mtime_sec)) + raw.mtime_nsec / 1e9,
    ...(isDevice ? { device: parseDevice(raw.rdev) } : {}),
  };
  return { inode, subvolume, objectid, flags: raw.flags, where };
}

/** Linux allows sparse files up to 2^63 bytes. */
function parseSize(size: bigint, where: Where): number {
  if (size >= 2n ** 63n) throw corrupt(where, `a size of ${size} bytes`, "less than 2^63");
  if (size <= Number.MAX_SAFE_INTEGER) return Number(size);
  throw overLimit(where, `the size of a file of ${size} bytes`, "8 PiB");
}

/** Inline contents count as a sector, as for stat (`btrfs_getattr`). Nonsense is not repeated. */
function allocated({ sectorSizeBytes }: Subvolume, nbytes: bigint): { allocatedBytes?: number } {
  if (nbytes > BigInt(Number.MAX_SAFE_INTEGER)) return {};
  return { allocatedBytes: Math.ceil(Number(nbytes) / sectorSizeBytes) * sectorSizeBytes };
}

/** The kernel's own dev_t: 20 bits of minor below 12 bits of major. */
function parseDevice(rdev: bigint): { major: number; minor: number } {
  return { major: Number((rdev >> 20n) & 0xfffn), minor: Number(rdev & 0xf_ffffn) };
}
