/** Every file of a large and odd tree, compared with what the kernel says about the same image. */
import { describe, expect, test } from "vitest";
import { openXfs } from "../../../../../src/disk/fs/xfs/xfs.ts";
import { imageSource, mountedAs } from "../../../../support/fs/mounted.ts";
import { makeTree, makeUnwritten } from "../../../../support/fs/tree.ts";
import { differences, domusView, kernelView } from "../../../../support/fs/view.ts";
import { need, needRoot, scratch, sh } from "../../../../support/need.ts";
import { makeXfsForms } from "./forms.ts";
import { makeXfs } from "./tools.ts";
import type { XfsMake } from "./tools.ts";

type Variant = XfsMake & { readonly name: string; readonly sizeBytes?: number };

const VARIANTS: readonly Variant[] = [
  { name: "as mkfs makes it", mkfs: "" },
  { name: "bigtime=0, inobtcount=0", mkfs: "-m bigtime=0,inobtcount=0" },
  { name: "nrext64", mkfs: "-i nrext64=1" },
  { name: "finobt=0, sparse=0, reflink=0", mkfs: "-m finobt=0,reflink=0,inobtcount=0 -i sparse=0" },
  { name: "rmapbt", mkfs: "-m rmapbt=1" },
  { name: "1 KiB blocks", mkfs: "-b size=1024" },
  { name: "1 KiB blocks, 64 KiB directory blocks", mkfs: "-b size=1024 -n size=65536" },
  { name: "2 KiB blocks, 1 KiB inodes", mkfs: "-b size=2048 -i size=1024" },
  { name: "64 KiB directory blocks", mkfs: "-n size=65536" },
  { name: "2 KiB inodes", mkfs: "-i size=2048" },
  { name: "4 KiB sectors", mkfs: "-s size=4096" },
  { name: "many groups", mkfs: "-d agcount=37" },
  { name: "16 KiB blocks", mkfs: "-b size=16384" },
  { name: "64 KiB blocks, 1 KiB inodes", mkfs: "-b size=65536 -i size=1024", sizeBytes: 4e9 },
  {
    name: "parent pointers, exchange, metadir",
    mkfs: "-n parent=1 -i exchange=1 -m metadir=1",
    newer: true,
  },
  { name: "parent pointers, 1 KiB blocks", mkfs: "-n parent=1 -b size=1024", newer: true },
];

describe("the whole tree, as the kernel sees it", () => {
  test.for(VARIANTS)("$name", async (variant) => {
    const { name, mkfs, sizeBytes = 2 ** 30 } = variant;
    need("mkfs.xfs", "fallocate", "xfs_io", "xfs_repair");
    needRoot("it mounts images");
    const image = `${scratch()}/image`;
    sh(`truncate -s ${sizeBytes} '${image}'`);
    makeXfs(image, { ...variant, mkfs: `-L 'läbel' ${mkfs}` });
    await mountedAs({ image, type: "xfs", options: "nouuid" }, async (root) => {
      await makeTree(root, { files: 20_000, crowd: 11_000, sparseSize: 10_000_000_001 });
      makeUnwritten(root);
      makeXfsForms(root, { reflink: !mkfs.includes("reflink=0") });
    });
    const kernel = await mountedAs({ image, type: "xfs", options: "nouuid,ro" }, (root) =>
      kernelView(root),
    );

    using source = imageSource(image);
    const fs = await openXfs(source);
    expect(fs.kind).toBe("xfs");
    expect(fs.label).toBe("läbel");
    expect(fs.uuid).toBe(sh(`blkid -o value -s UUID '${image}'`).toString().trim());
    expect(fs.state).toEqual({ clean: true, text: "clean" });
    expect(fs.notes).toEqual([]);
    const start = performance.now();
    const tree = await domusView(fs, { content: false });
    const walked = performance.now() - start;
    const domus = await domusView(fs);
    console.log(`${name}: ${kernel.size} files, walked in ${walked.toFixed(0)} ms`);
    expect(tree.size).toBe(kernel.size);
    expect(differences(kernel, domus)).toEqual([]);
  });
});
