/** Every file of a large and odd tree, compared with what the kernel says about the same image. */
import { describe, expect, test } from "vitest";
import { openBtrfs } from "../../../../../src/disk/fs/btrfs/btrfs.ts";
import { imageSource, mountedAs } from "../../../../support/fs/mounted.ts";
import { makeTree, makeUnwritten } from "../../../../support/fs/tree.ts";
import { differences, domusView, kernelView } from "../../../../support/fs/view.ts";
import { need, needRoot, scratch, sh } from "../../../../support/need.ts";
import { forgetDevices, makeBtrfsForms, makeSubvolumes, mkfsBtrfs } from "./forms.ts";

type Variant = {
  readonly name: string;
  readonly mkfs?: string;
  readonly mount?: string;
  /** Run on the image when the tree is in it. */
  readonly after?: string;
};

const VARIANTS: readonly Variant[] = [
  { name: "as mkfs makes it" },
  { name: "mixed groups", mkfs: "-M" },
  { name: "nodes of 4 KiB", mkfs: "-n 4096" },
  { name: "nodes of 64 KiB", mkfs: "-n 65536" },
  { name: "xxhash64", mkfs: "--csum xxhash" },
  { name: "sha256", mkfs: "--csum sha256" },
  { name: "blake2b", mkfs: "--csum blake2" },
  { name: "single metadata, data twice", mkfs: "-m single -d dup" },
  { name: "explicit holes", mkfs: "-O ^no-holes" },
  { name: "old defaults", mkfs: "-O ^no-holes,^extref,^skinny-metadata -R ^free-space-tree" },
  { name: "zlib", mount: "compress-force=zlib" },
  { name: "lzo", mount: "compress-force=lzo" },
  { name: "zstd", mount: "compress-force=zstd:15" },
  { name: "zstd, nodes of 4 KiB, mixed", mkfs: "-M", mount: "compress=zstd" },
  { name: "no checksums", mount: "nodatasum" },
  { name: "no copy on write, no inline data", mount: "nodatacow,max_inline=0" },
  { name: "quotas", mkfs: "-R quota" },
  { name: "another uuid, not rewritten", after: "btrfstune -m" },
];

describe("the whole tree, as the kernel sees it", () => {
  test.for(VARIANTS)("$name", async ({ name, mkfs = "", mount = "", after }) => {
    need("mkfs.btrfs", "fallocate", "xfs_io");
    needRoot("it mounts images");
    const image = `${scratch()}/image`;
    sh(`truncate -s 2G '${image}'`);
    mkfsBtrfs(image, `-L 'läbel' ${mkfs}`);
    await mountedAs({ image, type: "btrfs", options: mount }, async (root) => {
      await makeTree(root, { files: 20_000, crowd: 11_000, sparseSize: 10_000_000_001 });
      makeUnwritten(root);
      makeBtrfsForms(root);
      makeSubvolumes(root);
    });
    if (after) sh(`${after} '${image}'`);
    forgetDevices();
    const kernel = await mountedAs({ image, type: "btrfs", options: "ro" }, (root) =>
      kernelView(root),
    );

    using source = imageSource(image);
    const fs = await openBtrfs(source);
    expect(fs.kind).toBe("btrfs");
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
    ignoreStubTimes(kernel, domus);
    expect(differences(kernel, domus)).toEqual([]);
  });
});

/** The kernel gives a subvolume that is not there the time of the look. */
function ignoreStubTimes(...views: Awaited<ReturnType<typeof domusView>>[]): void {
  for (const view of views) {
    for (const path of ["/snapshot/nested", "/snapshot2/nested", "/vols/readonly/nested"]) {
      const seen = view.get(path);
      if (seen) view.set(path, { ...seen, mtime: 0 });
    }
  }
}
