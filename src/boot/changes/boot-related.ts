/** Which packages decide over the next boot of a guest, by the names that the distributions give them. */
import type { PackageChange } from "./package-change.ts";

export type BootRole =
  | "kernel"
  | "initramfs-generator"
  | "compressor"
  | "module-tools"
  | "bootloader"
  | "init"
  | "storage";

export type BootRelated = {
  readonly change: PackageChange;
  readonly role: BootRole;
  /** For people: what the package has to do with the boot. */
  readonly reason: string;
};

type Family = { readonly role: BootRole; readonly names: RegExp; readonly reason: string };

/** The first that matches counts. Every pattern is anchored and without repetition inside repetition. */
const FAMILIES: readonly Family[] = [
  {
    role: "kernel",
    // Arch; Debian and Ubuntu; Fedora and RHEL (with ELRepo and Oracle); SUSE; Alpine
    names:
      /^(linux(-(lts|zen|hardened|rt|rt-lts|virt))?|linux-(image|modules)-[a-z0-9].*|linux-(binary|base)-[0-9].*|kernel(-(lt|ml|uek|rt|plus))?(-(core|modules|modules-core|modules-extra))?|kernel-(default|kvmsmall|default-base))$/,
    reason: "the kernel that the guest starts, and its modules",
  },
  {
    role: "initramfs-generator",
    names:
      /^(mkinitcpio(-[a-z-]+)?|booster|dracut(-[a-z-]+)?|initramfs-tools(-(core|bin|ubuntu-core))?|mkinitrd|mkinitfs|live-boot(-initramfs-tools)?|cryptsetup-initramfs|cloud-initramfs-[a-z-]+)$/,
    reason: "builds the initramfs, and decides how it is compressed and what is in it",
  },
  {
    role: "compressor",
    names: /^(zstd|xz|xz-utils|lz4|lzop|gzip|pigz|bzip2|lzma)$/,
    reason:
      "compresses the initramfs; whether it is installed can decide which compression is used",
  },
  {
    role: "module-tools",
    names:
      /^(kmod|busybox(-(static|initramfs))?|mkinitcpio-busybox|klibc-utils|module-init-tools)$/,
    reason: "loads the modules in the initramfs, or makes their index",
  },
  {
    role: "bootloader",
    names:
      /^(grub|grub2?-[a-z0-9-]+|grub2|grub-legacy|grubby|os-prober|extlinux|syslinux(-[a-z0-9-]+)?|systemd-boot(-[a-z0-9-]+)?|shim(-[a-z0-9-]+)?|efibootmgr|refind|kernel-install|sdubby)$/,
    reason: "chooses the kernel, or writes the configuration that does",
  },
  {
    role: "init",
    names:
      /^(systemd(-(sysv|udev|sysvcompat|standalone-[a-z]+))?|udev|eudev|sysvinit(-core)?|openrc|runit(-init)?|util-linux|mount)$/,
    reason: "starts the system after the kernel, or finds and mounts its disks",
  },
  {
    role: "storage",
    names:
      /^(lvm2|dmsetup|device-mapper(-[a-z]+)?|libdevmapper1\.02\.1|cryptsetup(-(bin|run))?|mdadm|btrfs-?progs|e2fsprogs|xfsprogs|zfs-(dkms|initramfs|linux|utils|dracut)|zfsutils-linux|multipath-tools)$/,
    reason: "makes the volume that the root filesystem is on",
  },
];

/** What is built beside a kernel image and is named after it. */
const NOT_A_KERNEL = /-(dbg|dbgsym|headers|source)$/;

/** The changes that can have changed the next boot, in the order given; `change` is the object that came in. */
export function bootRelated(changes: readonly PackageChange[]): BootRelated[] {
  return changes.flatMap((change) => {
    const family = familyOf(change.package);
    return family ? [{ change, role: family.role, reason: family.reason }] : [];
  });
}

function familyOf(name: string): Family | undefined {
  // No package has a longer name; it bounds the work of the patterns as well.
  if (name.length > 256) return undefined;
  const family = FAMILIES.find((one) => one.names.test(name));
  return family?.role === "kernel" && NOT_A_KERNEL.test(name) ? undefined : family;
}
