/** Timing two commands against each other: in turn, several times, so that a drifting machine moves both. */
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type Command = { readonly name: string; readonly argv: readonly string[] };

export type Sample = { readonly wallMs: number; readonly cpuMs: number; readonly peakMib: number };

/** Runs it once through GNU time, which accounts CPU and memory of that process tree. */
export function once({ name, argv }: Command, expected: readonly number[]): Sample {
  const report = join(tmpdir(), `domus-bench-${process.pid}`);
  const start = performance.now();
  const ran = spawnSync("/usr/bin/time", ["-q", "-o", report, "-f", "%U %S %M", ...argv], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const wallMs = performance.now() - start;
  if (!expected.includes(ran.status ?? -1)) {
    throw new Error(`${name} ended with ${ran.status ?? ran.signal}: ${ran.stderr.toString()}`);
  }
  const [user = 0, system = 0, peakKib = 0] = readFileSync(report, "utf8")
    .trim()
    .split(" ")
    .map(Number);
  rmSync(report);
  return { wallMs, cpuMs: (user + system) * 1000, peakMib: peakKib / 1024 };
}

export type Paired = {
  readonly a: readonly Sample[];
  readonly b: readonly Sample[];
  /** Of the wall times, pair by pair. */
  readonly ratios: readonly number[];
};

/** A B A B ..., after one uncounted round. Exit codes other than 0 have to be named. */
export function pair(
  a: Command,
  b: Command,
  options: { runs: number; exitCodes?: readonly number[] },
): Paired {
  const expected = [0, ...(options.exitCodes ?? [])];
  once(a, expected);
  once(b, expected);
  const all = { a: [] as Sample[], b: [] as Sample[] };
  for (let run = 0; run < options.runs; run++) {
    all.a.push(once(a, expected));
    all.b.push(once(b, expected));
  }
  return { ...all, ratios: all.a.map((sample, i) => sample.wallMs / all.b[i]!.wallMs) };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Three lines: both commands' medians, and the ratio with its spread. */
export function pairText(a: Command, b: Command, paired: Paired, target?: number): string {
  const line = ({ name }: Command, samples: readonly Sample[]) =>
    `  ${name.padEnd(34)} wall ${median(samples.map((s) => s.wallMs))
      .toFixed(0)
      .padStart(6)} ms   cpu ${median(samples.map((s) => s.cpuMs))
      .toFixed(0)
      .padStart(6)} ms   peak ${Math.max(...samples.map((s) => s.peakMib))
      .toFixed(0)
      .padStart(4)} MiB`;
  const ratio = median(paired.ratios);
  const spread = `${Math.min(...paired.ratios).toFixed(2)} to ${Math.max(...paired.ratios).toFixed(2)}`;
  const verdict =
    target === undefined ? "" : ratio <= target ? `, within ${target}` : `, OVER ${target}`;
  return [
    line(a, paired.a),
    line(b, paired.b),
    `  ratio ${ratio.toFixed(2)} (${spread})${verdict}`,
  ].join("\n");
}
