/** Dirty logs: what domus shows after its replay in memory, against what the kernel shows after its own. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { describe, expect, test } from "vitest";
import { attempt } from "../../../../../src/base/failure.ts";
import { findEnds } from "../../../../../src/disk/fs/xfs/log/head.ts";
import { replayLog } from "../../../../../src/disk/fs/xfs/log/replay.ts";
import { openLog } from "../../../../../src/disk/fs/xfs/log/ring.ts";
import { readSuperblock } from "../../../../../src/disk/fs/xfs/superblock.ts";
import { openXfs } from "../../../../../src/disk/fs/xfs/xfs.ts";
import { imageSource, mountedAs } from "../../../../support/fs/mounted.ts";
import { differences, domusView, kernelView } from "../../../../support/fs/view.ts";
import { need, needRoot, scratch, sh } from "../../../../support/need.ts";
import { assertSound, makeXfs } from "./tools.ts";
import type { XfsMake } from "./tools.ts";

type Variant = XfsMake & {
  readonly name: string;
  readonly mount?: string;
  readonly logSize?: string;
};

const VARIANTS: readonly Variant[] = [
  { name: "as mkfs makes it", mkfs: "" },
  { name: "records of 256 KiB", mkfs: "", mount: "logbsize=256k" },
  { name: "log stripe", mkfs: "-l su=64k", logSize: "10m" },
  { name: "1 KiB blocks, 16 KiB directory blocks", mkfs: "-b size=1024 -n size=16384" },
  {
    name: "nrext64, rmapbt, 2 KiB inodes",
    mkfs: "-i nrext64=1,size=2048 -m rmapbt=1",
    logSize: "14m",
  },
  { name: "bigtime=0, sparse=0", mkfs: "-m bigtime=0,inobtcount=0 -i sparse=0" },
  { name: "4 KiB sectors", mkfs: "-s size=4096" },
  {
    name: "parent pointers, exchange, metadir",
    mkfs: "-n parent=1 -i exchange=1 -m metadir=1",
    newer: true,
    logSize: "16m",
  },
];

/** Changes of every kind, many of them in blocks and inodes that were freed just before. */
function churn(root: string, round: number): void {
  const dir = `${root}/r${round}`;
  mkdirSync(dir);
  for (let i = 0; i < 400; i++) {
    writeFileSync(`${dir}/${"n".repeat(i % 100)}-${i}`, `round ${round} file ${i} `.repeat(i));
    if (i % 9 === 0) symlinkSync("s".repeat(20 + ((i * 7) % 1000)), `${dir}/link-${i}`);
  }
  const fd = openSync(`${dir}/fragments`, "w");
  for (let i = 0; i < 300; i++) writeSync(fd, Buffer.alloc(100, "f"), 0, null, i * 131_072);
  closeSync(fd);
  sh(`cd '${root}'
    mknod r${round}/device b 202 ${round}; mkdir r${round}/small; touch r${round}/small/{a,b,c}
    cp --reflink=auto r${round}/fragments r${round}/shared
    printf changed | dd of=r${round}/shared bs=1 seek=131072 conv=notrunc status=none
    fallocate -l 3M r${round}/unwritten`);
  // What was not in the log is gone after a shutdown.
  if (!existsSync(`${root}/r${round - 1}`)) return;
  for (const name of readdirSync(`${root}/r${round - 1}`)) {
    if (name.endsWith("5")) renameSync(`${root}/r${round - 1}/${name}`, `${dir}/moved-${name}`);
  }
  // Frees inodes, directories and trees of extents; what comes next takes their place.
  if (round % 3 === 1) sh(`rm -r '${root}/r${round - 1}'; sync -f '${root}'`);
  sh(
    `cd '${root}'; truncate -s 1000000 r${round}/fragments; fallocate -p -o 300000 -l 5000000 r${round}/shared`,
  );
}

const copy = (from: string, to: string) => sh(`cp --sparse=always '${from}' '${to}'`);

/** What the log of an image has in it, to be sure that the tests meet what they are for. */
async function logFacts(image: string) {
  using source = imageSource(image);
  const superblock = await readSuperblock(source, ["xfs"]);
  const ownerChanged = new Set<number>();
  const volume = { source, where: ["xfs"], superblock, replayed: () => false, ownerChanged };
  const ends = await findEnds(openLog(volume));
  const replay = await replayLog(volume);
  return { ...ends, wraps: ends.tail > ends.head, transactions: replay?.transactions ?? 0 };
}

/** Of an image in use: it may be seen half written. */
async function wraps(image: string): Promise<boolean> {
  const facts = await attempt(() => logFacts(image));
  return facts.ok && facts.value.wraps;
}

async function expectSameAsKernel(cut: string, mount: string, make: XfsMake): Promise<void> {
  using source = imageSource(cut);
  const fs = await openXfs(source);
  expect(fs.state.clean).toBe(false);
  expect(fs.state.text).toMatch(
    /^(log replayed in memory \(\d+ transactions?\)|not cleanly unmounted, nothing in the log to replay)$/,
  );
  expect(fs.notes).toEqual([]);
  const domus = await domusView(fs);
  copy(cut, `${cut}.kernel`);
  const options = `nouuid${mount}`;
  const kernel = await mountedAs({ image: `${cut}.kernel`, type: "xfs", options }, (root) =>
    kernelView(root),
  );
  expect(differences(kernel, domus)).toEqual([]);
  assertSound(`${cut}.kernel`, make);
  rmSync(`${cut}.kernel`);
}

describe("a dirty log left by the kernel", () => {
  const met = { wraps: 0, cuts: 0, transactions: 0 };

  test.for(VARIANTS)("$name", async (variant) => {
    const { mkfs, mount, logSize = "8m" } = variant;
    need("mkfs.xfs", "xfs_io", "xfs_repair");
    needRoot("it mounts images");
    const image = `${scratch()}/image`;
    sh(`truncate -s 1G '${image}'`);
    // About the smallest log that mkfs makes, so that it goes round.
    makeXfs(image, { ...variant, mkfs: `-l size=${logSize} ${mkfs}` });
    const extra = mount ? `,${mount}` : "";
    const options = `nouuid${extra}`;
    let round = 0;
    for (let cut = 0; cut < 7; cut++) {
      // -f writes what is in the log's buffers, without it only what has reached the log counts.
      const flush = cut % 2 === 0 ? "-f" : "";
      await mountedAs({ image, type: "xfs", options }, async (root) => {
        for (let i = 0; i <= cut % 3; i++) churn(root, round++);
        if (cut % 4 === 1) sh(`sync -f '${root}'; echo later > '${root}/later${cut}'`);
        // The last time, on until what is needed of the log goes over its end.
        const most = cut === 6 ? 60 : 0;
        for (let i = 0; i < most && !(await wraps(image)); i++) {
          churn(root, round++);
          sh(`sync -f '${root}'`);
        }
        sh(`xfs_io -x -c 'shutdown ${flush}' '${root}'`);
      });
      const facts = await logFacts(image);
      expect(facts.clean).toBe(false);
      met.cuts += 1;
      met.transactions += facts.transactions;
      if (facts.wraps) met.wraps += 1;
      await expectSameAsKernel(image, extra, variant);
    }
  });

  test("some of the logs went round", () => {
    console.log(met);
    expect(met.wraps).toBeGreaterThan(2);
  });
});
