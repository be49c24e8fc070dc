/** Whole disks and filesystems as pygrub meets them, by name; each is made when it is asked for. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { MIB } from "../../src/base/units.ts";
import { isoPrograms } from "./fs/iso-programs.ts";
import { openLvm } from "./lvm-tools.ts";
import { need, scratch, sh } from "./need.ts";
import { disk, ext4, grubEntry, tree, THREE, LABELS, LEGACY } from "./pygrub-images.ts";

type Images = Readonly<Record<string, () => string>>;

const other = () => ext4(tree({}));
const grub = (n = 1) => ext4(tree({ "/boot/grub/grub.cfg": grubEntry(`disk ${n}`, n) }));
const MBR = "label: dos\nstart=1MiB,size=14MiB,type=83\nstart=16MiB,size=14MiB,type=83\n";
const GPT = "label: gpt\nstart=1MiB,size=14MiB\nstart=16MiB,size=14MiB\n";
const BOOT = { "/boot/grub/grub.cfg": THREE };

export const DISKS: Images = {
  "one filesystem": () => grub(),
  "MBR, the first partition": () => disk(MBR, { 1: grub(1), 16: other() }),
  "MBR, the second partition": () => disk(MBR, { 1: other(), 16: grub(2) }),
  "MBR, a swap partition first": () =>
    disk(MBR.replace("type=83", "type=82"), { 1: grub(1), 16: grub(2) }),
  "MBR, two that could start, the second active": () =>
    disk(`${MBR.trimEnd()},bootable\n`, { 1: grub(1), 16: grub(2) }),
  "MBR, a broken configuration in the first": () =>
    disk(MBR, { 1: ext4(tree({ "/boot/grub/grub.cfg": "}\n" })), 16: grub(2) }),
  "MBR, an entry without its kernel in the first": () => disk(MBR, { 1: grub(9), 16: grub(2) }),
  "MBR, a logical partition": () =>
    disk("label: dos\nstart=1MiB,size=60MiB,type=5\nstart=2MiB,size=14MiB,type=83\n", {
      2: grub(),
    }),
  GPT: () => disk(GPT, { 1: other(), 16: grub() }),
  "GPT whose entries lie elsewhere": () => {
    need("sgdisk");
    const after =
      "sgdisk -j 64 $DISK >&2; dd if=/dev/zero of=$DISK bs=512 seek=2 count=32 conv=notrunc status=none";
    return disk(GPT, { 1: other(), 16: grub() }, after);
  },
  "GPT with a broken first header": () => {
    const after = "dd if=/dev/zero of=$DISK bs=512 seek=1 count=1 conv=notrunc status=none";
    return disk(GPT, { 1: other(), 16: grub() }, after);
  },
  "LVM in a partition": () => lvmInPartition(),
};

/** A volume group whose only logical volume begins at the first extent. */
function lvmInPartition(): string {
  const path = disk("label: dos\nstart=1MiB,size=60MiB,type=8e\n", {});
  const lvm = openLvm([{ path, offset: MIB, size: 60 * MIB }]);
  const [device = ""] = lvm.devices;
  lvm.run(`pvcreate -q -ff -y ${device}`);
  lvm.run(`vgcreate -q domus_pygrub_${process.pid} ${device}`);
  lvm.create(`-L 16M -n root domus_pygrub_${process.pid}`);
  // pe_start is 1 MiB.
  sh(`dd if=${grub()} of=${path} bs=1M seek=2 conv=notrunc,sparse status=none`);
  lvm.close();
  return path;
}

export const FILE_SYSTEMS: Images = {
  "ext4 without 64bit": () => ext4(tree(BOOT), "-O ^64bit"),
  "ext4, 64bit and metadata_csum": () => ext4(tree(BOOT), "-O 64bit,metadata_csum"),
  "ext4, blocks of 1 KiB": () => ext4(tree(BOOT), "-b 1024"),
  "ext4, inline_data": () => ext4(tree(BOOT), "-O inline_data -I 256"),
  ext2: () => ext4(tree(BOOT), "-t ext2"),
  ext3: () => ext4(tree(BOOT), "-t ext3"),
  "ext4, bigalloc": () => ext4(tree(BOOT), "-O bigalloc -C 65536", 60),
  "XFS version 4, ftype=0": () => xfs("-m crc=0 -n ftype=0"),
  "XFS version 4, ftype=1": () => xfs("-m crc=0 -n ftype=1"),
  "XFS version 5": () => xfs(""),
  btrfs: () => {
    need("mkfs.btrfs");
    const image = join(scratch(), "btrfs.img");
    sh(`truncate -s 128M ${image}; mkfs.btrfs -q --rootdir ${tree(BOOT)} ${image}`);
    return image;
  },
  FAT32: () => {
    need("mkfs.vfat", "mcopy");
    const image = join(scratch(), "fat.img");
    sh(
      `truncate -s 40M ${image}; mkfs.vfat -F 32 ${image} >&2; mcopy -s -i ${image} ${tree(BOOT)}/boot ::`,
    );
    return image;
  },
  "ISO 9660 with Rock Ridge": () => {
    const image = join(scratch(), "cd.iso");
    sh(`${isoPrograms().xorriso} -as mkisofs -quiet -R -o ${image} ${tree(BOOT)} >&2`);
    return image;
  },
};

/** mkfs.xfs fills it from a prototype, without mounting it. */
function xfs(options: string): string {
  need("mkfs.xfs");
  const root = tree(BOOT);
  const image = join(scratch(), "xfs.img");
  const files = ["vmlinuz-1", "vmlinuz-2", "vmlinuz-3", "initrd-1", "initrd-2"];
  const input = [
    "/",
    "0 0",
    "d--755 0 0",
    "boot d--755 0 0",
    ...files.map((name) => `${name} ---644 0 0 ${root}/boot/${name}`),
    "grub d--755 0 0",
    `grub.cfg ---644 0 0 ${root}/boot/grub/grub.cfg`,
    "$",
    "$",
    "$",
    "",
  ].join("\n");
  const prototype = join(scratch(), "prototype");
  writeFileSync(prototype, input);
  sh(`truncate -s 320M ${image}; mkfs.xfs -q ${options} -p ${prototype} ${image}`);
  return image;
}

const BLS = "title A\nversion 1\nlinux /boot/vmlinuz-1\ninitrd /boot/initrd-1\noptions ro quiet\n";

/** Files as distributions lay them out. */
export const LAYOUTS: Images = {
  "blscfg and loader entries": () =>
    ext4(
      tree({
        "/boot/grub2/grub.cfg": "insmod blscfg\nblscfg\n",
        "/boot/loader/entries/a.conf": BLS,
      }),
    ),
  "loader entries without GRUB": () => ext4(tree({ "/loader/entries/a.conf": BLS })),
  "saved_entry in grubenv": () =>
    ext4(
      tree({
        "/boot/grub/grubenv": `# GRUB Environment Block\nsaved_entry=two\n${"#".repeat(983)}`.slice(
          0,
          1024,
        ),
        "/boot/grub/grub.cfg": `load_env\nset default="\${saved_entry}"\n${THREE}`,
      }),
    ),
  "/boot/grub comes before /boot/grub2": () =>
    ext4(
      tree({
        "/boot/grub/grub.cfg": grubEntry("one", 1),
        "/boot/grub2/grub.cfg": grubEntry("two", 2),
      }),
    ),
  "a broken /boot/grub/grub.cfg before a good /boot/grub2/grub.cfg": () =>
    ext4(tree({ "/boot/grub/grub.cfg": "}\n", "/boot/grub2/grub.cfg": THREE })),
  "/grub/grub.cfg": () => ext4(tree({ "/grub/grub.cfg": THREE })),
  "/grub2/grub.cfg": () => ext4(tree({ "/grub2/grub.cfg": THREE })),
  "/boot/grub/grub.conf": () => ext4(tree({ "/boot/grub/grub.conf": LEGACY })),
  "/grub/menu.lst": () => ext4(tree({ "/grub/menu.lst": LEGACY })),
  "/extlinux.conf before /boot/grub/menu.lst": () =>
    ext4(tree({ "/extlinux.conf": LABELS, "/boot/grub/menu.lst": LEGACY })),
  "/boot/isolinux/isolinux.cfg": () => ext4(tree({ "/boot/isolinux/isolinux.cfg": LABELS })),
  "symlinks to the configuration and to the kernel": () =>
    ext4(
      tree(
        { "/boot/real.cfg": grubEntry("one", 1).replace("/boot/vmlinuz-1", "/vmlinuz") },
        { "/boot/grub/grub.cfg": "../real.cfg", "/vmlinuz": "boot/vmlinuz-2" },
      ),
    ),
  "no configuration": () => ext4(tree({})),
};
