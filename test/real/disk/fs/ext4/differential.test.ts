/** Every file of a large and odd tree, compared with what the kernel says about the same image. */
import { describe, expect, test } from "vitest";
import { openExt4 } from "../../../../../src/disk/fs/ext4/ext4.ts";
import { need, needRoot, scratch, sh } from "../../../../support/need.ts";
import { imageSource, mounted } from "../../../../support/fs/mounted.ts";
import { makeTree, makeUnwritten } from "../../../../support/fs/tree.ts";
import { differences, domusView, kernelView } from "../../../../support/fs/view.ts";

type Variant = {
  readonly name: string;
  readonly mkfs: string;
  readonly kind: "ext2" | "ext3" | "ext4";
  readonly size?: string;
  /** Extents, and with them fallocate. */
  readonly unwritten: boolean;
  /** Run on the image when the tree is in it: for features that this kernel reads but cannot write. */
  readonly after?: string;
};

const ext4 = (name: string, mkfs: string, size?: string): Variant => ({
  name,
  mkfs: `mkfs.ext4 ${mkfs}`,
  kind: "ext4",
  unwritten: true,
  ...(size ? { size } : {}),
});

const VARIANTS: readonly Variant[] = [
  { name: "ext2", mkfs: "mkfs.ext2 -I 128 -N 40000", kind: "ext2", unwritten: false },
  {
    name: "ext2, 1 KiB blocks",
    mkfs: "mkfs.ext2 -b 1024 -N 40000",
    kind: "ext2",
    unwritten: false,
  },
  { name: "ext3", mkfs: "mkfs.ext3 -N 40000", kind: "ext3", unwritten: false },
  ext4("ext4 as mkfs makes it", "-N 40000"),
  ext4("1 KiB blocks", "-b 1024 -N 40000"),
  ext4("2 KiB blocks, 512-byte inodes, large_dir", "-b 2048 -I 512 -O large_dir -N 40000"),
  ext4("bigalloc", "-O bigalloc -C 65536 -N 40000", "4G"),
  ext4("bigalloc with 1 KiB blocks", "-b 1024 -O bigalloc -C 16384 -N 40000", "2G"),
  ext4("inline_data", "-O inline_data -I 256 -N 40000"),
  ext4("inline_data, 1 KiB inodes", "-O inline_data -I 1024 -N 40000"),
  ext4("meta_bg", "-O meta_bg,^resize_inode -b 1024 -N 40000"),
  ext4("csum seed, ea_inode, orphan_file", "-O metadata_csum_seed,ea_inode,orphan_file -N 40000"),
  {
    ...ext4("encrypt, then quota, project, verity", "-O encrypt -N 40000"),
    after: "tune2fs -O quota,project,verity",
  },
  ext4("32-bit descriptors, CRC-16", "-O ^64bit,^metadata_csum,uninit_bg -N 40000"),
  ext4("32-bit descriptors, CRC-32C", "-O ^64bit,metadata_csum -N 40000"),
  ext4("no checksums, no flex_bg", "-O ^metadata_csum,^uninit_bg,^flex_bg -N 40000"),
  ext4("no journal", "-O ^has_journal -N 40000"),
  ext4("sparse_super2, stable_inodes, mmp", "-O sparse_super2,stable_inodes,mmp -N 40000"),
  { ...ext4("block maps", "-O ^extents,^64bit,^flex_bg -N 40000"), unwritten: false },
];

describe("the whole tree, as the kernel sees it", () => {
  test.for(VARIANTS)("$name", async (variant) => {
    need("mkfs.ext4", "fallocate");
    needRoot("it mounts images");
    const image = `${scratch()}/image`;
    sh(
      `truncate -s ${variant.size ?? "1G"} '${image}' && ${variant.mkfs} -q -F -L 'läbel' '${image}'`,
    );
    await mounted(image, "", async (root) => {
      await makeTree(root, { files: 20_000, crowd: 11_000, sparseSize: 10_000_000_001 });
      if (variant.unwritten) makeUnwritten(root);
    });
    if (variant.after) sh(`${variant.after} '${image}'`);
    const kernel = await mounted(image, "ro", (root) => kernelView(root));

    using source = imageSource(image);
    const fs = await openExt4(source);
    expect(fs.kind).toBe(variant.kind);
    expect(fs.label).toBe("läbel");
    expect(fs.uuid).toBe(sh(`blkid -o value -s UUID '${image}'`).toString().trim());
    expect(fs.state).toEqual({ clean: true, text: "clean" });
    expect(fs.notes).toEqual([]);
    const start = performance.now();
    const tree = await domusView(fs, { content: false });
    const walked = performance.now() - start;
    const domus = await domusView(fs);
    console.log(`${variant.name}: ${kernel.size} files, walked in ${walked.toFixed(0)} ms`);
    expect(tree.size).toBe(kernel.size);
    expect(differences(kernel, domus)).toEqual([]);
  });
});
