/** What the running kernel cannot mount: made by mkfs from a directory, compared with that directory. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { attempt } from "../../../../../src/base/failure.ts";
import { openExt4 } from "../../../../../src/disk/fs/ext4/ext4.ts";
import { ext4Prober } from "../../../../../src/disk/fs/ext4/prober.ts";
import { resolvePath } from "../../../../../src/disk/fs/resolve.ts";
import { need, needRoot, scratch, sh } from "../../../../support/need.ts";
import { imageSource, mounted } from "../../../../support/fs/mounted.ts";
import { differences, domusView, kernelView } from "../../../../support/fs/view.ts";
import type { Seen, View } from "../../../../support/fs/view.ts";
import { wipeOutside } from "../../../../support/fs/wipe.ts";

function sampleTree(dir: string): string {
  const tree = `${dir}/tree`;
  mkdirSync(`${tree}/sub/many`, { recursive: true });
  for (let i = 0; i < 1500; i++)
    writeFileSync(`${tree}/sub/many/${"n".repeat(i % 200)}${i}`, `${i}`);
  writeFileSync(`${tree}/big`, Buffer.alloc(3_000_000, "big file "));
  for (const size of [0, 10, 60, 61, 150, 1000])
    writeFileSync(`${tree}/s${size}`, "s".repeat(size));
  symlinkSync("short", `${tree}/short`);
  symlinkSync("l".repeat(300), `${tree}/long`);
  return tree;
}

/** mkfs copies neither sizes of directories nor nanoseconds, and makes lost+found. */
function comparable(view: View): [string, Partial<Seen>][] {
  return [...view]
    .filter(([path]) => path !== "/lost+found" && path !== "/")
    .map(([path, { kind, mode, uid, gid, size, content }]): [string, Partial<Seen>] => [
      path,
      { kind, mode, uid, gid, size: kind === "directory" ? 0 : size, content },
    ])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

describe("as mkfs -d makes it", () => {
  test.for([
    "-b 65536",
    "-b 65536 -O ^metadata_csum",
    "-b 16384 -O inline_data",
    "-b 8192 -O bigalloc -C 65536",
    "-O casefold -E encoding=utf8",
    "-O large_dir,inline_data,ea_inode -I 1024 -b 1024",
    "-O fast_commit,orphan_file",
    "-r 0 -O none",
  ])("%s", async (options) => {
    need("mkfs.ext4");
    const dir = scratch();
    const tree = sampleTree(dir);
    sh(
      `truncate -s 512M '${dir}/image' && mkfs.ext4 -q -F ${options} -d '${tree}' '${dir}/image' 2>&1`,
    );
    using source = imageSource(`${dir}/image`);
    const fs = await openExt4(source);
    expect(fs.state.clean).toBe(true);
    expect(comparable(await domusView(fs))).toEqual(comparable(kernelView(tree)));
    let used = 0;
    for await (const { length } of fs.usedExtents()) used += length;
    expect(used).toBeGreaterThan(3_000_000);
    expect(used).toBeLessThan(300_000_000);
  });
});

async function names(image: string, path: string): Promise<string[]> {
  using source = imageSource(image);
  const fs = await openExt4(source);
  const entry = await fs.lookup(await fs.root(), path);
  const found: string[] = [];
  for await (const { name } of fs.list(await fs.inode(entry!))) found.push(name);
  return found.sort();
}

describe("marks on single directories", () => {
  test("casefolded ones are read, encrypted ones refused, and the rest is there", async () => {
    need("mkfs.ext4", "debugfs");
    const dir = scratch();
    const image = `${dir}/image`;
    mkdirSync(`${dir}/tree/folded`, { recursive: true });
    mkdirSync(`${dir}/tree/secret`);
    writeFileSync(`${dir}/tree/folded/MiXed`, "");
    writeFileSync(`${dir}/tree/open`, "open");
    sh(`truncate -s 16M '${image}'
      mkfs.ext4 -q -F -O casefold,encrypt -E encoding=utf8 -d '${dir}/tree' '${image}'
      debugfs -w -R 'sif /folded flags 0x40080000' '${image}'
      debugfs -w -R 'sif /secret flags 0x80800' '${image}'`);
    expect(await names(image, "folded")).toEqual(["MiXed"]);
    await expect(names(image, "secret")).rejects.toThrow(
      /^image > ext4 > inode \d+: encryption of names in a directory/,
    );
    using source = imageSource(image);
    const fs = await openExt4(source);
    const file = await fs.inode((await fs.lookup(await fs.root(), "open"))!);
    expect(Buffer.from(await fs.read(file, 0, 10)).toString()).toBe("open");
  });
});

describe("journals elsewhere", () => {
  test("a device that is nothing but a journal is named", async () => {
    need("mkfs.ext4");
    const image = `${scratch()}/journal`;
    sh(`truncate -s 16M '${image}' && mke2fs -q -F -O journal_dev -b 4096 '${image}'`);
    using source = imageSource(image);
    const content = await ext4Prober.probe(source, {});
    expect(content).toMatchObject({ kind: "named", format: "ext4 journal" });
    await expect(openExt4(source)).rejects.toThrow();
  });

  test("a filesystem whose journal is on another device is read, and says when it is not replayed", async () => {
    need("mkfs.ext4", "losetup", "e2fsck");
    needRoot("it mounts images");
    const dir = scratch();
    const [image, cut] = [`${dir}/image`, `${dir}/cut`];
    const uuid = "6f1d2c3b-0001-4002-8003-123456789abc";
    sh(`truncate -s 16M '${dir}/journal' && truncate -s 64M '${image}'
      mke2fs -q -F -O journal_dev -U ${uuid} -b 4096 '${dir}/journal'`);
    const device = sh(`losetup -f --show '${dir}/journal'`).toString().trim();
    try {
      sh(`mkfs.ext4 -q -F -b 4096 -J device=${device} '${image}'`);
      const options = `journal_path=${device}`;
      await mounted(image, options, (root) => {
        sh(`cp -r /etc/default '${root}/first' && umount '${root}' && mount -o loop,${options} '${image}' '${root}'
          echo second > '${root}/second'; sync '${root}/second'; cp --sparse=always '${image}' '${cut}'`);
      });
      const kernel = await mounted(image, options, (root) => kernelView(root));
      using source = imageSource(image);
      const fs = await openExt4(source);
      expect(fs.state).toEqual({ clean: true, text: "clean" });
      expect(differences(kernel, await domusView(fs))).toEqual([]);
      const extents = await Array.fromAsync(fs.usedExtents());
      expect(wipeOutside(image, extents, source.size, 0xa5)).toBeGreaterThan(source.size / 4);
      sh(`e2fsck -fn -j ${device} '${image}'`);
      const wiped = await mounted(image, options, (root) => kernelView(root));
      expect(differences(kernel, wiped)).toEqual([]);
    } finally {
      sh(`losetup -d ${device}`);
    }
    using source = imageSource(cut);
    const fs = await openExt4(source);
    expect(fs.state).toEqual({ clean: false, text: "journal on another device, not replayed" });
    expect(fs.notes.map(({ code, what }) => [code, what])).toEqual([
      ["ext4-journal-not-replayed", expect.stringContaining(`another device (UUID ${uuid})`)],
    ]);
    await expect(Array.fromAsync(fs.usedExtents())).rejects.toThrow(/journal on another device/);
    // What was there before is; what is in that journal is not.
    expect((await attempt(() => resolvePath(fs, "/first/useradd"))).ok).toBe(true);
    expect(await fs.lookup(await fs.root(), "second")).toBeUndefined();
  });
});

describe("effort", () => {
  test("opening and finding a file reads few blocks", async () => {
    need("mkfs.ext4");
    const dir = scratch();
    const tree = `${dir}/tree`;
    mkdirSync(`${tree}/boot/grub`, { recursive: true });
    for (let i = 0; i < 5000; i++) writeFileSync(`${tree}/boot/filler${i}`, "");
    writeFileSync(`${tree}/boot/grub/grub.cfg`, "menuentry");
    sh(`truncate -s 4G '${dir}/image' && mkfs.ext4 -q -F -d '${tree}' '${dir}/image'`);
    using source = imageSource(`${dir}/image`);
    const fs = await openExt4(source);
    expect(source.reads).toBe(1);
    let inode = await fs.root();
    for (const name of ["boot", "grub", "grub.cfg"]) {
      inode = await fs.inode((await fs.lookup(inode, name))!);
    }
    expect(Buffer.from(await fs.read(inode, 0, 100)).toString()).toBe("menuentry");
    // 32 KiB each: descriptors, inode tables, the directories, the file.
    expect(source.reads).toBeLessThan(20);
  });
});
