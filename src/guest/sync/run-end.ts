/** Does one end of a copy: opens what the plan saw, and lets the engine work on it. The same on both sides. */
import { refused } from "../../base/failure.ts";
import type { OpenedSource } from "../../host/local/sync-source.ts";
import type { OpenedTarget } from "../../host/local/sync-target.ts";
import type { Channel } from "../../sync/channel.ts";
import type { SyncCounters } from "../../sync/counters.ts";
import { limitedChannel } from "../../sync/limited-channel.ts";
import { receive } from "../../sync/receiver.ts";
import { send } from "../../sync/sender.ts";
import type { SyncPorts } from "./ports.ts";
import type { RunOrder } from "./run-order.ts";
import { surveyEnd } from "./survey.ts";

export type OpenedEnd = AsyncDisposable & {
  /** Once. Nothing of it runs any more when it has ended. */
  run(work: EndWork): Promise<EndReport>;
};

export type EndWork = {
  readonly channel: Channel;
  readonly program: string;
  readonly counters: SyncCounters;
};

/** What a side did, for the other one and for the summary. */
export type EndReport = {
  /** At the destination, 0 at the source. */
  readonly writtenBytes: number;
  readonly zeroedBytes: number;
};

/** Refuses when it is not what the plan saw. */
export async function openEnd(ports: SyncPorts, order: RunOrder): Promise<OpenedEnd> {
  if (order.nice) await ports.yieldToOthers();
  await assertSeen(ports, order);
  return order.role === "source" ? openSourceEnd(ports, order) : openTargetEnd(ports, order);
}

async function assertSeen(ports: SyncPorts, { role, path, seen }: RunOrder): Promise<void> {
  const now = await surveyEnd(ports, role, path);
  const same =
    now.identity === seen.identity &&
    now.kind === seen.kind &&
    // A file that somebody makes longer is the same file, and no longer what was planned.
    now.sizeBytes === seen.sizeBytes;
  if (same && (role === "source" || now.users.length === 0)) return;
  throw refused([path], {
    what: `${path} is not what it was a moment ago: nothing was written.`,
    why: same
      ? `It is ${now.users[0]!.what} by now.`
      : "Another device or file has that name by now, or its size has changed.",
    next: "Look at who works on it, then run the command again.",
  });
}

async function openSourceEnd(ports: SyncPorts, order: RunOrder): Promise<OpenedEnd> {
  const source: OpenedSource = await ports.openSource(order.path);
  return {
    async run({ channel, program, counters }) {
      await send({
        source,
        identity: source.identity,
        channel: limited(channel, order),
        program,
        counters,
        timeoutMs: order.timeoutSeconds * 1000,
      });
      return { writtenBytes: 0, zeroedBytes: 0 };
    },
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

async function openTargetEnd(ports: SyncPorts, order: RunOrder): Promise<OpenedEnd> {
  const { sizeBytes } = order;
  const target: OpenedTarget = await ports.openTarget(order.path, {
    sizeBytes,
    ...(order.seen.kind === "missing" && { createBytes: sizeBytes }),
  });
  return {
    async run({ channel, program, counters }) {
      const { writtenBytes, zeroedBytes } = await receive({
        target,
        channel: limited(channel, order),
        program,
        counters,
        timeoutMs: order.timeoutSeconds * 1000,
      });
      return { writtenBytes, zeroedBytes };
    },
    [Symbol.asyncDispose]: () => target[Symbol.asyncDispose](),
  };
}

function limited(channel: Channel, { bytesPerSecond }: RunOrder): Channel {
  return bytesPerSecond > 0 ? limitedChannel({ channel, bytesPerSecond }) : channel;
}
