/** A file on a guest's disk that is handed over: read in pieces, or whole where it has to be looked into. */
import { missing, overLimit } from "../../base/failure.ts";
import { GIB, MIB } from "../../base/units.ts";
import { within } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import { parsePeSections } from "../../boot/kernel/pe.ts";
import type { BootFile } from "../../boot/loader/loader.ts";
import type { FileSystem, Inode } from "../../disk/fs/filesystem.ts";
import { readFile, resolvePath } from "../../disk/fs/resolve.ts";

/** Larger ones Xen's builder refuses itself (xen: tools/libs/guest/xg_dom_core.c XC_DOM_DECOMPRESS_MAX). */
export const MAX_FILE_BYTES = GIB;
/** What is looked into is held in memory as a whole. */
const MAX_WHOLE_BYTES = 512 * MIB;
const CHUNK_BYTES = MIB;

export type GuestFile = {
  readonly path: string;
  readonly where: Where;
  readonly sizeBytes: number;
  /** Less at the end of the file. */
  readAt(offset: number, length: number): Promise<Uint8Array>;
  whole(): Promise<Uint8Array>;
  /** Each is good until the next is asked for. */
  chunks(): AsyncGenerator<Uint8Array, void>;
};

/** `missing` when it is not there or no file, `limit` above 1 GiB. */
export async function openGuestFile(file: BootFile, signal?: AbortSignal): Promise<GuestFile> {
  return file.section === undefined ? plainFile(file, signal) : sectionFile(file, signal);
}

async function plainFile({ volume, path }: BootFile, signal?: AbortSignal): Promise<GuestFile> {
  const { fs } = volume;
  const where = within(fs.where, path);
  const { inode, path: real } = await resolvePath(fs, path);
  if (inode.kind !== "file") throw missing(where, `file ${real} (it is a ${inode.kind})`);
  const { size } = inode;
  if (size > MAX_FILE_BYTES) throw overLimit(where, `its size of ${size} bytes`, "1 GiB");
  const readAt = (offset: number, length: number) =>
    fs.read(inode, offset, Math.max(0, Math.min(length, size - offset)), signal);
  return {
    path,
    where,
    sizeBytes: size,
    readAt,
    whole: () => readFile(fs, path, MAX_WHOLE_BYTES, signal),
    chunks: () => readAhead(fs, inode, signal),
  };
}

/** Reads a piece into one of two buffers while the consumer has the other. */
async function* readAhead(
  fs: FileSystem,
  inode: Inode,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const { size } = inode;
  const buffers = [0, 1].map(() => new Uint8Array(Math.min(size, CHUNK_BYTES)));
  const readPart = (at: number) => {
    const into = buffers[(at / CHUNK_BYTES) % 2]!.subarray(0, size - at);
    const part = fs.readInto
      ? fs.readInto(inode, at, into, signal)
      : fs.read(inode, at, into.length, signal);
    // Whoever waits for it gets the failure; a consumer that stops early does not wait.
    part.catch(() => {});
    return part;
  };
  let next = size > 0 ? readPart(0) : undefined;
  try {
    for (let at = CHUNK_BYTES; next; at += CHUNK_BYTES) {
      signal?.throwIfAborted();
      const part: Uint8Array = await next;
      next = at < size ? readPart(at) : undefined;
      yield part;
    }
  } finally {
    await next?.catch(() => {});
  }
}

/** A section of a unified kernel image. */
async function sectionFile(file: BootFile, signal?: AbortSignal): Promise<GuestFile> {
  const { volume, path, section = "" } = file;
  const where = within(volume.fs.where, path, section);
  const image = await readFile(volume.fs, path, MAX_WHOLE_BYTES, signal);
  const found = parsePeSections(image, where).find(({ name }) => name === section);
  if (!found) throw missing(where, `${section} section`);
  const { bytes } = found;
  return {
    path: `${path} (${section})`,
    where,
    sizeBytes: bytes.length,
    readAt: async (offset, length) => bytes.subarray(offset, offset + length),
    whole: async () => bytes,
    async *chunks() {
      yield bytes;
    },
  };
}
