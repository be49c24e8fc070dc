/** The source of a copy, or either end of a comparison: what of it is read, and what need not be. */
import { sizeText } from "../../base/units.ts";
import type { OpenedSource } from "../../host/local/sync-source.ts";
import { compareDestination, compareSource } from "../../sync/compare.ts";
import type { SyncSource } from "../../sync/device.ts";
import { bytesOfRun } from "../../sync/segment-runs.ts";
import type { SegmentRun } from "../../sync/segment-runs.ts";
import { send } from "../../sync/sender.ts";
import { findChangedSince } from "./changed-since.ts";
import { sourceReport } from "./end-report.ts";
import type { EndReport } from "./end-report.ts";
import { limited } from "./limited.ts";
import type { SyncPorts } from "./ports.ts";
import type { EndWork, OpenedEnd } from "./run-end.ts";
import type { RunOrder } from "./run-order.ts";
import { openUnusedView } from "./unused-view.ts";

export async function openSourceEnd(ports: SyncPorts, order: RunOrder): Promise<OpenedEnd> {
  const opened = await ports.openSource(order.path);
  try {
    const { looks, ...known } = await findChanges(ports, order, opened);
    const { source, notes, unusedBytes } = await leaveOutUnused(ports, order, opened);
    const lookBytes = looks
      ? looks.reduce((sum, run) => sum + bytesOfRun(run, opened.size), 0)
      : opened.size;
    return {
      about: {
        notes: [...known.notes, ...notes],
        ...{ unusedBytes, knownBytes: 0, lookBytes },
        ...{ partial: looks !== undefined, unchanged: false },
      },
      async run(work) {
        const report = await runSource(work, { order, source, identity: opened.identity, looks });
        return (await opened.isChanged()) ? { ...report, sourceChanged: true } : report;
      },
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    };
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

type Changes = { readonly looks: readonly SegmentRun[] | undefined; readonly notes: string[] };

async function findChanges(
  { host }: SyncPorts,
  { since, checkOnly }: RunOrder,
  { path }: OpenedSource,
): Promise<Changes> {
  if (!since || checkOnly) return { looks: undefined, notes: [] };
  const found = await findChangedSince(host, { source: path, ...since });
  if (found.kind === "not-known")
    return { looks: undefined, notes: [`All of it is looked at: ${found.reason}`] };
  const text = `Since ${since.snapshot}, ${sizeText(found.changedBytes)} of it changed: the rest is not read (${found.method}).`;
  return { looks: found.looks, notes: [text] };
}

type Left = {
  readonly source: SyncSource;
  readonly notes: readonly string[];
  readonly unusedBytes: number;
};

/** Of a comparison too: after a copy that left them out, the other end has zeroes there. */
async function leaveOutUnused(
  ports: SyncPorts,
  { allBlocks, shutDown, role }: RunOrder,
  source: OpenedSource,
): Promise<Left> {
  if (allBlocks || role === "destination") return { source, notes: [], unusedBytes: 0 };
  const view = await openUnusedView(source, {
    mayResume: !shutDown,
    findUsers: () => ports.findUsers(source.path),
  });
  if (view.kind === "refused") {
    // What is said of each part of it says more.
    const notes = view.notes.length > 0 ? view.notes : [`All blocks are read. ${view.reason}`];
    return { source, notes, unusedBytes: 0 };
  }
  const { notes, unused } = view;
  return { source: view.source, notes, unusedBytes: unused.bytes };
}

type Parts = {
  readonly order: RunOrder;
  readonly source: SyncSource;
  readonly identity: Uint8Array;
  readonly looks: readonly SegmentRun[] | undefined;
};

async function runSource(work: EndWork, parts: Parts): Promise<EndReport> {
  const { order, source, identity, looks } = parts;
  const channel = limited(work.channel, order.bytesPerSecond);
  const common = { ...work, channel, identity, timeoutMs: order.timeoutSeconds * 1000 };
  if (!order.checkOnly) {
    await send({ ...common, source, ...(looks && !work.lookAtAll && { looks }) });
    return sourceReport(work.counters);
  }
  const compare = order.role === "source" ? compareSource : compareDestination;
  const { differing: runs, ...compared } = await compare({ ...common, device: source });
  const report = sourceReport(work.counters);
  return order.role === "source" ? { ...report, differing: { ...compared, runs } } : report;
}
