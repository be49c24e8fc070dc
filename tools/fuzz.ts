/**
 * `npm run fuzz [-- --minutes N] [--rounds N] [--seed N] [--target NAME ...]`: damages valid inputs where it hurts and
 * sees that every reader ends in a value or a failure, within 2 s and 256 MiB. A bug is named by target and seed:
 * `--target NAME --seed N --rounds 1` shows it again. Ends with 1 when there was one.
 */
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { ensurePrograms } from "./programs.ts";
import { TARGETS } from "./fuzz/targets.ts";
import type { WorkerInput, WorkerReport } from "./fuzz/worker.ts";

/** A round that takes longer than this hangs: the worker is ended and the round named. */
const HANG_MS = 20_000;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    rounds: { type: "string" },
    seed: { type: "string" },
    target: { type: "string", multiple: true },
  },
});

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

const progress = new SharedArrayBuffer(8);
const place = new Int32Array(progress);
// The seed of the first round decides over its target, too: to show one again, its target has to be the only one.
const firstSeed =
  values.seed === undefined ? Math.floor(Date.now() / 1000) % 1_000_000_000 : Number(values.seed);
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
  let total = 0;
  let allFailed = 0;
  let slowest = { name: "", ms: 0 };
  for (const [name, [rounds, failed, worst]] of Object.entries(message.rounds)) {
    total += rounds;
    allFailed += failed;
    if (worst > slowest.ms) slowest = { name, ms: worst };
    console.log(
      `${name.padEnd(18)} ${String(rounds).padStart(7)} rounds  ${String(failed).padStart(7)} ended in a failure  worst ${worst.toFixed(0).padStart(5)} ms`,
    );
  }
  console.log(
    `${total} damaged inputs, ${bugs} bugs, ${total - allFailed} values, ${allFailed} failures, slowest ${slowest.ms.toFixed(0)} ms (${slowest.name}), memory grew by ${message.peakMib.toFixed(0)} MiB at most (${message.largest})`,
  );
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
