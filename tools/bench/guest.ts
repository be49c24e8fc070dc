/** The guest that the benches look at: Debian's kernel and an initramfs of 40 MB, in an ext4 filesystem. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDir, debianKernel } from "../../lab/debian.ts";
import { ext4Image } from "../sample/image.ts";

export type BenchGuest = {
  readonly dir: string;
  readonly image: string;
  /** A guest's config with the image as its disk. */
  readonly config: string;
  readonly vmlinuz: Buffer;
  /** In a file of its own. */
  readonly initramfs: string;
};

const UUID = "6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de0ff";

export function benchGuest(name: string): BenchGuest {
  const dir = cacheDir("bench", name);
  rmSync(dir, { recursive: true });
  mkdirSync(dir);
  const kernel = debianKernel("6.1");
  const { version } = kernel;
  const initramfs = join(dir, "initrd.img");
  buildInitramfs(kernel.root, dir, initramfs);
  const vmlinuz = readFileSync(kernel.vmlinuz);
  const image = join(dir, "guest.img");
  ext4Image(image, {
    sizeMib: 300,
    uuid: UUID,
    tree: {
      [`boot/vmlinuz-${version}`]: vmlinuz,
      [`boot/initrd.img-${version}`]: readFileSync(initramfs),
      [`boot/config-${version}`]: readFileSync(join(kernel.root, `boot/config-${version}`)),
      "boot/grub/grub.cfg": grubConfig(version),
      "etc/fstab": `UUID=${UUID} / ext4 errors=remount-ro 0 1\n`,
      "var/log/dpkg.log": dpkgLog(version),
      "sbin/init": "sample",
    },
  });
  const config = join(dir, "guest.cfg");
  writeFileSync(config, configText("guest", image));
  return { dir, image, config, vmlinuz, initramfs };
}

export function configText(name: string, image: string): string {
  return `name = "${name}"\nmemory = 2048\nbootloader = "/usr/bin/pygrub"\ndisk = [ '${image},raw,xvda,w' ]\n`;
}

/** All modules of the kernel that a virtual machine could have a use for, as MODULES=most would. */
function buildInitramfs(root: string, dir: string, to: string): void {
  const left = ["gpu", "media", "net/wireless", "infiniband", "iio", "staging", "scsi", "usb"];
  const script = [
    'mkdir -p "$2/ir/usr/lib"; cp -r "$1/lib/modules" "$2/ir/usr/lib/"',
    'printf "#!/bin/sh\n" >"$2/ir/init"; chmod +x "$2/ir/init"; cd "$2/ir"',
    "rm -rf usr/lib/modules/*/kernel/sound",
    ...left.map((path) => `rm -rf usr/lib/modules/*/kernel/drivers/${path}`),
    'find . | LC_ALL=C sort | cpio --quiet -o -H newc | gzip -n >"$3"; rm -rf "$2/ir"',
  ].join("\n");
  execFileSync("sh", ["-ec", script, "sh", root, dir, to], {
    stdio: ["ignore", "ignore", "inherit"],
  });
}

/** A menu as grub-mkconfig makes it: a default entry, the others in a submenu. */
function grubConfig(version: string): string {
  const entry = (title: string, id: string, args: string) => `
menuentry '${title}' --class debian --class gnu-linux $menuentry_id_option 'gnulinux-${id}-${UUID}' {
	load_video
	insmod gzio
	if [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
	insmod part_gpt
	insmod ext2
	search --no-floppy --fs-uuid --set=root ${UUID}
	echo	'Loading Linux ${version} ...'
	linux	/boot/vmlinuz-${version} root=UUID=${UUID} ro ${args}
	echo	'Loading initial ramdisk ...'
	initrd	/boot/initrd.img-${version}
}`;
  return `if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
set default="0"
if [ x"\${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
export menuentry_id_option
function load_video {
  if [ x$feature_all_video_module = xy ]; then insmod all_video; else insmod efi_gop; fi
}
set timeout=5
${entry("Debian GNU/Linux", "simple", "console=hvc0")}
submenu 'Advanced options for Debian GNU/Linux' $menuentry_id_option 'gnulinux-advanced-${UUID}' {
${entry(`Debian GNU/Linux, with Linux ${version}`, "advanced", "console=hvc0")}
${entry(`Debian GNU/Linux, with Linux ${version} (recovery mode)`, "recovery", "single console=hvc0")}
}
`;
}

/** Some hundred KB, as after a release upgrade; the kernel's own line comes last. */
function dpkgLog(version: string): string {
  const lines = Array.from({ length: 6000 }, (_, index) => {
    const minute = String(Math.floor(index / 100) % 60).padStart(2, "0");
    const second = String(index % 60).padStart(2, "0");
    return `2025-03-0${1 + (index % 9)} 10:${minute}:${second} upgrade libsample${index}:amd64 1.${index}-1 1.${index}-2`;
  });
  return `${lines.sort().join("\n")}\n2025-04-01 10:00:00 install linux-image-${version}:amd64 <none> 6.1.1-1\n`;
}
