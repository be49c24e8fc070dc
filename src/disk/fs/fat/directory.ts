/** Listing directories and finding names in them. Source: Linux fs/fat/dir.c (`__fat_readdir`, `fat_search_long`). */
import { corrupt } from "../../../base/failure.ts";
import type { Entry } from "../filesystem.ts";
import { ENTRY_BYTES } from "./boot-sector.ts";
import { entryParser } from "./directory-entry.ts";
import type { NamedEntry } from "./directory-entry.ts";
import type { InodeDetail } from "./inode.ts";
import { foldedName } from "./name.ts";
import type { FatVolume } from "./volume.ts";

/** Every entry except `.` and `..`, in on-disk order. */
export async function* listDirectory(
  volume: FatVolume,
  directory: InodeDetail,
  signal?: AbortSignal,
): AsyncGenerator<Entry> {
  for await (const entries of entryPieces(volume, directory, signal)) {
    for (const entry of entries) {
      if (!isDots(entry)) yield toEntry(directory, entry);
    }
  }
}

/**
 * The entry of that name, long or short. The case of ASCII letters and dots at the end do not count; the name in the
 * result is the one that a listing has.
 */
export async function lookupName(
  volume: FatVolume,
  directory: InodeDetail,
  name: string,
): Promise<Entry | undefined> {
  const wanted = foldedName(name.replace(/\.+$/, ""));
  if (wanted === "") return undefined;
  for await (const entries of entryPieces(volume, directory)) {
    for (const entry of entries) {
      if (foldedName(entry.shortName) !== wanted && foldedName(entry.name) !== wanted) continue;
      if (!isDots(entry)) return toEntry(directory, entry);
    }
  }
  return undefined;
}

/** Also a file with such a long name: Linux takes it for the directory itself. */
function isDots({ name, shortName }: NamedEntry): boolean {
  return [name, shortName].some((text) => text === "." || text === "..");
}

function toEntry(directory: InodeDetail, { name, isDirectory, position }: NamedEntry): Entry {
  if (name === "" || name.includes("/")) {
    throw corrupt(directory.where, `the name ${JSON.stringify(name)}`, "one without a slash");
  }
  const kind = isDirectory ? "directory" : "file";
  return { name, number: position / ENTRY_BYTES, kind };
}

/** The entries in use, a cluster at a time; the root of FAT12 and FAT16, at most 2 MiB, at once. */
async function* entryPieces(
  volume: FatVolume,
  directory: InodeDetail,
  signal?: AbortSignal,
): AsyncGenerator<NamedEntry[]> {
  const { inode, where, pieces } = directory;
  if (inode.kind !== "directory") throw corrupt(where, inode.kind, "directory");
  const parse = entryParser();
  for (const { offset, length } of pieces) {
    signal?.throwIfAborted();
    yield parse(await volume.source.read(offset, length, signal), offset);
  }
}
