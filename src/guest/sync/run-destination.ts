/** The destination of a copy: the disk that is written, the record beside it, and reading it again. */
import { refused } from "../../base/failure.ts";
import { sizeText } from "../../base/units.ts";
import type { OpenedCopyRecord } from "../../host/local/copy-record.ts";
import type { OpenedTarget } from "../../host/local/sync-target.ts";
import type { CopyRecord, VerifiedSegment } from "../../sync/device.ts";
import { SEGMENT_BYTES } from "../../sync/geometry.ts";
import { receive } from "../../sync/receiver.ts";
import { assertReread } from "../../sync/reread.ts";
import { bytesOfRun } from "../../sync/segment-runs.ts";
import type { SegmentRun } from "../../sync/segment-runs.ts";
import { WORTHLESS } from "./plan.ts";
import type { EndAbout, EndReport } from "./end-report.ts";
import { limited } from "./limited.ts";
import type { SyncPorts } from "./ports.ts";
import type { EndWork, OpenedEnd } from "./run-end.ts";
import type { RunOrder } from "./run-order.ts";

export async function openDestinationEnd(ports: SyncPorts, order: RunOrder): Promise<OpenedEnd> {
  const { sizeBytes, seen } = order;
  const target = await ports.openTarget(order.path, {
    sizeBytes,
    ...(seen.kind === "missing" && { createBytes: sizeBytes }),
  });
  let record: OpenedCopyRecord | undefined;
  try {
    await assertNoGuest(ports, target.path);
    record = await openRecord(ports, order, target);
    const opened = { target, record };
    return {
      about: aboutOf(opened, order),
      run: (work) => runDestination(work, { ports, order, ...opened }),
      async [Symbol.asyncDispose]() {
        // The record's last word is about the open device.
        await using _target = target;
        await using _record = opened.record;
      },
    };
  } catch (error) {
    await record?.[Symbol.asyncDispose]();
    await target[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Who gives a disk to a guest says so first, and then looks who has it open; here it is open first. So one of the two sees the
 * other. `refused` when a guest has got it since the survey, or is about to, or was saved with it.
 */
async function assertNoGuest(ports: SyncPorts, path: string): Promise<void> {
  const users = await ports.findUsers(path);
  const guest = users.find(({ kind }) => kind === "guest" || kind === "image");
  if (!guest) return;
  if (guest.kind === "image")
    throw refused([path], {
      what: `${path} has to stay as it is: nothing was written.`,
      why: `It is ${guest.what}. ${WORTHLESS}`,
      next: "Run the command again: it says more.",
    });
  throw refused([path], {
    what: `${path} is in use: nothing was written.`,
    why: `It is ${guest.what} by now. Who uses a disk does not notice that it is written to from outside, and damages it.`,
    next: "Wait until that command has ended or stop the guest, then run the command again.",
  });
}

type Opened = { readonly target: OpenedTarget; readonly record: OpenedCopyRecord };

async function openRecord(
  ports: SyncPorts,
  order: RunOrder,
  target: OpenedTarget,
): Promise<OpenedCopyRecord> {
  const { since, sourceState, keepIndex, full, stateDir, sizeBytes } = order;
  return ports.openRecord({
    target,
    source: {
      identity: Buffer.from(order.sourceIdentity, "hex"),
      sizeBytes,
      name: order.sourceName,
    },
    keepIndex,
    full,
    ...(sourceState !== undefined && { sourceState }),
    ...(since && { recorded: since.recorded }),
    ...(stateDir !== undefined && { stateDirectory: stateDir }),
  });
}

function aboutOf({ record }: Opened, { sizeBytes, keepIndex, full }: RunOrder): EndAbout {
  const knownBytes = Math.min(sizeBytes, record.knownSegments * SEGMENT_BYTES);
  const notes: string[] = [];
  if (knownBytes > 0)
    notes.push(
      `The record of the last run knows ${sizeText(knownBytes)} of the destination: they are not read there.`,
    );
  // Without an index nobody expects one to be used.
  else if (record.distrust !== undefined && !full && (keepIndex || record.state === "unfinished"))
    notes.push(`All of the destination is read: ${record.distrust}.`);
  const { unchanged, distrust } = record;
  return {
    ...{ notes, unusedBytes: 0, knownBytes, lookBytes: sizeBytes, partial: false, unchanged },
    ...(distrust !== undefined && { distrust }),
  };
}

type Running = Opened & { readonly ports: SyncPorts; readonly order: RunOrder };

async function runDestination(work: EndWork, running: Running): Promise<EndReport> {
  const { order, target, record } = running;
  const reread = new Reread(running);
  const { writtenBytes, zeroedBytes } = await receive({
    ...work,
    target,
    channel: limited(work.channel, order.bytesPerSecond),
    key: record.key,
    record: order.verify ? reread : record,
    timeoutMs: order.timeoutSeconds * 1000,
  });
  return { writtenBytes, zeroedBytes, rereadBytes: reread.bytes, knownZeroBytes: 0 };
}

/** The record, with reading all again before it says that the copy is finished. */
class Reread implements CopyRecord {
  bytes = 0;
  readonly #running: Running;
  readonly #runs: SegmentRun[] = [];

  constructor(running: Running) {
    this.#running = running;
  }

  knownTag(segment: number): Uint8Array | undefined {
    return this.#running.record.knownTag?.(segment);
  }

  begin(...about: Parameters<CopyRecord["begin"]>): Promise<void> {
    return this.#running.record.begin(...about);
  }

  verified(segments: readonly VerifiedSegment[]): void {
    for (const { segment } of segments) {
      const last = this.#runs.at(-1);
      if (last && last.first + last.count === segment)
        this.#runs[this.#runs.length - 1] = { first: last.first, count: last.count + 1 };
      else this.#runs.push({ first: segment, count: 1 });
    }
    this.#running.record.verified?.(segments);
  }

  async finish(digest: Uint8Array): Promise<void> {
    const { ports, order, target, record } = this.#running;
    await ports.dropCache(target.path);
    const { sizeBytes } = order;
    await assertReread({ device: target, key: record.key, sizeBytes, looks: this.#runs, digest });
    this.bytes = this.#runs.reduce((sum, run) => sum + bytesOfRun(run, sizeBytes), 0);
    await record.finish(digest);
  }
}
