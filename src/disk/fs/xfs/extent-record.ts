/**
 * One extent, packed into 128 bits: a flag, 54 bits of place in the file, 52 bits of place on disk, 21 bits of length.
 *
 * Source: Linux fs/xfs/libxfs/xfs_format.h `struct xfs_bmbt_rec`, fs/xfs/libxfs/xfs_bmap.c (`xfs_bmap_validate_extent`).
 */
import { corrupt } from "../../../base/failure.ts";
import type { Where } from "../../../base/where.ts";
import { u32be } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import { deviceBlock } from "./volume.ts";
import type { XfsVolume } from "./volume.ts";

/** The fields go over the borders of these words: the kernel has l0 and l1, two halves of 64 bits. */
export const xfsBmbtRec = struct("xfs_bmbt_rec", 16, {
  l0_high: [0, u32be],
  l0_low: [4, u32be],
  l1_high: [8, u32be],
  l1_low: [12, u32be],
});

/** Blocks of a file that follow each other on disk. */
export type Extent = {
  /** The first block, counted in the file. */
  readonly logical: number;
  /** The first block, counted on the device. */
  readonly physical: number;
  /** In blocks, not 0. */
  readonly length: number;
  /** Allocated, but nothing was written: it reads as zeroes. */
  readonly unwritten: boolean;
};

/** The extent at byte `at`. `corrupt` when it is empty or leads out of its allocation group. */
export function parseExtent(
  volume: XfsVolume,
  bytes: Uint8Array,
  at: number,
  where: Where,
): Extent {
  const raw = xfsBmbtRec.read(bytes, at, where);
  const high = raw.l0_high & 0x7fff_ffff;
  // 53 bits are exact. With blocks of 512 bytes more would be 4 EiB into the file.
  if (high >= 2 ** 30) throw corrupt(where, "an extent beyond block 2^53", "one inside the file");
  const logical = high * 2 ** 23 + (raw.l0_low >>> 9);
  const fsBlock = (raw.l0_low & 0x1ff) * 2 ** 43 + raw.l1_high * 2 ** 11 + (raw.l1_low >>> 21);
  const length = raw.l1_low & 0x1f_ffff;
  if (length === 0) throw corrupt(where, `an empty extent at block ${logical}`, "a length");
  const physical = deviceBlock(volume, fsBlock, length, where);
  return { logical, physical, length, unwritten: raw.l0_high >>> 31 === 1 };
}
