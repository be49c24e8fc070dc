/**
 * FAT12, FAT16 and FAT32 with long names, read-only, behind `FileSystem`.
 *
 * Source: Microsoft "FAT: General Overview of On-Disk Format" 1.03, Linux fs/fat. Shown is what Linux shows when root
 * mounts it as Debian does without options: names in UTF-8, code page 437 for short ones. Not supported: names longer
 * than 8.3 by other means (UMSDOS, OS/2), compressed volumes.
 */
import { corrupt } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import { cachedSource } from "../../cache.ts";
import type { ByteSource } from "../../source.ts";
import { directorySpace } from "../directory-space.ts";
import type { Entry, FileSystem, Inode } from "../filesystem.ts";
import { BOOT_SECTOR_BYTES, parseBootSector } from "./boot-sector.ts";
import { listDirectory, lookupName } from "./directory.ts";
import { fatTable } from "./fat.ts";
import { readFileData } from "./file-data.ts";
import { readInode, readRoot } from "./inode.ts";
import type { InodeDetail } from "./inode.ts";
import { readLabel } from "./label.ts";
import { describeNotes, readState } from "./state.ts";
import { usedExtents } from "./used-extents.ts";
import type { FatVolume } from "./volume.ts";

/** The signal ends the opening. */
export type VfatOptions = { readonly signal?: AbortSignal };

/** Opens a FAT filesystem. Reads the boot sector, the start of the table and the root directory. */
export async function openVfat(source: ByteSource, options: VfatOptions = {}): Promise<FileSystem> {
  const where = within(source.where, "vfat");
  const cached = cachedSource(source);
  const bytes = await cached.read(0, BOOT_SECTOR_BYTES, options.signal);
  const geometry = parseBootSector(bytes, within(where, "boot sector"));
  const table = fatTable(cached, geometry, where);
  const directories = directorySpace(source.size, where);
  const volume: FatVolume = { source: cached, where, geometry, table, directories };
  const state = await readState(volume);
  const label = await readLabel(volume, await readRoot(volume));
  const details = inodeDetails(volume);
  return {
    kind: "vfat",
    where,
    label,
    uuid: geometry.volumeId,
    blockSizeBytes: geometry.clusterSizeBytes,
    sizeBytes: geometry.sizeBytes,
    state,
    get notes() {
      return describeNotes(volume);
    },
    root: async () => details.keep(await readRoot(volume)),
    inode: async (entry: Entry) => details.keep(await readInode(volume, entry.number)),
    lookup: async (directory, name) => lookupName(volume, await details.of(directory), name),
    async *list(directory, signal) {
      yield* listDirectory(volume, await details.of(directory), signal);
    },
    async read(file, offset, length, signal) {
      return readFileData(volume, await details.of(file), { offset, length }, signal);
    },
    async readLink(link) {
      throw corrupt((await details.of(link)).where, link.kind, "symlink");
    },
    async *usedExtents(signal) {
      // A table that was not written out marks clusters as free that files already use.
      if (!state.clean) {
        const found = `the mark "${state.text}"`;
        throw corrupt(within(where, "file allocation table"), found, "that of a table to rely on");
      }
      yield* usedExtents(volume, signal);
    },
  };
}

/** Keeps what readers need beyond `Inode` for as long as the caller keeps the `Inode`. */
function inodeDetails(volume: FatVolume) {
  const known = new WeakMap<Inode, InodeDetail>();
  function keep(detail: InodeDetail): Inode {
    known.set(detail.inode, detail);
    return detail.inode;
  }
  const of = async (inode: Inode) => known.get(inode) ?? readInode(volume, inode.number);
  return { keep, of };
}
