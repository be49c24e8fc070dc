/**
 * ISO 9660 with Rock Ridge or Joliet, behind `FileSystem`.
 *
 * Source: ECMA-119, IEEE P1281 (System Use Sharing Protocol) and P1282 (Rock Ridge) drafts 1.12, Joliet Specification 1.0;
 * Linux fs/isofs. Which tree and which names are shown is decided as Linux does: Rock Ridge before Joliet before plain
 * names. Not supported: compressed and interleaved files (they are listed), High Sierra, all sessions but the first.
 */
import { corrupt } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import { cachedSource } from "../../cache.ts";
import type { ByteSource } from "../../source.ts";
import { directorySpace } from "../directory-space.ts";
import type { Entry, FileSystem, Inode } from "../filesystem.ts";
import { cutOffNote } from "../cut-off.ts";
import { listDirectory, lookupName } from "./directory.ts";
import { readFileData } from "./file-data.ts";
import { readInode } from "./inode.ts";
import type { InodeDetail } from "./inode.ts";
import { volumeLabel } from "./label.ts";
import { parsePresence, readSystemUse } from "./susp.ts";
import { readRecord } from "./volume.ts";
import type { IsoVolume } from "./volume.ts";
import { readDescriptors, SECTOR_BYTES } from "./volume-descriptor.ts";
import type { Descriptors } from "./volume-descriptor.ts";

/** The signal ends the opening. */
export type Iso9660Options = { readonly signal?: AbortSignal };

/** Opens an ISO 9660 filesystem. Reads the volume descriptors and the beginning of the root directory. */
export async function openIso9660(
  source: ByteSource,
  options: Iso9660Options = {},
): Promise<FileSystem> {
  const where = within(source.where, "iso9660");
  const cached = cachedSource(source);
  const descriptors = await readDescriptors(cached, where, options.signal);
  const volume = await chooseTree(cached, descriptors, where);
  const { primary } = descriptors;
  const details = inodeDetails(volume);
  return {
    kind: "iso9660",
    where,
    label: volumeLabel(descriptors),
    uuid: primary.uuid,
    blockSizeBytes: primary.blockSizeBytes,
    sizeBytes: primary.sizeBytes,
    // Nobody ever writes to it.
    state: { clean: true, text: "clean" },
    notes:
      primary.sizeBytes > source.size ? [cutOffNote(where, primary.sizeBytes, source.size)] : [],
    async root() {
      const root = await details.read(volume.rootExtent * volume.blockSizeBytes);
      if (root.inode.kind === "directory") return root.inode;
      throw corrupt(within(where, "root directory"), root.inode.kind, "directory");
    },
    inode: async (entry: Entry) => (await details.read(entry.number)).inode,
    lookup: async (directory, name) => lookupName(volume, await details.of(directory), name),
    async *list(directory, signal) {
      yield* listDirectory(volume, await details.of(directory), signal);
    },
    async read(file, offset, length, signal) {
      return readFileData(volume, await details.of(file), { offset, length }, signal);
    },
    async readLink(inode) {
      const { link, where: at } = await details.of(inode);
      if (link !== "") return link;
      throw corrupt(at, `a ${inode.kind} without a target`, "a symlink");
    },
    // All of it: boot images, partitions of hybrid images and later sessions lie where no tree leads to.
    async *usedExtents() {
      yield { offset: 0, length: source.size };
    },
  };
}

/** Decides between the two trees, and whether Rock Ridge is believed. */
async function chooseTree(
  source: ByteSource,
  { primary, joliet }: Descriptors,
  where: Where,
): Promise<IsoVolume> {
  const { blockSizeBytes } = primary;
  const at = within(where, "root directory");
  const rootExtent = primary.root.extent;
  const plain: IsoVolume = {
    source,
    where,
    blockSizeBytes,
    names: "plain",
    systemUseSkip: 0,
    rootExtent,
    directories: directorySpace(source.size, where),
  };
  const self = await readRecord(source, rootExtent * blockSizeBytes, at);
  const skip = parsePresence(self.systemUse, at);
  if (skip !== undefined) {
    const entries = await readSystemUse(plain, self.systemUse.subarray(skip), at);
    const announced = entries.some(({ signature }) => signature === "ER");
    // Without Joliet, Linux looks for Rock Ridge whether it is announced or not.
    const believed = announced ? !joliet || !(await isRootEmpty(plain)) : !joliet;
    if (believed) return { ...plain, names: "rock-ridge", systemUseSkip: skip };
  }
  return joliet ? { ...plain, names: "joliet", rootExtent: joliet.root.extent } : plain;
}

/** There are discs with Rock Ridge and nothing in that tree; Linux then takes the other one. */
async function isRootEmpty({ source, rootExtent, blockSizeBytes }: IsoVolume): Promise<boolean> {
  const offset = rootExtent * blockSizeBytes;
  const bytes = await source.read(offset, Math.min(SECTOR_BYTES, source.size - offset));
  let records = 0;
  for (let at = 0; at < bytes.length && bytes[at] !== 0; at += bytes[at]!) records += 1;
  return records < 3;
}

/** Keeps what readers need beyond `Inode` for as long as the caller keeps the `Inode`. */
function inodeDetails(volume: IsoVolume) {
  const known = new WeakMap<Inode, InodeDetail>();
  async function read(number: number): Promise<InodeDetail> {
    const detail = await readInode(volume, number);
    known.set(detail.inode, detail);
    return detail;
  }
  return { read, of: async (inode: Inode) => known.get(inode) ?? read(inode.number) };
}
