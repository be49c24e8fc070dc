/** Opens one end of a copy as it was planned, for the engine to work on. The same on both sides. */
import { refused } from "../../base/failure.ts";
import type { Channel } from "../../sync/channel.ts";
import type { SyncCounters } from "../../sync/counters.ts";
import type { EndAbout, EndReport } from "./end-report.ts";
import type { SyncPorts } from "./ports.ts";
import { openDestinationEnd } from "./run-destination.ts";
import type { RunOrder } from "./run-order.ts";
import { openSourceEnd } from "./run-source.ts";
import { surveyEnd } from "./survey.ts";

export type OpenedEnd = AsyncDisposable & {
  readonly about: EndAbout;
  /** Once. Nothing of it runs any more when it has ended. */
  run(work: EndWork): Promise<EndReport>;
};

export type EndWork = {
  /** Closed when the run has ended. */
  readonly channel: Channel;
  /** Name and version. */
  readonly program: string;
  readonly counters: SyncCounters;
  /** What a snapshot says of changes does not count: the destination is not equal to it. */
  readonly lookAtAll: boolean;
};

/** Fails with `refused` when it is not what the plan saw. */
export async function openEnd(ports: SyncPorts, order: RunOrder): Promise<OpenedEnd> {
  if (order.nice) await ports.yieldToOthers();
  await assertSeen(ports, order);
  return order.role === "source" || order.checkOnly
    ? openSourceEnd(ports, order)
    : openDestinationEnd(ports, order);
}

async function assertSeen(ports: SyncPorts, order: RunOrder): Promise<void> {
  const { path, seen } = order;
  const role = order.checkOnly ? "source" : order.role;
  // Who has a source open does not matter: it is only read.
  const users = role === "destination";
  const now = await surveyEnd(ports, { role, path, stateDir: order.stateDir, users });
  const same =
    now.identity === seen.identity &&
    now.kind === seen.kind &&
    // A file that somebody makes longer is the same file, and no longer what was planned.
    now.sizeBytes === seen.sizeBytes;
  if (same && now.users.length === 0) return;
  throw refused([path], {
    what: `${path} is not what it was a moment ago: nothing was written.`,
    why: same
      ? `It is ${now.users[0]!.what} by now.`
      : "Another device or file has that name by now, or its size has changed.",
    next: "Look at who works on it, then run the command again.",
  });
}
