/**
 * What fast commits changed, kept beside the filesystem instead of in its blocks: inodes, which blocks files have, names.
 * Linux puts new names where it finds room; that place is of no use here.
 */
import { latin1 } from "../../../bytes/text.ts";
import type { DirectoryEntry } from "./directory.ts";
import type { Run } from "./extent.ts";

/** File blocks that were mapped anew. Without `physical` they read as zeroes. */
export type ReplayedRange = {
  readonly logical: number;
  /** Not included. */
  readonly end: number;
  readonly physical: number | undefined;
};

/** Something that was done with a name: linked to an inode, or taken away from it. */
export type NameChange =
  | { readonly link: DirectoryEntry }
  /** The number of the inode that it must name for this to have any effect. */
  | { readonly unlink: number };

/** By the number of the inode or directory. */
export type FastCommitOverlay = {
  /** All bytes of inodes. Their checksums are not made anew. */
  readonly inodes: Map<number, Uint8Array>;
  /** While records are replayed in their order; then in rising order, without overlap. */
  readonly ranges: Map<number, ReplayedRange[]>;
  /** By the name's bytes as latin1; in the order in which they were made. */
  readonly names: Map<number, Map<string, NameChange[]>>;
  /** Blocks that files were given, from the first to the second number, the latter not included. */
  readonly blocks: (readonly [number, number])[];
};

export function emptyOverlay(): FastCommitOverlay {
  return { inodes: new Map(), ranges: new Map(), names: new Map(), blocks: [] };
}

/**
 * What is left of ranges when each takes the place of what was there of the earlier ones: in rising order, without
 * overlap. The work is that of sorting them.
 */
export function layRanges(ranges: readonly ReplayedRange[]): ReplayedRange[] {
  const edges = [...new Set(ranges.flatMap(({ logical, end }) => [logical, end]))].sort(
    (a, b) => a - b,
  );
  const indexOf = new Map(edges.map((edge, index) => [edge, index]));
  /** Of each piece between two edges: the first piece from there on that no range has taken. */
  const free = Int32Array.from({ length: edges.length }, (_, index) => index);
  function firstFree(piece: number): number {
    let found = piece;
    while (free[found] !== found) found = free[found]!;
    // Shortens the way for those who come after.
    for (let at = piece; at !== found;) {
      const next = free[at]!;
      free[at] = found;
      at = next;
    }
    return found;
  }
  const taken: (ReplayedRange | undefined)[] = Array.from(edges, () => undefined);
  for (const range of ranges.toReversed()) {
    const last = indexOf.get(range.end)!;
    for (let at = firstFree(indexOf.get(range.logical)!); at < last; at = firstFree(at)) {
      taken[at] = range;
      free[at] = at + 1;
    }
  }
  const laid: ReplayedRange[] = [];
  let open: ReplayedRange | undefined;
  for (const [index, range] of taken.entries()) {
    const before = laid.at(-1);
    if (range && range === open && before)
      laid[laid.length - 1] = { ...before, end: edges[index + 1]! };
    else if (range) laid.push(pieceOf(range, edges[index]!, edges[index + 1]!));
    open = range;
  }
  return laid;
}

function pieceOf(range: ReplayedRange, logical: number, end: number): ReplayedRange {
  const { physical } = range;
  return {
    logical,
    end,
    physical: physical === undefined ? undefined : physical + logical - range.logical,
  };
}

/** The runs of a file with the replayed ranges in their place; both in rising order, and so is what comes out. */
export async function* withRanges(
  stored: AsyncIterable<Run>,
  ranges: readonly ReplayedRange[],
  { from, to }: { from: number; to: number },
): AsyncGenerator<Run> {
  let next = firstEndingAfter(ranges, from);
  let covered = 0;
  for await (const run of stored) {
    const end = run.logical + run.length;
    let at = Math.max(run.logical, covered);
    while (next < ranges.length && ranges[next]!.logical < end) {
      const range = ranges[next++]!;
      if (range.logical > at) yield part(run, at, range.logical);
      yield* clipped(range, from, to);
      covered = range.end;
      at = Math.max(at, covered);
    }
    if (at < end) yield part(run, at, end);
  }
  while (next < ranges.length && ranges[next]!.logical < to) {
    yield* clipped(ranges[next++]!, from, to);
  }
}

function part(run: Run, logical: number, end: number): Run {
  return { logical, physical: run.physical + logical - run.logical, length: end - logical };
}

function clipped(range: ReplayedRange, from: number, to: number): Run[] {
  if (range.physical === undefined) return [];
  const logical = Math.max(range.logical, from);
  const length = Math.min(range.end, to) - logical;
  return length > 0
    ? [{ logical, physical: range.physical + logical - range.logical, length }]
    : [];
}

function firstEndingAfter(ranges: readonly ReplayedRange[], block: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle]!.end > block) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The entries of a directory after what was done with its names. */
export async function* withNames(
  stored: AsyncIterable<DirectoryEntry[]>,
  names: ReadonlyMap<string, readonly NameChange[]>,
): AsyncGenerator<DirectoryEntry[]> {
  const met = new Set<string>();
  for await (const entries of stored) {
    yield entries.flatMap((entry) => {
      const key = latin1(entry.name);
      const changes = names.get(key);
      // A sound directory has a name once; of one that has it twice the first is taken.
      if (!changes || met.has(key)) return [entry];
      met.add(key);
      return afterChanges(entry, changes);
    });
  }
  yield [...names].flatMap(([key, changes]) =>
    met.has(key) ? [] : afterChanges(undefined, changes),
  );
}

/** A link to a name that is there has no effect, as in Linux: it may have reached the disk before. */
function afterChanges(
  stored: DirectoryEntry | undefined,
  changes: readonly NameChange[],
): DirectoryEntry[] {
  let entry = stored;
  for (const change of changes) {
    if ("link" in change) entry ??= change.link;
    else if (entry?.inode === change.unlink) entry = undefined;
  }
  return entry ? [entry] : [];
}
