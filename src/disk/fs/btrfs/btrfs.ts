/**
 * btrfs, read-only, behind `FileSystem`: one device at a time, with the copies that are on it. The log of files that
 * were synced after the last commit is replayed in memory.
 *
 * Source: Linux include/uapi/linux/btrfs_tree.h, fs/btrfs; btrfs-progs Documentation/dev/On-disk-format. Not supported:
 * data spread over devices (RAID0, RAID10, RAID5, RAID6), seed devices, the features that `features.ts` refuses, extended
 * attributes.
 */
import { corrupt, missing } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import { cachedSource } from "../../cache.ts";
import type { ByteSource } from "../../source.ts";
import type { Entry, FileSystem, Inode } from "../filesystem.ts";
import { resolvePath } from "../resolve.ts";
import { checksumsIn } from "./data-checksum.ts";
import type { ChecksumSource } from "./data-checksum.ts";
import { listDirectory, lookupName } from "./directory.ts";
import type { View } from "./directory.ts";
import { fileReader } from "./file-data.ts";
import type { FileReader } from "./file-data.ts";
import { findSuperblock } from "./find-superblock.ts";
import { readInode } from "./inode.ts";
import type { InodeDetail } from "./inode.ts";
import { OBJECTID } from "./key.ts";
import { openLog } from "./log/open-log.ts";
import { defaultSubvolume, needRoot } from "./root-item.ts";
import { describeNotes, describeState, extentsDistrusted } from "./state.ts";
import type { Known } from "./state.ts";
import { subvolumesOf, TOP_INODE } from "./subvolume.ts";
import type { EmptyPlace, Replayed } from "./subvolume.ts";
import { treeName } from "./tree-block.ts";
import { itemTree } from "./tree.ts";
import { usedExtents } from "./used-extents.ts";
import { openVolume } from "./volume.ts";
import type { BtrfsVolume } from "./volume.ts";

export type BtrfsOptions = {
  /**
   * The subvolume that paths begin in: its path from the top level, as in the mount option `subvol=`, or its id, as in
   * `subvolid=`. The default subvolume when left out, as Linux has it; 5 is the top level.
   */
  readonly subvolume?: string | number;
  /** Ends the replay of a log. */
  readonly signal?: AbortSignal;
};

/** What all views of one filesystem share. */
type Opened = {
  readonly volume: BtrfsVolume;
  readonly known: Known;
  readonly replayed: Replayed;
  readonly reader: FileReader;
};

/** Opens a btrfs filesystem. Reads the superblock, the chunks and, when there is one, the log. */
export async function openBtrfs(
  source: ByteSource,
  options: BtrfsOptions = {},
): Promise<FileSystem> {
  const { subvolume, signal } = options;
  const where = within(source.where, "btrfs");
  const cached = cachedSource(source);
  const { superblock, copyOffset } = await findSuperblock(cached, where);
  const volume = await openVolume(cached, superblock, where, signal);
  const log = await openLog(volume, signal);
  const known: Known = {
    superblock,
    where,
    defaultSubvolume: await defaultSubvolume(volume),
    ...(log && { log }),
    ...(copyOffset !== undefined && { copyOffset }),
  };
  const csumTree = await needRoot(volume, OBJECTID.CSUM_TREE, "checksum tree");
  const checksums: ChecksumSource[] = [checksumsIn(volume, itemTree(volume, csumTree))];
  const opened: Opened = {
    volume,
    known,
    // The log has the checksums of what was written after those of the tree.
    reader: fileReader(volume, log?.ok ? [...checksums, ...log.checksums] : checksums),
    replayed: (id, tree) => (log?.ok && log.trees.get(id)) || tree,
  };
  if (subvolume === undefined) return openView(opened, known.defaultSubvolume);
  return openSubvolume(opened, subvolume);
}

/** The view of the subvolume of that id, or at that path from the top level. */
async function openSubvolume(opened: Opened, name: string | number): Promise<FileSystem> {
  const { volume, replayed, known } = opened;
  if (typeof name === "number") {
    if (!Number.isSafeInteger(name)) throw missing(known.where, `subvolume ${name}`);
    // 0 is another name for the top level, for mount as well.
    return openView(opened, name === 0 ? OBJECTID.FS_TREE : BigInt(name));
  }
  const view = { volume, subvolumes: subvolumesOf(volume, replayed) };
  const { inode } = await resolvePath(await openView(opened, OBJECTID.FS_TREE, view), name);
  const { at, objectid } = view.subvolumes.resolve(inode.number);
  if ("tree" in at && objectid === TOP_INODE) return openView(opened, at.id);
  throw missing(within(known.where, name), "subvolume there");
}

async function openView(
  opened: Opened,
  id: bigint,
  view: View = { volume: opened.volume, subvolumes: subvolumesOf(opened.volume, opened.replayed) },
): Promise<FileSystem> {
  const { volume, known, reader } = opened;
  const { superblock, where } = known;
  const base = await view.subvolumes.open(id);
  if (!base) throw missing(where, treeName(id));
  const details = inodeDetails(view);
  return {
    kind: "btrfs",
    where: id === known.defaultSubvolume ? where : within(where, treeName(id)),
    label: superblock.label,
    uuid: superblock.fsid,
    blockSizeBytes: superblock.sectorSizeBytes,
    sizeBytes: superblock.totalBytes,
    state: describeState(known),
    notes: describeNotes(known),
    async root() {
      const { inode } = details.keep(await readInode(base, TOP_INODE));
      if (inode.kind === "directory") return inode;
      throw corrupt(within(base.where, `inode ${TOP_INODE}`), inode.kind, "the top directory");
    },
    inode: (entry: Entry) => details.inode(entry.number),
    async lookup(directory, name) {
      const detail = await details.of(directory);
      return detail && lookupName(view, detail, name);
    },
    async *list(directory, signal) {
      const detail = await details.of(directory);
      if (detail) yield* listDirectory(view, detail, signal);
    },
    async read(file, offset, length, signal) {
      const detail = await details.of(file);
      return detail ? reader.read(detail, { offset, length }, signal) : new Uint8Array(0);
    },
    async readLink(link) {
      const detail = await details.of(link);
      if (!detail) throw corrupt(where, link.kind, "symlink");
      return reader.readLink(detail);
    },
    async *usedExtents(signal) {
      const doubt = extentsDistrusted(known);
      if (doubt) throw corrupt(within(where, "extent tree"), doubt, "extents to rely on");
      const more = known.log?.ok ? await known.log.used(signal) : [];
      yield* usedExtents(volume, more, signal);
    },
    topLevel: () => openView(opened, OBJECTID.FS_TREE),
    subvolume: (name) => openSubvolume(opened, name),
  };
}

/** Keeps what readers need beyond `Inode` for as long as the caller keeps the `Inode`. */
function inodeDetails(view: View) {
  const known = new WeakMap<Inode, InodeDetail>();
  function keep(detail: InodeDetail): InodeDetail {
    known.set(detail.inode, detail);
    return detail;
  }
  async function read(number: number): Promise<InodeDetail | EmptyPlace> {
    const { at, objectid } = view.subvolumes.resolve(number);
    return "tree" in at ? keep(await readInode(at, objectid)) : at;
  }
  return {
    keep,
    async inode(number: number): Promise<Inode> {
      const found = await read(number);
      return "inode" in found ? found.inode : emptyDirectory(number, found);
    },
    /** `undefined` for a directory that stands for a subvolume that is not there. */
    async of(inode: Inode): Promise<InodeDetail | undefined> {
      const found = known.get(inode) ?? (await read(inode.number));
      return "inode" in found ? found : undefined;
    },
  };
}

/** What Linux shows for a subvolume that is not there. Its time is that of the look; here that of the entry's directory. */
function emptyDirectory(number: number, { directory }: EmptyPlace): Inode {
  const { uid, gid, mtime } = directory;
  return { number, kind: "directory", mode: 0o755, size: 0, uid, gid, links: 1, mtime };
}
