/** Shows how far a copy has come: a line that changes on a terminal, a line in ten seconds elsewhere, events as JSON. */
import type { StartedRun } from "../../guest/sync/sync-disks.ts";
import type { Output } from "../output.ts";
import { doneBytes, progressLine, RateWindow, workOf } from "../render/sync-progress.ts";

const TICK_MS = 250;
const JSON_MS = 1000;
const PLAIN_MS = 10_000;

export type Shown = {
  readonly out: Output;
  readonly json: boolean;
  readonly run: StartedRun;
};

/** Until what it returns is called. */
export function showProgress({ out, json, run }: Shown): () => void {
  const { counters } = run;
  const work = workOf(run);
  const rate = new RateWindow();
  const started = performance.now();
  const everyMs = json ? JSON_MS : out.live ? TICK_MS : PLAIN_MS;
  const sample = () => {
    const atMs = performance.now() - started;
    rate.add({ atMs, doneBytes: doneBytes(counters, work) });
    return atMs;
  };
  sample();
  const ticking = setInterval(() => {
    const seconds = sample() / 1000;
    const { bytesPerSecond } = rate;
    if (json) {
      const rounded = { seconds: Math.round(seconds), bytesPerSecond: Math.round(bytesPerSecond) };
      out.line({ event: "progress", ...rounded, totalBytes: work.totalBytes, ...counters });
      return;
    }
    const line = progressLine({ counters, work, bytesPerSecond });
    if (out.live) out.progress(line);
    else out.say(line);
  }, everyMs);
  return () => {
    clearInterval(ticking);
    out.progress("");
  };
}
