/**
 * The row that a change of state has in the records from before its first step until after its last (docs/design/lifecycle.md).
 */
import { FailureError, refused } from "../../base/failure.ts";
import { printable } from "../../base/printable.ts";
import { claimsOf, contested, contestedFailure } from "../guard/disk-claims.ts";
import type { ProcessMark } from "../../host/local/process-mark.ts";
import type { Operation, Records } from "../../host/records.ts";

export type JournalPorts = {
  readonly records: Records;
  /** This process. */
  readonly self: ProcessMark;
  /** Whether the process of that mark still works. */
  readonly isAlive: (mark: ProcessMark) => boolean;
};

export type OperationData = Readonly<Record<string, unknown>>;

export type OperationStart = {
  /** The command: `save`, `restore`, `start`, ... */
  readonly kind: string;
  readonly guest: string;
  readonly step: string;
  /**
   * All that is needed to end it or take it back. `uuid` is the guest's, where it has one; `disks` are claimed: see
   * guard/disk-claims.ts.
   */
  readonly data: OperationData;
};

/** Writes the step that begins now; `data` is added to what is known already. */
export type EnterStep = (step: string, data?: OperationData) => void;

/** The row is not removed whatever comes, so that the next command looks at what is there; until it is called with false. */
export type KeepRow = (isKept?: boolean) => void;

/**
 * Runs a change of state with its row in the records. The row goes when `work` returns, and when it throws: then it has taken
 * back what it did, unless it called `keep`. Who is killed leaves it. `refused` while another command works on the guest or with
 * one of the disks, or has left something that could not be ended.
 */
export async function withOperation<T>(
  ports: JournalPorts,
  start: OperationStart,
  work: (enter: EnterStep, keep: KeepRow) => Promise<T>,
): Promise<T> {
  const { records } = ports;
  const { id } = begin(ports, start);
  let data = start.data;
  let isKept = false;
  const enter: EnterStep = (step, more) => {
    data = { ...data, ...more };
    records.enterStep(id, step, data);
  };
  try {
    const result = await work(enter, (keep = true) => void (isKept = keep));
    if (!isKept) records.endOperation(id);
    return result;
  } catch (error) {
    if (!isKept && isInOrder(error)) records.endOperation(id);
    throw error;
  }
}

/** After a bug nobody knows what state things are in. */
function isInOrder(error: unknown): boolean {
  return error instanceof FailureError || (error instanceof Error && error.name === "AbortError");
}

function begin(ports: JournalPorts, start: OperationStart): Operation {
  const { records, self } = ports;
  // In one transaction: of two that begin at the same time, one finds the other.
  return records.transaction(() => {
    assertAlone(ports, start);
    assertUnclaimed(ports, start);
    return records.beginOperation({ ...start, ...self });
  });
}

/** `refused` when another operation on the guest is in the records. */
export function assertAlone(
  ports: JournalPorts,
  { guest, data }: Pick<OperationStart, "guest" | "data">,
): void {
  const uuid = data["uuid"];
  const other = openOperations(ports).find(
    (one) => one.guest === guest || (uuid !== undefined && one.data["uuid"] === uuid),
  );
  if (!other) return;
  const name = printable(other.guest);
  if (isAtWork(ports, other))
    throw refused([guest], {
      what: `domus ${other.kind} ${name} is under way, as process ${other.pid}.`,
      why: "Two that change one guest at the same time undo each other's steps.",
      next: "Wait until it has ended, then run the command again.",
    });
  throw refused([guest], {
    what: `An earlier domus ${other.kind} ${name} was cut off at its step "${other.step}", and is not in order yet.`,
    why: "What it left has to be put in order before anything else is done with the guest.",
    next: "Each command that changes something tries that first, and says what is in the way: put that right, then run the command again.",
  });
}

/** What is left of a rehearsal that has ended is in the way of nobody: the guest was never touched. */
function openOperations(ports: JournalPorts): readonly Operation[] {
  return ports.records
    .operations()
    .filter((one) => one.kind !== "rehearse" || isAtWork(ports, one));
}

/** A row of another boot claims nothing: all that had the disk is gone. One that was cut off does until recovery has looked. */
function assertUnclaimed(ports: JournalPorts, { data }: Pick<OperationStart, "data">): void {
  const wanted = claimsOf({ data });
  if (wanted.length === 0) return;
  for (const other of openOperations(ports)) {
    const disk = isSameBoot(ports, other) ? contested(wanted, other) : undefined;
    if (disk) throw contestedFailure(disk, other, isAtWork(ports, other));
  }
}

/** What this process has claimed itself, it could not end. */
function isAtWork({ self, isAlive }: JournalPorts, other: Operation): boolean {
  const isOwn = other.pid === self.pid && other.pidStarted === self.pidStarted;
  return !isOwn && isAlive(other);
}

/**
 * Makes this process the one that ends an operation whose own is gone. Undefined when somebody else was faster, or it works
 * after all.
 */
export function claimOperation(
  { records, self, isAlive }: JournalPorts,
  operation: Operation,
): Operation | undefined {
  return records.transaction(() => {
    const now = records.operations().find(({ id }) => id === operation.id);
    if (!now || isAlive(now)) return undefined;
    records.endOperation(now.id);
    const { kind, guest, step } = now;
    // Of the process that began it: under another, no domain is what it was.
    const data = { bootId: now.bootId, ...now.data };
    return records.beginOperation({ kind, guest, step, data, ...self });
  });
}

/** Whether the host has not been started again since a claimed operation began. */
export function isSameBoot({ self }: JournalPorts, { bootId, data }: Operation): boolean {
  return (data["bootId"] ?? bootId) === self.bootId;
}
