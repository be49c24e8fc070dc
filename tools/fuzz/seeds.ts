/** What the fuzzer begins with: small valid inputs of every format, made by the field's own tools, kept in the cache. */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { isoPrograms } from "../../test/support/fs/iso-programs.ts";
import { groupText, linear, lvmId, physicalVolume } from "../../test/support/lvm.ts";
import { mdMember } from "../../test/support/md.ts";
import { run } from "../sample/image.ts";
import { sampleInitramfs } from "../sample/initramfs.ts";
import { sampleKernel } from "../sample/kernel.ts";
import { image, MANY, manyName } from "./cached-image.ts";

const MIB = 1024 * 1024;

const ext4 = (options: readonly string[]) => (path: string, tree: string) =>
  run("mkfs.ext4", ["-q", "-F", ...options, "-d", tree, path]);

/** mkfs alone: these tools take no tree, or not without a mount. */
const bare = (program: string, options: readonly string[]) => (path: string) =>
  run(program, [...options, path]);

/** With files of the tree, by a prototype (mkfs.xfs -p): enough names for a directory of several blocks. */
const xfs = (options: readonly string[]) => (path: string, tree: string) => {
  const proto = `${path}.proto`;
  const names = Array.from({ length: MANY }, (_, i) => manyName(i));
  const many = names.map((name) => `${name} ---644 0 0 ${tree}/many/${name}`);
  const lines = ["/", "0 0", "d--755 0 0", "many d--755 0 0", ...many, "$"];
  lines.push(`large ---644 0 0 ${tree}/large`, `short l--777 0 0 many/${names[1]}`);
  // Longer ones would be in a block, where mkfs.xfs leaves out the header that version 5 has.
  lines.push(`long l--777 0 0 a/${"b/../".repeat(50)}b`, "$", "");
  writeFileSync(proto, lines.join("\n"));
  run("mkfs.xfs", ["-q", "-f", "--unsupported", ...options, "-p", proto, path]);
  rmSync(proto);
};

/** With the files of the tree: FAT has no links. */
const fat = (options: readonly string[]) => (path: string, tree: string) => {
  run("mkfs.vfat", [...options, "-n", "FUZZ", path]);
  const files = ["a", "many", "large", "n".repeat(200)].map((name) => join(tree, name));
  run("mcopy", ["-s", "-i", path, ...files, "::/"]);
};

/** A command line of `isoPrograms`, which begins with an environment. */
function makeIso(options: readonly string[], path: string, tree: string): void {
  const command = `${isoPrograms().xorriso} -as mkisofs -quiet "$@" 2>&1`;
  run("sh", ["-c", command, "sh", ...options, "-o", path, tree]);
}

const iso = (options: readonly string[]) => (path: string, tree: string) =>
  makeIso([...options, "-V", "FUZZ"], path, tree);

/** For BIOS and UEFI, from CDs and USB sticks: a boot catalog, an MBR, a FAT filesystem in it. */
function hybridIso(path: string, tree: string): void {
  const { isolinux } = isoPrograms();
  const boot = `${path}.boot`;
  mkdirSync(boot, { recursive: true });
  copyFileSync(join(isolinux, "isolinux.bin"), join(boot, "isolinux.bin"));
  run("truncate", ["-s", "1M", join(boot, "efi.img")]);
  fat([])(join(boot, "efi.img"), tree);
  const bios = ["-b", "boot/isolinux.bin", "-c", "boot/boot.cat", "-no-emul-boot"];
  const load = ["-boot-load-size", "4", "-boot-info-table"];
  const mbr = ["-isohybrid-mbr", join(isolinux, "isohdpfx.bin")];
  const uefi = ["-eltorito-alt-boot", "-e", "boot/efi.img", "-no-emul-boot"];
  const graft = ["-graft-points", `boot=${boot}`];
  const options = ["-R", "-J", ...bios, ...load, ...mbr, ...uefi, "-isohybrid-gpt-basdat"];
  makeIso([...options, ...graft], path, `tree=${tree}`);
  rmSync(boot, { recursive: true });
}

function partitioned(label: "dos" | "gpt") {
  return (path: string) => {
    const lines =
      label === "dos"
        ? "start=2048,size=1000,type=83\nstart=4096,size=10000,type=5\nstart=5000,size=500,type=83\nstart=6000,size=500,type=82\n"
        : "start=2048,size=1000\nstart=4096,size=1000\nstart=6144,size=1000\n";
    run("sfdisk", ["-q", "--no-reread", "--no-tell-kernel", path], `label: ${label}\n${lines}`);
  };
}

export const DISK_SEEDS: Readonly<Record<string, () => Uint8Array>> = {
  "ext4-checksums": () => image("ext4-checksums", 8, ext4(["-b", "1024"])),
  "ext4-plain": () => image("ext4-plain", 8, ext4(["-b", "1024", "-O", "^metadata_csum"])),
  "ext4-inline": () =>
    image("ext4-inline", 8, ext4(["-O", "^metadata_csum,inline_data", "-I", "256"])),
  ext2: () => image("ext2", 8, ext4(["-t", "ext2", "-b", "1024", "-O", "^metadata_csum"])),
  xfs: () => image("xfs-files", 20, xfs([])),
  "xfs-v4": () => image("xfs-v4-files", 20, xfs(["-m", "crc=0"])),
  btrfs: () =>
    image("btrfs", 32, (path, tree) => run("mkfs.btrfs", ["-q", "-M", "--rootdir", tree, path])),
  fat12: () => image("fat12", 3, fat(["-F", "12"])),
  fat16: () => image("fat16", 6, fat(["-F", "16", "-s", "1"])),
  fat32: () => image("fat32", 36, fat(["-F", "32", "-s", "1"])),
  "iso-rock-ridge": () => image("iso-rock-ridge", 0, iso(["-R"])),
  "iso-joliet": () => image("iso-joliet", 0, iso(["-J", "-joliet-long", "--norock"])),
  "iso-plain": () => image("iso-plain", 0, iso(["-iso-level", "2", "--norock"])),
  "iso-hybrid": () => image("iso-hybrid", 0, hybridIso),
  mbr: () => image("mbr", 8, partitioned("dos")),
  gpt: () => image("gpt", 8, partitioned("gpt")),
  swap: () => image("swap", 1, bare("mkswap", ["-q"])),
  lvm: () =>
    physicalVolume({
      size: MIB,
      uuid: lvmId("A"),
      areas: [{ offset: 4096, size: 32768, text: lvmText() }],
    }),
  "md-0.90": () => mdMember({ version: "0.90", size: MIB, content: swapBytes() }),
  "md-1.2": () => mdMember({ version: "1.2", size: MIB, content: swapBytes() }),
};

/** Something to be found in an array. */
const swapBytes = () => DISK_SEEDS["swap"]!().subarray(0, 65536);

const lvmText = () =>
  groupText({
    pvs: [{ name: "pv0", id: lvmId("A"), start: 128, count: 64 }],
    lvs: [
      { name: "root", segments: [linear(0, 8, "pv0", 0), linear(8, 8, "pv0", 20)] },
      { name: "home", id: lvmId("H"), segments: [linear(0, 4, "pv0", 8)] },
    ],
  });

/** Disks in files of other formats; the name is xl's word for it. */
export const IMAGE_SEEDS: Readonly<Record<string, () => Uint8Array>> = {
  qcow2: () => image("qcow2", 0, packedDisk("qcow2", ["-o", "cluster_size=4096"])),
  vhd: () => image("vhd", 0, packedDisk("vpc", [])),
};

function packedDisk(format: string, options: readonly string[]) {
  return (path: string, tree: string) => {
    const raw = `${path}.raw`;
    run("truncate", ["-s", "4M", raw]);
    run("dd", [
      `if=${join(tree, "large")}`,
      `of=${raw}`,
      "conv=notrunc",
      "seek=100",
      "status=none",
    ]);
    run("qemu-img", ["convert", "-O", format, ...options, raw, path]);
    rmSync(raw);
  };
}

const DECOMPRESSORS = [
  ["gzip", true],
  ["gzip-old", true],
  ["bzip2", true],
  ["lzma", false],
] as const;

export const KERNEL_SEEDS: Readonly<Record<string, () => Uint8Array>> = {
  "kernel-elf": () =>
    sampleKernel({ release: "6.1.0-1", packing: "none", decompressors: DECOMPRESSORS }),
  "kernel-gzip": () =>
    sampleKernel({ release: "6.1.0-1", packing: "gzip", decompressors: DECOMPRESSORS }),
};

const initramfs = (packing: "gzip" | "zstd") =>
  sampleInitramfs({
    generator: "mkinitcpio",
    kernel: "6.1.0-1",
    packing,
    modules: ["ext4", "xen-blkfront"],
  });

export const INITRAMFS_SEEDS: Readonly<Record<string, () => Uint8Array>> = {
  "initramfs-gzip": () => initramfs("gzip"),
  "initramfs-zstd": () => initramfs("zstd"),
  // Damage to what is packed ends in the packing's checksum.
  "initramfs-plain": () => gunzipSync(initramfs("gzip")),
  "initramfs-two": () => Buffer.concat([gunzipSync(initramfs("gzip")), initramfs("zstd")]),
};

export const COMPRESSED_SEEDS: Readonly<Record<string, () => Uint8Array>> = Object.fromEntries(
  Object.entries({
    xz: "xz -c --check=crc32",
    lzma: "xz --format=lzma -c",
    bzip2: "bzip2 -c",
    lzo: "lzop -c",
    lz4: "lz4 -l -c",
    zstd: "zstd -c",
  }).map(([format, command]) => [
    format,
    () =>
      execFileSync("sh", ["-c", command], {
        input: Buffer.alloc(MIB / 4, "some text that packs well, "),
        stdio: ["pipe", "pipe", "ignore"],
      }),
  ]),
);

const LABEL = "LABEL one\n KERNEL /vmlinuz\n APPEND initrd=/initrd root=/dev/xvda1 ro\n";

/** Files of a guest by the path where something looks for them. */
export const GUEST_FILES: Readonly<Record<string, string>> = {
  "boot/grub/menu.lst": `default 1\nfallback 0\ntimeout 5\n${"title a\nroot (hd0,0)\nkernel /vmlinuz ro\ninitrd /initrd\n\n".repeat(3)}`,
  "boot/extlinux/extlinux.conf": `DEFAULT two\nMENU INCLUDE /boot/extlinux/extlinux.conf\n${LABEL}${LABEL}ONTIMEOUT one\n`,
  "loader/entries/arch-6.1+3-1.conf":
    "title Arch\nversion 6.1~rc1-2.fc38^3\nsort-key a\nlinux /vmlinuz\ninitrd /initrd\noptions root=UUID=a rw\n",
  "loader/loader.conf": "default arch*[0-9]?-{a,b}\ntimeout menu-force\n",
  "boot/grub/grubenv": `# GRUB Environment Block\nsaved_entry=0\nnext_entry=1>2\n${"#".repeat(960)}`,
  "var/log/dpkg.log": "2023-06-01 10:00:00 upgrade linux-image-amd64:amd64 6.1.1 6.1.2\n".repeat(
    20,
  ),
  "var/log/apt/history.log":
    "\nStart-Date: 2023-06-01  10:00:00\nCommandline: apt upgrade\nUpgrade: a:amd64 (1, 2), b:amd64 (2, 3)\nEnd-Date: 2023-06-01  10:01:00\n".repeat(
      9,
    ),
  "var/log/yum.log": "Jun 01 10:00:00 Updated: kernel-3.10.0-1.el7.x86_64\n".repeat(20),
  "var/log/dnf.rpm.log":
    "2023-06-01T10:00:00+0200 SUBDEBUG Upgrade: kernel-6.1-1.fc38.x86_64\n".repeat(20),
  "var/log/zypp/history":
    "2020-04-11 12:30:00|install|kernel-default|5.3-1|x86_64||repo|0|\n".repeat(20),
  "var/log/apk.log":
    "2023-06-01 10:00:00\n(1/2) Upgrading linux-lts (6.1.1-r0 -> 6.1.2-r0)\n".repeat(20),
};

export const TEXT_SEEDS = {
  fstab: () =>
    Buffer.from("UUID=a / ext4 defaults,subvol=/@ 0 1\nLABEL=\\040b /b xfs ro\n# c\n".repeat(5)),
  lvm: () => Buffer.from(lvmText()),
  grub: () =>
    Buffer.from(`set default="1>2"
if [ "x$a" = x ]; then set b=c; else set b="$d"; fi
function f { set g=$1; }
f 'x'
submenu 'more' { menuentry "a \${b}" --id x { linux /vmlinuz root=/dev/xvda1 'ro' ; initrd /a /b }
menuentry c { echo x } }
for i in 1 2 3; do echo $i; done
while false; do true; done
menuentry 'z' { search --set=root --fs-uuid abc; linux ($root)/vmlinuz }
`),
  config: () =>
    Buffer.from(`name = "guest" # comment
memory = 0x200; vcpus = 2
disk = [ 'phy:vg0/a,xvda,w', "file:/x,hdc:cdrom,r", 'format=qcow2, vdev=xvdb, target=/srv/b c', ]
vif = [ 'mac=00:16:3e:00:00:01,bridge=xenbr0,rate=10Mb/s@50ms', '' ]
extra += " console=hvc0"
on_crash = 'preserve'
`),
  pacman: () =>
    Buffer.from(`[2017-06-30 20:11] [PACMAN] Running 'pacman -Syu'
[2021-03-06T21:43:02+0100] [ALPM] upgraded mkinitcpio (29-1 -> 30-1)
`),
} satisfies Record<string, () => Uint8Array>;
