/**
 * The store of a dm-snapshot, the "COW device": which chunks of the origin, or of the snapshot itself, were written since
 * the snapshot was made. Persistent stores only; their data chunks are not read.
 *
 * Source: Linux drivers/md/dm-snap-persistent.c `struct disk_header`, `struct disk_exception`, `area_location`,
 * `insert_exceptions`.
 */
import { Budget } from "../../base/budget.ts";
import { corrupt, missing, unsupported } from "../../base/failure.ts";
import { hex } from "../../base/units.ts";
import { within } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import { u32le, u64le } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import type { ByteSource } from "../source.ts";

export const diskHeader = struct("disk_header", 16, {
  magic: [0, u32le],
  /** 0 for good once an exception found no room. */
  valid: [4, u32le],
  version: [8, u32le],
  /** In sectors of 512 bytes. */
  chunk_size: [12, u32le],
});

export const diskException = struct("disk_exception", 16, {
  /** In the origin. */
  old_chunk: [0, u64le],
  /** In the store. 0, where the header is, ends the list. */
  new_chunk: [8, u64le],
});

/** "SnAp" */
export const SNAP_MAGIC = 0x70416e53;
export const SNAPSHOT_DISK_VERSION = 1;

const SECTOR_BYTES = 512;
/** The kernel takes larger ones (INT_MAX sectors), LVM at most 512 KiB. */
const MAX_CHUNK_SECTORS = 32_768;

export type ExceptionStore = {
  readonly chunkBytes: number;
  /** The first area. */
  readonly firstAreaBytes: number;
};

export type Exception = { readonly oldChunk: number; readonly newChunk: number };

/**
 * The header, the first 16 bytes of the store. Failures: `missing` when the kernel has not written one yet,
 * `unsupported` for other versions, `corrupt`; also `corrupt` when the snapshot is no longer valid, as its list is
 * incomplete then.
 */
export function parseStoreHeader(bytes: Uint8Array, where: Where): ExceptionStore {
  const header = diskHeader.read(bytes, 0, where);
  if (header.magic === 0) throw missing(where, "header of an exception store");
  if (header.magic !== SNAP_MAGIC) {
    throw corrupt(where, `magic ${hex(header.magic, 8)}`, hex(SNAP_MAGIC, 8));
  }
  if (header.version !== SNAPSHOT_DISK_VERSION) {
    throw unsupported(where, `version ${header.version} of the exception store`);
  }
  if (header.valid === 0) {
    throw corrupt(where, "a snapshot that is not valid any more", "one that was never full");
  }
  const { chunk_size: sectors } = header;
  if (sectors === 0 || sectors > MAX_CHUNK_SECTORS || (sectors & (sectors - 1)) !== 0) {
    throw corrupt(where, `chunks of ${sectors} sectors`, `a power of 2 up to ${MAX_CHUNK_SECTORS}`);
  }
  const chunkBytes = sectors * SECTOR_BYTES;
  return { chunkBytes, firstAreaBytes: chunkBytes };
}

/**
 * All exceptions in the order of the store, an area at a time; none twice in what the kernel writes. The store may be in
 * use: it is only appended to, and an exception is in there before the origin is written. Failures as of
 * `parseStoreHeader`, `io`.
 */
export async function* readExceptions(
  store: ByteSource,
): AsyncGenerator<readonly Exception[], ExceptionStore> {
  const where = within(store.where, "exception store");
  const header = parseStoreHeader(await store.read(0, diskHeader.size), where);
  const { chunkBytes } = header;
  const perArea = chunkBytes / diskException.size;
  const strideBytes = (perArea + 1) * chunkBytes;
  const budget = new Budget(Math.ceil(store.size / strideBytes), where, "the number of areas");
  for (let area = 0, full = true; full; area++) {
    budget.spend();
    const offset = header.firstAreaBytes + area * strideBytes;
    // A store that is full to its last chunk ends without an empty place.
    if (area > 0 && offset + chunkBytes > store.size) return header;
    const bytes = await store.read(offset, chunkBytes);
    const exceptions = parseArea(bytes, {
      storeChunks: Math.floor(store.size / chunkBytes),
      where: within(where, `area ${area}`),
    });
    full = exceptions.length === perArea;
    if (exceptions.length > 0) yield exceptions;
  }
  return header;
}

/** The exceptions of an area, up to the first empty place. `corrupt` when one points behind the store's end. */
function parseArea(
  bytes: Uint8Array,
  { storeChunks, where }: { readonly storeChunks: number; readonly where: Where },
): Exception[] {
  const exceptions: Exception[] = [];
  for (let at = 0; at < bytes.length; at += diskException.size) {
    const exception = diskException.read(bytes, at, where);
    const newChunk = exception.new_chunk;
    if (newChunk === 0) break;
    if (newChunk >= storeChunks) {
      throw corrupt(where, `chunk ${newChunk} of the store`, `one below ${storeChunks}`);
    }
    exceptions.push({ oldChunk: exception.old_chunk, newChunk });
  }
  return exceptions;
}
