/**
 * `npm run bench -- sync [--gib 8] [--runs 5] [--scenario NAME ...] [--against NAME ...]
 * [--peer 'name=command' ...]`: copying a disk over ssh on
 * loopback, against what people use for it, in turn, with one cipher. Files in memory: what is measured is work, not a disk.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensurePrograms } from "../programs.ts";
import { median } from "./pair.ts";
import { bundleSide } from "./sync/bundle.ts";
import { costOf } from "./sync/cost.ts";
import type { Cost } from "./sync/cost.ts";
import { changeImage, makeImage } from "./sync/images.ts";
import type { Changes } from "./sync/images.ts";
import { startLoopback } from "./sync/loopback.ts";
import type { Loopback } from "./sync/loopback.ts";
import { domusPeer, enginePeer, peerOf, PEERS, SCENARIOS } from "./sync/peers.ts";
import type { Peer, Scenario } from "./sync/peers.ts";

const MIB = 1 << 20;
const NODE = join(import.meta.dirname, "..", "..", "node_modules", "node", "bin", "node");

export type SyncBenchOptions = {
  readonly gib?: string | undefined;
  readonly runs?: string | undefined;
  readonly scenario?: readonly string[] | undefined;
  readonly peer?: readonly string[] | undefined;
  /** Of peers, parts of their names: only these. */
  readonly against?: readonly string[] | undefined;
};

type Ran = Cost & { readonly up: number; readonly down: number };
type Setting = {
  readonly dir: string;
  readonly loopback: Loopback;
  readonly used: readonly number[];
  readonly changes: Changes;
  /** `name` in `dir`. */
  readonly at: (name: string) => string;
};

export async function benchSync(dist: string, options: SyncBenchOptions): Promise<void> {
  const unknown = options.scenario?.find((name) => !SCENARIOS.some((one) => one === name));
  if (unknown !== undefined)
    throw new Error(`no scenario "${unknown}"; there are: ${SCENARIOS.join("; ")}`);
  ensurePrograms({
    "/usr/sbin/sshd": "openssh-server",
    ssh: "openssh-client",
    rsync: "rsync",
    lzop: "lzop",
    zstd: "zstd",
    perl: "perl",
    "qemu-img": "qemu-utils",
    cc: "gcc",
    "/usr/include/openssl/evp.h": "libssl-dev",
  });
  const dir = mkdtempSync("/dev/shm/domus-bench-");
  try {
    using loopback = await startLoopback(dir);
    const at = (name: string) => join(dir, name);
    await bundleSide(at("side.mjs"));
    // A copy: nobody builds another one meanwhile.
    copyFileSync(dist, at("domus"));
    execFileSync("cc", ["-O2", "-o", at("gmac"), join(import.meta.dirname, "gmac.c"), "-lcrypto"]);
    const sizeMib = Math.floor(Number(options.gib ?? 8) * 1024);
    const used = makeImage(at("old"), sizeMib);
    execFileSync("cp", ["--sparse=always", at("old"), at("source")]);
    const changes = changeImage(at("source"), used);
    execFileSync("cp", ["--sparse=always", at("source"), at("new")]);
    const looks = changes.mib.map((first) => ({ first, count: 1 }));
    writeFileSync(at("looks"), JSON.stringify(looks));
    const setting = { dir, loopback, used, changes, at };
    console.log(
      `sync: ${sizeMib} MiB, ${used.length} MiB used, ${(changes.bytes / MIB).toFixed(1)} MiB of 4 KiB blocks changed in ${changes.mib.length} MiB`,
    );
    const against = (name: string) => options.against?.some((part) => name.includes(part)) ?? true;
    const peers = [
      domusPeer(at("domus")),
      enginePeer(NODE, at("side.mjs")),
      ...PEERS.filter(({ name }) => against(name)),
      ...(options.peer ?? []).map(peerOf),
    ];
    const runs = Number(options.runs ?? 5);
    for (const scenario of SCENARIOS)
      if (options.scenario?.includes(scenario) ?? true)
        await benchScenario(scenario, setting, { peers, runs });
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function benchScenario(
  scenario: Scenario,
  setting: Setting,
  { peers, runs }: { readonly peers: readonly Peer[]; readonly runs: number },
): Promise<void> {
  const reading = {
    name: "C reads, GMAC, one side",
    commands: { [scenario]: `${setting.at("gmac")} $SRC` },
  };
  const all = [...peers.filter(({ commands }) => commands[scenario]), reading];
  const ran = new Map<Peer, Ran[]>(all.map((peer) => [peer, []]));
  for (let run = 0; run < runs; run++)
    for (const peer of all) {
      if (scenario.endsWith("kept index")) await keepIndex(peer, scenario, setting);
      const one = await runOnce(peer, scenario, setting);
      ran.get(peer)!.push(one);
      // A peer that does not do its work is not fast.
      if (run === 0 && peer !== reading)
        execFileSync("cmp", [setting.at("source"), setting.at("target")]);
    }
  print(scenario, ran, setting.changes);
}

async function runOnce(peer: Peer, scenario: Scenario, setting: Setting): Promise<Ran> {
  if (!scenario.endsWith("kept index")) prepare(scenario, setting);
  const { loopback } = setting;
  const env = environment(setting);
  loopback.takeTransferred();
  const cost = await costOf(peer.commands[scenario]!, { serverPid: loopback.pid, env });
  return { ...cost, ...loopback.takeTransferred() };
}

function environment({ at, dir, loopback }: Setting): NodeJS.ProcessEnv {
  const [SRC, DST] = [at("source"), at("target")];
  return { SRC, DST, DIR: dir, SSH: loopback.ssh, LOOKS: at("looks"), KEPT: at("kept") };
}

/** What the destination holds before. */
function prepare(scenario: Scenario, { at }: Setting): void {
  const copy = (from: string, to: string) =>
    execFileSync("cp", ["--sparse=always", at(from), at(to)]);
  for (const name of ["target", "target.domus-sync"]) rmSync(at(name), { force: true });
  if (scenario === "first copy")
    execFileSync("sh", ["-c", 'truncate -r "$0" "$1"', at("source"), at("target")]);
  else copy(scenario.startsWith("nothing") ? "source" : "old", "target");
}

/** A run of before, which has left its index; then what has changed since is written into the same file. */
async function keepIndex(peer: Peer, scenario: Scenario, setting: Setting): Promise<void> {
  const { at, loopback } = setting;
  const fill = (from: string) => execFileSync("cp", ["--sparse=always", at(from), at("source")]);
  if (scenario.startsWith("delta")) fill("old");
  rmSync(at("kept"), { force: true });
  prepare("first copy", setting);
  const env = environment(setting);
  await costOf(peer.commands[scenario]!, { serverPid: loopback.pid, env });
  if (scenario.startsWith("delta")) fill("new");
}

function print(scenario: Scenario, ran: ReadonlyMap<Peer, readonly Ran[]>, changes: Changes): void {
  const [ours] = ran.values();
  console.log(
    `\n${scenario}${" ".repeat(Math.max(0, 30 - scenario.length))}wall s (least to most)   domus/this (least to most)   CPU s   all MiB   largest   MiB up    down`,
  );
  for (const [{ name }, runs] of ran) {
    const of = (key: keyof Ran) => median(runs.map((run) => run[key]));
    const walls = runs.map(({ wallMs }) => wallMs / 1000);
    const ratios = ours!.map(({ wallMs }, run) => wallMs / runs[run]!.wallMs);
    const spread = (values: readonly number[]) =>
      `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)})`;
    const columns = [
      spread(walls).padStart(22),
      (runs === ours ? "" : spread(ratios)).padStart(28),
      (of("cpuMs") / 1000).toFixed(2).padStart(7),
      of("totalMib").toFixed(0).padStart(9),
      Math.max(...runs.map(({ largestMib }) => largestMib))
        .toFixed(0)
        .padStart(9),
      (of("up") / MIB).toFixed(1).padStart(8),
      (of("down") / MIB).toFixed(1).padStart(7),
    ];
    console.log(`  ${name.padEnd(28)}${columns.join(" ")}`);
  }
  const up = median(ours!.map((run) => run.up));
  if (scenario.startsWith("delta"))
    console.log(`  sent: ${(up / changes.bytes).toFixed(3)} of the changed blocks`);
}
