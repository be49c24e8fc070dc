/** What the engine needs of a device on either side, beyond reading it. */
import type { ByteSource, Extent } from "../disk/source.ts";

export type SyncSource = ByteSource & {
  /** Whether the range is known to read as zero without reading it: a hole, unused blocks. */
  readsAsZero?(offset: number, length: number): boolean;
  /**
   * Tags made where the bytes are read, in another thread: 40% less work than reading in one thread and hashing in another
   * (measured). Absent: the engine reads and hashes. `key` is the one of tags, 16 bytes.
   */
  openTagger?(key: Uint8Array): SegmentTagger;
  /**
   * Called once, when all was read and is on the destination, before the run is called finished: fails when what
   * `readsAsZero` or `read` have said turns out not to be true any more.
   */
  confirm?(): Promise<void>;
};

export type SegmentTagger = {
  /** One tag of 16 bytes for each of the segments, one after the other. An `io` failure as of `read`. */
  tags(segments: readonly TaggedExtent[]): Promise<Uint8Array>;
  /** Nothing is read any more when it resolves. What was asked for and is not answered fails. */
  close(): Promise<void>;
};

/** A segment, and what of it counts as zero whatever is there: by rising place, inside of the segment. */
export type TaggedExtent = Extent & { readonly zeroes?: readonly Extent[] };

/** What a tagger of it reads is what was written before, as `read` does: it is how everything is read back. */
export type SyncTarget = SyncSource & {
  /** Writes all of `bytes` at `offset`, inside the device. The array is the caller's again when it is done. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Makes the range read as zero. */
  zero(offset: number, length: number): Promise<void>;
  /** Everything that was written is on the disk when it resolves. */
  flush(): Promise<void>;
};

export type AboutRun = {
  /** Of the source; what lies behind it on the target is left alone. */
  readonly sizeBytes: number;
  /** Of the source, as it says: 32 bytes. */
  readonly identity: Uint8Array;
  /** Of all digests of the run. It is secret. */
  readonly key: Uint8Array;
};

/**
 * What is kept of a copy beside it, so that nobody takes an unfinished one for whole, and that the next run need not read
 * what this one has left. See "Changed-block sources, kept index, resume" of the design page.
 */
export type CopyRecord = {
  /**
   * The tag of a segment as it is on the device, if an earlier run with the same key has left it there: then it is not
   * read. Only tags that were `verified` in the last run that wrote may be given, or in one after it: what that run did
   * not verify can be anything.
   */
  knownTag?(segment: number): Uint8Array | undefined;
  /** Unfinished, and without tags of earlier runs, on the disk before the first write. Called once, when there is one. */
  begin(run: AboutRun): Promise<void>;
  /** These segments hold what is wanted and are not written any more in this run. Ascending; on the disk after a flush. */
  verified?(segments: readonly VerifiedSegment[]): void;
  /** After the digests of both sides agreed and the device was flushed. */
  finish(digest: Uint8Array): Promise<void>;
};

export type VerifiedSegment = { readonly segment: number; readonly tag: Uint8Array };
