/** Every image is shown to the real pygrub of Xen 4.17 and to our view of it; both must see the same. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { pygrubView } from "../../../src/boot/pygrub-view.ts";
import { memorySource } from "../../../src/disk/source.ts";
import { readVolumes } from "../../../src/disk/tree.ts";
import { need, scratch, sh } from "../../support/need.ts";
import { realPygrub } from "../../support/pygrub.ts";

type Files = Record<string, string | Uint8Array>;

const KERNELS = [
  "/boot/vmlinuz-1",
  "/boot/vmlinuz-2",
  "/boot/vmlinuz-3",
  "/boot/initrd-1",
  "/boot/initrd-2",
];

/** A directory with the files, and kernels that contain their own path. */
function tree(files: Files, links: Record<string, string> = {}): string {
  const root = scratch();
  const all: Files = { ...Object.fromEntries(KERNELS.map((path) => [path, path])), ...files };
  for (const [path, content] of Object.entries(all)) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  for (const [path, target] of Object.entries(links)) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    symlinkSync(target, join(root, path));
  }
  return root;
}

function ext4(root: string, options = "", sizeMib = 12): string {
  need("mkfs.ext4");
  const image = join(scratch(), "ext4.img");
  sh(`truncate -s ${sizeMib}M ${image}; mkfs.ext4 -q ${options} -d ${root} ${image}`);
  return image;
}

/** A disk of 64 MiB from an sfdisk script, with images copied to the given MiB. */
function disk(script: string, parts: Record<number, string>, after = "true"): string {
  need("sfdisk");
  const image = join(scratch(), "disk.img");
  sh(`truncate -s 64M ${image}; sfdisk -q ${image}`, { input: script });
  for (const [mib, part] of Object.entries(parts)) {
    sh(`dd if=${part} of=${image} bs=1M seek=${mib} conv=notrunc,sparse status=none`);
  }
  sh(`DISK=${image}; ${after}`);
  return image;
}

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

const entry = (title: string, n: number, more = "") =>
  `menuentry '${title}' --class linux {\n\tinsmod gzio\n\tlinux /boot/vmlinuz-${n} root=/dev/xvda${n} ro\n${more}\tinitrd /boot/initrd-1\n}\n`;

const THREE = entry("one", 1) + entry("two", 2) + entry("three", 3);

const CONFIGS: Record<string, string | Uint8Array> = {
  "one entry": entry("Debian", 1),
  "default=1": `set default="1"\n${THREE}`,
  "default=2 without quotes": `set default=2\n${THREE}`,
  "default= is not set": `default=1\n${THREE}`,
  "default beyond the list": `set default=7\n${THREE}`,
  "default just beyond the list": `set default=3\n${THREE}`,
  "default with an underscore": `set default=0_1\n${THREE}`,
  "negative default": `set default=-1\n${THREE}`,
  "default by title": `set default="two"\n${THREE}`,
  saved_entry: `set default=2\nset default="\${saved_entry}"\n${THREE}`,
  "default inside a condition counts": `if [ x = y ]; then\nset default=1\nelse\nset default="2"\nfi\n${THREE}`,
  "default inside a function does not": `function f {\nset default=1\n}\n${THREE}`,
  "submenu is flattened": `set default=2\n${entry("one", 1)}submenu 'more' --id m {\n${entry("two", 2)}${entry("three", 3)}}\n`,
  "path of a submenu": `set default="1>1"\n${entry("one", 1)}submenu 'more' {\n${entry("two", 2)}}\n`,
  "both branches": `if true; then\n${entry("one", 1)}else\n${entry("two", 2)}fi\n`,
  "condition inside an entry": entry(
    "one",
    1,
    "\tif true; then\n\tlinux /boot/vmlinuz-2 b\n\telse\n\tlinux /boot/vmlinuz-3 c\n\tfi\n",
  ),
  linuxefi: entry("one", 1).replace("linux /", "linuxefi /"),
  "linux16 and initrd16": entry("one", 1)
    .replace("linux /", "linux16 /")
    .replace("initrd /", "initrd16 /"),
  multiboot2: `menuentry 'Xen' --class xen {\n\tmultiboot2 /boot/xen.gz\n\tmodule2 /boot/vmlinuz-1 ro\n}\n`,
  "two initrds": entry("one", 1).replace("initrd-1", "initrd-1 /boot/initrd-2"),
  "tab after the path": entry("one", 1).replace("vmlinuz-1 root", "vmlinuz-1\troot"),
  "only a tab after the path": `menuentry 'one' {\nlinux\t/boot/vmlinuz-1\tro\n}\n`,
  "no arguments, no initrd": `menuentry 'one' {\nlinux /boot/vmlinuz-1\n}\n`,
  "spaces around": `  menuentry 'one' {  \n  linux   /boot/vmlinuz-1   a  b  \n  }\n`,
  "missing kernel": entry("one", 9),
  "path with a device": entry("one", 1).replace("/boot/vm", "(hd0,msdos1)/boot/vm"),
  "path with $root": entry("one", 1).replace("/boot/vm", "($root)/boot/vm"),
  "root set to a partition": entry("one", 1, "\tset root='hd0,msdos1'\n"),
  "root set to gpt": entry("one", 1, "\tset root=(hd0,gpt2)\n"),
  "root set to LVM": entry("one", 1, "\tset root='lvm/vg-root'\n"),
  "root set to LVM outside": `set root='lvm/vg-root'\n${THREE}`,
  "two = in a set": `set kernelopts="root=/dev/xvda1 ro"\n${THREE}`,
  "blank in a set": `set timeout = 5\n${THREE}`,
  "set without a value": `set debug\n${THREE}`,
  "set in an entry": entry("one", 1, "\tset gfxpayload=keep\n"),
  "two = in an entry": entry("one", 1, "\tset x=a=b\n"),
  "no blank before the brace": `menuentry 'one'{\nlinux /boot/vmlinuz-1 a\n}\n`,
  "brace on the next line": `menuentry 'one' --class x\n{\nlinux /boot/vmlinuz-1 a\n}\n`,
  "double quotes": entry("one", 1).replaceAll("'", '"'),
  "a quote in the title": entry(`it"s`, 1) + entry(`a" b`, 2),
  "brace in the title": `menuentry 'a {b} c' {\nlinux /boot/vmlinuz-1 a\n}\n`,
  "brace only in the options": `menuentry 'one' $x { linux /boot/vmlinuz-1 }\nlinux /boot/vmlinuz-2 b\n}\n`,
  "title without quotes": `menuentry one {\nlinux /boot/vmlinuz-1 a\n}\n`,
  "blanks in the title": entry("  a  b ", 1),
  "title that is not UTF-8": Buffer.from(entry("caf\u00e9", 1), "latin1"),
  "title in UTF-8": entry("caf\u00e9 \u{1f600}", 1),
  "entry that is not closed": entry("one", 1).replace("}\n", ""),
  "entry in an entry": entry("one", 1, "menuentry 'in' {\n\ttrue\n}\n"),
  "brace too many": `${entry("one", 1)}}\n`,
  "function on one line": `function f { true; }\n${THREE}`,
  comments: `# menuentry 'no' {\n${entry("one", 1, "  # linux /boot/vmlinuz-2\n")}`,
  "carriage returns": entry("one", 1).replaceAll("\n", "\r\n"),
  "no-break space at the end": entry("one", 1).replace("ro\n", "ro\u00a0\n"),
  "no-break space after the path": entry("one", 1).replace("vmlinuz-1 root", "vmlinuz-1\u00a0root"),
  "more than 1 MiB":
    `${"#".repeat(1024)}\n`.repeat(1000) +
    entry("one", 1) +
    `${"#".repeat(1024)}\n`.repeat(200) +
    entry("two", 2),
  "cut off at 1 MiB": `${"#".repeat(1024)}\n`.repeat(1022) + THREE.repeat(20),
  empty: "",
  "no entries": "set default=0\nset timeout=5\n",
  "linux without a path": `menuentry 'one' {\nlinux\n}\n`,
  "two linux lines": entry("one", 1, "\tlinux /boot/vmlinuz-2 again\n"),
  "second without arguments": entry("one", 1, "\tlinux /boot/vmlinuz-2\n"),
  "quotes in arguments": entry("one", 1).replace("ro\n", `a="b c" 'd'\n`),
};

describe("configurations", () => {
  test.each(Object.entries(CONFIGS))("%s", async (_, config) => {
    await compare(ext4(tree({ "/boot/grub/grub.cfg": config })));
  });
});

const legacy = (title: string, n: number, more = "") =>
  `title ${title}\nroot (hd0,0)\nkernel /boot/vmlinuz-${n} root=/dev/xvda${n} ro\n${more}initrd /boot/initrd-1\n\n`;

const LEGACY = legacy("one", 1) + legacy("two", 2) + legacy("three", 3);

const MENUS: Record<string, string> = {
  "default 1, with comments and tabs": `# x\ndefault\t\t1\ntimeout 5\n${LEGACY}`,
  "default=2": `default=2\nsplashimage=(hd0,0)/grub/splash.xpm.gz\nhiddenmenu\n${LEGACY}`,
  "default saved": `default saved\n${LEGACY}`,
  "default beyond the list": `default 3\n${LEGACY}`,
  "negative default": `default -1\n${LEGACY}`,
  "default by a word": `default two\n${LEGACY}`,
  "no default, fallback and password": `fallback 1\npassword --md5 x y\n${LEGACY}`,
  "a device before the path":
    "title a\nkernel (hd0,0)/boot/vmlinuz-1 a b\ninitrd (hd0,0)/boot/initrd-2\n",
  "a device that is none": "title a\nroot (cd)\nkernel /boot/vmlinuz-1\ninitrd /boot/initrd-2\n",
  "a splash image without its parenthesis": `splashimage (hd0,0\n${LEGACY}`,
  "options before the kernel": "title a\nkernel --no-mem-option /boot/vmlinuz-1\n",
  "Xen and modules":
    "title a\nkernel /boot/vmlinuz-3 dom0_mem=1G\nmodule /boot/vmlinuz-1 ro\nmodule /boot/initrd-1\n",
  "a tab before the arguments": "title a\nkernel /boot/vmlinuz-1\tro\ninitrd /boot/initrd-1\n",
  "no kernel": `title a\nchainloader +1\n${LEGACY}`,
  "an empty entry counts": `default 1\ntitle a\n${LEGACY}`,
  "an empty one at the end does not": `default 3\n${LEGACY}title a\n`,
  "the last kernel counts":
    "title a\nkernel /boot/vmlinuz-1 a\nkernel /boot/vmlinuz-2\ninitrd /boot/initrd-1\n",
  "title without a blank": "titlex y\nkernel /boot/vmlinuz-1\ninitrd /boot/initrd-1\n",
  "uuid is ignored": "title a\nuuid 1-2\nkernel /boot/vmlinuz-1\ninitrd /boot/initrd-1\n",
  empty: "",
};

describe("menu.lst", () => {
  test.each(Object.entries(MENUS))("%s", async (_, config) => {
    await compare(ext4(tree({ "/boot/grub/menu.lst": config })));
  });

  test.each(["/boot/grub/grub.conf", "/grub/menu.lst", "/grub/grub.conf"])("%s", async (path) => {
    const { view } = await compare(ext4(tree({ [path]: LEGACY })));
    expect(view.entry).toMatchObject({ configPath: path, loader: "grub-legacy" });
  });
});

const label = (name: string, n: number) =>
  `LABEL ${name}\n  KERNEL /boot/vmlinuz-${n}\n  APPEND initrd=/boot/initrd-1 root=/dev/xvda${n} ro\n`;

const LABELS = label("one", 1) + label("two", 2) + label("three", 3);

const EXTLINUX: Record<string, string> = {
  "default by name": `default two\ntimeout 50\n${LABELS}`,
  "the first without a default": `PROMPT 1\n${LABELS}`,
  "a default in capitals, of no label": `DEFAULT TWO\n${LABELS}`,
  "default with arguments": `default two single\n${LABELS}`,
  "MENU DEFAULT is not known": `${LABELS}MENU DEFAULT\n`,
  "LINUX and INITRD are not known": "label a\nlinux /boot/vmlinuz-1\ninitrd /boot/initrd-1\n",
  "APPEND before KERNEL": "label a\nappend initrd=/boot/initrd-1 ro\nkernel /boot/vmlinuz-1\n",
  "arguments after the kernel": "label a\nkernel /boot/vmlinuz-1 quiet\n",
  "several initrd= words":
    "label a\nkernel /boot/vmlinuz-1\nappend initrd=/boot/initrd-2 x initrd=/boot/initrd-1 y initrd=/boot/initrd-2\n",
  "initrd= inside another word":
    "label a\nkernel /boot/vmlinuz-1\nappend xinitrd=/boot/initrd-1 y\n",
  quotes: 'label "a"\nkernel "/boot/vmlinuz-1"\nappend "ro quiet"\n',
  "mboot.c32 with three parts":
    "label a\nkernel mboot.c32\nappend xen.gz x --- /boot/vmlinuz-1 ro --- /boot/initrd-1\n",
  "mboot.c32 with two":
    "label a\nkernel /x/mboot.c32\nappend /boot/vmlinuz-1 ro --- /boot/initrd-1\n",
  "mboot.c32 with one": "label a\nkernel mboot.c32\nappend /boot/vmlinuz-1 ro\n",
  "a relative name": "label a\nkernel vmlinuz\nappend ro\n",
  "INCLUDE is not followed": "include /boot/extlinux/x.conf\n",
  "no space after label":
    "default x\nlabelx\nkernel /boot/vmlinuz-1\nlabel x\nkernel /boot/vmlinuz-2\n",
  "an equals sign": "label=a\nkernel=/boot/vmlinuz-1\nappend=ro\n",
};

describe("extlinux", () => {
  test.each(Object.entries(EXTLINUX))("%s", async (_, config) => {
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
      { "/boot/real.cfg": entry("one", 1).replace("/boot/vmlinuz-1", "/vmlinuz") },
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
const grub = (n = 1) => ext4(tree({ "/boot/grub/grub.cfg": entry(`disk ${n}`, n) }));

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
