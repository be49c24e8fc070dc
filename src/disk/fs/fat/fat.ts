/**
 * The file allocation table: for each cluster the number of the next one, in 12, 16 or 32 bits (of which 28 count).
 *
 * Source: Microsoft "FAT: General Overview of On-Disk Format" 1.03, section "FAT Data Structure"; Linux fs/fat/fatent.c.
 * As Linux does, the first table is read whatever FAT32's `ext_flags` say of which one is in use.
 */
import { attempt, FailureError } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import type { ByteSource } from "../../source.ts";
import type { Geometry } from "./boot-sector.ts";

/** Whole sectors of every size, and whole pairs of 12-bit entries, which share a byte. */
const PIECE_BYTES = 48 * 1024;
/** Pieces kept in memory: 3 MiB, all of FAT12 and FAT16. */
const MAX_KEPT_PIECES = 64;

/** A part of the table. */
export type FatPiece = {
  /** The clusters that it is about: from the first to the second number, the latter not included. */
  readonly first: number;
  readonly end: number;
  /** The entry of a cluster in this part; of 32 bits, the lower 28. */
  entry(cluster: number): number;
};

export type FatTable = {
  /** The part that holds the entry of `cluster`, which was checked, or is 0 or 1. */
  piece(cluster: number, signal?: AbortSignal): Promise<FatPiece>;
  /** The number of the last copy that had to be read because those before it could not be; 0 when none had to. */
  readonly copyUsed: number;
};

/** `source` should have a cache. */
export function fatTable(source: ByteSource, geometry: Geometry, where: Where): FatTable {
  const { bits, fatOffset, fatSizeBytes, fatCount, clusterEnd } = geometry;
  const perPiece = (PIECE_BYTES * 8) / bits;
  const kept = new Map<number, FatPiece>();
  let copyUsed = 0;

  async function readCopies(at: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    for (let copy = 0; ; copy++) {
      const read = () => source.read(fatOffset + copy * fatSizeBytes + at, length, signal);
      const result = await attempt(read);
      if (result.ok) {
        copyUsed = Math.max(copyUsed, copy);
        return result.value;
      }
      const { failure } = result;
      if (copy + 1 === fatCount || failure.kind !== "io") {
        throw new FailureError({ ...failure, where: within(where, "file allocation table") });
      }
    }
  }

  return {
    async piece(cluster, signal) {
      const index = Math.floor(cluster / perPiece);
      const known = kept.get(index);
      if (known) return known;
      const first = index * perPiece;
      const end = Math.min(first + perPiece, clusterEnd);
      // The table has room for every cluster below `clusterEnd`.
      const length = Math.ceil(((end - first) * bits) / 8);
      const bytes = await readCopies(index * PIECE_BYTES, length, signal);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const entry = entryReader(view, bits, first);
      const piece: FatPiece = { first, end, entry };
      if (kept.size >= MAX_KEPT_PIECES) kept.delete(kept.keys().next().value as number);
      kept.set(index, piece);
      return piece;
    },
    get copyUsed() {
      return copyUsed;
    },
  };
}

/** Cluster numbers are inside the piece: its bytes reach up to the last entry. */
function entryReader(view: DataView, bits: 12 | 16 | 32, first: number) {
  switch (bits) {
    case 12:
      return (cluster: number): number => {
        // A piece begins with an even cluster: two entries are three bytes, little endian.
        const index = cluster - first;
        const at = index + (index >>> 1);
        const pair = view.getUint8(at) | (view.getUint8(at + 1) << 8);
        return index & 1 ? pair >>> 4 : pair & 0xfff;
      };
    case 16:
      return (cluster: number): number => view.getUint16(2 * (cluster - first), true);
    case 32:
      return (cluster: number): number => view.getUint32(4 * (cluster - first), true) & 0x0fff_ffff;
  }
}

/** BAD_FAT12 and so on: this entry and those above it end a chain. */
const BAD = { 12: 0xff7, 16: 0xfff7, 32: 0x0fff_fff7 } as const;

/** Whether an entry ends a chain. Linux takes the mark of a bad cluster for an end, too. */
export function isChainEnd(bits: Geometry["bits"], entry: number): boolean {
  return entry >= BAD[bits];
}

/** Whether an entry marks a cluster that the disk cannot hold data in. */
export function isBad(bits: Geometry["bits"], entry: number): boolean {
  return entry === BAD[bits];
}

/** Bits of the entry of cluster 1, set on a volume in order: ClnShutBitMask and HrdErrBitMask. FAT12 has none. */
export function shutdownFlags(
  bits: Geometry["bits"],
  entry: number,
): { clean: boolean; sound: boolean } {
  if (bits === 12) return { clean: true, sound: true };
  const clean = bits === 16 ? 0x8000 : 0x0800_0000;
  return { clean: (entry & clean) !== 0, sound: (entry & (clean >>> 1)) !== 0 };
}
