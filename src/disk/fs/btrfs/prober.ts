/** Recognises btrfs, and opens it as Linux would mount it: at its default subvolume. */
import type { Content, Prober } from "../../content.ts";
import { openBtrfs } from "./btrfs.ts";
import { MAGIC, MAGIC_AT, SUPERBLOCK_OFFSETS } from "./superblock.ts";

export const btrfsProber: Prober = {
  name: "btrfs",
  magics: [
    {
      offset: SUPERBLOCK_OFFSETS[0] + MAGIC_AT,
      bytes: Uint8Array.from(MAGIC, (char) => char.charCodeAt(0)),
    },
  ],
  async probe(source, { signal }): Promise<Content> {
    return { kind: "filesystem", fs: await openBtrfs(source, signal ? { signal } : {}) };
  },
};
