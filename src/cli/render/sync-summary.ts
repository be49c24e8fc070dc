/** What a copy will do, and what it did, for people and as JSON. Pure. */
import { printable } from "../../base/printable.ts";
import { sizeText } from "../../base/units.ts";
import { endName } from "../../guest/sync/plan.ts";
import type { PlannedEnd, SyncPlan } from "../../guest/sync/plan.ts";
import type { Differing } from "../../guest/sync/end-report.ts";
import type { DryRun, StartedRun, SyncDone } from "../../guest/sync/sync-disks.ts";
import { clockText } from "./sync-progress.ts";
import { wrapLabelled } from "./text.ts";

/** Before it begins: what goes where, and what is to be known. */
export function planText(plan: SyncPlan, width: number): string {
  const { source, destination, sizeBytes, resumes, notes } = plan;
  const lines = [
    `${printable(endName(source))} to ${printable(endName(destination))}: ${sizeText(sizeBytes)}.`,
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
  if (end.kind === "stream") return `A pipe, of which ${sizeText(end.sizeBytes)} are read.`;
  const kind = end.kind === "block-device" ? "Block device" : "File";
  const { allocatedBytes } = end;
  const holes =
    allocatedBytes !== undefined && allocatedBytes < end.sizeBytes
      ? `, ${sizeText(allocatedBytes)} of it allocated`
      : "";
  return `${kind} of ${sizeText(end.sizeBytes)}${holes}.`;
}

/** When both ends are open: what is left out and what is read all the same. */
export function startedLines({ source, destination }: StartedRun, width: number): string[] {
  const ignored = source.partial && !destination.unchanged;
  const all = [
    ...(ignored
      ? [
          `All of it is looked at: the destination has changed (${destination.distrust ?? "by its record"}).`,
        ]
      : []),
    ...source.notes,
    ...destination.notes,
  ];
  return all.flatMap((note) => wrapLabelled("note", printable(note), width));
}

/** At the end of `--dry-run`. */
export function dryText({ source, estimate }: DryRun, width: number): string {
  const { readBytes, sourceRate, destinationRate, wireRate, leastSeconds, mostSeconds } = estimate;
  const rates = [
    `${sizeText(sourceRate)}/s at the source`,
    ...(destinationRate > 0 ? [`${sizeText(destinationRate)}/s at the destination`] : []),
    `${sizeText(wireRate)}/s in between`,
  ];
  const takes =
    leastSeconds === mostSeconds
      ? `about ${clockText(mostSeconds)}`
      : `about ${clockText(leastSeconds)} when nothing differs, ${clockText(mostSeconds)} when all of it does`;
  return [
    "Nothing was changed.",
    ...source.notes.flatMap((note) => wrapLabelled("note", printable(note), width)),
    ...wrapLabelled("to read", sizeText(readBytes), width),
    ...wrapLabelled(
      "takes",
      `${takes} (minutes:seconds; measured just now: ${rates.join(", ")})`,
      width,
    ),
  ].join("\n");
}

export function summaryText(plan: SyncPlan, done: SyncDone, width: number): string {
  const { counters, seconds, differing } = done;
  const names = [plan.destination, plan.source].map((end) => printable(endName(end)));
  const took = `${sizeText(plan.sizeBytes)} in ${clockText(seconds)}.`;
  if (differing)
    return [
      differenceText(names as [string, string], differing, width),
      ...changedLines(plan, done, width),
    ].join("\n");
  const changed = [
    ...(counters.blockBytes > 0 ? [`${sizeText(counters.blockBytes)} of blocks`] : []),
    ...(done.zeroedBytes > 0 ? [`${sizeText(done.zeroedBytes)} of zeroes`] : []),
  ];
  const part = done.source.partial && done.destination.unchanged;
  return [
    `${names[0]} is equal to ${names[1]}: ${took}`,
    ...wrapLabelled("changed", changed.length === 0 ? "nothing" : changed.join(", "), width),
    ...wrapLabelled("sent", wireText(counters), width),
    ...(part ? wrapLabelled("looked at", sizeText(counters.lookBytes), width) : []),
    ...notReadLines(done, width),
    ...(done.rereadBytes > 0
      ? wrapLabelled("verified", `${sizeText(done.rereadBytes)} read again from the disk`, width)
      : []),
    ...changedLines(plan, done, width),
  ].join("\n");
}

function changedLines({ source }: SyncPlan, { sourceChanged }: SyncDone, width: number): string[] {
  if (!sourceChanged) return [];
  const text = `${printable(endName(source))} was written to while it was read: the copy is not of one moment, and a filesystem on it may be damaged. Copy a snapshot of it, or stop who writes, and run the same command again.`;
  return wrapLabelled("changing", text, width);
}

function wireText({ sentBytes, receivedBytes }: SyncDone["counters"]): string {
  return `${sizeText(sentBytes)} from here, ${sizeText(receivedBytes)} to here`;
}

function notReadLines({ knownZeroBytes, source, destination }: SyncDone, width: number): string[] {
  const { unusedBytes } = source;
  const parts = [
    ...(unusedBytes > 0 ? [`${sizeText(unusedBytes)} that no filesystem uses`] : []),
    ...(unusedBytes === 0 && knownZeroBytes > 0 ? [`${sizeText(knownZeroBytes)} of holes`] : []),
    ...(destination.knownBytes > 0
      ? [`${sizeText(destination.knownBytes)} of the destination, which its record knows`]
      : []),
  ];
  return parts.length === 0 ? [] : wrapLabelled("not read", parts.join(", "), width);
}

/** Of a comparison. Places are in MiB: what is compared at a time. */
function differenceText(
  [destination, source]: readonly [string, string],
  { equal, sourceBytes, destinationBytes, differingBytes, runs }: Differing,
  width: number,
): string {
  if (equal) return `${destination} is equal to ${source}: ${sizeText(sourceBytes)}.`;
  const places = runs
    .slice(0, MAX_PLACES)
    .map(({ first, count }) => (count === 1 ? `${first}` : `${first} to ${first + count - 1}`));
  const more = runs.length > MAX_PLACES ? ", ..." : "";
  return [
    `${destination} differs from ${source}.`,
    ...(sourceBytes === destinationBytes
      ? []
      : wrapLabelled(
          "size",
          `${sizeText(destinationBytes)} (${destinationBytes} bytes), the source ${sizeText(sourceBytes)} (${sourceBytes} bytes)`,
          width,
        )),
    ...(differingBytes === 0
      ? wrapLabelled("differs", "nothing of what both have", width)
      : wrapLabelled(
          "differs",
          `${sizeText(differingBytes)}, in whole MiB: MiB ${places.join(", ")}${more}`,
          width,
        )),
  ].join("\n");
}

const MAX_PLACES = 10;

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
  return { ...counters, ...rest };
}
