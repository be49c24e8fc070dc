/**
 * A small dom0's file tree with guests as people have them, some of them broken in the ways that cost people days.
 * `domus check --root DIR` works on it as on a dead host's disk.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { blankImage, diskImage, ext4Image, run } from "./image.ts";
import { sampleInitramfs } from "./initramfs.ts";
import { sampleKernel } from "./kernel.ts";
import type { SampleKernel } from "./kernel.ts";

const CLASSIC = [
  ["gzip", true],
  ["gzip-old", true],
  ["bzip2", true],
  ["lzma", true],
  ["xz", true],
  ["lzo", true],
  ["lz4", true],
] as const;
const MODERN = [...CLASSIC, ["zstd", true]] as const;

export function makeSampleHost(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
  for (const sub of ["etc/xen/auto", "srv/xen", "var/lib/dpkg"]) {
    mkdirSync(join(dir, sub), { recursive: true });
  }
  // A Debian 11 dom0: Xen 4.14, which cannot unpack zstd kernels.
  writeFileSync(
    join(dir, "var/lib/dpkg/status"),
    "Package: xen-utils-4.14\nStatus: install ok installed\nVersion: 4.14.6-1\n\n",
  );
  pandora(dir);
  web(dir);
  database(dir);
  shop(dir);
  mail(dir);
  blank(dir);
}

function config(dir: string, name: string, lines: readonly string[]): void {
  writeFileSync(join(dir, "etc/xen", `${name}.cfg`), `${lines.join("\n")}\n`);
}

const image = (dir: string, name: string) => join(dir, "srv/xen", name);

/**
 * The story that domus begins with: Arch Linux with its kernel pinned to 4.11.7. Years later mkinitcpio is upgraded,
 * packs images with zstd from then on, and the pinned kernel has never heard of zstd.
 */
function pandora(dir: string): void {
  const release = "4.11.7-1-ARCH";
  const uuid = "6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de001";
  const part = image(dir, "pandora.p1");
  ext4Image(part, {
    sizeMib: 96,
    uuid,
    tree: {
      "boot/vmlinuz-linux": sampleKernel({ release, packing: "gzip", decompressors: CLASSIC }),
      "boot/initramfs-linux.img": sampleInitramfs({
        generator: "mkinitcpio",
        kernel: release,
        packing: "zstd",
        modules: ["block/xen-blkfront", "ext4", "jbd2", "mbcache", "crc16", "crc32c_generic"],
      }),
      "boot/grub/grub.cfg": archGrub(uuid),
      "etc/fstab": `UUID=${uuid} / ext4 rw,relatime 0 1\n`,
      "etc/mkinitcpio.conf": 'MODULES=""\nHOOKS="base udev autodetect modconf block filesystems"\n',
      "etc/pacman.conf": "[options]\nIgnorePkg = linux\n",
      "sbin/init": "-> ../usr/lib/systemd/systemd",
      "usr/lib/systemd/systemd": "sample",
      "var/log/pacman.log": PACMAN_LOG,
    },
  });
  diskImage(image(dir, "pandora.img"), "dos", [{ type: "83", bootable: true, image: part }]);
  config(dir, "pandora", [
    'name = "pandora"',
    "memory = 512",
    "vcpus = 1",
    'bootloader = "pygrub"',
    "disk = [ '/srv/xen/pandora.img,raw,xvda,rw' ]",
    "vif = [ 'mac=00:16:3e:00:00:01,bridge=xenbr0' ]",
    'on_crash = "restart"',
  ]);
}

const PACMAN_LOG = `[2017-06-30 20:11] [PACMAN] Running 'pacman -Syu'
[2017-06-30 20:12] [ALPM] upgraded linux (4.11.6-3 -> 4.11.7-1)
[2017-06-30 20:12] [ALPM] upgraded mkinitcpio (23-1 -> 23-2)
[2021-03-06T21:40:12+0100] [PACMAN] Running 'pacman -Syu'
[2021-03-06T21:41:55+0100] [ALPM] warning: linux: ignoring package upgrade (4.11.7-1 => 5.11.1.arch1-1)
[2021-03-06T21:43:01+0100] [ALPM] transaction started
[2021-03-06T21:43:01+0100] [ALPM] upgraded zstd (1.4.5-1 -> 1.4.8-1)
[2021-03-06T21:43:02+0100] [ALPM] upgraded mkinitcpio (29-1 -> 30-1)
[2021-03-06T21:43:02+0100] [ALPM] upgraded openssh (8.4p1-2 -> 8.4p1-3)
[2021-03-06T21:43:03+0100] [ALPM] transaction completed
[2021-03-06T21:43:05+0100] [ALPM] running '90-mkinitcpio-install.hook'...
`;

function archGrub(uuid: string): string {
  return `set default="0"
set timeout=5
insmod part_msdos
insmod ext2
search --no-floppy --fs-uuid --set=root ${uuid}
menuentry 'Arch Linux' --class arch --id 'gnulinux-simple-${uuid}' {
  echo 'Loading Linux linux ...'
  linux /boot/vmlinuz-linux root=UUID=${uuid} rw console=hvc0
  echo 'Loading initial ramdisk ...'
  initrd /boot/initramfs-linux.img
}
`;
}

type DebianBoot = {
  readonly uuid: string;
  readonly releases: readonly string[];
  readonly prefix: string;
  readonly defaultEntry: string;
};

/** A menu in the shape that grub-mkconfig gives it on Debian: the newest kernel first, all in a submenu behind. */
function debianGrub({ uuid, releases, prefix, defaultEntry }: DebianBoot): string {
  const entry = (
    release: string,
    id: string,
    title: string,
  ) => `menuentry '${title}' --class debian --id '${id}' {
  search --no-floppy --fs-uuid --set=root ${uuid}
  linux ${prefix}/vmlinuz-${release} root=UUID=${uuid} ro console=hvc0
  initrd ${prefix}/initrd.img-${release}
}
`;
  return `set default="${defaultEntry}"
set timeout=5
${entry(releases[0]!, "gnulinux-simple", "Debian GNU/Linux")}submenu 'Advanced options for Debian GNU/Linux' --id 'gnulinux-advanced' {
${releases.map((one) => entry(one, `gnulinux-${one}-advanced`, `Debian GNU/Linux, with Linux ${one}`)).join("")}}
`;
}

type DebianGuest = {
  readonly name: string;
  readonly uuid: string;
  readonly kernels: readonly SampleKernel[];
  readonly defaultEntry: string;
  readonly log?: string;
};

function debianGuest(dir: string, guest: DebianGuest): void {
  const tree: Record<string, string | Uint8Array> = {
    "boot/grub/grub.cfg": debianGrub({
      uuid: guest.uuid,
      releases: guest.kernels.map((one) => one.release),
      prefix: "/boot",
      defaultEntry: guest.defaultEntry,
    }),
    "etc/fstab": `UUID=${guest.uuid} / ext4 errors=remount-ro 0 1\n`,
    "sbin/init": "-> ../lib/systemd/systemd",
    "lib/systemd/systemd": "sample",
    "var/log/dpkg.log": guest.log ?? "",
  };
  for (const kernel of guest.kernels) {
    tree[`boot/vmlinuz-${kernel.release}`] = sampleKernel(kernel);
    tree[`boot/initrd.img-${kernel.release}`] = sampleInitramfs({
      generator: "initramfs-tools",
      kernel: kernel.release,
      packing: "gzip",
      modules: ["block/xen-blkfront", "ext4", "jbd2", "mbcache", "crc16", "crc32c_generic"],
    });
  }
  const part = image(dir, `${guest.name}.p1`);
  ext4Image(part, { sizeMib: 160, uuid: guest.uuid, label: guest.name, tree });
  const swap = image(dir, `${guest.name}.p2`);
  blankImage(swap, 16);
  run("mkswap", ["-q", swap]);
  diskImage(image(dir, `${guest.name}.img`), "gpt", [
    { type: "linux", bootable: false, image: part },
    { type: "swap", image: swap },
  ]);
  config(dir, guest.name, [
    `name = "${guest.name}"`,
    "memory = 1024",
    'bootloader = "pygrub"',
    `disk = [ 'phy:/srv/xen/${guest.name}.img,xvda,w' ]`,
    "vif = [ 'bridge=xenbr0' ]",
    'on_crash = "preserve"',
  ]);
}

/** All is well. */
function web(dir: string): void {
  debianGuest(dir, {
    name: "web",
    uuid: "6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de002",
    kernels: [{ release: "6.1.0-18-amd64", packing: "gzip", decompressors: MODERN }],
    defaultEntry: "0",
  });
}

/** Upgraded to a release whose kernels are packed with zstd; this Xen cannot unpack them. */
function database(dir: string): void {
  debianGuest(dir, {
    name: "database",
    uuid: "6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de003",
    kernels: [{ release: "6.12.30-amd64", packing: "zstd", decompressors: MODERN }],
    defaultEntry: "0",
    log: `2026-11-02 22:14:03 startup archives unpack
2026-11-02 22:14:09 install linux-image-6.12.30-amd64:amd64 <none> 6.12.30-1
2026-11-02 22:16:41 upgrade linux-image-amd64:amd64 6.1.158-1 6.12.30-1
2026-11-02 22:17:12 upgrade openssl:amd64 3.0.17-1 3.5.0-1
`,
  });
}

/** The admin pinned an older kernel in GRUB; pygrub does not understand that and boots the newest. */
function shop(dir: string): void {
  debianGuest(dir, {
    name: "shop",
    uuid: "6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de004",
    kernels: [
      { release: "6.1.0-22-amd64", packing: "gzip", decompressors: MODERN },
      { release: "6.1.0-18-amd64", packing: "gzip", decompressors: MODERN },
    ],
    defaultEntry: "gnulinux-advanced>gnulinux-6.1.0-18-amd64-advanced",
  });
}

/** Its volume was renamed, the config was not. */
function mail(dir: string): void {
  config(dir, "mail", [
    'name = "mail"',
    "memory = 2048",
    'bootloader = "pygrub"',
    "disk = [ 'phy:/dev/vg0/mail-root,xvda,w' ]",
    "vif = [ 'bridge=xenbr0' ]",
  ]);
}

/** Made, never installed. */
function blank(dir: string): void {
  blankImage(image(dir, "new.img"), 64);
  config(dir, "new", [
    'name = "new"',
    "memory = 512",
    'bootloader = "pygrub"',
    "disk = [ '/srv/xen/new.img,raw,xvda,rw' ]",
  ]);
}
