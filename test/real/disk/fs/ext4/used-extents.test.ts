/** The proof of usedExtents: everything outside of it is overwritten, and nothing is lost. */
import { describe, expect, test } from "vitest";
import { openExt4 } from "../../../../../src/disk/fs/ext4/ext4.ts";
import type { Extent } from "../../../../../src/disk/source.ts";
import { need, needRoot, scratch, sh } from "../../../../support/need.ts";
import { imageSource, mounted } from "../../../../support/fs/mounted.ts";
import { makeTree, makeUnwritten } from "../../../../support/fs/tree.ts";
import { differences, kernelView } from "../../../../support/fs/view.ts";
import { wipeOutside } from "../../../../support/fs/wipe.ts";

const VARIANTS = [
  "mkfs.ext2 -N 8000",
  "mkfs.ext3 -b 1024 -N 8000",
  "mkfs.ext4 -N 8000",
  "mkfs.ext4 -b 1024 -N 8000",
  "mkfs.ext4 -b 1024 -g 1024 -N 8000",
  "mkfs.ext4 -O bigalloc -C 65536 -N 8000",
  "mkfs.ext4 -b 1024 -O bigalloc -C 16384 -N 8000",
  "mkfs.ext4 -O meta_bg,^resize_inode -b 1024 -N 8000",
  "mkfs.ext4 -O ^flex_bg -b 1024 -N 8000",
  "mkfs.ext4 -O ^64bit,^metadata_csum,uninit_bg -b 1024 -N 8000",
  "mkfs.ext4 -O ^64bit,^metadata_csum,^uninit_bg -N 8000",
  "mkfs.ext4 -O ^64bit,metadata_csum -b 1024 -N 8000",
  "mkfs.ext4 -O sparse_super2,mmp -N 8000",
  "mkfs.ext4 -O inline_data -G 4 -b 1024 -N 8000",
  "mkfs.ext4 -O orphan_file,fast_commit,large_dir,ea_inode -N 8000",
  "mkfs.ext4 -O ^sparse_super,^resize_inode -b 1024 -N 8000",
  "mkfs.ext4 -E packed_meta_blocks=1,resize=4G -b 1024 -g 2048 -N 8000",
  "mkfs.ext4 -O bigalloc,inline_data -C 16384 -N 8000",
  "mkfs.ext4 -O meta_bg,^resize_inode,sparse_super2,64bit -b 1024 -I 128 -N 8000",
];

/** What this machine's kernel may not write to is turned on when everything is there. */
const LATER: Readonly<Record<string, string>> = {
  "mkfs.ext4 -O bigalloc,inline_data -C 16384 -N 8000": "tune2fs -O quota,project",
};

async function collect(extents: AsyncIterable<Extent>): Promise<Extent[]> {
  const found: Extent[] = [];
  for await (const extent of extents) found.push(extent);
  return found;
}

/** The blocks of all metadata with a fixed place, by dumpe2fs. */
function metadataOf(image: string): [number, number][] {
  const text = sh(`dumpe2fs '${image}' 2>/dev/null`).toString();
  const found: [number, number][] = [];
  const places =
    /(?:superblock|Group descriptors?|Reserved GDT blocks|bitmap|Inode table) at (\d+)(?:-(\d+))?/g;
  for (const [, first, last] of text.matchAll(places)) {
    found.push([Number(first), Number(last ?? first)]);
  }
  return found;
}

describe("zeroing everything outside loses nothing", () => {
  test.for(VARIANTS)("%s", async (mkfs) => {
    need("mkfs.ext4", "e2fsck", "fallocate");
    needRoot("it mounts images");
    const image = `${scratch()}/image`;
    sh(`truncate -s 400M '${image}' && ${mkfs} -q -F '${image}'`);
    await mounted(image, "", async (root) => {
      await makeTree(root, { files: 3000, crowd: 1500, sparseSize: 1_000_000_000 });
      if (mkfs.startsWith("mkfs.ext4")) makeUnwritten(root);
      sh(`rm -r '${root}/d1' '${root}/d3' '${root}/contents/solid'`);
    });
    const later = LATER[mkfs];
    if (later !== undefined) sh(`${later} '${image}'`);
    const before = await mounted(image, "ro", (root) => kernelView(root));
    const size = 400 * 1024 * 1024;

    using source = imageSource(image);
    const fs = await openExt4(source);
    const extents = await collect(fs.usedExtents());
    let end = -1;
    for (const { offset, length } of extents) {
      expect(offset).toBeGreaterThan(end); // a gap between any two, or they would be one
      expect(length).toBeGreaterThan(0);
      end = offset + length;
    }
    expect(end).toBeLessThanOrEqual(size);
    // Not by listing everything: what is free by the filesystem's own count is left out, give or take metadata.
    const used = extents.reduce((sum, extent) => sum + extent.length, 0);
    const counts = sh(`dumpe2fs -h '${image}' 2>/dev/null`).toString();
    const count = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+)`, "m").exec(counts)![1]);
    const expected = size - count("Free blocks") * count("Block size");
    expect(Math.abs(used - expected)).toBeLessThan(2 * 1024 * 1024);

    // Copies of the superblock and tables of empty groups are missed by nobody, until they are needed.
    const blockSize = count("Block size");
    for (const [first, last] of metadataOf(image)) {
      const covered = extents.some(
        ({ offset, length }) =>
          offset <= first * blockSize && (last + 1) * blockSize <= offset + length,
      );
      expect(covered, `blocks ${first} to ${last}`).toBe(true);
    }

    for (const fill of [0, 0xa5]) {
      const wiped = wipeOutside(image, extents, size, fill);
      expect(wiped).toBe(size - used);
      sh(`e2fsck -fn '${image}'`);
      const after = await mounted(image, "ro", (root) => kernelView(root));
      expect(differences(before, after)).toEqual([]);
    }
  });

  test("of a dirty image, for the kernel that replays it later", async () => {
    need("mkfs.ext4", "e2fsck");
    needRoot("it mounts images");
    const dir = scratch();
    const image = `${dir}/image`;
    const size = 400 * 1024 * 1024;
    sh(`truncate -s ${size} '${image}' && mkfs.ext4 -q -F '${image}'`);
    await mounted(image, "", async (root) => {
      await makeTree(root, { files: 3000, crowd: 1500, sparseSize: 1_000_000_000 });
      sh(`sync -f '${root}'; rm -r '${root}/d1'; sync -f '${root}'; cp '${image}' '${dir}/cut'`);
    });
    sh(`cp '${dir}/cut' '${dir}/wiped'`);
    using source = imageSource(`${dir}/cut`);
    const fs = await openExt4(source);
    expect(fs.state.text).toContain("journal replayed");
    wipeOutside(`${dir}/wiped`, await collect(fs.usedExtents()), size, 0xa5);
    const kernel = await mounted(`${dir}/cut`, "", (root) => kernelView(root));
    const wiped = await mounted(`${dir}/wiped`, "", (root) => kernelView(root));
    expect(differences(kernel, wiped)).toEqual([]);
    sh(`e2fsck -fn '${dir}/wiped'`);
  });
});

describe("bitmaps that cannot be trusted are refused", () => {
  test("ext2 that was not unmounted, errors recorded", async () => {
    need("mkfs.ext2", "debugfs");
    const image = `${scratch()}/image`;
    sh(`truncate -s 8M '${image}' && mkfs.ext2 -q -F '${image}'`);
    for (const state of [0, 2, 3]) {
      sh(`debugfs -w -R 'ssv state ${state}' '${image}'`);
      using source = imageSource(image);
      const fs = await openExt4(source);
      expect(fs.state.clean).toBe(false);
      await expect(collect(fs.usedExtents())).rejects.toThrow(/errors recorded|unmounted/);
    }
  });
});
