/** How far a copy has come, as a line. Pure. */
import { GIB, KIB, MIB, sizeText } from "../../base/units.ts";
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
  /** Of the whole source, known before the engine knows it. */
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
};

/** `  42%  3.4 of 8 GiB  same 3.1 GiB  changed 300 MiB  sent 98.1 MiB  512 MiB/s  0:09 left`; the most important first. */
export function progressLine({ counters, totalBytes, bytesPerSecond }: ProgressInput): string {
  const { verifiedBytes, equalBytes, zeroedBytes, patchedBytes } = counters;
  const wireBytes = Math.max(counters.sentBytes, counters.receivedBytes);
  const part = totalBytes === 0 ? 1 : verifiedBytes / totalBytes;
  const words = [
    `${Math.floor(100 * part)}%`.padStart(4),
    `${shortSize(verifiedBytes)} of ${shortSize(totalBytes)}`,
    leftText(totalBytes - verifiedBytes, bytesPerSecond),
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

/** `sizeText` without `.0`, and bytes that change under the eye in whole KiB. */
function shortSize(bytes: number): string {
  if (bytes < MIB) return `${Math.floor(bytes / KIB)} KiB`;
  return sizeText(bytes < GIB ? MIB * (Math.round((10 * bytes) / MIB) / 10) : bytes);
}
