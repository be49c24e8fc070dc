/**
 * `npm run bench -- sync-sizes`: what a copy takes as the device grows, with the same 64 MiB in it; and a full delta of 64 GiB
 * against one whose changes are known. Sparse files in memory, for the second behind loop devices, which have no holes. Needs
 * root.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensurePrograms } from "../programs.ts";
import { bundleSide } from "./sync/bundle.ts";
import { costOf } from "./sync/cost.ts";
import type { Cost } from "./sync/cost.ts";
import { changeImage, makeImage } from "./sync/images.ts";
import { startLoopback } from "./sync/loopback.ts";
import type { Loopback } from "./sync/loopback.ts";

const NODE = join(import.meta.dirname, "..", "..", "node_modules", "node", "bin", "node");
const SIZES_GIB = [1, 4, 16, 64] as const;
const KNOWN_GIB = 64;
const USED_MIB = 64;

type Setting = { readonly loopback: Loopback; readonly at: (name: string) => string };

export async function benchSyncSizes(dist: string): Promise<void> {
  ensurePrograms({
    "/usr/sbin/sshd": "openssh-server",
    ssh: "openssh-client",
    losetup: "mount",
  });
  const dir = mkdtempSync("/dev/shm/domus-bench-");
  try {
    using loopback = await startLoopback(dir);
    const at = (name: string) => join(dir, name);
    copyFileSync(dist, at("domus"));
    await bundleSide(at("side.mjs"));
    console.log(`${"nothing changed, sparse".padEnd(36)}wall s   CPU s   largest process, MiB`);
    for (const gib of SIZES_GIB) {
      makeFiles(gib, at);
      print(`${gib} GiB`, await runDomus({ loopback, at }));
    }
    await benchKnown({ loopback, at });
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** 64 MiB, one in each 64th of the device. */
function makeFiles(gib: number, at: Setting["at"]): readonly number[] {
  const every = (gib * 1024) / USED_MIB;
  for (const name of ["source", "target"]) rmSync(at(name), { force: true });
  const used = makeImage(at("source"), gib * 1024, (mib) => mib % every === 0);
  execFileSync("cp", ["--sparse=always", at("source"), at("target")]);
  return used;
}

function runDomus({ loopback, at }: Setting): Promise<Cost> {
  const ssh = `--ssh '${loopback.ssh}' --far-domus ${at("domus")}`;
  const command = `${at("domus")} sync --full --state-dir ${at("state")} ${ssh} ${at("source")} far:${at("target")}`;
  return costOf(command, { serverPid: loopback.pid });
}

async function benchKnown({ loopback, at }: Setting): Promise<void> {
  const used = makeFiles(KNOWN_GIB, at);
  const { mib } = changeImage(at("source"), used, () => true);
  writeFileSync(at("looks"), JSON.stringify(mib.map((first) => ({ first, count: 1 }))));
  const loop = (name: string) =>
    execFileSync("losetup", ["--show", "-f", at(name)], { encoding: "utf8" }).trim();
  const devices: string[] = [];
  try {
    for (const name of ["source", "target"]) devices.push(loop(name));
    const [source, target] = devices as [string, string];
    const run = (looks: string) =>
      costOf(
        `${NODE} ${at("side.mjs")} source ${source} "${loopback.ssh} far ${NODE} ${at("side.mjs")} destination ${target}" ${looks}`,
        { serverPid: loopback.pid },
      );
    console.log(`\n${KNOWN_GIB} GiB as a device, ${mib.length} MiB with changes`);
    const known = await run(at("looks"));
    print("the changes are known", known);
    // The same changes again, of which the other end has nothing.
    changeImage(at("source"), used, () => true);
    const full = await run("");
    print("a full delta", full);
    console.log(`${"ratio".padEnd(36)}${(known.wallMs / full.wallMs).toFixed(3).padStart(6)}`);
    execFileSync("cmp", [at("source"), at("target")]);
  } finally {
    for (const device of devices) execFileSync("losetup", ["-d", device]);
  }
}

function print(name: string, { wallMs, cpuMs, largestMib }: Cost): void {
  console.log(
    `${name.padEnd(36)}${(wallMs / 1000).toFixed(2).padStart(6)} ${(cpuMs / 1000).toFixed(2).padStart(7)} ${largestMib.toFixed(0).padStart(9)}`,
  );
}
