/** Recognises ISO 9660 by its first volume descriptor. */
import type { Content, Prober } from "../../content.ts";
import { openIso9660 } from "./iso9660.ts";
import { SECTOR_BYTES } from "./volume-descriptor.ts";

export const iso9660Prober: Prober = {
  name: "ISO 9660",
  // The id in sector 16
  magics: [{ offset: 16 * SECTOR_BYTES + 1, bytes: Uint8Array.from(Buffer.from("CD001")) }],
  async probe(source, { signal }): Promise<Content> {
    const fs = await openIso9660(source, signal ? { signal } : {});
    return { kind: "filesystem", fs };
  },
};
