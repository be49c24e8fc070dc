/** Every file below a directory. Symlinks are seen and not followed. */
import { attempt, corrupt, FailureError, overLimit } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import { Budget } from "../../base/budget.ts";
import { within } from "../../base/where.ts";
import type { Entry, FileSystem, Inode } from "./filesystem.ts";
import { resolvePath } from "./resolve.ts";

export type Walked = {
  readonly path: string;
  readonly inode: Inode;
  /** 1 for what lies in the directory that the walk began with. */
  readonly depth: number;
  /** Nothing follows in its directory. */
  readonly last: boolean;
};

/** Where something lies that could not be read. */
export type Place = Pick<Walked, "depth" | "last">;

export type WalkOptions = {
  /** The directory to begin with; `/` when left out. It is not itself part of the result. */
  readonly from?: string;
  /**
   * Names in each directory in the order of their UTF-16 code units; on-disk order when left out, and for directories
   * that are too large to be held in memory (`MAX_SORTED`).
   */
  readonly sorted?: boolean;
  /** Directories deeper than this are a `limit` failure; 256 when left out. */
  readonly maxDepth?: number;
  /** More entries than this in all are a `limit` failure; 5 million when left out. */
  readonly maxEntries?: number;
  /** Whether a directory is entered; it is part of the result in any case. */
  readonly enter?: (directory: Walked) => boolean;
  /** What to do with a directory or inode that cannot be read. When left out, the walk fails with it. */
  readonly onFailure?: (path: string, failure: Failure, place: Place) => void;
  readonly signal?: AbortSignal;
};

/** Entries that are held for sorting, in all directories on the way down together: about 30 MiB. */
export const MAX_SORTED = 100_000;

/** A directory on the way down, listed as far as the walk has come. */
type Frame = {
  readonly path: string;
  /** Of its entries. */
  readonly depth: number;
  readonly entries: AsyncIterator<Entry> | Iterator<Entry>;
  /** One ahead, so that the last is known as such; undefined at the end. */
  next: Entry | undefined;
  /** What ended the listing before its end. */
  failure?: Failure;
  /** Entries of it that are held for sorting. */
  readonly held: number;
};

/**
 * A directory comes before what is in it. A directory that was seen before is a `corrupt` failure: there are no hard
 * links to directories, so the tree has a loop. Directories are listed while they are walked: what is held in memory is
 * the number of every directory, and `MAX_SORTED` entries.
 */
export async function* walk(fs: FileSystem, options: WalkOptions = {}): AsyncGenerator<Walked> {
  const { enter, onFailure, signal } = options;
  const start = await resolvePath(fs, options.from ?? "/");
  const opener = directoryOpener(fs, options);
  const frames: Frame[] = [];

  /** What is above the budget ends the walk in any case: every directory yet to come would be above it, too. */
  const fail = (path: string, failure: Failure, place: Place): void => {
    if (!onFailure || opener.exhausted()) throw new FailureError(failure);
    onFailure(path, failure, place);
  };
  const down = async (path: string, inode: Inode, place: Place): Promise<void> => {
    const opened = await attempt(() => opener.open(path, inode, place.depth + 1));
    if (opened.ok) frames.push(opened.value);
    else fail(path, opened.failure, place);
  };

  try {
    await down(start.path, start.inode, { depth: 0, last: true });
    for (let frame = frames.at(-1); frame; frame = frames.at(-1)) {
      signal?.throwIfAborted();
      const entry = frame.next;
      const { depth } = frame;
      if (!entry) {
        frames.pop();
        opener.close(frame);
        if (frame.failure) fail(frame.path, frame.failure, { depth: depth - 1, last: true });
        continue;
      }
      await opener.advance(frame);
      const place = { depth, last: frame.next === undefined && !frame.failure };
      const path = `${frame.path === "/" ? "" : frame.path}/${entry.name}`;
      const inode = await attempt(() => inodeOf(fs, entry));
      if (!inode.ok) {
        fail(path, inode.failure, place);
        continue;
      }
      const found = { path, inode: inode.value, ...place };
      yield found;
      if (inode.value.kind !== "directory" || enter?.(found) === false) continue;
      await down(path, inode.value, place);
    }
  } finally {
    for (const { entries } of frames) await entries.return?.();
  }
}

/** Opens directories, and keeps what bounds the walk as a whole. */
function directoryOpener(fs: FileSystem, options: WalkOptions) {
  const { sorted = false, maxDepth = 256, maxEntries = 5_000_000, signal } = options;
  const budget = new Budget(maxEntries, fs.where, "the number of files");
  const seen = new Set<number>();
  let held = 0;

  async function* listed(inode: Inode): AsyncGenerator<Entry, undefined> {
    for await (const entry of fs.list(inode, signal)) {
      budget.spend();
      yield entry;
    }
    return undefined;
  }

  /** A failure in the middle of a directory comes after what could be read of it. */
  async function advance(frame: Frame): Promise<void> {
    const next = await attempt(async () => frame.entries.next());
    frame.next = next.ok && !next.value.done ? next.value.value : undefined;
    if (!next.ok) frame.failure = next.failure;
  }

  async function open(path: string, inode: Inode, depth: number): Promise<Frame> {
    const where = within(fs.where, path);
    if (seen.has(inode.number)) {
      throw corrupt(where, `directory ${inode.number} for the second time`, "each directory once");
    }
    if (depth > maxDepth) throw overLimit(where, "the depth of directories", `${maxDepth}`);
    seen.add(inode.number);
    const entries = listed(inode);
    const frame: Frame = sorted
      ? await sortedFrame(path, depth, entries)
      : { path, depth, entries, next: undefined, held: 0 };
    await advance(frame);
    if (frame.failure && !frame.next) throw new FailureError(frame.failure);
    return frame;
  }

  async function sortedFrame(
    path: string,
    depth: number,
    entries: AsyncGenerator<Entry>,
  ): Promise<Frame> {
    const known: Entry[] = [];
    let failure: Failure | undefined;
    while (held + known.length < MAX_SORTED) {
      const next = await attempt(() => entries.next());
      if (next.ok && !next.value.done) {
        known.push(next.value.value);
        continue;
      }
      known.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
      if (!next.ok) failure = next.failure;
      held += known.length;
      const iterator = inOrder(known, failure);
      return { path, depth, entries: iterator, next: undefined, held: known.length };
    }
    held += known.length;
    return { path, depth, entries: chained(known, entries), next: undefined, held: known.length };
  }

  return {
    open,
    advance,
    close: (frame: Frame) => (held -= frame.held),
    exhausted: () => budget.left < 0,
  };
}

/** `known`, then the failure that ended the listing. */
function* inOrder(known: readonly Entry[], failure: Failure | undefined): Generator<Entry> {
  yield* known;
  if (failure) throw new FailureError(failure);
}

async function* chained(
  known: readonly Entry[],
  rest: AsyncGenerator<Entry>,
): AsyncGenerator<Entry> {
  yield* known;
  yield* rest;
}

/** No filesystem driver makes such names; made up, they would make a path that leads elsewhere. */
async function inodeOf(fs: FileSystem, entry: Entry): Promise<Inode> {
  if (/^(\.{0,2})$|[/\0]/.test(entry.name)) {
    throw corrupt(fs.where, `a file named ${JSON.stringify(entry.name)}`, "a name");
  }
  return fs.inode(entry);
}
