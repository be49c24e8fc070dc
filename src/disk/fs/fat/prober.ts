/** Recognises FAT. Its signature, 0xAA55, is on every boot sector: the parameter block must make sense, too. */
import { within } from "../../../base/where.ts";
import type { Content, Prober } from "../../content.ts";
import { isBootSector } from "../../table/mbr.ts";
import { BOOT_SECTOR_BYTES, fatBootSector } from "./boot-sector.ts";
import { openVfat } from "./vfat.ts";

export const fatProber: Prober = {
  name: "FAT",
  magics: [{ offset: 510, bytes: Uint8Array.of(0x55, 0xaa) }],
  async probe(source, { signal }): Promise<Content | undefined> {
    const head = await source.read(0, BOOT_SECTOR_BYTES, signal);
    const where = within(source.where, "FAT");
    const { reserved, fats } = fatBootSector.read(head, 0, where);
    // NTFS has neither.
    if (!isBootSector(head, where) || reserved === 0 || fats === 0) return undefined;
    return { kind: "filesystem", fs: await openVfat(source, signal ? { signal } : {}) };
  },
};
