/** Recognises XFS. */
import type { Content, Prober } from "../../content.ts";
import { openXfs } from "./xfs.ts";

/** `XFSB` at byte 0. */
export const xfsProber: Prober = {
  name: "XFS",
  magics: [{ offset: 0, bytes: Uint8Array.of(0x58, 0x46, 0x53, 0x42) }],
  async probe(source, context): Promise<Content> {
    const fs = await openXfs(source, context.signal ? { signal: context.signal } : {});
    return { kind: "filesystem", fs };
  },
};
