/**
 * Every file of large and odd trees, written by a Debian kernel and compared with what that kernel says; then the same
 * after everything outside the used extents was overwritten.
 */
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { openVfat } from "../../../../../src/disk/fs/fat/vfat.ts";
import type { FileSystem } from "../../../../../src/disk/fs/filesystem.ts";
import { readDump, runInGuestKernel } from "../../../../support/fs/guest-kernel.ts";
import { imageSource } from "../../../../support/fs/mounted.ts";
import { differences, domusView } from "../../../../support/fs/view.ts";
import type { View } from "../../../../support/fs/view.ts";
import { wipeOutside } from "../../../../support/fs/wipe.ts";
import { randomSource } from "../../../../support/mutate.ts";
import { need, scratch, sh } from "../../../../support/need.ts";

type Variant = {
  readonly name: string;
  readonly mkfs: string;
  readonly size: string;
  /** Files of the tree; FAT12 has room for 4084 clusters. */
  readonly files: number;
  readonly bits: 12 | 16 | 32;
  readonly cluster: number;
};

const VARIANTS: readonly Variant[] = [
  {
    name: "FAT12",
    mkfs: "-F 12 -s 4",
    size: "8M",
    files: 1000,
    bits: 12,
    cluster: 2048,
  },
  {
    name: "FAT12 with sectors of 1 KiB, one table",
    mkfs: "-F 12 -s 4 -S 1024 -f 1 -r 256",
    size: "15M",
    files: 1500,
    bits: 12,
    cluster: 4096,
  },
  {
    name: "FAT16",
    mkfs: "-F 16 -s 8",
    size: "240M",
    files: 20_000,
    bits: 16,
    cluster: 4096,
  },
  {
    name: "FAT16 with sectors of 4 KiB, three tables, many reserved sectors",
    mkfs: "-F 16 -s 1 -S 4096 -f 3 -R 64",
    size: "250M",
    files: 8000,
    bits: 16,
    cluster: 4096,
  },
  {
    name: "FAT32 as mkfs makes it",
    mkfs: "-F 32",
    size: "600M",
    files: 20_000,
    bits: 32,
    cluster: 4096,
  },
  {
    name: "FAT32 with clusters of one sector",
    mkfs: "-F 32 -s 1 -f 1",
    size: "520M",
    files: 8000,
    bits: 32,
    cluster: 512,
  },
  {
    name: "FAT32 with sectors of 4 KiB and clusters of 64 KiB",
    mkfs: "-F 32 -S 4096 -s 16",
    size: "1G",
    files: 8000,
    bits: 32,
    cluster: 65_536,
  },
  {
    name: "FAT32 with fewer clusters than the specification asks for",
    mkfs: "-F 32 -s 64",
    size: "250M",
    files: 4000,
    bits: 32,
    cluster: 32_768,
  },
];

const ODD_NAMES = [
  "readme.txt",
  "UPPER.TXT",
  "Mixed.Txt",
  "lower.TXT",
  "UPPER.txt",
  "noext",
  "NOEXT2",
  ".hidden",
  "two.dots.txt",
  "a b c",
  "a+b=c,d;e[f].x",
  "ünïcødé 漢字 🐧.txt",
  "e\u0301 and \u00e9",
  "ÄÖÜ.ÉÈ",
  "äöü",
  "\u202egpj.exe",
  "-rf",
  "~",
  "#$%&'()-@^_`{}",
  "x".repeat(255),
  "abcdefghijklm",
  "abcdefghijklmn",
  "abcdefghijklmnopqrstuvwxyz.abcdefghijklm",
];

/** 255 units of UTF-16 can be more than the 255 bytes that other filesystems have. */
const LONG_NAMES = ["é".repeat(255), "漢".repeat(255), "🐧".repeat(127)];

/** What the writing kernel is given: a directory as a tar archive. */
function makeArchive(archive: string, files: number): void {
  const dir = `${scratch()}/tree`;
  const random = randomSource(3);
  const noise = Buffer.from(Array.from({ length: 70_000 }, () => random(256)));
  mkdirSync(`${dir}/odd`, { recursive: true });
  for (const name of ODD_NAMES) writeFileSync(`${dir}/odd/${name}`, name);
  mkdirSync(`${dir}/crowd`);
  const crowd = Math.floor(files / 10);
  for (let i = 0; i < crowd; i++)
    writeFileSync(`${dir}/crowd/Long name of ${i}${"n".repeat(i % 60)}`, "");
  for (let i = crowd; i < files; i++) {
    if (i === crowd || i % 100 === 0) mkdirSync(`${dir}/d${Math.floor(i / 100)}`);
    const size = i % 50 === 0 ? random(30_000) : i % 7 === 0 ? random(5000) : random(200);
    const name = i % 3 === 0 ? `F${i}.DAT` : i % 3 === 1 ? `f${i}.dat` : `File number ${i}`;
    writeFileSync(`${dir}/d${Math.floor(i / 100)}/${name}`, noise.subarray(0, size));
  }
  const deep = `${dir}/${Array.from({ length: 30 }, (_, i) => `Level ${i}`).join("/")}`;
  mkdirSync(deep, { recursive: true });
  writeFileSync(`${deep}/bottom`, "deep");
  mkdirSync(`${dir}/times`);
  for (const [i, date] of ["1980-01-01", "1999-12-31", "2000-02-29", "2100-03-01"].entries()) {
    writeFileSync(`${dir}/times/t${i}`, "");
    utimesSync(`${dir}/times/t${i}`, new Date(date), new Date(`${date}T13:14:15Z`));
  }
  sh(`tar -C '${dir}' -cf '${archive}' .`);
}

/** Deletes and writes in turn, so that chains jump about and directories have gaps. */
const FRAGMENT = `
  rm -rf /m/d3* /m/d1; rm -f /m/crowd/*7 /m/odd/[a-m]*
  for i in 1 2 3 4 5 6 7 8; do for f in one two three; do cat /m/d*/*5.* >> /m/$f; done; done
  for i in 1 2 3 4 5 6 7 8 9; do echo "again $i" > "/m/crowd/Another $i with a long name"; done
  chmod a-w /m/two /m/odd/noext
  mkdir /m/empty /m/gone; echo x > /m/gone/x; rm -r /m/gone
  mv /m/three "/m/crowd/moved to another place"
  ${LONG_NAMES.map((name) => `echo long > '/m/odd/${name}'`).join("\n")}
`;

/** Makes the image, and gives what the kernel says that is in it. */
async function makeImage(image: string, { mkfs, size, files }: Variant): Promise<View> {
  const archive = `${image}.tar`;
  const dump = `${image}.dump`;
  sh(`truncate -s ${size} '${image}' && mkfs.vfat ${mkfs} -n 'A LABEL' -i 1234ABCD '${image}'`);
  makeArchive(archive, files);
  sh(`truncate -s 1G '${dump}'`);
  await runInGuestKernel(
    `mount -t vfat -o quiet /dev/vda /m
     cd /m; tar -x -o -f /dev/vdb; cd /
     ${FRAGMENT}
     umount /m; mount -t vfat -o ro /dev/vda /m; dump-tree /m /dev/vdc; umount /m`,
    [image, archive, dump],
  );
  return readDump(dump);
}

/** What the kernel says of an image as it is. */
async function kernelView(image: string): Promise<View> {
  const dump = `${image}.again`;
  sh(`truncate -s 1G '${dump}'`);
  await runInGuestKernel("mount -t vfat -o ro /dev/vda /m; dump-tree /m /dev/vdb; umount /m", [
    image,
    dump,
  ]);
  return readDump(dump);
}

/** Linux counts the directories in a directory, which domus does not. */
function withoutLinks(view: View): View {
  return new Map(
    Array.from(view, ([path, seen]) => [
      path,
      seen.kind === "directory" ? { ...seen, links: 1 } : seen,
    ]),
  );
}

async function namesFoundBack(fs: FileSystem, directory: string): Promise<string[]> {
  const parent = await fs.inode((await fs.lookup(await fs.root(), directory))!);
  const lost: string[] = [];
  for await (const { name, number } of fs.list(parent)) {
    for (const spelling of [name, name.replaceAll(/[a-z]/g, (c) => c.toUpperCase()), `${name}..`]) {
      const found = await fs.lookup(parent, spelling);
      if (found?.number !== number || found.name !== name) lost.push(spelling);
    }
  }
  return lost;
}

describe("the whole tree, as Linux sees it", () => {
  test.for(VARIANTS)("$name", async (variant) => {
    need("mkfs.vfat", "fsck.vfat", "blkid", "tar");
    const image = `${scratch()}/image`;
    const kernel = await makeImage(image, variant);
    using source = imageSource(image);
    const fs = await openVfat(source);
    const tag = (name: string) => sh(`blkid -p -o value -s ${name} '${image}'`).toString().trim();
    expect(fs).toMatchObject({
      kind: "vfat",
      label: tag("LABEL"),
      uuid: tag("UUID"),
      state: { clean: true, text: "clean" },
      notes: [],
      blockSizeBytes: variant.cluster,
    });
    const start = performance.now();
    const tree = await domusView(fs, { content: false });
    const walked = performance.now() - start;
    const domus = await domusView(fs);
    console.log(`${variant.name}: ${tree.size} files, walked in ${walked.toFixed(0)} ms`);
    expect(tree.size).toBeGreaterThan(variant.files / 2);
    expect(differences(withoutLinks(kernel), domus)).toEqual([]);
    expect(await namesFoundBack(fs, "odd")).toEqual([]);

    const extents = await Array.fromAsync(fs.usedExtents());
    for (const fill of [0, 0xa5]) {
      expect(wipeOutside(image, extents, source.size, fill)).toBeGreaterThan(1_000_000);
      // Linux takes any number of tables, fsck.vfat two.
      if (!variant.mkfs.includes("-f 3")) sh(`fsck.vfat -n '${image}'`);
      using again = imageSource(image);
      expect(differences(domus, await domusView(await openVfat(again)))).toEqual([]);
    }
    // The small ones, which the emulated machine is done with soon.
    if (variant.files <= 4000) expect(differences(kernel, await kernelView(image))).toEqual([]);
  });
});
