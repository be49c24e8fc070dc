/**
 * Finds a superblock to work with: the primary one, or when that is damaged one of its copies.
 *
 * Source: e2fsck(8) on backup superblocks, Linux Documentation/filesystems/ext4/blockgroup.rst (sparse superblocks).
 */
import { attempt, corrupt, FailureError } from "../../../base/failure.ts";
import type { Where } from "../../../base/where.ts";
import { within } from "../../../base/where.ts";
import type { ByteSource } from "../../source.ts";
import { pastEnd } from "../cut-off.ts";
import { parseSuperblock, SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE } from "./superblock.ts";
import type { Superblock } from "./superblock.ts";

/** A superblock, and where it was found when not in its place. */
export type FoundSuperblock = {
  readonly superblock: Superblock;
  /** The block of the copy that was used instead of the primary one. */
  readonly backupBlock?: number;
};

/** Groups that have a copy under sparse_super, as many as are worth a look. */
const BACKUP_GROUPS = [1, 3, 5, 7, 9];

/** The failure is that of the primary superblock. */
export async function findSuperblock(source: ByteSource, where: Where): Promise<FoundSuperblock> {
  const place = within(where, "superblock");
  const primary = await attempt(() => readSuperblock(source, SUPERBLOCK_OFFSET, place));
  if (primary.ok) return { superblock: primary.value };
  // A feature that is not known here will not be known from a copy either.
  if (primary.failure.kind === "corrupt") {
    for (const { block, offset, group, blockSizeBytes } of backupPlaces()) {
      if (offset + SUPERBLOCK_SIZE > source.size) continue;
      const copy = await attempt(() => readSuperblock(source, offset, where));
      if (!copy.ok) continue;
      const { value: superblock } = copy;
      // Leftovers of another filesystem would say another place.
      if (superblock.groupNumber !== group || superblock.blockSizeBytes !== blockSizeBytes)
        continue;
      return { superblock, backupBlock: block };
    }
  }
  throw new FailureError(primary.failure);
}

/** Reads the superblock at `offset` and checks it against the size of the device. */
export async function readSuperblock(
  source: ByteSource,
  offset: number,
  where: Where,
): Promise<Superblock> {
  if (source.size < offset + SUPERBLOCK_SIZE) {
    throw corrupt(where, `a device of ${source.size} bytes`, "room for a superblock");
  }
  const bytes = await source.read(offset, SUPERBLOCK_SIZE);
  const superblock = parseSuperblock(bytes, where);
  const { blockCount, blockSizeBytes } = superblock;
  if (blockCount * blockSizeBytes > source.size) {
    throw pastEnd(where, `${blockCount} blocks of ${blockSizeBytes} bytes`, source);
  }
  return superblock;
}

/** Where copies are when groups are as large as mke2fs makes them: as many blocks as one bitmap block has bits. */
function* backupPlaces() {
  for (const group of BACKUP_GROUPS) {
    for (const blockSizeBytes of [4096, 1024, 2048, 65_536]) {
      const block = group * blockSizeBytes * 8 + (blockSizeBytes === 1024 ? 1 : 0);
      yield { block, offset: block * blockSizeBytes, group, blockSizeBytes };
    }
  }
}
