/**
 * Whether the kernel will have a driver by the time it needs its root: built in, in the initramfs, or not at all.
 * Names are those of the modules, with `_` for `-`, and of the kernel's build options.
 */
import type { InitramfsModules } from "../boot/initramfs/initramfs-facts.ts";
import { isInitramfsComplete } from "./guest-boot.ts";
import type { PlannedBoot } from "./facts.ts";

export type Driver = {
  /** Any one of these does. */
  readonly modules: readonly string[];
  /** CONFIG_*: `y` built in, `m` a module. Any one of these does. */
  readonly options: readonly string[];
};

/** `unknown`: neither a build configuration nor a modules.builtin says what is built in. */
export type DriverState = "builtin" | "in-initramfs" | "absent" | "unknown";

export const BLKFRONT: Driver = {
  modules: ["xen_blkfront"],
  options: ["CONFIG_XEN_BLKDEV_FRONTEND"],
};

/** By the kernel's name of the filesystem. ext4's driver mounts ext2 and ext3 as well (fs/ext4/super.c). */
const FILESYSTEMS: Readonly<Record<string, Driver>> = {
  ext2: { modules: ["ext2", "ext4"], options: ["CONFIG_EXT2_FS", "CONFIG_EXT4_FS"] },
  ext3: { modules: ["ext3", "ext4"], options: ["CONFIG_EXT3_FS", "CONFIG_EXT4_FS"] },
  ext4: { modules: ["ext4"], options: ["CONFIG_EXT4_FS"] },
  xfs: { modules: ["xfs"], options: ["CONFIG_XFS_FS"] },
  btrfs: { modules: ["btrfs"], options: ["CONFIG_BTRFS_FS"] },
  f2fs: { modules: ["f2fs"], options: ["CONFIG_F2FS_FS"] },
  jfs: { modules: ["jfs"], options: ["CONFIG_JFS_FS"] },
  reiserfs: { modules: ["reiserfs"], options: ["CONFIG_REISERFS_FS"] },
  iso9660: { modules: ["isofs"], options: ["CONFIG_ISO9660_FS"] },
  squashfs: { modules: ["squashfs"], options: ["CONFIG_SQUASHFS"] },
};

/** What logical volumes and arrays are mapped with, by module (drivers/md/Kconfig). */
const VOLUMES: Readonly<Record<string, readonly string[]>> = {
  dm_mod: ["CONFIG_BLK_DEV_DM"],
  dm_mirror: ["CONFIG_DM_MIRROR"],
  dm_raid: ["CONFIG_DM_RAID"],
  dm_snapshot: ["CONFIG_DM_SNAPSHOT"],
  dm_thin_pool: ["CONFIG_DM_THIN_PROVISIONING"],
  dm_cache: ["CONFIG_DM_CACHE"],
  dm_writecache: ["CONFIG_DM_WRITECACHE"],
  dm_integrity: ["CONFIG_DM_INTEGRITY"],
  md_mod: ["CONFIG_BLK_DEV_MD"],
  raid0: ["CONFIG_MD_RAID0"],
  raid1: ["CONFIG_MD_RAID1"],
  raid10: ["CONFIG_MD_RAID10"],
  raid456: ["CONFIG_MD_RAID456"],
  linear: ["CONFIG_MD_LINEAR"],
};

/** `undefined` for a module that domus does not know. */
export function volumeDriver(module: string): Driver | undefined {
  if (!Object.hasOwn(VOLUMES, module)) return undefined;
  return { modules: [module], options: VOLUMES[module]! };
}

/** `undefined` for what is no filesystem, or none that a root is on. */
export function fileSystemDriver(format: string | undefined): Driver | undefined {
  return format !== undefined && Object.hasOwn(FILESYSTEMS, format)
    ? FILESYSTEMS[format]
    : undefined;
}

export function driverState(boot: PlannedBoot, driver: Driver): DriverState {
  const config = boot.kernel?.config;
  if (config && driver.options.some((option) => config.get(option) === "y")) return "builtin";
  const own = ownModules(boot);
  const isThere = (test: (modules: InitramfsModules, name: string) => boolean) =>
    own.some((modules) => driver.modules.some((name) => test(modules, name)));
  if (isThere(({ builtin }, name) => builtin.has(name))) return "builtin";
  if (isThere(isLoadable)) return "in-initramfs";
  if (!isInitramfsComplete(boot)) return "unknown";
  return knowsBuiltin(boot) ? "absent" : "unknown";
}

/** Whether a driver that is not listed as built in is known not to be. */
export function knowsBuiltin(boot: PlannedBoot): boolean {
  const config = boot.kernel?.config;
  // An option that does not appear was not even offered: what it depends on is off.
  if (config !== undefined && config.size > 0) return true;
  return ownModules(boot).some(({ builtin, builtinKnown }) => builtinKnown ?? builtin.size > 0);
}

/** The file is there, and modprobe finds it. */
function isLoadable({ loadable, listed }: InitramfsModules, name: string): boolean {
  return loadable.has(name) && (listed === undefined || listed.has(name));
}

/** What the images carry for this very kernel: it loads no others. */
export function ownModules(boot: PlannedBoot): InitramfsModules[] {
  const version = boot.kernel?.version;
  if (version === undefined) return [];
  return boot.initramfs.flatMap((image) => {
    const modules = image.modules.get(version);
    return modules ? [modules] : [];
  });
}

/** Kernel versions that the images carry modules for, when the kernel's own is not among them. */
export function foreignVersions(boot: PlannedBoot): string[] {
  const version = boot.kernel?.version;
  const carried = [...new Set(boot.initramfs.flatMap((image) => image.moduleVersions))];
  if (version === undefined || carried.includes(version)) return [];
  return carried;
}
