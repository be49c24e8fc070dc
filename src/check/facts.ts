/**
 * All that the rules may look at. Made by the survey (`guest/check/`), plain data: no filesystem, no promise.
 */
import type { Failure } from "../base/failure.ts";
import type { Finding } from "../base/finding.ts";
import type { Where } from "../base/where.ts";
import type { Compression } from "../bytes/decompress/format.ts";
import type { PackageChange } from "../boot/changes/package-change.ts";
import type { HvmBoot } from "../boot/hvm/firmware.ts";
import type { InitramfsFacts } from "../boot/initramfs/initramfs-facts.ts";
import type { KernelFacts } from "../boot/kernel/kernel-facts.ts";
import type { PygrubView } from "../boot/pygrub-view.ts";
import type { DiskSpec } from "../xen/disk-spec.ts";
import type { DomainConfig } from "../xen/domain-config.ts";
import type { HostFacts } from "../xen/host-facts.ts";
import type { Surroundings } from "./host-around.ts";
import type { RootDevice } from "../boot/root-device.ts";

/** A partition, volume or whole disk with something on it that `root=` or fstab could name. */
export type VolumeFacts = {
  readonly where: Where;
  /** The name in the guest: `xvda1`, or `/dev/mapper/vg-root`; undefined when it has none. */
  readonly device?: string;
  /** Further names that lead to it: `/dev/vg/root`. */
  readonly aliases?: readonly string[];
  /** A part of a volume group or array that was put together: what is in it is listed as volumes of its own. */
  readonly assembled?: true;
  /** Filesystem kind, or `swap`, `LVM2 member`, `LUKS`, `empty`, `unknown`, ... */
  readonly format: string;
  readonly uuid: string;
  readonly label: string;
  readonly partuuid: string;
  readonly partlabel: string;
  readonly sizeBytes: number;
  /**
   * Has something that a kernel could start as init, in one of its roots where it has several. Undefined where it could
   * not be looked at.
   */
  readonly looksLikeRoot?: boolean;
  readonly clean?: boolean;
  /** Kernel modules without which it does not appear: those of LVM's mappings, of md's levels. */
  readonly modules?: readonly string[];
};

export type DiskFacts = {
  readonly spec: DiskSpec;
  /** The target in dom0 after resolving. */
  readonly target: string;
  readonly state: "read" | "missing" | "unreadable" | "empty-cdrom" | "not-read";
  readonly failure?: Failure;
  /** dom0's kernel lets nobody write to it. Absent where that is not known. */
  readonly deviceReadOnly?: boolean;
  readonly volumes: readonly VolumeFacts[];
  readonly findings: readonly Finding[];
};

/** A file that the boot needs. */
export type NeededFile = {
  /** `kernel`, `ramdisk` */
  readonly role: "kernel" | "ramdisk";
  readonly path: string;
  readonly where: Where;
  readonly state: "read" | "missing" | "unreadable";
  readonly failure?: Failure;
  /** Others beside it that look usable, for the advice: `/boot/vmlinuz-6.1.0-49-amd64`. */
  readonly alternatives: readonly string[];
};

/** What would be booted, as the loader (or the config) says. */
export type PlannedBoot = {
  readonly loader:
    | "grub2"
    | "grub-legacy"
    | "extlinux"
    | "bls"
    | "systemd-boot"
    | "uki"
    | "links"
    | "direct"
    | "hvm-disk";
  readonly source: Where;
  readonly entry?: string;
  /** Why this entry. */
  readonly because: string;
  readonly args: string;
  readonly files: readonly NeededFile[];
  readonly kernel?: KernelFacts;
  /** In loading order. */
  readonly initramfs: readonly InitramfsFacts[];
  /** What root= names, and whether it is there. */
  readonly root?: RootDevice;
  /** Set when Xen starts GRUB, and it is GRUB that starts this. */
  readonly chain?: GrubStage;
  /** The kernel is GRUB, and this is why nothing is known of what it starts. */
  readonly grubSaid?: string;
  /** What was noticed in the loader's configuration while reading it. */
  readonly findings?: readonly Finding[];
};

/** GRUB as the kernel that Xen starts (pvgrub2). */
export type GrubStage = {
  /** Of the image in dom0. */
  readonly path: string;
  readonly platform: "xen" | "xen_pvh";
  readonly bits: 32 | 64;
  /** The packings that it gets the ELF of a PV kernel out of. */
  readonly unpacks: readonly Compression[];
  /** How Xen starts GRUB itself. */
  readonly boot: PlannedBoot;
};

/** What the guest's own loader configuration asks for, whoever reads it on this host. */
export type ConfiguredBoot = {
  readonly entry?: string;
  readonly because: string;
  readonly kernel: string;
  readonly ramdisks: readonly string[];
  readonly args: string;
};

/** From inside the root filesystem. */
export type RootFiles = {
  readonly where: Where;
  /** The line of fstab for `/`, and what it names. */
  readonly fstabRoot?: { readonly where: Where; readonly device: RootDevice };
  /** There is a directory /lib/tls: the thread libraries of 32-bit systems before 2008 or so. */
  readonly tlsLibc: boolean;
  /** There is a libc built for 32-bit Xen beside it. */
  readonly xenLibc: boolean;
};

export type GuestFacts = {
  readonly name: string;
  readonly configPath: string;
  readonly config: DomainConfig;
  readonly host: HostFacts;
  readonly disks: readonly DiskFacts[];
  /** What will be started on this host: pygrub's choice where pygrub runs and finds one. */
  readonly boot?: PlannedBoot;
  /** Absent when no loader configuration was found. */
  readonly configured?: ConfiguredBoot;
  /** Why there is no boot plan; each volume or config that was looked at, and what it said. */
  readonly bootTried: readonly { readonly where: Where; readonly said: string }[];
  /** Set when the config names pygrub as its bootloader. */
  readonly pygrub?: PygrubView;
  /** Its bootloader is domus-pygrub, and may convert what would not boot. */
  readonly mendsBoot?: true;
  /** Set for an HVM guest that starts from its disks: what its firmware finds there. */
  readonly hvm?: HvmBoot;
  /** Absent when there is no root filesystem that could be read. */
  readonly rootFiles?: RootFiles;
  /** Absent when nothing but the guest was looked at. */
  readonly around?: Surroundings;
  /** Newest last. Empty, too, where nothing was found that a change could explain: the logs are then not read. */
  readonly changes: readonly PackageChange[];
};
