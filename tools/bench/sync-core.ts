/**
 * The core of sync, without ssh: both sides as processes with a pipe between them, on files in memory. What runs take is compared
 * with reading and hashing both sides at the same time with the same hash in C.
 * `DOMUS_BENCH_GIB` is the size of the image, 4 by default; a third of it is used.
 */
import { execFileSync, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ensurePrograms } from "../programs.ts";
import { median } from "./pair.ts";
import { changeImage, makeImage } from "./sync/images.ts";

const MIB = 1 << 20;
const RUNS = 5;
const NODE = join(import.meta.dirname, "..", "..", "node_modules", "node", "bin", "node");

type Took = Readonly<Record<"wallMs" | "cpuMs" | "peakMib" | "sentMib", number>>;

/** Every third stretch of 64 MiB. */
const isUsed = (at: number) => Math.floor(at / 64) % 3 === 0;
/** Every fourth used MiB: as in an 8 GiB image with 300 MiB of changes. */
const isChanged = (index: number) => index % 4 === 0;

/** Both sides with a pipe each way, from starting them to the end of both. */
async function syncOnce(dir: string, source: string, target: string): Promise<Took> {
  const side = join(import.meta.dirname, "sync-side.ts");
  const [up, down] = [join(dir, "up"), join(dir, "down")];
  execFileSync("mkfifo", [up, down]);
  // The shell opens in an order in which neither waits for the other.
  const argv = {
    destination: [`exec "$0" "$@" <${up} >${down}`, NODE, side, "destination", target],
    source: [`exec "$0" "$@" >${up} <${down}`, NODE, side, "source", source],
  };
  const start = performance.now();
  const reports = await Promise.all([reportOf(argv.destination), reportOf(argv.source)]);
  const wallMs = performance.now() - start;
  rmSync(up);
  rmSync(down);
  return {
    wallMs,
    cpuMs: reports.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
    peakMib: Math.max(...reports.map(({ peakMib }) => peakMib)),
    sentMib: (reports[1].sentBytes ?? 0) / MIB,
  };
}

type Report = Pick<Took, "cpuMs" | "peakMib"> & { readonly sentBytes?: number };

async function reportOf(argv: readonly string[]): Promise<Report> {
  const child = spawn("sh", ["-c", ...argv], { stdio: ["ignore", "ignore", "pipe"] });
  let text = "";
  child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(`a side ended with ${String(code)}: ${text}`);
  return JSON.parse(text) as Report;
}

/** Two at a time, as both sides of a run share this machine. */
async function gmacOnce(program: string, paths: readonly string[]): Promise<number> {
  const start = performance.now();
  const run = (path: string) =>
    new Promise((resolve, reject) => {
      const child = spawn(program, [path], { stdio: "ignore" });
      child.on("error", reject);
      child.on("close", resolve);
    });
  await Promise.all(paths.map(run));
  return performance.now() - start;
}

async function measure(
  name: string,
  runs: { readonly before: () => void } & Readonly<Record<"dir" | "source" | "target", string>>,
  base: () => Promise<number>,
): Promise<void> {
  const took: Took[] = [];
  const ratios: number[] = [];
  const bases: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    runs.before();
    bases.push(await base());
    const one = await syncOnce(runs.dir, runs.source, runs.target);
    took.push(one);
    ratios.push(one.wallMs / bases.at(-1)!);
  }
  const of = (key: keyof (typeof took)[number]) => median(took.map((one) => one[key]));
  const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
  console.log(
    `  ${name.padEnd(16)} wall ${of("wallMs").toFixed(0).padStart(6)} ms   cpu ${of("cpuMs").toFixed(0).padStart(6)} ms` +
      `   peak ${of("peakMib").toFixed(0)} MiB   sent ${of("sentMib").toFixed(1)} MiB` +
      `   ${median(ratios).toFixed(2)} (${spread}) of ${median(bases).toFixed(0)} ms in C`,
  );
}

export async function benchSyncCore(): Promise<void> {
  ensurePrograms({ cc: "gcc", "/usr/include/openssl/evp.h": "libssl-dev" });
  const sizeMib = Math.floor(Number(process.env["DOMUS_BENCH_GIB"] ?? 4) * 1024);
  const dir = mkdtempSync("/dev/shm/domus-bench-");
  try {
    const program = join(dir, "gmac");
    execFileSync("cc", ["-O2", "-o", program, join(import.meta.dirname, "gmac.c"), "-lcrypto"]);
    const [old, source, target] = ["old", "source", "target"].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    const used = makeImage(old, sizeMib, isUsed);
    const copy = (from: string, to: string) => execFileSync("cp", ["--sparse=always", from, to]);
    copy(old, source);
    const changed = changeImage(source, used, isChanged).bytes;
    console.log(
      `sync-core: ${sizeMib} MiB, ${used.length} MiB used, ${(changed / MIB).toFixed(1)} MiB of 4 KiB blocks changed`,
    );
    const base = () => gmacOnce(program, [source, old]);
    copy(source, target);
    await measure("nothing changed", { before: () => {}, dir, source, target }, base);
    await measure("delta", { before: () => copy(old, target), dir, source, target }, base);
    const blank = () => {
      rmSync(target);
      closeSync(openSync(target, "w"));
      execFileSync("truncate", ["-s", `${sizeMib}M`, target]);
    };
    await measure("first copy", { before: blank, dir, source, target }, base);
  } finally {
    rmSync(dir, { recursive: true });
  }
}
