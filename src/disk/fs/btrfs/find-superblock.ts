/**
 * Finds a superblock to work with: the primary one, or when that is damaged the newest of its copies.
 *
 * Source: Linux fs/btrfs/disk-io.c (`btrfs_read_disk_super`): the kernel itself looks at the primary only. btrfs
 * rescue super-recover goes by the highest generation.
 */
import { attempt, corrupt, FailureError } from "../../../base/failure.ts";
import type { Where } from "../../../base/where.ts";
import { within } from "../../../base/where.ts";
import type { ByteSource } from "../../source.ts";
import { pastEnd } from "../cut-off.ts";
import { parseSuperblock, SUPERBLOCK_OFFSETS, SUPERBLOCK_SIZE } from "./superblock.ts";
import type { Superblock } from "./superblock.ts";

/** A superblock, and where it was found when not in its place. */
export type FoundSuperblock = {
  readonly superblock: Superblock;
  /** In bytes: the place of the copy that was used instead of the primary one. */
  readonly copyOffset?: number;
};

/** The failure is that of the primary superblock. */
export async function findSuperblock(source: ByteSource, where: Where): Promise<FoundSuperblock> {
  const [first, ...copies] = SUPERBLOCK_OFFSETS;
  const place = within(where, "superblock");
  const primary = await attempt(() => readSuperblock(source, first, place));
  if (primary.ok) return { superblock: primary.value };
  // A feature that is not known here will not be known from a copy either.
  if (primary.failure.kind === "corrupt" || primary.failure.kind === "io") {
    let newest: FoundSuperblock | undefined;
    for (const copyOffset of copies) {
      if (copyOffset + SUPERBLOCK_SIZE > source.size) continue;
      const copy = await attempt(() => readSuperblock(source, copyOffset, place));
      if (!copy.ok) continue;
      const { value: superblock } = copy;
      if (newest && newest.superblock.generation >= superblock.generation) continue;
      newest = { superblock, copyOffset };
    }
    if (newest) return newest;
  }
  throw new FailureError(primary.failure);
}

async function readSuperblock(
  source: ByteSource,
  offset: number,
  where: Where,
): Promise<Superblock> {
  if (source.size < offset + SUPERBLOCK_SIZE) {
    throw corrupt(where, `a device of ${source.size} bytes`, "room for a superblock");
  }
  const superblock = parseSuperblock(await source.read(offset, SUPERBLOCK_SIZE), offset, where);
  if (superblock.deviceBytes > source.size) {
    throw pastEnd(where, `${superblock.deviceBytes} bytes of the device in use`, source);
  }
  return superblock;
}
