/** Every file below a directory. Symlinks are seen and not followed. */
import { attempt, corrupt, FailureError, overLimit } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import { Budget } from "../../base/budget.ts";
import { within } from "../../base/where.ts";
import type { Entry, FileSystem, Inode } from "./filesystem.ts";
import { resolvePath } from "./resolve.ts";

export type Walked = { readonly path: string; readonly inode: Inode };

export type WalkOptions = {
  /** The directory to begin with; `/` when left out. It is not itself part of the result. */
  readonly from?: string;
  /** Names in each directory in the order of their UTF-16 code units; on-disk order when left out. */
  readonly sorted?: boolean;
  /** Directories deeper than this are a `limit` failure; 256 when left out. */
  readonly maxDepth?: number;
  /** More entries than this in all are a `limit` failure; 5 million when left out. */
  readonly maxEntries?: number;
  /** Whether a directory is entered; it is part of the result in any case. */
  readonly enter?: (directory: Walked) => boolean;
  /** What to do with a directory or inode that cannot be read. When left out, the walk fails with it. */
  readonly onFailure?: (path: string, failure: Failure) => void;
  readonly signal?: AbortSignal;
};

type Pending = { readonly path: string; readonly entry: Entry; readonly depth: number };

/**
 * A directory comes before what is in it. A directory that was seen before is a `corrupt` failure: there are no hard
 * links to directories, so the tree has a loop.
 */
export async function* walk(fs: FileSystem, options: WalkOptions = {}): AsyncGenerator<Walked> {
  const { from = "/", maxDepth = 256, maxEntries = 5_000_000, enter, onFailure, signal } = options;
  const budget = new Budget(maxEntries, fs.where, "the number of files");
  const seen = new Set<number>();
  const start = await resolvePath(fs, from);
  const pending: Pending[] = [];

  /** Lists a directory onto the stack. Each is held whole; the budget bounds all of them together. */
  const open = async (path: string, inode: Inode, depth: number): Promise<void> => {
    const where = within(fs.where, path);
    if (seen.has(inode.number)) {
      throw corrupt(where, `directory ${inode.number} for the second time`, "each directory once");
    }
    if (depth > maxDepth) throw overLimit(where, "the depth of directories", `${maxDepth}`);
    seen.add(inode.number);
    const entries: Entry[] = [];
    for await (const entry of fs.list(inode, signal)) {
      budget.spend();
      entries.push(entry);
    }
    if (options.sorted) entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    const prefix = path === "/" ? "/" : `${path}/`;
    for (const entry of entries.reverse())
      pending.push({ path: prefix + entry.name, entry, depth });
  };

  /** What is above the budget ends the walk in any case: every directory yet to come would be above it, too. */
  const tolerate = async <T>(path: string, work: () => Promise<T>): Promise<T | undefined> => {
    const result = await attempt(work);
    if (result.ok) return result.value;
    if (!onFailure || budget.left < 0) throw new FailureError(result.failure);
    onFailure(path, result.failure);
    return undefined;
  };

  await tolerate(start.path, () => open(start.path, start.inode, 1));
  for (let next = pending.pop(); next; next = pending.pop()) {
    signal?.throwIfAborted();
    const { path, entry, depth } = next;
    const inode = await tolerate(path, () => inodeOf(fs, entry));
    if (!inode) continue;
    const found = { path, inode };
    yield found;
    if (inode.kind !== "directory" || enter?.(found) === false) continue;
    await tolerate(path, () => open(path, inode, depth + 1));
  }
}

/** No filesystem driver makes such names; made up, they would make a path that leads elsewhere. */
async function inodeOf(fs: FileSystem, entry: Entry): Promise<Inode> {
  if (/^(\.{0,2})$|[/\0]/.test(entry.name)) {
    throw corrupt(fs.where, `a file named ${JSON.stringify(entry.name)}`, "a name");
  }
  return fs.inode(entry);
}
