/** What a loader configuration means: its entries, the one that would be started, and why that one. */
import type { Finding } from "../../base/finding.ts";
import type { Where } from "../../base/where.ts";
import type { FileSystem } from "../../disk/fs/filesystem.ts";
import type { Partition } from "../../disk/content.ts";

/** A filesystem that a loader in the guest could read, with the names it goes by. */
export type BootVolume = {
  readonly fs: FileSystem;
  /** `xvda` */
  readonly vdev: string;
  /** Index of the disk among the guest's disks, in config order: GRUB's hd0, hd1. */
  readonly diskIndex: number;
  readonly partition?: Partition;
  readonly tableType?: "mbr" | "gpt";
  /** `lvm/vg0-root` where it is a logical volume. */
  readonly grubName?: string;
  /** Its names by id, which hints of `search` use: `lvmid/...`, `mduuid/...`. */
  readonly grubIds?: readonly string[];
  /** Its name in the guest where that does not follow from disk and partition: `/dev/mapper/vg0-root`. */
  readonly device?: string;
  /** Set where `fs` is another view of that volume's filesystem: the top level of a btrfs, which GRUB begins at. */
  readonly viewOf?: BootVolume;
};

/** A file in one of the guest's filesystems. */
export type BootFile = {
  readonly volume: BootVolume;
  readonly path: string;
  /** Not the file but this section of it: `.initrd` of a unified kernel image. */
  readonly section?: string;
};

export type BootEntry = {
  readonly title: string;
  /** GRUB's --id, a BLS file name, an extlinux label. */
  readonly id?: string;
  /** Titles of the submenus around it, outermost first. */
  readonly submenus: readonly string[];
  readonly kind: "linux" | "hypervisor" | "chain" | "other";
  readonly kernel?: BootFile;
  readonly ramdisks: readonly BootFile[];
  /** The command line, without the kernel's own path. */
  readonly args: string;
  /** For `hypervisor`: what is started first (xen.gz); `kernel` is then the dom0 or PV kernel among its modules. */
  readonly hypervisor?: BootFile;
  /** A file that the entry names but that is not there; the entry cannot boot. */
  readonly missing: readonly BootFile[];
  /** Why the entry cannot boot where no file can be named: `no such device: hd1,msdos1`. */
  readonly problem?: string;
  /** What the entry asks for and does not get: it boots without. `no such device: hd0,msdos1` */
  readonly lacks?: string;
  /** Line in the configuration file, from 1. */
  readonly line: number;
};

export type LoaderResult = {
  readonly loader: "grub2" | "grub-legacy" | "extlinux" | "bls" | "systemd-boot" | "uki" | "links";
  readonly volume: BootVolume;
  readonly configPath: string;
  /** In menu order, submenus flattened depth first. */
  readonly entries: readonly BootEntry[];
  /**
   * Index into `entries`; undefined when the loader would start nothing. When an entry is tried that cannot boot and
   * nothing takes its place, it is that entry, and `because` says so.
   */
  readonly chosen?: number;
  /** For people: `default="1>2" in grub.cfg line 12`, `saved_entry in grubenv`, `first entry: no default is set`. */
  readonly because: string;
  /** In seconds; -1 waits for ever. */
  readonly timeout?: number;
  readonly findings: readonly Finding[];
  readonly where: Where;
};

/** One loader family. `undefined`: no configuration of this kind on this volume. */
export type Loader = {
  readonly name: LoaderResult["loader"];
  /**
   * It is asked only when no other has found an entry to start: on the same volume, or on any. Left out: always.
   */
  readonly yieldsTo?: "others on the volume" | "all others";
  find(
    volume: BootVolume,
    all: readonly BootVolume[],
    signal?: AbortSignal,
  ): Promise<LoaderResult | undefined>;
};
