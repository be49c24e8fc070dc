/** Subvolumes as roots, filesystems that were converted, seed devices, and how much is read for one file. */
import { mkdirSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { openBtrfs } from "../../../../../src/disk/fs/btrfs/btrfs.ts";
import type { FileSystem } from "../../../../../src/disk/fs/filesystem.ts";
import { findPath, readFile } from "../../../../../src/disk/fs/resolve.ts";
import { walk } from "../../../../../src/disk/fs/walk.ts";
import { imageSource, mountedAs } from "../../../../support/fs/mounted.ts";
import { makeTree } from "../../../../support/fs/tree.ts";
import { differences, domusView, kernelView } from "../../../../support/fs/view.ts";
import { need, needRoot, scratch, sh } from "../../../../support/need.ts";
import { forgetDevices, makeSubvolumes, mkfsBtrfs } from "./forms.ts";

async function textOf(fs: FileSystem, path: string): Promise<string> {
  return Buffer.from(await readFile(fs, path, 1000)).toString();
}

describe("subvolumes", () => {
  test("as roots, by default, path and id, like the kernel's mount options", async () => {
    need("mkfs.btrfs", "btrfs");
    needRoot("it mounts images");
    const image = `${scratch()}/image`;
    sh(`truncate -s 512M '${image}'`);
    mkfsBtrfs(image, "");
    const id = await mountedAs({ image, type: "btrfs" }, (root) => {
      makeSubvolumes(root);
      sh(`btrfs subvolume set-default '${root}/@'`);
      return Number(
        /ID (\d+)/.exec(
          sh(`btrfs subvolume show '${root}/@' | sed -n 's/.*Subvolume ID:/ID/p'`)
            .toString()
            .replace(/\s+/g, " "),
        )![1],
      );
    });
    forgetDevices();
    using source = imageSource(image);
    const fs = await openBtrfs(source);
    expect(fs.where).toEqual(["image", "btrfs"]);
    expect(fs.notes.map(({ code }) => code)).toEqual(["btrfs-default-subvolume"]);
    expect(await textOf(fs, "/vmlinuz")).toBe("vmlinuz\n");
    expect(await findPath(fs, "/@")).toBeUndefined();
    const top = await fs.topLevel!();
    expect(top.where).toEqual(["image", "btrfs", "subvolume 5"]);
    expect(await textOf(top, "/@/boot/vmlinuz")).toBe("vmlinuz\n");
    // A link that begins at the root of the subvolume leads elsewhere from the top.
    expect(await findPath(top, "/@/vmlinuz")).toBeUndefined();

    const views: [string, FileSystem][] = [
      ["", fs],
      ["subvolid=5", top],
      ["subvol=/", await openBtrfs(source, { subvolume: "/" })],
      ["subvol=snapshot", await fs.subvolume!("snapshot")],
      ["subvol=vols/renamed", await fs.subvolume!("/vols/renamed")],
      ["subvol=@/nested/deeper", await openBtrfs(source, { subvolume: "@/nested/deeper" })],
      [`subvolid=${id}`, await openBtrfs(source, { subvolume: id })],
    ];
    for (const [options, view] of views) {
      const mount = { image, type: "btrfs", options: ["ro", options].filter(Boolean).join() };
      const kernel = await mountedAs(mount, (root) => kernelView(root));
      const domus = await domusView(view);
      for (const path of kernel.keys()) {
        // Stands for a subvolume that is not there, and has the time of the look.
        if (!/(snapshot2?|readonly|^)\/nested$/.test(path) || kernel.has(`${path}/file`)) continue;
        for (const one of [kernel, domus]) one.set(path, { ...one.get(path)!, mtime: 0 });
      }
      expect(differences(kernel, domus), options).toEqual([]);
    }
    for (const wrong of ["vols", "gone", "@/boot", "@/boot/vmlinuz", 9999, 2, -1, Number.NaN]) {
      await expect(fs.subvolume!(wrong)).rejects.toThrow(/image > btrfs.*no /);
    }
  });

  test("have inode numbers of their own, and end a walk that would not", async () => {
    need("mkfs.btrfs", "btrfs");
    needRoot("it mounts images");
    const image = `${scratch()}/image`;
    sh(`truncate -s 512M '${image}'`);
    mkfsBtrfs(image, "");
    await mountedAs({ image, type: "btrfs" }, (root) => makeSubvolumes(root));
    using source = imageSource(image);
    const fs = await openBtrfs(source);
    const numbers = new Set<number>();
    let files = 0;
    for await (const { inode } of walk(fs)) {
      numbers.add(inode.number);
      files += 1;
      expect(await fs.inode({ name: "", number: inode.number })).toEqual(inode);
    }
    expect(files).toBeGreaterThan(25);
    expect(numbers.size).toBe(files);
    expect((await fs.root()).number).toBe(256);
  });
});

describe("other ways to a filesystem", () => {
  test("converted from ext4, with the old filesystem in a file", async () => {
    need("mkfs.ext4", "btrfs-convert");
    needRoot("it mounts images");
    const image = `${scratch()}/image`;
    sh(`truncate -s 1G '${image}' && mkfs.ext4 -q -F '${image}'`);
    await mountedAs({ image, type: "ext4" }, async (root) => {
      await makeTree(root, { files: 2000, crowd: 1000, sparseSize: 1_000_000_000 });
    });
    sh(`btrfs-convert '${image}' 2>&1`);
    const kernel = await mountedAs({ image, type: "btrfs", options: "ro" }, (root) =>
      kernelView(root),
    );
    using source = imageSource(image);
    const fs = await openBtrfs(source);
    expect(kernel.has("/ext2_saved/image")).toBe(true);
    expect(differences(kernel, await domusView(fs))).toEqual([]);
  });

  test("a seed device is refused by name", async () => {
    need("mkfs.btrfs", "btrfstune");
    const image = `${scratch()}/image`;
    sh(`truncate -s 256M '${image}'`);
    mkfsBtrfs(image, "");
    sh(`btrfstune -S 1 '${image}'`);
    using source = imageSource(image);
    await expect(openBtrfs(source)).rejects.toThrow(
      /^image > btrfs > superblock: a seed device \(btrfstune -S\) is not supported$/,
    );
  });

  test("an image of metadata is refused by name", async () => {
    need("mkfs.btrfs", "btrfs-image");
    const image = `${scratch()}/image`;
    sh(`truncate -s 256M '${image}'`);
    mkfsBtrfs(image, "");
    sh(`btrfs-image '${image}' '${image}.dump'; truncate -s 256M '${image}.back'
      btrfs-image -r '${image}.dump' '${image}.back' 2>&1`);
    using source = imageSource(`${image}.back`);
    await expect(openBtrfs(source)).rejects.toThrow(/an image of metadata without data/);
  });
});

describe("effort", () => {
  test("opening and finding a file reads few blocks", async () => {
    need("mkfs.btrfs");
    const dir = scratch();
    const tree = `${dir}/tree`;
    mkdirSync(`${tree}/boot/grub`, { recursive: true });
    for (let i = 0; i < 5000; i++) writeFileSync(`${tree}/boot/filler${i}`, "");
    writeFileSync(`${tree}/boot/grub/grub.cfg`, "menuentry ".repeat(1000));
    sh(`truncate -s 4G '${dir}/image' && mkfs.btrfs -q --rootdir '${tree}' '${dir}/image'`);
    using source = imageSource(`${dir}/image`);
    const fs = await openBtrfs(source);
    // The superblock, the chunk tree twice at most, the root tree.
    expect(source.reads).toBeLessThan(6);
    expect(await readFile(fs, "/boot/grub/grub.cfg", 20_000)).toHaveLength(10_000);
    expect(source.reads).toBeLessThan(25);
  });
});
