/** What the readers of single structures share. */
import { corrupt } from "../../../base/failure.ts";
import type { Where } from "../../../base/where.ts";
import type { ByteSource } from "../../source.ts";
import type { DirectorySpace } from "../directory-space.ts";
import { parseDirectoryRecord } from "./directory-record.ts";
import type { DirectoryRecord } from "./directory-record.ts";
import { SECTOR_BYTES } from "./volume-descriptor.ts";

/** A filesystem being read. */
export type IsoVolume = {
  /** Behind a cache. */
  readonly source: ByteSource;
  readonly where: Where;
  readonly blockSizeBytes: number;
  /** Which names are shown. */
  readonly names: "rock-ridge" | "joliet" | "plain";
  /** Bytes at the beginning of each system use part that are not Rock Ridge's. */
  readonly systemUseSkip: number;
  /** The first block of the root directory. */
  readonly rootExtent: number;
  readonly directories: DirectorySpace;
};

/** The directory record at a byte of the volume. A record never reaches into the next sector. */
export async function readRecord(
  source: ByteSource,
  position: number,
  where: Where,
): Promise<DirectoryRecord> {
  const sector = Math.floor(position / SECTOR_BYTES) * SECTOR_BYTES;
  if (!(position >= 0 && position < source.size)) {
    throw corrupt(where, `a reference to byte ${position}`, `one of ${source.size} bytes`);
  }
  const length = Math.min(SECTOR_BYTES, source.size - sector);
  const bytes = await source.read(sector, length);
  return parseDirectoryRecord(bytes.subarray(position - sector), where);
}
