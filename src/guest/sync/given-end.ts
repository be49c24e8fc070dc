/** A near end that is no disk of this machine: what a program hands over, or a pipe. */
import { misuse } from "../../base/failure.ts";
import type { Channel } from "../../sync/channel.ts";
import type { CopyRecord, SyncSource, SyncTarget } from "../../sync/device.ts";
import { receive } from "../../sync/receiver.ts";
import { send } from "../../sync/sender.ts";
import type { SyncCounters } from "../../sync/counters.ts";
import type { EndFacts } from "./end-facts.ts";
import { sourceReport } from "./end-report.ts";
import type { EndReport } from "./end-report.ts";
import { limited } from "./limited.ts";
import type { EndWork, OpenedEnd } from "./run-end.ts";
import type { RunOrder } from "./run-order.ts";

export type GivenEnd = GivenSource | GivenTarget;

type Stoppable = {
  /** The run has ended or is to end: what waits for the end itself, as for a pipe that nothing comes out of, fails now. */
  readonly stop?: () => void;
};

export type GivenSource = Stoppable & {
  readonly role: "source";
  /**
   * Opened when the other end is known: a pipe may be as long as the device it goes to. `destinationBytes` is 0 when there is
   * none yet.
   */
  open(destinationBytes: number): Promise<SyncSource> | SyncSource;
  /** 32 bytes that stand for it in records; the same source has the same ones. */
  readonly identity: Uint8Array;
  /** The run's counters, before it begins. */
  readonly begin?: (counters: Readonly<SyncCounters>) => void;
};

export type GivenTarget = Stoppable & {
  readonly role: "destination";
  readonly open: (sizeBytes: number) => Promise<SyncTarget> | SyncTarget;
  readonly record?: CopyRecord;
};

/** What is known of it before the other end is. */
export function givenFacts(given: GivenEnd, path: string): EndFacts {
  const identity = given.role === "source" ? Buffer.from(given.identity).toString("hex") : "";
  return {
    ...{ path, resolved: path, kind: "stream", sizeBytes: 0, identity, users: [] },
    record: "none",
  };
}

/** `source`: as `open` gave it. */
export async function openGivenEnd(
  given: GivenEnd,
  order: RunOrder,
  source: SyncSource | undefined,
): Promise<OpenedEnd> {
  assertMeant(order);
  const { sizeBytes } = order;
  const none = { notes: [], unusedBytes: 0, knownBytes: 0, partial: false, unchanged: false };
  const target = given.role === "destination" ? await given.open(sizeBytes) : undefined;
  return {
    about: { ...none, lookBytes: sizeBytes },
    async run(work): Promise<EndReport> {
      const common = commonOf({ ...work, channel: stopping(work.channel, given) }, order);
      if (given.role === "source") {
        given.begin?.(work.counters);
        await send({ ...common, source: source!, identity: given.identity });
        return sourceReport(work.counters);
      }
      const { record } = given;
      const done = await receive({ ...common, target: target!, ...(record && { record }) });
      const { writtenBytes, zeroedBytes } = done;
      return { writtenBytes, zeroedBytes, rereadBytes: 0, knownZeroBytes: 0 };
    },
    async [Symbol.asyncDispose]() {},
  };
}

function commonOf({ channel, program, counters }: EndWork, order: RunOrder) {
  const { bytesPerSecond, timeoutSeconds } = order;
  return {
    ...{ program, counters, channel: limited(channel, bytesPerSecond) },
    timeoutMs: timeoutSeconds * 1000,
  };
}

/** The engine closes the channel first, and then waits for all that reads and writes. */
function stopping(channel: Channel, { stop }: GivenEnd): Channel {
  return {
    read: () => channel.read(),
    write: (pieces) => channel.write(pieces),
    close() {
      channel.close();
      stop?.();
    },
  };
}

function assertMeant({ checkOnly, since, verify, role }: RunOrder): void {
  const wrong = checkOnly
    ? "--check"
    : since
      ? "--since"
      : verify && role === "destination"
        ? "--verify"
        : undefined;
  if (wrong !== undefined)
    throw misuse(`${wrong} is not for a pipe.`, `Leave ${wrong} out, or name a device or file.`);
}
