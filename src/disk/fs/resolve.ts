/**
 * Paths on a filesystem, walked as in a chroot on it: absolute symlinks begin at its root, and `..` never leaves it.
 * What is mounted where is not known here: `/boot` is a directory of this filesystem even where the guest mounts
 * another one over it.
 */
import { attempt, corrupt, FailureError, missing, overLimit } from "../../base/failure.ts";
import { within } from "../../base/where.ts";
import { encodeText } from "../../bytes/text.ts";
import type { Entry, FileKind, FileSystem, Inode } from "./filesystem.ts";

/** Linux's MAXSYMLINKS. */
const MAX_SYMLINKS = 40;
/** Linux's limits, in bytes. */
const PATH_MAX = 4096;
const NAME_MAX = 255;

export type Resolved = {
  readonly inode: Inode;
  /** Absolute, without symlinks, `.` and `..`. */
  readonly path: string;
  /** The directory entry that led to the inode; the root has one with an empty name. */
  readonly entry: Entry;
};

export type ResolveOptions = {
  /** Where a relative path begins, itself an absolute path; `/` when left out. */
  readonly from?: string;
  /** Whether a symlink at the very end is followed, too; true when left out. */
  readonly followLast?: boolean;
};

/** One directory on the way down. The way back up is kept here, so that `..` on disk is never believed. */
type Step = { readonly inode: Inode; readonly entry: Entry };

type Walk = {
  readonly fs: FileSystem;
  readonly asked: string;
  /** From the root to where the walk is; never empty. */
  readonly steps: Step[];
  /** Names yet to be walked, the next one last. */
  readonly pending: string[];
  links: number;
  /** The link that was followed last, for the message when its target is missing. */
  via: string;
};

/**
 * What `path` leads to. `missing` names the first part that is not there, or is not a directory; `limit` for more than
 * 40 symlinks and for names and paths longer than Linux takes.
 */
export async function resolvePath(
  fs: FileSystem,
  path: string,
  options: ResolveOptions = {},
): Promise<Resolved> {
  const { from = "/", followLast = true } = options;
  const root = await fs.root();
  const walk: Walk = {
    fs,
    asked: path,
    steps: [{ inode: root, entry: { name: "", number: root.number, kind: "directory" } }],
    pending: [],
    links: 0,
    via: "",
  };
  push(walk, path);
  if (!path.startsWith("/")) push(walk, from);
  // Ends: each turn takes a name away, and at most 42 paths of at most 2048 names are ever added.
  for (let name = walk.pending.pop(); name !== undefined; name = walk.pending.pop()) {
    if (name === "..") {
      expectDirectory(walk);
      if (walk.steps.length > 1) walk.steps.pop();
    } else if (name === ".") {
      expectDirectory(walk);
    } else {
      await descend(walk, name, followLast);
    }
  }
  const last = walk.steps.at(-1)!;
  return { inode: last.inode, entry: last.entry, path: pathOf(walk.steps) };
}

/** As `resolvePath`, but `undefined` when something on the way is missing. Other failures stay failures. */
export async function findPath(
  fs: FileSystem,
  path: string,
  options: ResolveOptions = {},
): Promise<Resolved | undefined> {
  const found = await attempt(() => resolvePath(fs, path, options));
  if (found.ok) return found.value;
  if (found.failure.kind === "missing") return undefined;
  throw new FailureError(found.failure);
}

/**
 * A whole file, symlinks followed. `missing` when there is none or it is something else than a file, `limit` when it
 * has more than `limitBytes`, which is then not read at all.
 */
export async function readFile(
  fs: FileSystem,
  path: string,
  limitBytes: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const inode = await findFile(fs, path, limitBytes);
  return fs.read(inode, 0, inode.size, signal);
}

/** The inode of a file that may have `limitBytes` at most; fails as `readFile` does. */
export async function findFile(fs: FileSystem, path: string, limitBytes: number): Promise<Inode> {
  const { inode, path: real } = await resolvePath(fs, path);
  const where = within(fs.where, path);
  if (inode.kind !== "file") throw missing(where, `file ${real} (it is a ${kindText(inode.kind)})`);
  if (inode.size > limitBytes)
    throw overLimit(where, `its size of ${inode.size} bytes`, `${limitBytes}`);
  return inode;
}

async function descend(walk: Walk, name: string, followLast: boolean): Promise<void> {
  const { fs, steps } = walk;
  expectDirectory(walk);
  const where = within(fs.where, walk.asked);
  if (name.length > NAME_MAX || encodeText(name).length > NAME_MAX) {
    throw overLimit(where, "the length of a name", `${NAME_MAX} bytes`);
  }
  const entry = await fs.lookup(steps.at(-1)!.inode, name);
  if (!entry) throw missing(where, pathOf([...steps, { entry: { name } }]) + viaText(walk));
  const inode = await fs.inode(entry);
  const isLast = walk.pending.length === 0;
  if (inode.kind !== "symlink" || (isLast && !followLast)) {
    steps.push({ inode, entry });
    return;
  }
  walk.links += 1;
  if (walk.links > MAX_SYMLINKS)
    throw overLimit(where, "the number of symlinks", `${MAX_SYMLINKS}`);
  const link = pathOf([...steps, { entry }]);
  if (inode.size > PATH_MAX)
    throw overLimit(where, `the target of the link ${link}`, `${PATH_MAX} bytes`);
  const target = await fs.readLink(inode);
  if (target === "") throw corrupt(where, `the link ${link} without a target`, "a path");
  walk.via = link;
  push(walk, target);
  if (target.startsWith("/")) steps.length = 1;
}

/** Puts the names of `path` before those that are pending. A trailing slash asks for a directory, as `.` does. */
function push(walk: Walk, path: string): void {
  const where = within(walk.fs.where, walk.asked);
  if (path.length >= PATH_MAX || encodeText(path).length >= PATH_MAX) {
    throw overLimit(where, "the length of a path", `${PATH_MAX - 1} bytes`);
  }
  if (path.includes("\0")) throw missing(where, "path with a NUL byte");
  const names = path.split("/").filter((name) => name !== "");
  if (path.endsWith("/")) names.push(".");
  walk.pending.push(...names.reverse());
}

function expectDirectory(walk: Walk): void {
  const { inode } = walk.steps.at(-1)!;
  if (inode.kind === "directory") return;
  const what = `directory ${pathOf(walk.steps)} (it is a ${kindText(inode.kind)})${viaText(walk)}`;
  throw missing(within(walk.fs.where, walk.asked), what);
}

function viaText({ via }: Walk): string {
  return via && `, where the symlink ${via} leads`;
}

function pathOf(steps: readonly { readonly entry: { readonly name: string } }[]): string {
  return `/${steps
    .slice(1)
    .map(({ entry }) => entry.name)
    .join("/")}`;
}

function kindText(kind: FileKind): string {
  return kind.replace("-", " ");
}
