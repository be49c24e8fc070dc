/**
 * `npm run fuzz [-- --minutes N] [--rounds N] [--seed N] [--target NAME ...]`: damages valid inputs where it hurts and
 * sees that every reader ends in a value or a failure, within 2 s and 256 MiB. A bug is named by target and seed:
 * `--target NAME --seed N --rounds 1` shows it again. Ends with 1 when there was one. `npm run fuzz -- sync` is for both sides
 * of a sync run: see fuzz/sync.ts.
 */
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { ensurePrograms } from "./programs.ts";
import { addOutcome, newOutcome } from "./fuzz/outcome.ts";
import { fuzzSync } from "./fuzz/sync.ts";
import { TARGETS } from "./fuzz/targets.ts";
import type { Tally, WorkerInput, WorkerReport } from "./fuzz/worker.ts";

/** A round that takes longer than this hangs: the worker is ended and the round named. */
const HANG_MS = 20_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: "string", default: "1" },
    rounds: { type: "string" },
    seed: { type: "string" },
    target: { type: "string", multiple: true },
  },
});

const firstSeed =
  values.seed === undefined ? Math.floor(Date.now() / 1000) % 1_000_000_000 : Number(values.seed);
if (positionals[0] === "sync") {
  const bugsOfSync = await fuzzSync({ rounds: Number(values.rounds ?? 100_000), seed: firstSeed });
  process.exit(bugsOfSync > 0 ? 1 : 0);
}

const names = values.target ?? TARGETS.map((one) => one.name);
const unknown = names.filter((name) => !TARGETS.some((one) => one.name === name));
if (unknown.length > 0) {
  console.error(
    `There is no target ${unknown.join(", ")}. There are: ${TARGETS.map((one) => one.name).join(", ")}`,
  );
  process.exit(2);
}
ensurePrograms({
  "mkfs.ext4": "e2fsprogs",
  "mkfs.xfs": "xfsprogs",
  "mkfs.btrfs": "btrfs-progs",
  "mkfs.vfat": "dosfstools",
  mcopy: "mtools",
  sfdisk: "fdisk",
  "qemu-img": "qemu-utils",
  mkswap: "util-linux",
  xz: "xz-utils",
  bzip2: "bzip2",
  lzop: "lzop",
  lz4: "lz4",
  zstd: "zstd",
});

const progress = new SharedArrayBuffer(12);
const place = new Int32Array(progress);
// Ends after the round that is running, with the figures so far.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void Atomics.store(place, 2, 1));
}
// The seed of the first round decides over its target, too: to show one again, its target has to be the only one.
const input: WorkerInput = {
  names,
  firstSeed,
  untilMs: Date.now() + Number(values.minutes) * 60_000,
  maxRounds: values.rounds === undefined ? Number.MAX_SAFE_INTEGER : Number(values.rounds),
  progress,
};
console.log(`fuzz: ${names.length} targets, first seed ${firstSeed}`);

let bugs = 0;
let seen = -1;
let since = Date.now();
const worker = new Worker(new URL("fuzz/worker.ts", import.meta.url), { workerData: input });
const watch = setInterval(() => {
  const seed = Atomics.load(place, 0);
  if (seed !== seen) [seen, since] = [seed, Date.now()];
  else if (seen > 0 && Date.now() - since > HANG_MS) {
    console.log(`BUG ${names[Atomics.load(place, 1)]} seed ${seed}: hangs`);
    process.exit(1);
  }
}, 500);
worker.on("message", (message: WorkerReport) => {
  if (message.kind === "bug") {
    bugs += 1;
    console.log(`BUG ${message.target} seed ${message.seed}: ${message.text}`);
    return;
  }
  summarize(Object.entries(message.tallies), message.highestMib);
});
worker.on("error", (error) => {
  console.log(
    `BUG ${names[Atomics.load(place, 1)]} seed ${Atomics.load(place, 0)}: ${error.stack ?? error.message}`,
  );
  process.exit(1);
});
worker.on("exit", () => {
  clearInterval(watch);
  process.exitCode = bugs > 0 ? 1 : 0;
});

/** A line for every target, and one for all. */
function summarize(tallies: readonly (readonly [name: string, Tally])[], highestMib: number): void {
  const all = newOutcome();
  let rounds = 0;
  let refused = 0;
  for (const [name, tally] of tallies) {
    const { outcome } = tally;
    rounds += tally.rounds;
    refused += tally.refusedWhole;
    addOutcome(all, outcome);
    const counts = [
      `${tally.rounds} rounds`,
      `${tally.refusedWhole} refused whole`,
      `${tally.seals} checksums`,
      `${outcome.read} read`,
      `${outcome.unreadable} not`,
      `${tally.worstMs.toFixed(0)} ms`,
      `${tally.worstMib.toFixed(0)} MiB`,
    ];
    console.log(`${name.padEnd(32)}${counts.map((one) => one.padStart(18)).join("")}`);
  }
  const [slowest] = tallies.toSorted(([, a], [, b]) => b.worstMs - a.worstMs);
  const [largest] = tallies.toSorted(([, a], [, b]) => b.worstMib - a.worstMib);
  if (!slowest || !largest) return;
  console.log(
    `${rounds} damaged inputs, ${bugs} bugs: ${rounds - refused} opened, ${refused} refused as a whole; ` +
      `in the opened, ${all.read} things were read and ${all.unreadable} ended in a failure; ` +
      `slowest ${slowest[1].worstMs.toFixed(0)} ms (${slowest[0]}), ` +
      `most memory of one ${largest[1].worstMib.toFixed(0)} MiB (${largest[0]}), ` +
      `of the process ${highestMib.toFixed(0)} MiB above its start`,
  );
}
