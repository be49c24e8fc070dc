/**
 * A source of a copy in which the blocks that no filesystem on it uses read as zero (docs/design/unused-blocks.md). It is refused
 * where somebody may be writing, and it notices at the end when somebody was.
 */
import { corrupt } from "../../base/failure.ts";
import { sizeText } from "../../base/units.ts";
import { within } from "../../base/where.ts";
import { assertRange } from "../../disk/source.ts";
import type { ByteSource } from "../../disk/source.ts";
import type { SegmentTagger, SyncSource } from "../../sync/device.ts";
import { partsInside, partsOutside, sameExtents } from "./unused-extents.ts";
import type { ExtentList } from "./unused-extents.ts";
import { findUnusedSpace } from "./unused-space.ts";
import type { UnusedSpace, UnusedSpaceOptions, VolumeSpace } from "./unused-space.ts";

/** Who else has a disk, as far as it matters here. */
export type SourceUser = {
  /** `mount`, `swap`, `guest`, ... */
  readonly kind: string;
  /** For people: `mounted at /srv`. */
  readonly what: string;
  readonly writes: boolean;
};

export type UnusedViewOptions = UnusedSpaceOptions & {
  /** Who has the source now. Asked for before the map is made and after the copy. */
  readonly findUsers: () => Promise<readonly SourceUser[]>;
};

export type UnusedView =
  | {
      readonly kind: "view";
      /**
       * The source with zeroes in place of unused blocks. Its `confirm` is a `corrupt` failure when the source was changed in a way
       * that matters, so that what was copied cannot be relied on.
       */
      readonly source: SyncSource;
      readonly unused: ExtentList;
      readonly usedBytes: number;
      readonly volumes: readonly VolumeSpace[];
      /** A line for each part of the disk. With text from the disk: not escaped. */
      readonly notes: readonly string[];
    }
  /** All of the source is to be copied. `reason` is a whole sentence, with text from the disk in it. */
  | { readonly kind: "refused"; readonly reason: string; readonly notes: readonly string[] };

/** Reads the maps of all filesystems on `source`, twice. What is wrong with the disk never fails, it is said in the notes. */
export async function openUnusedView(
  source: SyncSource,
  options: UnusedViewOptions,
): Promise<UnusedView> {
  const user = inTheWay(await options.findUsers());
  if (user) return { kind: "refused", reason: `The source is in use: ${user.what}.`, notes: [] };
  const space = await findUnusedSpace(source, options);
  const { unused, volumes } = space;
  const notes = volumes.map(noteText);
  if (unused.bytes === 0) {
    const reason = "Nothing on the source is known to be unused.";
    return { kind: "refused", reason, notes };
  }
  const view = maskedSource(source, unused);
  // Whatever the map was made from must not be part of what it says is unused.
  const again = await findUnusedSpace(view, options);
  if (!sameSpace(space, again)) {
    const reason = "Without its unused blocks the source would not look the same.";
    return { kind: "refused", reason, notes };
  }
  return {
    kind: "view",
    source: { ...view, confirm: () => assertUnchanged(source, space, options) },
    unused,
    usedBytes: source.size - unused.bytes,
    volumes,
    notes,
  };
}

/** A filesystem that is mounted read-only can be mounted for writing at any time. */
function inTheWay(users: readonly SourceUser[]): SourceUser | undefined {
  return users.find(({ kind, writes }) => writes || kind === "mount");
}

function sameSpace(a: UnusedSpace, b: UnusedSpace): boolean {
  return (
    sameExtents(a.unused, b.unused) &&
    a.volumes.length === b.volumes.length &&
    a.volumes.every((volume, i) => volume.unusedBytes === b.volumes[i]!.unusedBytes)
  );
}

async function assertUnchanged(
  source: SyncSource,
  space: UnusedSpace,
  options: UnusedViewOptions,
): Promise<void> {
  const where = within(source.where, "unused blocks");
  const expected = "nobody who uses the source while it is copied";
  await source.confirm?.();
  const user = inTheWay(await options.findUsers());
  if (user) throw corrupt(where, user.what, expected);
  const now = await findUnusedSpace(source, options);
  if (sameSpace(space, now)) return;
  const changed = now.volumes.find(
    ({ unusedBytes }, i) => unusedBytes !== space.volumes[i]?.unusedBytes,
  );
  const found = changed?.reason ?? "another map of what is in use than at the start";
  throw corrupt(changed ? within(where, changed.name) : where, found, expected);
}

function noteText({ name, format, sizeBytes, unusedBytes, reason }: VolumeSpace): string {
  const what = `${name} (${format}, ${sizeText(sizeBytes)})`;
  if (reason !== undefined) return `${what}: all of it is copied: ${reason}`;
  return `${what}: ${sizeText(unusedBytes)} not in use are not copied`;
}

/** `source` with zeroes in the ranges of `unused`. */
export function maskedSource(source: SyncSource, unused: ExtentList): SyncSource {
  const masked: SyncSource = {
    size: source.size,
    where: source.where,
    async read(offset, length, signal, into) {
      assertRange(masked, offset, length);
      const zeroes = partsInside(unused, offset, length);
      if (zeroes.length === 0) return source.read(offset, length, signal, into);
      const out = into ?? new Uint8Array(length);
      const [first, last] = usedBounds(unused, offset, length);
      if (first < last)
        await readInto(source, first, out.subarray(first - offset, last - offset), signal);
      for (const { offset: from, length: count } of zeroes)
        out.fill(0, from - offset, from - offset + count);
      return out;
    },
    readsAsZero: (offset, length) =>
      partsOutside(unused, offset, length).every(
        (part) => source.readsAsZero?.(part.offset, part.length) ?? false,
      ),
  };
  if (!source.openTagger) return masked;
  return { ...masked, openTagger: (key) => maskedTagger(source.openTagger!(key), unused) };
}

/** The thread that reads makes the zeroes: nothing comes here but tags. */
function maskedTagger(tagger: SegmentTagger, unused: ExtentList): SegmentTagger {
  return {
    tags: (segments) =>
      tagger.tags(
        segments.map((segment) => ({
          ...segment,
          zeroes: partsInside(unused, segment.offset, segment.length),
        })),
      ),
    close: () => tagger.close(),
  };
}

/** From the first byte of the range that is used to behind the last one: one read is cheaper than several. */
function usedBounds(unused: ExtentList, offset: number, length: number): [number, number] {
  const used = partsOutside(unused, offset, length);
  const [first, last] = [used[0], used.at(-1)];
  return first && last ? [first.offset, last.offset + last.length] : [0, 0];
}

async function readInto(
  source: ByteSource,
  offset: number,
  into: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  const bytes = await source.read(offset, into.length, signal, into);
  // A source may use the array or not.
  if (bytes !== into) into.set(bytes);
}
