/**
 * What takes the space in a directory of a guest's filesystem, as `du` counts it: allocated blocks, hard links once. A
 * file that shares its blocks with others (reflinks, snapshots) counts whole, as there.
 */
import type { Failure } from "../../base/failure.ts";
import type { FileSystem, Inode } from "../../disk/fs/filesystem.ts";
import type { Resolved } from "../../disk/fs/resolve.ts";
import { walk } from "../../disk/fs/walk.ts";
import { topList } from "./top-list.ts";
import type { TopList } from "./top-list.ts";

/** A directory with all that is in it, or a file. */
export type Used = {
  readonly path: string;
  /** What it takes on the device. */
  readonly allocatedBytes: number;
  /** The sizes of files, holes included. */
  readonly sizeBytes: number;
};

export type UsedDirectory = Used & { readonly files: number };

export type DirectoryUsage = UsedDirectory & {
  readonly directoryCount: number;
  /** Further names of files that were counted before. */
  readonly linkCount: number;
  /** False where the filesystem does not say what a file takes: then holes count as data. */
  readonly exact: boolean;
  /** Directories down to `depth`, those that take most first. */
  readonly directories: readonly UsedDirectory[];
  readonly largest: readonly Used[];
  /** What could not be read and is not counted; the first of them. */
  readonly failures: readonly { readonly path: string; readonly failure: Failure }[];
  readonly failureCount: number;
};

export type MeasureOptions = {
  /** How far below the directory others are named; 1 for those in it. */
  readonly depth: number;
  /** How many directories and files are named. */
  readonly top: number;
  readonly signal?: AbortSignal;
  /** Called now and then with the number of files so far. */
  readonly onProgress?: (count: number) => void;
};

const MAX_FAILURES = 20;
/** Files with several names of which not all were met; beyond it they count for every name. About 100 MiB. */
const MAX_LINKED = 2_000_000;
const PROGRESS_EVERY = 10_000;

/** A directory on the way down, and what was counted in it so far. */
type Open = {
  readonly path: string;
  readonly depth: number;
  allocatedBytes: number;
  sizeBytes: number;
  files: number;
};

/** Reads every inode below `start`, a directory. What is held does not grow with the files, but for hard links. */
export async function measureDirectory(
  fs: FileSystem,
  start: Resolved,
  options: MeasureOptions,
): Promise<DirectoryUsage> {
  const { signal, top } = options;
  const failures: { path: string; failure: Failure }[] = [];
  const largest = topList<Used>(top, byAllocation);
  const directories = topList<UsedDirectory>(top, byAllocation);
  const isAgain = hardLinks();
  const root: Open = { path: start.path, depth: 0, ...spaceOf(fs, start.inode), files: 0 };
  const open = [root];
  const counted = { directoryCount: 0, linkCount: 0, failureCount: 0, all: 0 };
  let exact = start.inode.allocatedBytes !== undefined;

  const onFailure = (path: string, failure: Failure) => {
    counted.failureCount += 1;
    if (failures.length < MAX_FAILURES) failures.push({ path, failure });
  };
  const found = walk(fs, { from: start.path, onFailure, ...(signal && { signal }) });
  for await (const { path, inode, depth } of found) {
    if (++counted.all % PROGRESS_EVERY === 0) options.onProgress?.(counted.all);
    while (open.length > depth) closeInnermost(open, directories, options.depth);
    if (isAgain(inode)) {
      counted.linkCount += 1;
      continue;
    }
    exact &&= inode.allocatedBytes !== undefined;
    const space = spaceOf(fs, inode);
    if (inode.kind === "directory") {
      counted.directoryCount += 1;
      open.push({ path, depth, ...space, files: 0 });
      continue;
    }
    const into = open.at(-1)!;
    add(into, space);
    into.files += 1;
    if (inode.kind === "file") largest.offer({ path, ...space });
  }
  while (open.length > 1) closeInnermost(open, directories, options.depth);
  const { path, allocatedBytes, sizeBytes, files } = root;
  const { directoryCount, linkCount, failureCount } = counted;
  return {
    ...{ path, allocatedBytes, sizeBytes, files, directoryCount, linkCount, exact },
    directories: directories.items(),
    largest: largest.items(),
    ...{ failures, failureCount },
  };
}

const byAllocation = (a: Used, b: Used): number => b.allocatedBytes - a.allocatedBytes;

/** Adds a directory that the walk has left to the one that it lies in. */
function closeInnermost(open: Open[], named: TopList<UsedDirectory>, depth: number): void {
  const { path, depth: at, ...total } = open.pop()!;
  const parent = open.at(-1)!;
  add(parent, total);
  parent.files += total.files;
  if (at <= depth) named.offer({ path, ...total });
}

type Space = { readonly allocatedBytes: number; readonly sizeBytes: number };

function add(to: Open, { allocatedBytes, sizeBytes }: Space): void {
  to.allocatedBytes += allocatedBytes;
  to.sizeBytes += sizeBytes;
}

/** Where the filesystem does not say, a file takes its size in blocks. Directories have no size that means the same everywhere. */
function spaceOf({ blockSizeBytes }: FileSystem, { kind, size, allocatedBytes }: Inode): Space {
  const rounded = Math.ceil(size / blockSizeBytes) * blockSizeBytes;
  return {
    allocatedBytes: allocatedBytes ?? (kind === "file" || kind === "directory" ? rounded : 0),
    sizeBytes: kind === "file" || kind === "symlink" ? size : 0,
  };
}

/** Whether this is a further name of a file that was met before. A file is forgotten when all its names were met. */
function hardLinks(): (inode: Inode) => boolean {
  const namesLeft = new Map<number, number>();
  return ({ kind, links, number }) => {
    if (kind === "directory" || links < 2) return false;
    const left = namesLeft.get(number);
    if (left === undefined) {
      if (namesLeft.size < MAX_LINKED) namesLeft.set(number, links - 1);
      return false;
    }
    if (left > 1) namesLeft.set(number, left - 1);
    else namesLeft.delete(number);
    return true;
  };
}
