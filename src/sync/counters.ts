/** How far a run has come, as plain numbers that whoever draws a progress bar looks at when it likes. */

/**
 * Of one side, in bytes. They only grow. Of the segments that are looked at, `verifiedBytes` of `lookBytes` are done;
 * `equalBytes + zeroedBytes + patchedBytes` says what came of them.
 */
export type SyncCounters = {
  /** The size of the source; 0 until both sides know it. */
  deviceBytes: number;
  /** What is compared. The destination learns it bit by bit. */
  lookBytes: number;
  /** What this side has tagged: read and hashed, or known without reading. */
  taggedBytes: number;
  /** Of `taggedBytes`, not read: known to be zero (a hole, unused blocks, a discarded range). */
  knownZeroBytes: number;
  /** Of `taggedBytes`, not read: the record of the copy has the tags. Only at the destination. */
  knownTagBytes: number;
  /** Segments that were the same on both sides. */
  equalBytes: number;
  /** Segments of the destination that were made zero as a whole. */
  zeroedBytes: number;
  /** Segments that were changed in part or as a whole, zeroes among them. */
  patchedBytes: number;
  /** Blocks of those segments that were sent, as they are before packing. */
  blockBytes: number;
  /** Everything below has been read back and is what was wanted. */
  verifiedBytes: number;
  /** On the wire, in frames, from this side. */
  sentBytes: number;
  /** On the wire, to this side. */
  receivedBytes: number;
};

export function newCounters(): SyncCounters {
  return {
    deviceBytes: 0,
    lookBytes: 0,
    taggedBytes: 0,
    knownZeroBytes: 0,
    knownTagBytes: 0,
    equalBytes: 0,
    zeroedBytes: 0,
    patchedBytes: 0,
    blockBytes: 0,
    verifiedBytes: 0,
    sentBytes: 0,
    receivedBytes: 0,
  };
}
