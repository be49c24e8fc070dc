/** Every image is shown to the real pygrub of Xen 4.17 and to our view of it; both must see the same. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { pygrubView } from "../../../src/boot/pygrub-view.ts";
import { memorySource } from "../../../src/disk/source.ts";
import { readVolumes } from "../../../src/disk/tree.ts";
import { need, scratch, sh } from "../../support/need.ts";
import {
  disk,
  ext4,
  EXTLINUX_CONFIGS,
  GRUB2_CONFIGS,
  grubEntry,
  LABELS,
  LEGACY,
  LEGACY_MENUS,
  THREE,
  tree,
} from "../../support/pygrub-images.ts";
import { realPygrub } from "../../support/pygrub.ts";

async function compare(image: string) {
  const real = realPygrub(image);
  const volume = await readVolumes(memorySource(readFileSync(image), ["xvda"]));
  const view = await pygrubView({ disk: volume });
  const { entry } = view;
  if (!entry) {
    expect(view.blind.length, real.stderr).toBeGreaterThan(0);
    expect(real.exitCode, `pygrub found something: ${real.kernel} ${view.blind.join()}`).toBe(1);
    expect(real.stderr).toMatch(/Unable to find partition containing kernel|struct.error/);
    return { real, view };
  }
  expect(entry.configPath).toBe(real.configPath);
  if (entry.missing) {
    expect(real.stderr).toContain(`Error opening ${entry.missing[0]} in guest`);
    expect(real.exitCode).toBe(1);
    return { real, view };
  }
  expect(real.exitCode, `${real.stderr}\n${JSON.stringify(entry)}`).toBe(0);
  expect({
    // Of files that are kept in the inode pygrub's library gives the rest of the room as well.
    kernel: real.kernel?.replace(/\0+$/, ""),
    ramdisk: real.ramdisk?.replace(/\0+$/, ""),
    args: real.args,
  }).toEqual({ kernel: entry.kernelPath, ramdisk: entry.ramdiskPath, args: entry.args });
  // pygrub's list breaks off at the first entry without a ramdisk.
  if (real.titles.length > entry.index) expect(real.titles[entry.index]).toBe(entry.title);
  return { real, view };
}

describe("configurations", () => {
  test.each(Object.entries(GRUB2_CONFIGS))("%s", async (_, config) => {
    await compare(ext4(tree({ "/boot/grub/grub.cfg": config })));
  });
});

describe("menu.lst", () => {
  test.each(Object.entries(LEGACY_MENUS))("%s", async (_, config) => {
    await compare(ext4(tree({ "/boot/grub/menu.lst": config })));
  });

  test.each(["/boot/grub/grub.conf", "/grub/menu.lst", "/grub/grub.conf"])("%s", async (path) => {
    const { view } = await compare(ext4(tree({ [path]: LEGACY })));
    expect(view.entry).toMatchObject({ configPath: path, loader: "grub-legacy" });
  });
});

describe("extlinux", () => {
  test.each(Object.entries(EXTLINUX_CONFIGS))("%s", async (_, config) => {
    await compare(ext4(tree({ "/boot/extlinux/extlinux.conf": config })));
  });

  test("it comes before menu.lst, after grub.cfg", async () => {
    const files = { "/extlinux.conf": LABELS, "/boot/grub/menu.lst": LEGACY };
    const { view } = await compare(ext4(tree(files)));
    expect(view.entry).toMatchObject({ configPath: "/extlinux.conf", loader: "extlinux" });
    const all = await compare(ext4(tree({ ...files, "/grub2/grub.cfg": THREE })));
    expect(all.view.entry?.configPath).toBe("/grub2/grub.cfg");
  });
});

describe("files", () => {
  test("/boot/grub comes before /boot/grub2, and a bad one hides a good one", async () => {
    const { view } = await compare(
      ext4(tree({ "/boot/grub/grub.cfg": "}\n", "/boot/grub2/grub.cfg": THREE })),
    );
    expect(view.blind[0]).toContain("/boot/grub/grub.cfg");
  });

  test.each(["/grub/grub.cfg", "/boot/grub2/grub.cfg", "/grub2/grub.cfg"])("%s", async (path) => {
    const { view } = await compare(ext4(tree({ [path]: THREE })));
    expect(view.entry?.configPath).toBe(path);
  });

  test("a symlink to the configuration and one to the kernel", async () => {
    const root = tree(
      { "/boot/real.cfg": grubEntry("one", 1).replace("/boot/vmlinuz-1", "/vmlinuz") },
      { "/boot/grub/grub.cfg": "../real.cfg", "/vmlinuz": "boot/vmlinuz-2" },
    );
    const image = ext4(root);
    const real = realPygrub(image);
    const view = await pygrubView({
      disk: await readVolumes(memorySource(readFileSync(image), ["xvda"])),
    });
    expect(real.kernel).toBe("/boot/vmlinuz-2");
    expect(view.entry).toMatchObject({ kernelPath: "/vmlinuz", configPath: "/boot/grub/grub.cfg" });
  });

  test("no configuration", async () => {
    const { view } = await compare(ext4(tree({})));
    expect(view.blind).toEqual([
      "whole disk: ext4 without any configuration file that pygrub looks for",
    ]);
  });

  test("loader entries and an ESP stub are not for pygrub", async () => {
    await compare(
      ext4(
        tree({
          "/boot/grub2/grub.cfg": "insmod blscfg\nblscfg\n",
          "/boot/loader/entries/a.conf": "title A\nlinux /boot/vmlinuz-1\n",
        }),
      ),
    );
  });
});

const other = () => ext4(tree({}));
const grub = (n = 1) => ext4(tree({ "/boot/grub/grub.cfg": grubEntry(`disk ${n}`, n) }));

describe("disks", () => {
  test("MBR: the first partition with an entry, whatever is active", async () => {
    const image = disk(
      "label: dos\nstart=1MiB,size=14MiB,type=83\nstart=16MiB,size=14MiB,type=83\nstart=32MiB,size=14MiB,type=83,bootable\n",
      { 1: other(), 16: grub(1), 32: grub(2) },
    );
    const { view } = await compare(image);
    expect(view.entry?.partitionNumber).toBe(2);
  });

  test("MBR: swap before it, and one marked as swap is not looked at", async () => {
    const { view } = await compare(
      disk("label: dos\nstart=1MiB,size=14MiB,type=82\nstart=16MiB,size=14MiB,type=83\n", {
        1: grub(1),
        16: grub(2),
      }),
    );
    expect(view.entry?.title).toBe("disk 2");
  });

  test("MBR: a bad configuration in the first partition does not hide the second", async () => {
    const bad = ext4(tree({ "/boot/grub/grub.cfg": "}\n" }));
    await compare(
      disk("label: dos\nstart=1MiB,size=14MiB\nstart=16MiB,size=14MiB\n", { 1: bad, 16: grub(2) }),
    );
  });

  test("MBR: an entry without a file ends the search", async () => {
    const { view } = await compare(
      disk("label: dos\nstart=1MiB,size=14MiB\nstart=16MiB,size=14MiB\n", {
        1: grub(9),
        16: grub(2),
      }),
    );
    expect(view.entry?.missing).toEqual(["/boot/vmlinuz-9"]);
  });

  test("MBR: a logical partition is not found", async () => {
    const { view } = await compare(
      disk("label: dos\nstart=1MiB,size=60MiB,type=5\nstart=2MiB,size=14MiB,type=83\n", {
        2: grub(),
      }),
    );
    expect(view.blind.join()).toContain("partition 5: a logical partition");
  });

  const GPT = "label: gpt\nstart=1MiB,size=14MiB\nstart=16MiB,size=14MiB\n";

  test("GPT", async () => {
    const { view } = await compare(disk(GPT, { 1: other(), 16: grub() }));
    expect(view.entry?.partitionNumber).toBe(2);
  });

  test("GPT whose entries lie elsewhere", async () => {
    need("sgdisk");
    const { view } = await compare(
      disk(
        GPT,
        { 1: other(), 16: grub() },
        "sgdisk -j 64 $DISK >&2; dd if=/dev/zero of=$DISK bs=512 seek=2 count=32 conv=notrunc status=none",
      ),
    );
    expect(view.entry).toBeUndefined();
    expect(view.blind.join()).toContain("partition 2: pygrub does not find it");
  });

  test("GPT with a broken first header", async () => {
    const { view } = await compare(
      disk(
        GPT,
        { 1: other(), 16: grub() },
        "dd if=/dev/zero of=$DISK bs=512 seek=1 count=1 conv=notrunc status=none",
      ),
    );
    expect(view.entry).toBeUndefined();
  });

  test("GPT with entries that are too many for the disk", async () => {
    const patch = `printf '\\377\\377\\377\\177' | dd of=$DISK bs=1 seek=592 conv=notrunc status=none`;
    const image = disk(GPT, { 1: grub(), 16: other() }, patch);
    // pygrub itself reads the whole disk first.
    const { view } = await compare(image);
    expect(view.blind.join()).toContain("Python exception");
  });
});

const BOOT = { "/boot/grub/grub.cfg": THREE };

describe("filesystems", () => {
  test.each([
    "-O ^64bit",
    "-O 64bit,metadata_csum",
    "-b 1024",
    "-O inline_data -I 256",
    "-t ext2",
    "-t ext3",
  ])("%s", async (options) => {
    const { view } = await compare(ext4(tree(BOOT), options));
    expect(view.entry).toBeDefined();
  });

  test("bigalloc", async () => {
    const { view } = await compare(ext4(tree(BOOT), "-O bigalloc -C 65536", 60));
    expect(view.blind).toEqual(["whole disk: ext4 with bigalloc, which pygrub does not read"]);
  });

  test("XFS of today", async () => {
    need("mkfs.xfs");
    const image = join(scratch(), "xfs.img");
    sh(`truncate -s 320M ${image}; mkfs.xfs -q ${image}`);
    const { view } = await compare(image);
    expect(view.blind[0]).toContain("XFS of version 5; pygrub reads version 4 only");
  });

  test("btrfs", async () => {
    need("mkfs.btrfs");
    const image = join(scratch(), "btrfs.img");
    sh(`truncate -s 128M ${image}; mkfs.btrfs -q --rootdir ${tree(BOOT)} ${image}`);
    const { view } = await compare(image);
    expect(view.blind[0]).toContain("which pygrub does not read");
  });
});
