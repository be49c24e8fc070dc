/** How far one side may be ahead of the other (docs/design/sync-protocol.md, "Flow"). Both sides check all of them. */

/** Segments that the destination has tagged and not verified. */
export const WINDOW_SEGMENTS = 1024;
/** `look` runs that wait at the destination. */
export const MAX_LOOKS_WAITING = 256;
/** A segment that is read back wrong for the fourth time lies on a device that does not keep what is written. */
export const MAX_BAD = 3;
/** The source says how far it has come after so many segments. */
export const SETTLE_EVERY = 64;
/** Segments that are read, tagged, sent and compared together; fewer at the end of a run. */
export const BATCH_SEGMENTS = 8;
/** With those that are known to be zero: they cost nothing but the frame. */
export const MAX_BATCH_SEGMENTS = 128;
