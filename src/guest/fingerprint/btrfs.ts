/** What btrfs writes at every commit, and at every fsync: its superblocks, with the number and the place of the newest roots. */
import { within } from "../../base/where.ts";
import { findSuperblock } from "../../disk/fs/btrfs/find-superblock.ts";
import { SUPERBLOCK_OFFSETS, SUPERBLOCK_SIZE } from "../../disk/fs/btrfs/superblock.ts";
import type { ByteSource } from "../../disk/source.ts";
import { clip } from "./region-reader.ts";
import type { VolumePlan } from "./volume-plan.ts";

/** Failures are those of the superblock: then it is nothing that can be planned for. */
export async function planBtrfs(source: ByteSource): Promise<VolumePlan> {
  const found = await findSuperblock(source, within(source.where, "btrfs"));
  const { generation, logTree } = found.superblock;
  // The root of the log moves with every fsync, whose superblock has the generation of the last commit.
  const log = logTree ? `, log at ${logTree.bytenr}` : "";
  return {
    format: "btrfs",
    depth: "commits",
    counter: { text: `generation ${generation}${log}` },
    regions: [
      {
        name: "superblocks",
        source,
        ranges: SUPERBLOCK_OFFSETS.flatMap((at) => clip(at, SUPERBLOCK_SIZE, source.size)),
      },
    ],
    ...(found.copyOffset !== undefined && { note: "its superblock is damaged" }),
  };
}
