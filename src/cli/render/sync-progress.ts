/** How far a copy has come, as a line. Pure. */
import { GIB, KIB, MIB, sizeText } from "../../base/units.ts";
import type { StartedRun } from "../../guest/sync/sync-disks.ts";
import type { SyncCounters } from "../../sync/counters.ts";

export type Sample = { readonly atMs: number; readonly doneBytes: number };

/** Rates are of so long a time at least, so that they do not jump. */
const WINDOW_MS = 10_000;

/** Keeps the last seconds of a run, for its rate. */
export class RateWindow {
  readonly #samples: Sample[] = [];

  add(sample: Sample): void {
    this.#samples.push(sample);
    while (this.#samples.length > 2 && sample.atMs - this.#samples[1]!.atMs >= WINDOW_MS)
      this.#samples.shift();
  }

  /** Bytes in a second; 0 while it is not known. */
  get bytesPerSecond(): number {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (!first || !last || last.atMs <= first.atMs) return 0;
    return (1000 * (last.doneBytes - first.doneBytes)) / (last.atMs - first.atMs);
  }
}

export type ProgressInput = {
  readonly counters: Readonly<SyncCounters>;
  /** From `workOf`. */
  readonly work: Work;
  readonly bytesPerSecond: number;
};

/** What is counted as progress. */
export type Work = {
  readonly totalBytes: number;
  /** At the source, holes and unused blocks are no work; the destination does not know which they are. */
  readonly withoutKnownZero: boolean;
};

/** What has to be read, before it is known better. */
export function workOf({ plan, source, destination, nearRole }: StartedRun): Work {
  const withoutKnownZero = nearRole === "source";
  if (source.partial && destination.unchanged)
    return { totalBytes: source.lookBytes, withoutKnownZero };
  if (!withoutKnownZero) return { totalBytes: plan.sizeBytes, withoutKnownZero };
  const { allocatedBytes = plan.sizeBytes } = plan.source;
  const totalBytes = Math.min(allocatedBytes, plan.sizeBytes - source.unusedBytes);
  return { totalBytes, withoutKnownZero };
}

export function doneBytes(counters: Readonly<SyncCounters>, { withoutKnownZero }: Work): number {
  const { verifiedBytes, equalBytes, zeroedBytes, patchedBytes, knownZeroBytes } = counters;
  const done = Math.max(verifiedBytes, equalBytes + zeroedBytes + patchedBytes);
  return withoutKnownZero ? Math.max(0, done - knownZeroBytes) : done;
}

/** `  42%  3.4 of 8 GiB  0:09 left  512 MiB/s  sent 98.1 MiB  same 3.1 GiB  changed 300 MiB`; the most important first. */
export function progressLine({ counters, work, bytesPerSecond }: ProgressInput): string {
  const { equalBytes, zeroedBytes, patchedBytes } = counters;
  const wireBytes = Math.max(counters.sentBytes, counters.receivedBytes);
  const done = doneBytes(counters, work);
  const total = Math.max(work.totalBytes, done);
  const part = total === 0 ? 0 : done / total;
  const words = [
    `${Math.floor(100 * part)}%`.padStart(4),
    `${shortSize(done)} of ${shortSize(total)}`,
    leftText(total - done, bytesPerSecond),
    `${shortSize(bytesPerSecond)}/s`,
    `sent ${shortSize(wireBytes)}`,
    ...(equalBytes > 0 ? [`same ${shortSize(equalBytes)}`] : []),
    ...(patchedBytes > 0 ? [`changed ${shortSize(patchedBytes)}`] : []),
    ...(zeroedBytes > 0 ? [`zeroed ${shortSize(zeroedBytes)}`] : []),
  ];
  return words.join("  ");
}

function leftText(leftBytes: number, bytesPerSecond: number): string {
  if (leftBytes <= 0) return "finishing";
  return bytesPerSecond < 1 ? "-:-- left" : `${clockText(leftBytes / bytesPerSecond)} left`;
}

/** `0:09`, `12:34`, `3:00:00`; `over a day` beyond that. */
export function clockText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole >= 86_400) return "over a day";
  const [hours, minutes, rest] = [
    Math.floor(whole / 3600),
    Math.floor(whole / 60) % 60,
    whole % 60,
  ];
  const two = (value: number) => String(value).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Whole MiB and tenths of GiB: what changes under the eye has to be short. */
function shortSize(bytes: number): string {
  if (bytes < MIB) return `${Math.floor(bytes / KIB)} KiB`;
  return bytes < GIB ? `${Math.floor(bytes / MIB)} MiB` : sizeText(bytes);
}
