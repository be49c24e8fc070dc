/** Disks as pygrub meets them, made with the real tools: every kernel and initramfs in them contains its own path. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { need, scratch, sh } from "./need.ts";

type Files = Record<string, string | Uint8Array>;

const KERNELS = [
  "/boot/vmlinuz-1",
  "/boot/vmlinuz-2",
  "/boot/vmlinuz-3",
  "/boot/initrd-1",
  "/boot/initrd-2",
];

/** A directory with the files, and kernels that contain their own path. */
export function tree(files: Files, links: Record<string, string> = {}): string {
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

export function ext4(root: string, options = "", sizeMib = 12): string {
  need("mkfs.ext4");
  const image = join(scratch(), "ext4.img");
  sh(`truncate -s ${sizeMib}M ${image}; mkfs.ext4 -q ${options} -d ${root} ${image}`);
  return image;
}

/** A disk of 64 MiB from an sfdisk script, with images copied to the given MiB. */
export function disk(script: string, parts: Record<number, string>, after = "true"): string {
  need("sfdisk");
  const image = join(scratch(), "disk.img");
  sh(`truncate -s 64M ${image}; sfdisk -q ${image}`, { input: script });
  for (const [mib, part] of Object.entries(parts)) {
    sh(`dd if=${part} of=${image} bs=1M seek=${mib} conv=notrunc,sparse status=none`);
  }
  sh(`DISK=${image}; ${after}`);
  return image;
}

export const grubEntry = (title: string, n: number, more = "") =>
  `menuentry '${title}' --class linux {\n\tinsmod gzio\n\tlinux /boot/vmlinuz-${n} root=/dev/xvda${n} ro\n${more}\tinitrd /boot/initrd-1\n}\n`;

export const THREE = grubEntry("one", 1) + grubEntry("two", 2) + grubEntry("three", 3);

export const GRUB2_CONFIGS: Record<string, string | Uint8Array> = {
  "one entry": grubEntry("Debian", 1),
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
  "submenu is flattened": `set default=2\n${grubEntry("one", 1)}submenu 'more' --id m {\n${grubEntry("two", 2)}${grubEntry("three", 3)}}\n`,
  "path of a submenu": `set default="1>1"\n${grubEntry("one", 1)}submenu 'more' {\n${grubEntry("two", 2)}}\n`,
  "both branches": `if true; then\n${grubEntry("one", 1)}else\n${grubEntry("two", 2)}fi\n`,
  "condition inside an entry": grubEntry(
    "one",
    1,
    "\tif true; then\n\tlinux /boot/vmlinuz-2 b\n\telse\n\tlinux /boot/vmlinuz-3 c\n\tfi\n",
  ),
  linuxefi: grubEntry("one", 1).replace("linux /", "linuxefi /"),
  "linux16 and initrd16": grubEntry("one", 1)
    .replace("linux /", "linux16 /")
    .replace("initrd /", "initrd16 /"),
  multiboot2: `menuentry 'Xen' --class xen {\n\tmultiboot2 /boot/xen.gz\n\tmodule2 /boot/vmlinuz-1 ro\n}\n`,
  "two initrds": grubEntry("one", 1).replace("initrd-1", "initrd-1 /boot/initrd-2"),
  "tab after the path": grubEntry("one", 1).replace("vmlinuz-1 root", "vmlinuz-1\troot"),
  "only a tab after the path": `menuentry 'one' {\nlinux\t/boot/vmlinuz-1\tro\n}\n`,
  "no arguments, no initrd": `menuentry 'one' {\nlinux /boot/vmlinuz-1\n}\n`,
  "spaces around": `  menuentry 'one' {  \n  linux   /boot/vmlinuz-1   a  b  \n  }\n`,
  "missing kernel": grubEntry("one", 9),
  "path with a device": grubEntry("one", 1).replace("/boot/vm", "(hd0,msdos1)/boot/vm"),
  "path with $root": grubEntry("one", 1).replace("/boot/vm", "($root)/boot/vm"),
  "root set to a partition": grubEntry("one", 1, "\tset root='hd0,msdos1'\n"),
  "root set to gpt": grubEntry("one", 1, "\tset root=(hd0,gpt2)\n"),
  "root set to LVM": grubEntry("one", 1, "\tset root='lvm/vg-root'\n"),
  "root set to LVM outside": `set root='lvm/vg-root'\n${THREE}`,
  "two = in a set": `set kernelopts="root=/dev/xvda1 ro"\n${THREE}`,
  "blank in a set": `set timeout = 5\n${THREE}`,
  "set without a value": `set debug\n${THREE}`,
  "set in an entry": grubEntry("one", 1, "\tset gfxpayload=keep\n"),
  "two = in an entry": grubEntry("one", 1, "\tset x=a=b\n"),
  "no blank before the brace": `menuentry 'one'{\nlinux /boot/vmlinuz-1 a\n}\n`,
  "brace on the next line": `menuentry 'one' --class x\n{\nlinux /boot/vmlinuz-1 a\n}\n`,
  "double quotes": grubEntry("one", 1).replaceAll("'", '"'),
  "a quote in the title": grubEntry(`it"s`, 1) + grubEntry(`a" b`, 2),
  "brace in the title": `menuentry 'a {b} c' {\nlinux /boot/vmlinuz-1 a\n}\n`,
  "brace only in the options": `menuentry 'one' $x { linux /boot/vmlinuz-1 }\nlinux /boot/vmlinuz-2 b\n}\n`,
  "title without quotes": `menuentry one {\nlinux /boot/vmlinuz-1 a\n}\n`,
  "blanks in the title": grubEntry("  a  b ", 1),
  "title that is not UTF-8": Buffer.from(grubEntry("caf\u00e9", 1), "latin1"),
  "title in UTF-8": grubEntry("caf\u00e9 \u{1f600}", 1),
  "entry that is not closed": grubEntry("one", 1).replace("}\n", ""),
  "entry in an entry": grubEntry("one", 1, "menuentry 'in' {\n\ttrue\n}\n"),
  "brace too many": `${grubEntry("one", 1)}}\n`,
  "function on one line": `function f { true; }\n${THREE}`,
  comments: `# menuentry 'no' {\n${grubEntry("one", 1, "  # linux /boot/vmlinuz-2\n")}`,
  "carriage returns": grubEntry("one", 1).replaceAll("\n", "\r\n"),
  "no-break space at the end": grubEntry("one", 1).replace("ro\n", "ro\u00a0\n"),
  "no-break space after the path": grubEntry("one", 1).replace(
    "vmlinuz-1 root",
    "vmlinuz-1\u00a0root",
  ),
  "more than 1 MiB":
    `${"#".repeat(1024)}\n`.repeat(1000) +
    grubEntry("one", 1) +
    `${"#".repeat(1024)}\n`.repeat(200) +
    grubEntry("two", 2),
  "cut off at 1 MiB": `${"#".repeat(1024)}\n`.repeat(1022) + THREE.repeat(20),
  empty: "",
  "no entries": "set default=0\nset timeout=5\n",
  "linux without a path": `menuentry 'one' {\nlinux\n}\n`,
  "two linux lines": grubEntry("one", 1, "\tlinux /boot/vmlinuz-2 again\n"),
  "second without arguments": grubEntry("one", 1, "\tlinux /boot/vmlinuz-2\n"),
  "quotes in arguments": grubEntry("one", 1).replace("ro\n", `a="b c" 'd'\n`),
};

export const legacy = (title: string, n: number, more = "") =>
  `title ${title}\nroot (hd0,0)\nkernel /boot/vmlinuz-${n} root=/dev/xvda${n} ro\n${more}initrd /boot/initrd-1\n\n`;

export const LEGACY = legacy("one", 1) + legacy("two", 2) + legacy("three", 3);

export const LEGACY_MENUS: Record<string, string> = {
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

export const label = (name: string, n: number) =>
  `LABEL ${name}\n  KERNEL /boot/vmlinuz-${n}\n  APPEND initrd=/boot/initrd-1 root=/dev/xvda${n} ro\n`;

export const LABELS = label("one", 1) + label("two", 2) + label("three", 3);

export const EXTLINUX_CONFIGS: Record<string, string> = {
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
