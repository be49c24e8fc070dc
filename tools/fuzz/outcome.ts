/** What came out of reading one damaged input: not only whether it ended, but how far it got. */
import { attempt } from "../../src/base/failure.ts";

/** Counts; a text or a packed file is one thing that opened or did not. */
export type Outcome = {
  /** Filesystems, tables, images, texts that were understood. */
  opened: number;
  /** Recognised, and refused with a failure. */
  refused: number;
  /** Files, links, directories and lists of extents of opened filesystems that were read. */
  read: number;
  /** Those that ended in a failure. */
  unreadable: number;
};

export const newOutcome = (): Outcome => ({ opened: 0, refused: 0, read: 0, unreadable: 0 });

export function addOutcome(sum: Outcome, { opened, refused, read, unreadable }: Outcome): void {
  sum.opened += opened;
  sum.refused += refused;
  sum.read += read;
  sum.unreadable += unreadable;
}

/** Runs a piece of the reading and counts how it ended. */
export async function countRead(outcome: Outcome, work: () => Promise<unknown>): Promise<void> {
  const { ok } = await attempt(work);
  if (ok) outcome.read += 1;
  else outcome.unreadable += 1;
}
