/** The proof of usedExtents: everything outside of it is overwritten, and nothing is lost. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { openXfs } from "../../../../../src/disk/fs/xfs/xfs.ts";
import { imageSource, mountedAs } from "../../../../support/fs/mounted.ts";
import { makeTree, makeUnwritten } from "../../../../support/fs/tree.ts";
import { differences, kernelView } from "../../../../support/fs/view.ts";
import { wipeOutside } from "../../../../support/fs/wipe.ts";
import { need, needRoot, scratch, sh } from "../../../../support/need.ts";
import { makeXfsForms } from "./forms.ts";
import { assertSound, makeXfs } from "./tools.ts";
import type { XfsMake } from "./tools.ts";

const SIZE = 400 * 1024 * 1024;
const VARIANTS: readonly XfsMake[] = [
  { mkfs: "" },
  { mkfs: "-b size=1024 -n size=8192" },
  { mkfs: "-m rmapbt=1 -i nrext64=1" },
  { mkfs: "-m finobt=0,reflink=0,inobtcount=0,bigtime=0 -i sparse=0" },
  { mkfs: "-s size=4096 -d agcount=11" },
  { mkfs: "-b size=16384 -d agcount=3" },
  { mkfs: "-n parent=1 -i exchange=1 -m metadir=1", newer: true },
];

/** Free space in very many pieces, so that its tree has more than one level. */
function makeHoles(root: string): void {
  mkdirSync(`${root}/holes`);
  for (let i = 0; i < 3000; i++) writeFileSync(`${root}/holes/${i}`, "x");
  sh(`sync -f '${root}'`);
  for (let i = 0; i < 3000; i += 2) rmSync(`${root}/holes/${i}`);
}

describe("zeroing everything outside loses nothing", () => {
  test.for(VARIANTS)("$mkfs", async (variant) => {
    const { mkfs } = variant;
    need("mkfs.xfs", "xfs_repair", "xfs_db", "fallocate");
    needRoot("it mounts images");
    const image = `${scratch()}/image`;
    // The last group is shorter than the others, and the device longer than the filesystem.
    sh(`truncate -s ${SIZE + 700_000} '${image}'`);
    makeXfs(image, { ...variant, mkfs: `-l size=18m ${mkfs}` });
    await mountedAs({ image, type: "xfs", options: "nouuid" }, async (root) => {
      await makeTree(root, { files: 3000, crowd: 1500, sparseSize: 1_000_000_000 });
      makeUnwritten(root);
      makeXfsForms(root, { reflink: !mkfs.includes("reflink=0") });
      makeHoles(root);
      sh(`rm -r '${root}/d1' '${root}/d3' '${root}/contents/solid' '${root}/forms/entries-1000'`);
    });
    const look = () =>
      mountedAs({ image, type: "xfs", options: "nouuid,ro" }, (root) => kernelView(root));
    const before = await look();

    using source = imageSource(image);
    const fs = await openXfs(source);
    expect(fs.state.text).toBe("clean");
    const extents = await Array.fromAsync(fs.usedExtents());
    let end = -1;
    for (const { offset, length } of extents) {
      expect(offset).toBeGreaterThan(end); // a gap between any two, or they would be one
      expect(length).toBeGreaterThan(0);
      end = offset + length;
    }
    expect(end).toBeLessThanOrEqual(fs.sizeBytes);
    // Not by listing everything: what is free by the kernel's own count is left out, but for what each group keeps aside.
    const used = extents.reduce((sum, extent) => sum + extent.length, 0);
    const free = sh(`xfs_db -r -c 'sb 0' -c 'print fdblocks' '${image}'`).toString();
    const levels = sh(
      `for ag in 0 1 2; do xfs_db -r -c "agf $ag" -c 'print bnolevel' '${image}'; done`,
    );
    // A leaf of 16 KiB has room for 2000.
    if (!mkfs.includes("16384")) expect(levels.toString()).toContain("= 2");
    const expected = fs.sizeBytes - Number(/= (\d+)/.exec(free)![1]) * fs.blockSizeBytes;
    expect(Math.abs(used - expected)).toBeLessThan(4 * 1024 * 1024);

    for (const fill of [0, 0xa5]) {
      expect(wipeOutside(image, extents, source.size, fill)).toBe(source.size - used);
      assertSound(image, variant);
      expect(differences(before, await look())).toEqual([]);
    }
  });

  test("of a dirty image, for the kernel that replays it later", async () => {
    need("mkfs.xfs", "xfs_repair", "xfs_io");
    needRoot("it mounts images");
    const dir = scratch();
    const [image, wiped] = [`${dir}/image`, `${dir}/wiped`];
    sh(`truncate -s ${SIZE} '${image}'`);
    makeXfs(image, { mkfs: "" });
    await mountedAs({ image, type: "xfs", options: "nouuid" }, async (root) => {
      await makeTree(root, { files: 3000, crowd: 1500, sparseSize: 1_000_000_000 });
      makeXfsForms(root, { reflink: true });
      sh(`sync -f '${root}'; rm -r '${root}/d1' '${root}/forms/entries-5000'
        cp -r '${root}/d2' '${root}/again'; xfs_io -x -c 'shutdown -f' '${root}'`);
    });
    sh(`cp --sparse=always '${image}' '${wiped}'`);
    using source = imageSource(image);
    const fs = await openXfs(source);
    expect(fs.state.text).toContain("log replayed");
    const extents = await Array.fromAsync(fs.usedExtents());
    expect(wipeOutside(wiped, extents, SIZE, 0xa5)).toBeGreaterThan(SIZE / 4);
    const options = "nouuid";
    const kernel = await mountedAs({ image, type: "xfs", options }, (root) => kernelView(root));
    const after = await mountedAs({ image: wiped, type: "xfs", options }, (root) =>
      kernelView(root),
    );
    expect(differences(kernel, after)).toEqual([]);
    assertSound(wiped, { mkfs: "" });
  });
});
