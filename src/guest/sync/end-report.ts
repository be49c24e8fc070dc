/** What a side says of its own work, before and after the engine runs. Plain data, so that it goes over the wire. */
import type { SyncCounters } from "../../sync/counters.ts";
import type { SegmentRun } from "../../sync/segment-runs.ts";
import type { Fields } from "./message-fields.ts";
import type { Message } from "./session-stream.ts";

/** When it is ready. */
export type EndAbout = {
  /** For people: what is left out and why, what is read all the same and why. Whole sentences. */
  readonly notes: readonly string[];
  /** Of the source, blocks that nothing uses. */
  readonly unusedBytes: number;
  /** Of the destination, what its record knows. */
  readonly knownBytes: number;
  /** Of the source, what has to be looked at. */
  readonly lookBytes: number;
  /** Of the source: a snapshot says what changed, and only that is looked at. */
  readonly partial: boolean;
  /** Of the destination: it is equal to that snapshot, as far as its record and the system say. Else why not, half a sentence. */
  readonly unchanged: boolean;
  readonly distrust?: string;
};

export type EndReport = {
  /** At the destination; 0 at the source. */
  readonly writtenBytes: number;
  readonly zeroedBytes: number;
  /** At the source, known to be zero without reading: holes and unused blocks. */
  readonly knownZeroBytes: number;
  /** Read again from the disk, after the cache was dropped. */
  readonly rereadBytes: number;
  /** Somebody wrote to the source while it was read: what was read is not of one moment. Absent: nobody, or not known. */
  readonly sourceChanged?: true;
  /** Of a comparison, at the source. */
  readonly differing?: Differing;
};

export type Differing = {
  readonly equal: boolean;
  readonly sourceBytes: number;
  readonly destinationBytes: number;
  readonly differingBytes: number;
  /** The first of them. */
  readonly runs: readonly SegmentRun[];
};

/** Said of a comparison. */
const MAX_RUNS = 100;

/** Of a source. */
export function sourceReport({ knownZeroBytes }: Readonly<SyncCounters>): EndReport {
  return { writtenBytes: 0, zeroedBytes: 0, rereadBytes: 0, knownZeroBytes };
}

export function aboutMessage({ notes, ...counts }: EndAbout): Message {
  return { ...counts, notes: notes.slice(0, 200).map((note) => ({ note: note.slice(0, 4000) })) };
}

export function parseAbout(fields: Fields): EndAbout {
  const distrust = fields.optional("distrust", (all) => all.text("distrust"));
  return {
    notes: fields.list("notes", (one) => one.text("note")),
    unusedBytes: fields.count("unusedBytes"),
    knownBytes: fields.count("knownBytes"),
    lookBytes: fields.count("lookBytes"),
    partial: fields.flag("partial"),
    unchanged: fields.flag("unchanged"),
    ...(distrust !== undefined && { distrust }),
  };
}

export function reportMessage({ differing, ...report }: EndReport): Message {
  if (!differing) return report;
  return { ...report, differing: { ...differing, runs: differing.runs.slice(0, MAX_RUNS) } };
}

export function parseReport(fields: Fields): EndReport {
  const differing = fields.optional("differing", (all) => all.object("differing"));
  return {
    writtenBytes: fields.count("writtenBytes"),
    zeroedBytes: fields.count("zeroedBytes"),
    rereadBytes: fields.count("rereadBytes"),
    knownZeroBytes: fields.count("knownZeroBytes"),
    ...(fields.has("sourceChanged") && fields.flag("sourceChanged") && { sourceChanged: true }),
    ...(differing && {
      differing: {
        equal: differing.flag("equal"),
        sourceBytes: differing.count("sourceBytes"),
        destinationBytes: differing.count("destinationBytes"),
        differingBytes: differing.count("differingBytes"),
        runs: differing.list("runs", (run) => ({
          first: run.count("first"),
          count: run.count("count"),
        })),
      },
    }),
  };
}
