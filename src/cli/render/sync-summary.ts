/** What a copy will do, and what it did, for people and as JSON. Pure. */
import { printable } from "../../base/printable.ts";
import { sizeText } from "../../base/units.ts";
import { endName } from "../../guest/sync/plan.ts";
import type { PlannedEnd, SyncPlan } from "../../guest/sync/plan.ts";
import type { SyncDone } from "../../guest/sync/sync-disks.ts";
import { clockText } from "./sync-progress.ts";
import { wrapLabelled } from "./text.ts";

/** Before it begins: what goes where, and what is to be known. */
export function planText(plan: SyncPlan, width: number): string {
  const { source, destination, sizeBytes, resumes, notes } = plan;
  const lines = [
    `${printable(endName(source))} to ${printable(endName(destination))}: ${sizeText(sizeBytes)}`,
    ...wrapLabelled("from", endText(source), width),
    ...wrapLabelled("to", DESTINATION[plan.destinationIs], width),
    ...(resumes
      ? wrapLabelled("resumes", "An earlier run was cut off; what it wrote is kept.", width)
      : []),
    ...notes.flatMap((note) => wrapLabelled("note", printable(note), width)),
  ];
  return lines.join("\n");
}

const DESTINATION: Readonly<Record<SyncPlan["destinationIs"], string>> = {
  "new file": "A new file, with holes where the source has zeroes.",
  file: "The file that is there: what differs is overwritten.",
  device: "The device: what differs is overwritten.",
  stream: "Standard output.",
};

function endText(end: PlannedEnd): string {
  const kind = end.kind === "block-device" ? "Block device" : "File";
  const { allocatedBytes } = end;
  const holes =
    allocatedBytes !== undefined && allocatedBytes < end.sizeBytes
      ? `, ${sizeText(allocatedBytes)} of it allocated`
      : "";
  return `${kind} of ${sizeText(end.sizeBytes)}${holes}.`;
}

export function summaryText(plan: SyncPlan, done: SyncDone, width: number): string {
  const { counters, seconds, zeroedBytes } = done;
  const wireBytes = Math.max(counters.sentBytes, counters.receivedBytes);
  const changed = [
    ...(counters.blockBytes > 0 ? [`${sizeText(counters.blockBytes)} of blocks`] : []),
    ...(zeroedBytes > 0 ? [`${sizeText(zeroedBytes)} of zeroes`] : []),
  ];
  return [
    `${printable(endName(plan.destination))} is equal to ${printable(endName(plan.source))}: ${sizeText(plan.sizeBytes)} in ${clockText(seconds)}.`,
    ...wrapLabelled("changed", changed.length === 0 ? "nothing" : changed.join(", "), width),
    ...wrapLabelled("on the wire", sizeText(wireBytes), width),
    ...(counters.knownZeroBytes > 0
      ? wrapLabelled("not read", `${sizeText(counters.knownZeroBytes)} that are holes`, width)
      : []),
  ].join("\n");
}

export function planJson(plan: SyncPlan): Record<string, unknown> {
  return {
    source: endJson(plan.source),
    destination: endJson(plan.destination),
    sizeBytes: plan.sizeBytes,
    destinationIs: plan.destinationIs,
    resumes: plan.resumes,
    notes: plan.notes,
  };
}

function endJson({ host, path, resolved, kind, sizeBytes, users }: PlannedEnd) {
  return { host: host ?? null, path, resolved, kind, sizeBytes, users };
}

export function doneJson({ counters, ...rest }: SyncDone): Record<string, unknown> {
  return { ...rest, ...counters };
}
