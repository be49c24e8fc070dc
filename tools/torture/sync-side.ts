/**
 * One side of a copy as a process of its own: the engine and this machine's devices, with a fault. Bytes of the engine go over
 * stdin and stdout, events as lines of JSON over stderr.
 */
import { writeSync } from "node:fs";
import { Socket } from "node:net";
import { attempt } from "../../src/base/failure.ts";
import { openCopyRecord } from "../../src/host/local/copy-record.ts";
import { openSyncSource } from "../../src/host/local/sync-source.ts";
import { openSyncTarget } from "../../src/host/local/sync-target.ts";
import { receive } from "../../src/sync/receiver.ts";
import type { SegmentRun } from "../../src/sync/segment-runs.ts";
import { send } from "../../src/sync/sender.ts";
import { streamChannel } from "../../src/sync/stream-channel.ts";
import type { Fault, Side } from "./cases.ts";
import { FaultClock, faultyRecord, faultySource, faultyTarget } from "./faults.ts";

export type SideOrder = {
  readonly side: Side;
  readonly path: string;
  readonly fault?: Fault;
  readonly timeoutMs: number;
  /** Of the source, for the destination. */
  readonly identity: string;
  readonly sizeBytes: number;
  readonly looks?: readonly SegmentRun[];
  readonly keepIndex: boolean;
  readonly full: boolean;
  readonly stateDirectory: string;
};

export type SideEvent =
  | { readonly event: "does"; readonly what: string }
  | { readonly event: "record"; readonly state: string; readonly known: number }
  | { readonly event: "done" }
  | { readonly event: "failed"; readonly failure: unknown };

const order = JSON.parse(process.argv[2]!) as SideOrder;
const program = "torture";

function tell(event: SideEvent): void {
  writeSync(2, `${JSON.stringify(event)}\n`);
}

const clock = new FaultClock(order.fault?.side === order.side ? order.fault : undefined, (what) =>
  tell({ event: "does", what }),
);
const channel = streamChannel({
  input: new Socket({ fd: 0, readable: true, writable: false }),
  output: new Socket({ fd: 1, readable: false, writable: true }),
  where: ["the other side"],
});

async function source(): Promise<void> {
  await using opened = await openSyncSource(order.path);
  const { timeoutMs, looks } = order;
  const given = { channel, identity: opened.identity, program, timeoutMs };
  await send({ source: faultySource(opened, clock), ...given, ...(looks && { looks }) });
}

async function destination(): Promise<void> {
  const { sizeBytes, timeoutMs, keepIndex, full, stateDirectory } = order;
  await using opened = await openSyncTarget(order.path, { sizeBytes, createBytes: sizeBytes });
  const target = faultyTarget(opened, clock);
  const identity = Buffer.from(order.identity, "hex");
  await using record = await openCopyRecord({
    target,
    source: { identity, sizeBytes, name: "torture" },
    keepIndex,
    full,
    stateDirectory,
    // Else it would find on small disks what the other guards have to find on large ones.
    leastSample: 1,
  });
  tell({ event: "record", state: record.state, known: record.knownSegments });
  await receive({
    target,
    channel,
    program,
    timeoutMs,
    key: record.key,
    record: faultyRecord(record, clock, () => target.lose()),
  });
}

const ran = await attempt(order.side === "source" ? source : destination);
if (ran.ok) tell({ event: "done" });
else tell({ event: "failed", failure: ran.failure });
// The other side may hold the pipes open.
process.exit(ran.ok ? 0 : 1);
