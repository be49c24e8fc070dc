/** Boot catalogs of El Torito, entry by entry. */
import { putText, SECTOR } from "./image.ts";
import type { Image } from "./image.ts";

/** An entry of the catalog: [at, value, bytes] of its fields. */
export function entry(...fields: readonly (readonly [number, number, number])[]): Buffer {
  const bytes = Buffer.alloc(32);
  for (const [at, value, size] of fields) bytes.writeUIntLE(value, at, size);
  return bytes;
}

export const image = (indicator: number, media: number, rba: number, sectors = 4) =>
  entry([0, indicator, 1], [1, media, 1], [6, sectors, 2], [8, rba, 4]);
export const section = (id: number, platform: number, count: number) =>
  entry([0, id, 1], [1, platform, 1], [2, count, 2]);
export const EXTENSION = entry([0, 0x44, 1]);

export function validation(platform = 0): Buffer {
  const bytes = entry([0, 1, 1], [1, platform, 1], [30, 0xaa55, 2]);
  bytes.write("DOMUS", 4, "latin1");
  let sum = 0;
  for (let at = 0; at < 32; at += 2) sum += bytes.readUInt16LE(at);
  bytes.writeUInt16LE(-sum & 0xffff, 28);
  return bytes;
}

export const catalog = (...entries: readonly Buffer[]) => {
  const bytes = Buffer.alloc(SECTOR);
  Buffer.concat(entries).copy(bytes);
  return bytes;
};

/** Writes a boot record and the catalog that it leads to, in a sector that the volume does not use. */
export function addBootCatalog(disc: Image, ...entries: readonly Buffer[]): void {
  putText(disc, 17 * SECTOR, "\0CD001\x01EL TORITO SPECIFICATION");
  disc.both32(17 * SECTOR + 71, 40);
  putText(disc, 18 * SECTOR, "\xffCD001\x01");
  disc.bytes.set(catalog(...entries), 40 * SECTOR);
}
