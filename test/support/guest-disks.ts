/** Disks of guests that boot, in the ways that distributions lay them out, made with the real tools. */
import { cpSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import {
  GUEST_MODULES,
  makeExt4Guest,
  ROOT_KIND_MODULES,
  writeGuestTree,
  type GuestTree,
} from "../../lab/guest.ts";
import { blankImage, diskImage } from "../../tools/sample/image.ts";
import { mountedAs } from "./fs/mounted.ts";
import { openLvm, lvRows, writeVolume } from "./lvm-tools.ts";
import { need, sh } from "./need.ts";

const MIB = 1 << 20;

const CONSOLE = "console=hvc0";

export type GuestDiskKind = {
  readonly name: string;
  /** What the kernel is told to mount. */
  readonly root: string;
  /** Makes the disk as the file `image`. */
  readonly make: (image: string) => Promise<void> | void;
};

/** The guests' kernel. */
export const GUEST_KERNEL = "6.1-cloud";

function treeFor(kind: keyof typeof ROOT_KIND_MODULES, args: string): GuestTree {
  const modules = [...GUEST_MODULES, ...ROOT_KIND_MODULES[kind]];
  return { kernel: GUEST_KERNEL, modules, args: `${args} ${CONSOLE}` };
}

/** A tree made apart and copied into what is mounted. */
async function fill(part: { image: string; type: string }, tree: GuestTree, below = "") {
  const dir = `${part.image}.tree`;
  mkdirSync(dir);
  try {
    writeGuestTree(dir, tree);
    await mountedAs(part, (at) => {
      if (below !== "") sh(`btrfs subvolume create '${at}${below}'`);
      cpSync(dir, `${at}${below}`, { recursive: true, verbatimSymlinks: true });
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** XFS v5 in the first partition of an MBR disk, as RHEL has it without LVM. */
async function xfsDisk(image: string): Promise<void> {
  need("mkfs.xfs", "sfdisk", "losetup");
  const part = `${image}.part`;
  blankImage(part, 320);
  sh(`mkfs.xfs -q -m crc=1 '${part}'`);
  await fill({ image: part, type: "xfs" }, treeFor("xfs", "root=/dev/xvda1"));
  diskImage(image, "dos", [{ type: "linux", bootable: true, image: part }]);
}

/** btrfs on the whole disk, the system in the subvolume `@`, as Ubuntu has it. */
async function btrfsDisk(image: string): Promise<void> {
  need("mkfs.btrfs", "btrfs", "losetup");
  blankImage(image, 160);
  sh(`mkfs.btrfs -q -f '${image}'`);
  const tree = treeFor("btrfs", "root=/dev/xvda rootflags=subvol=@");
  await fill({ image, type: "btrfs" }, { ...tree, prefix: "/@" }, "/@");
  sh("btrfs device scan --forget");
}

/** ext4 with the label `guest` in the first partition of a GPT disk. */
function gptDisk(image: string): void {
  need("sfdisk");
  const part = `${image}.part`;
  makeExt4Guest(part, { kernel: GUEST_KERNEL, args: `root=/dev/xvda1 ${CONSOLE}` });
  diskImage(image, "gpt", [{ type: "linux", image: part }]);
}

/** Everything, /boot too, on a logical volume of a group in the first partition of an MBR disk. */
function lvmDisk(image: string): void {
  const volume = `${image}.volume`;
  makeExt4Guest(volume, treeFor("lvm", "root=/dev/mapper/guest-root"), 80 * MIB);
  const part = `${image}.part`;
  blankImage(part, 92);
  diskImage(image, "dos", [{ type: "lvm", image: part }]);
  const files = [{ path: image, offset: MIB, size: 92 * MIB }];
  const lvm = openLvm(files);
  lvm.run(`vgcreate -y -s 4m guest ${lvm.devices.join(" ")}`);
  lvm.create(`-L ${statSync(volume).size}b -n root guest`);
  const rows = lvRows(lvm);
  lvm.close();
  const place = { lvm, files, extentBytes: 4 * MIB, startBytes: MIB };
  writeVolume(place, rows, readFileSync(volume));
  rmSync(volume);
}

/** LVM's disk can only be made within a test, which then frees its loop device. */
export const GUEST_DISKS: readonly GuestDiskKind[] = [
  {
    name: "ext4 on the whole disk",
    root: "/dev/xvda",
    make: (image) => makeExt4Guest(image, { kernel: GUEST_KERNEL }),
  },
  { name: "ext4 in a GPT partition", root: "/dev/xvda1", make: gptDisk },
  { name: "XFS v5 in an MBR partition", root: "/dev/xvda1", make: xfsDisk },
  { name: "a btrfs subvolume", root: "/dev/xvda", make: btrfsDisk },
  { name: "LVM in an MBR partition", root: "/dev/mapper/guest-root", make: lvmDisk },
];
