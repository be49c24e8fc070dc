/** Dirty logs as large as they get: opened in a process of its own, whose memory is watched while it reads. */
import { closeSync, fsyncSync, mkdirSync, openSync, symlinkSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { mountedAs } from "../../../support/fs/mounted.ts";
import { need, needRoot, scratch, sh } from "../../../support/need.ts";
import { forgetDevices } from "./btrfs/forms.ts";

/** Of what is held whenever something is read. */
const LIMIT_MIB = 256;
/** Of that with garbage, whenever it is collected: up to 300 was seen. */
const GARBAGE_LIMIT_MIB = 512;

type Peak = {
  readonly liveMib: number;
  readonly peakMib: number;
  readonly openMib: number;
  readonly files: number;
  readonly state: string;
};

/** Also checks the bounds. */
function peakOf(kind: string, image: string): Peak {
  const program = new URL("../../../support/peak-memory.ts", import.meta.url).pathname;
  const text = sh(`'${process.execPath}' --expose-gc '${program}' ${kind} '${image}'`).toString();
  console.log(`${kind}: ${text.trim()}`);
  const peak = JSON.parse(text) as Peak;
  expect(peak.liveMib).toBeLessThan(LIMIT_MIB);
  expect(peak.peakMib).toBeLessThan(GARBAGE_LIMIT_MIB);
  return peak;
}

/** Names, inodes, and blocks for symlinks: all of it is metadata, which goes through the log. */
function fill(root: string, count: number): void {
  for (let i = 0; i < count; i++) {
    const dir = `${root}/d${Math.floor(i / 500)}`;
    if (i % 500 === 0) mkdirSync(dir);
    const path = `${dir}/${"n".repeat(40 + (i % 120))}-${i}`;
    if (i % 3 === 0) closeSync(openSync(path, "w"));
    else symlinkSync("s".repeat(i % 2 ? 900 : 20), path);
  }
}

test("XFS: a log of 64 MiB, as filesystems up to 128 GiB have, and one of 1 GiB", async () => {
  need("mkfs.xfs", "xfs_io");
  needRoot("it mounts images");
  const image = `${scratch()}/image`;
  for (const [log, count] of [
    ["64m", 40_000],
    ["1g", 150_000],
  ] as const) {
    sh(`rm -f '${image}'; truncate -s 8G '${image}'; mkfs.xfs -q -l size=${log} '${image}'`);
    await mountedAs({ image, type: "xfs", options: "nouuid,logbsize=256k" }, (root) => {
      fill(root, count);
      sh(`xfs_io -x -c 'shutdown -f' '${root}'`);
    });
    const { openMib, state } = peakOf("xfs", image);
    expect(openMib).toBeGreaterThan(40);
    if (log === "64m") expect(state).toMatch(/^log replayed in memory/);
    // Either there is room for it, or that is what is said.
    else expect(state).toMatch(/^log (replayed in memory|not replayed: it is larger than domus)/);
  }
});

test("ext4: a journal of 1 GiB", async () => {
  need("mkfs.ext4");
  needRoot("it mounts images");
  const image = `${scratch()}/image`;
  sh(`truncate -s 8G '${image}'; mkfs.ext4 -q -F -J size=1024 '${image}'`);
  await mountedAs({ image, type: "ext4", options: "commit=600" }, (root) => {
    fill(root, 120_000);
    sh(`sync -f '${root}'; cp --sparse=always '${image}' '${image}.cut'`);
  });
  const { state, files } = peakOf("ext4", `${image}.cut`);
  expect(state).toMatch(/^journal replayed in memory/);
  expect(files).toBeGreaterThan(120_000);
});

test("btrfs: 30,000 files in a directory that was synced", async () => {
  need("mkfs.btrfs");
  needRoot("it mounts images");
  const image = `${scratch()}/image`;
  sh(`truncate -s 2G '${image}'; mkfs.btrfs -q '${image}'`);
  await mountedAs({ image, type: "btrfs", options: "commit=600" }, (root) => {
    mkdirSync(`${root}/d`);
    for (let i = 0; i < 30_000; i++) {
      writeFileSync(`${root}/d/${"n".repeat(40 + (i % 120))}-${i}`, "x".repeat(i % 1800));
    }
    const fd = openSync(`${root}/d`, "r");
    fsyncSync(fd);
    closeSync(fd);
    sh(`cp --sparse=always '${image}' '${image}.cut'`);
  });
  forgetDevices();
  const { state } = peakOf("btrfs", `${image}.cut`);
  expect(state).toMatch(/^log replayed in memory \(30001 inodes\)|^log not replayed: it is larger/);
});
