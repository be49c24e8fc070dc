/**
 * Probers that open no filesystem: a paused guest's journals are dirty, and to replay them takes longer than all the rest. What
 * they find is `named`, and only where its superblock is sound: what is damaged stays `unknown`, with the reason in `tried`.
 */
import { within } from "../../base/where.ts";
import type { Prober } from "../../disk/content.ts";
import { findSuperblock as findBtrfs } from "../../disk/fs/btrfs/find-superblock.ts";
import { btrfsProber } from "../../disk/fs/btrfs/prober.ts";
import { findSuperblock as findExt4 } from "../../disk/fs/ext4/find-superblock.ts";
import { ext4Prober } from "../../disk/fs/ext4/prober.ts";
import { xfsProber } from "../../disk/fs/xfs/prober.ts";
import { readSuperblock as readXfs } from "../../disk/fs/xfs/superblock.ts";
import { probers } from "../../disk/probers.ts";
import type { ByteSource } from "../../disk/source.ts";
import type { Where } from "../../base/where.ts";

type Check = (source: ByteSource, where: Where) => Promise<unknown>;

const CHECKS: ReadonlyMap<Prober, Check> = new Map<Prober, Check>([
  [ext4Prober, findExt4],
  [xfsProber, (source, where) => readXfs(source, where)],
  [btrfsProber, findBtrfs],
]);

/** All of `probers.ts`, in the same order. The format of what is not opened is the prober's name. */
export const shallowProbers: readonly Prober[] = probers.map((prober) => {
  const check = CHECKS.get(prober);
  if (!check) return prober;
  return {
    name: prober.name,
    magics: prober.magics,
    async probe(source) {
      await check(source, within(source.where, prober.name));
      return { kind: "named", format: prober.name, uuid: "", why: "" };
    },
  };
});
