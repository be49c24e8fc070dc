/** The proof of usedExtents: everything outside of it is overwritten, and nothing is lost. */
import { describe, expect, test } from "vitest";
import { openBtrfs } from "../../../../../src/disk/fs/btrfs/btrfs.ts";
import type { Extent } from "../../../../../src/disk/source.ts";
import { imageSource, mountedAs } from "../../../../support/fs/mounted.ts";
import { makeTree, makeUnwritten } from "../../../../support/fs/tree.ts";
import { differences, kernelView } from "../../../../support/fs/view.ts";
import type { View } from "../../../../support/fs/view.ts";
import { wipeOutside } from "../../../../support/fs/wipe.ts";
import { need, needRoot, scratch, sh } from "../../../../support/need.ts";
import { forgetDevices, makeBtrfsForms, makeSubvolumes, mkfsBtrfs } from "./forms.ts";

type Variant = { readonly mkfs: string; readonly mount?: string };

const VARIANTS: readonly Variant[] = [
  { mkfs: "" },
  { mkfs: "-m single" },
  { mkfs: "-M" },
  { mkfs: "-M -m dup -d dup" },
  { mkfs: "-d dup -n 4096" },
  { mkfs: "-n 65536 -m single", mount: "compress-force=zstd" },
  { mkfs: "-O ^no-holes,^skinny-metadata -R ^free-space-tree", mount: "space_cache=v1" },
];

const SIZE = 1_500_000_000 - (1_500_000_000 % 65_536);

async function collect(image: string): Promise<Extent[]> {
  using source = imageSource(image);
  const fs = await openBtrfs(source);
  return await Array.fromAsync(fs.usedExtents());
}

function lookAt(image: string, options: string): Promise<View> {
  forgetDevices();
  return mountedAs({ image, type: "btrfs", options }, (root) => kernelView(root));
}

describe("overwriting everything outside loses nothing", () => {
  test.for(VARIANTS)("mkfs.btrfs $mkfs, mounted with '$mount'", async ({ mkfs, mount = "" }) => {
    need("mkfs.btrfs", "btrfs", "fallocate");
    needRoot("it mounts images");
    const image = `${scratch()}/image`;
    sh(`truncate -s ${SIZE} '${image}'`);
    mkfsBtrfs(image, mkfs);
    await mountedAs({ image, type: "btrfs", options: mount }, async (root) => {
      await makeTree(root, { files: 3000, crowd: 1500, sparseSize: 1_000_000_000 });
      makeUnwritten(root);
      makeBtrfsForms(root);
      makeSubvolumes(root);
      sh(`sync -f '${root}'; rm -r '${root}/d1' '${root}/d3' '${root}/contents/solid'`);
    });
    const before = withoutStubs(await lookAt(image, "ro"));
    const extents = await collect(image);
    let end = -1;
    for (const { offset, length } of extents) {
      expect(offset).toBeGreaterThan(end); // a gap between any two, or they would be one
      expect(length).toBeGreaterThan(0);
      end = offset + length;
    }
    expect(end).toBeLessThanOrEqual(SIZE);
    const used = extents.reduce((sum, extent) => sum + extent.length, 0);
    // Not by listing everything: what btrfs counts as used, once for each copy, and the start of the device.
    const dump = sh(`btrfs inspect-internal dump-super '${image}'`).toString();
    const counted = Number(/^bytes_used\s+(\d+)/m.exec(dump)![1]);
    const most = mkfs.includes("single") || mkfs === "-M" ? counted : 2 * counted;
    expect(used).toBeGreaterThan(counted);
    expect(used).toBeLessThan(most + 2 * 1024 * 1024);

    for (const fill of [0, 0xa5]) {
      expect(wipeOutside(image, extents, SIZE, fill)).toBe(SIZE - used);
      sh(`btrfs check --check-data-csum '${image}' 2>&1`);
      // Nobody misses the copy of the superblock until the first one is gone.
      sh(`btrfs inspect-internal dump-super -s 1 '${image}' | grep -q 'csum.*match'`);
      expect(differences(before, withoutStubs(await lookAt(image, "ro")))).toEqual([]);
    }
    expect(differences(before, withoutStubs(await lookAt(image, "")))).toEqual([]);
    sh(`btrfs check '${image}' 2>&1`);
  });

  test("of an image with a log, for the kernel that replays it later", async () => {
    need("mkfs.btrfs", "btrfs");
    needRoot("it mounts images");
    const dir = scratch();
    const image = `${dir}/image`;
    sh(`truncate -s ${SIZE} '${image}'`);
    mkfsBtrfs(image, "");
    await mountedAs({ image, type: "btrfs", options: "commit=300" }, async (root) => {
      await makeTree(root, { files: 3000, crowd: 1500, sparseSize: 1_000_000_000 });
      sh(`cd '${root}'; sync -f .; rm -r d1; head -c 5000000 /dev/urandom > synced
        fallocate -l 3M space; head -c 100000 /dev/urandom >> contents/solid
        for i in $(seq 300); do echo $i > links/new$i; done; sync synced space contents/solid links
        cp --sparse=always '${image}' '${dir}/cut'`);
    });
    sh(`cp '${dir}/cut' '${dir}/wiped'`);
    {
      using source = imageSource(`${dir}/cut`);
      expect((await openBtrfs(source)).state.text).toContain("log replayed");
    }
    wipeOutside(`${dir}/wiped`, await collect(`${dir}/cut`), SIZE, 0xa5);
    const kernel = await lookAt(`${dir}/cut`, "");
    expect(kernel.has("/synced")).toBe(true);
    expect(kernel.has("/space")).toBe(true);
    expect(differences(kernel, await lookAt(`${dir}/wiped`, ""))).toEqual([]);
    sh(`btrfs check --check-data-csum '${dir}/wiped' 2>&1`);
  });
});

/** The kernel gives a subvolume that is not there the time of the look. */
function withoutStubs(view: View): View {
  for (const path of view.keys()) if (path.endsWith("/nested")) view.delete(path);
  return view;
}
