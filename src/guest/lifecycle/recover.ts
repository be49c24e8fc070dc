/**
 * Puts in order what commands have left that were cut off, and what happened behind domus's back. At the beginning of every
 * command that changes state (docs/design/lifecycle.md, "Recovery").
 */
import { attempt, failureText, unsupported } from "../../base/failure.ts";
import type { Operation } from "../../host/records.ts";
import { recoverPersist } from "../persist/run-persist.ts";
import { claimOperation, isSameBoot } from "./journal.ts";
import { lookAtImages } from "./look-at-images.ts";
import type { LifecyclePorts } from "./ports.ts";
import { recoverRestore } from "./recover-restore.ts";
import { recoverSave } from "./recover-save.ts";
import { recoverStart } from "./recover-start.ts";
import { recoverDevice } from "./run-attach.ts";

export type Recovered = {
  readonly guest: string;
  /** What was found and done: a sentence or more, not escaped. */
  readonly what: string;
  /** False: it could not be ended, and nothing is done with the guest until it can. */
  readonly ended: boolean;
};

/** Ends an operation that was cut off; returns what it did. Throws when it cannot be ended yet. */
export type Recover = (
  ports: LifecyclePorts,
  operation: Operation,
  facts: {
    /** False: the host was started again since, and all its domains are gone. */
    readonly sameBoot: boolean;
  },
) => Promise<string>;

/** Kinds that have nothing to end: what they did is done, the rest was not begun. */
const NOTHING_LEFT: Recover = () =>
  Promise.resolve("What it had done stays; domus show says how the guest is now.");

const RECOVERIES: Readonly<Record<string, Recover>> = {
  save: recoverSave,
  restore: recoverRestore,
  start: recoverStart,
  stop: NOTHING_LEFT,
  reboot: NOTHING_LEFT,
  pause: NOTHING_LEFT,
  resume: NOTHING_LEFT,
  attach: recoverDevice,
  detach: recoverDevice,
  persist: recoverPersist,
};

/** `more` are of other kinds of operations. Fails only when the records cannot be used. */
export async function recoverOperations(
  ports: LifecyclePorts,
  more: Readonly<Record<string, Recover>> = {},
): Promise<readonly Recovered[]> {
  const found: Recovered[] = [];
  for (const operation of ports.records.operations()) {
    const claimed = ports.isAlive(operation) ? undefined : claimOperation(ports, operation);
    if (claimed) found.push(await recoverOne(ports, claimed, { ...RECOVERIES, ...more }));
  }
  return [...found, ...(await lookAtImages(ports))];
}

/** Whether there is something for `recoverOperations`; changes nothing. */
export function cutOffOperations({
  records,
  isAlive,
}: Pick<LifecyclePorts, "records" | "isAlive">): readonly Operation[] {
  return records.operations().filter((operation) => !isAlive(operation));
}

async function recoverOne(
  ports: LifecyclePorts,
  operation: Operation,
  recoveries: Readonly<Record<string, Recover>>,
): Promise<Recovered> {
  const { guest, kind, step } = operation;
  const head = `domus ${kind} ${guest} was cut off at its step "${step}".`;
  const recover = Object.hasOwn(recoveries, kind) ? recoveries[kind] : undefined;
  const facts = { sameBoot: isSameBoot(ports, operation) };
  const done = await attempt(() => {
    if (recover) return recover(ports, operation, facts);
    throw unsupported(["the records"], `an operation of the kind ${kind}, of a newer domus`);
  });
  if (!done.ok)
    return {
      guest,
      what: `${head} It could not be put in order: ${failureText(done.failure)}`,
      ended: false,
    };
  ports.records.endOperation(operation.id);
  return { guest, what: `${head} ${done.value}`, ended: true };
}
