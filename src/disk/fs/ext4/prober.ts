/** Recognises ext2, ext3 and ext4, and the devices that hold nothing but a journal for one of them. */
import { within } from "../../../base/where.ts";
import type { Content, Prober } from "../../content.ts";
import { openExt4 } from "./ext4.ts";
import { INCOMPAT } from "./features.ts";
import { ext4SuperBlock, SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE } from "./superblock.ts";

/** A filesystem, or a `named` content for a device that is nothing but a journal. */
export const ext4Prober: Prober = {
  name: "ext4",
  // s_magic
  magics: [{ offset: SUPERBLOCK_OFFSET + 0x38, bytes: Uint8Array.of(0x53, 0xef) }],
  async probe(source, context): Promise<Content> {
    const bytes = await source.read(SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE, context.signal);
    const raw = ext4SuperBlock.read(bytes, 0, within(source.where, "ext4"));
    if (raw.s_rev_level > 0 && raw.s_feature_incompat & INCOMPAT.journal_dev) {
      return {
        kind: "named",
        format: "ext4 journal",
        uuid: raw.s_uuid,
        why: "It holds the journal of a filesystem on another device, and no files.",
      };
    }
    const fs = await openExt4(source, context.signal ? { signal: context.signal } : {});
    return { kind: "filesystem", fs };
  },
};
