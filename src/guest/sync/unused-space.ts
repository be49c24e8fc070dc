/**
 * Which bytes of a disk no filesystem on it uses. The rules, and the reason for each, are in docs/design/unused-blocks.md: what
 * is not proven to be unused counts as used.
 */
import { attempt, failureText } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import type { Content, Partition, PartitionTable, Volume } from "../../disk/content.ts";
import { detectContent } from "../../disk/detect.ts";
import type { FileSystem } from "../../disk/fs/filesystem.ts";
import { probers } from "../../disk/probers.ts";
import type { ByteSource } from "../../disk/source.ts";
import { isContainer } from "../../disk/table/partition-types.ts";
import { readVolumes } from "../../disk/tree.ts";
import { ExtentListBuilder } from "./unused-extents.ts";
import type { ExtentList, ExtentListOptions } from "./unused-extents.ts";
import { holdsFiles } from "./unused-partition-types.ts";

export type UnusedSpaceOptions = {
  /**
   * Whether a system that has used this disk may go on where it was: it is saved, paused, migrating or hibernated, or nobody
   * knows. Then a block that is free on the disk may be in use by what it has in memory.
   */
  readonly mayResume: boolean;
  /** The logical sector size, where it is known. */
  readonly sectorSizeBytes?: number;
  readonly limits?: ExtentListOptions;
  readonly signal?: AbortSignal;
};

/** What was found out about one part of the disk. */
export type VolumeSpace = {
  /** `whole disk`, `partition 2` */
  readonly name: string;
  /** `ext4`, `swap`, `LUKS2`, `unknown` */
  readonly format: string;
  readonly sizeBytes: number;
  readonly unusedBytes: number;
  /** Why all of it counts as used. Half a sentence, with text from the disk in it. */
  readonly reason?: string;
};

export type UnusedSpace = {
  readonly unused: ExtentList;
  readonly volumes: readonly VolumeSpace[];
};

/** Never fails for what the disk holds, nor for what cannot be read of it: that is a `reason`. */
export async function findUnusedSpace(
  source: ByteSource,
  options: UnusedSpaceOptions,
): Promise<UnusedSpace> {
  const { sectorSizeBytes, signal } = options;
  const disk = await readVolumes(source, {
    ...(sectorSizeBytes !== undefined && { sectorSizeBytes }),
    ...(signal && { signal }),
  });
  const doubt = await doubtAboutDisk(disk);
  if (doubt !== undefined) {
    return { unused: new ExtentListBuilder().list(), volumes: [allUsed(disk, doubt)] };
  }
  const parts =
    disk.content.kind === "table"
      ? disk.children.toSorted((a, b) => offsetOf(a) - offsetOf(b))
      : [disk];
  const mayResume = options.mayResume || parts.some(({ content }) => isHibernated(content));
  const unused = new ExtentListBuilder(options.limits);
  const volumes: VolumeSpace[] = [];
  for (const part of parts) {
    // A list of its own: nothing of a filesystem counts when its map turns out wrong at the end.
    const own = new ExtentListBuilder(options.limits);
    const reason =
      (await doubtAboutVolume(part, mayResume)) ?? (await addUnused(part, own, signal));
    if (reason !== undefined) {
      volumes.push(allUsed(part, reason));
      continue;
    }
    const list = own.list();
    unused.addList(list);
    volumes.push({ ...describe(part), unusedBytes: list.bytes });
  }
  return { unused: unused.list(), volumes };
}

function offsetOf({ partition }: Volume): number {
  return partition?.offset ?? 0;
}

function isHibernated(content: Content): boolean {
  return content.kind === "named" && content.format.startsWith("swap");
}

/** Why not even the places of partitions can be relied on. */
async function doubtAboutDisk(disk: Volume): Promise<string | undefined> {
  const { content } = disk;
  if (content.kind !== "table") {
    return disk.children.length > 0 ? "it has partitions inside of a filesystem" : undefined;
  }
  const { table } = content;
  const [finding] = table.findings;
  if (finding) return finding.what;
  if (table.partitions.some(({ typeName }) => typeName.includes("verity")))
    return "one of its partitions has the hashes of another (dm-verity), of all its blocks";
  if (primaryInExtended(table)) return "a partition lies where another says that its own are";
  const other = await otherFormat(disk.source, table.type.toUpperCase());
  return other === undefined ? undefined : `it looks like ${other}, too`;
}

/** The records of logical partitions may be anywhere in an extended one, so nothing else may be there. */
function primaryInExtended({ partitions }: PartitionTable): boolean {
  const overlap = (a: Partition, b: Partition) =>
    a.offset < b.offset + b.size && b.offset < a.offset + a.size;
  const extended = partitions.filter(isContainer);
  return partitions.some(
    (one) =>
      !one.logical && !isContainer(one) && extended.some((container) => overlap(one, container)),
  );
}

/** The prober of a filesystem that is looked into, by the kernel's name of the driver. */
const PROBERS: Readonly<Record<string, string>> = {
  ext2: "ext4",
  ext3: "ext4",
  ext4: "ext4",
  xfs: "XFS",
  btrfs: "btrfs",
  vfat: "FAT",
};

/** Why all of a volume counts as used, before its map is read. */
async function doubtAboutVolume(volume: Volume, mayResume: boolean): Promise<string | undefined> {
  const { content, partition, source } = volume;
  if (partition && !holdsFiles(partition))
    return `the partition's type is ${partition.typeName}, which says that something else is in it`;
  if (content.kind === "swap") {
    if (mayResume) return "a system that goes on where it was needs what it has swapped out";
    if (content.sizeBytes > source.size) return "it is larger than its place";
    const other = await otherFormat(source, "swap");
    return other === undefined ? undefined : `it looks like ${other}, too`;
  }
  if (content.kind !== "filesystem") return whyNotRead(volume);
  const { fs } = content;
  const prober = PROBERS[fs.kind];
  if (prober === undefined) return `unused blocks of ${fs.kind} are not told apart`;
  // Only these say on the disk that they are mounted, before they use a block.
  if (mayResume && prober !== "ext4")
    return `a system that goes on where it was may use blocks that ${fs.kind} does not yet say are used`;
  const doubt = doubtAboutFileSystem(fs, source);
  if (doubt !== undefined) return doubt;
  const other = await otherFormat(source, prober);
  return other === undefined ? undefined : `it looks like ${other}, too`;
}

function whyNotRead({ content, tried }: Volume): string {
  if (content.kind === "named") return `it is ${content.format}`;
  if (content.kind === "member") return `it is part of something larger (${content.member.system})`;
  if (content.kind === "table") return "it has partitions of its own";
  const [first] = tried;
  return first
    ? `${first.name}: ${reasonText(first.failure)}`
    : "nothing that domus knows is on it";
}

/** What is said while it is opened, and again after its map was read. */
function doubtAboutFileSystem(fs: FileSystem, source: ByteSource): string | undefined {
  if (!fs.state.clean) return fs.state.text;
  // That a filesystem begins in another subvolume says nothing about its blocks.
  const note = fs.notes.find(({ code }) => code !== "btrfs-default-subvolume");
  if (note) return note.what;
  return fs.sizeBytes > source.size ? "the filesystem is larger than its place" : undefined;
}

/** The name of another format whose mark is there, whether it can be read or not. */
async function otherFormat(source: ByteSource, own: string): Promise<string | undefined> {
  for (const prober of probers) {
    // Boot sectors of filesystems have the shape of an MBR in which nothing is.
    if (prober.name === own || prober.name === "MBR without partitions") continue;
    const { content, tried } = await detectContent(source, {}, [prober]);
    const seen = content.kind !== "unknown" && content.kind !== "empty";
    if (seen || tried.length > 0) return prober.name;
  }
  return undefined;
}

/** Adds what the volume does not use. The reason why that cannot be told comes after something was added. */
async function addUnused(
  volume: Volume,
  into: ExtentListBuilder,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const { content, source } = volume;
  const base = offsetOf(volume);
  if (content.kind === "swap") {
    if (content.sizeBytes > SWAP_HEAD) into.add(base + SWAP_HEAD, content.sizeBytes - SWAP_HEAD);
    return undefined;
  }
  if (content.kind !== "filesystem") return whyNotRead(volume);
  const { fs } = content;
  const added = await attempt(() => addFree(fs, base, into, signal));
  if (!added.ok) return reasonText(added.failure);
  return added.value ?? doubtAboutFileSystem(fs, source);
}

/** The header and the list of bad pages are in the first page; no page is larger. */
const SWAP_HEAD = 65_536;

async function addFree(
  fs: FileSystem,
  base: number,
  into: ExtentListBuilder,
  signal?: AbortSignal,
): Promise<string | undefined> {
  let at = 0;
  for await (const { offset, length } of fs.usedExtents(signal)) {
    if (offset < at || length <= 0 || offset + length > fs.sizeBytes)
      return "the list of what it uses contradicts itself";
    into.add(base + at, offset - at);
    at = offset + length;
  }
  into.add(base + at, fs.sizeBytes - at);
  return undefined;
}

function allUsed(volume: Volume, reason: string): VolumeSpace {
  return { ...describe(volume), unusedBytes: 0, reason };
}

function describe({ name, content, source }: Volume) {
  return { name, format: formatOf(content), sizeBytes: source.size };
}

function formatOf(content: Content): string {
  switch (content.kind) {
    case "filesystem":
      return content.fs.kind;
    case "named":
      return content.format;
    case "member":
      return content.member.system;
    case "table":
      return content.table.type.toUpperCase();
    case "swap":
    case "empty":
    case "unknown":
      return content.kind;
  }
}

/** Without the way to the volume, which the reader knows. */
function reasonText(failure: Failure): string {
  return failureText({ ...failure, where: failure.where.slice(-1) });
}
