/**
 * Guests for the lab, small enough to start in seconds on an emulated processor: a Debian kernel, an initramfs of
 * busybox with the modules that are needed, and a userland of one shell script that says on the console that it was
 * reached. The files are made on this machine; lab/host.ts brings them into a dom0.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { cacheDir, debianKernel, type KernelName } from "./debian.ts";
import { ACTIVATE_LVM, lvmArchive } from "./guest-lvm.ts";
import { busybox, makeInitramfs } from "./initramfs.ts";

/** What the userland on a guest's disk says first, with what its kernel was told to mount and its version. */
export function reached(root: string, version: string): string {
  return `domus-lab: userland reached (root=${root}, kernel=${version})`;
}

/** What the guests' initramfs loads unless told otherwise: a PV disk, and ext4. */
export const GUEST_MODULES: readonly string[] = ["xen_blkfront", "crc32c_generic", "ext4"];

/** What it loads beside for roots of other kinds. */
export const ROOT_KIND_MODULES = {
  xfs: ["xfs"],
  btrfs: ["btrfs"],
  /** With LVM's own tools, from this machine. */
  lvm: ["dm_mod"],
} as const satisfies Record<string, readonly string[]>;

/**
 * /init: mounts what root= names (a device, LABEL= or UUID=), with rootflags=, and starts /sbin/init there. Says why
 * when it can't, and halts: a kernel that panics for want of an init would hide the reason.
 */
const GUEST_INIT = `${ACTIVATE_LVM}
exec < /dev/console > /dev/console 2>&1
for word in $(cat /proc/cmdline); do
  case "$word" in
    root=*) root="\${word#root=}" ;;
    rootflags=*) flags="-o \${word#rootflags=}" ;;
    init=*) init="\${word#init=}" ;;
  esac
done
fail() {
  echo "domus-lab: $1"
  poweroff -f
}
[ -n "$root" ] || fail "initramfs reached (no root=, kernel=$(uname -r))"
tries=0
while [ $tries -lt 100 ]; do
  [ -x /bin/lvm ] && activate_lvm
  case "$root" in
    LABEL=*|UUID=*) device="$(findfs "$root" 2>/dev/null)" ;;
    *) device="$root" ;;
  esac
  [ -b "$device" ] && break
  tries=$((tries + 1))
  usleep 100000
done
[ -b "$device" ] || fail "no device for root=$root: $(cat /proc/partitions)"
mount $flags "$device" /mnt || fail "cannot mount root=$root"
mount --move /dev /mnt/dev
mount --move /sys /mnt/sys
mount --move /proc /mnt/proc
exec switch_root /mnt "\${init:-/sbin/init}"
`;

/** /sbin/init on the guest's disk. A shell answers on the console; `xl shutdown` runs /sbin/poweroff. */
const USERLAND = `#!/bin/busybox sh
export PATH=/bin:/sbin
exec < /dev/console > /dev/console 2>&1
for word in $(cat /proc/cmdline); do
  case "$word" in root=*) root="\${word#root=}" ;; esac
done
echo "domus-lab: userland reached (root=$root, kernel=$(uname -r))"
while :; do setsid cttyhack sh; sleep 1; done
`;

/** A guest's initramfs for that kernel; kept in the cache. */
export function guestInitramfs(
  kernel: KernelName,
  modules: readonly string[] = GUEST_MODULES,
): string {
  const { root, version } = debianKernel(kernel);
  const file = join(cacheDir("lab", "guests"), `initrd-${version}-${modules.join("-")}`);
  const made = `${file}.${process.pid}`;
  let bytes = makeInitramfs({ kernelRoot: root, version, modules, init: GUEST_INIT });
  if (ROOT_KIND_MODULES.lvm.some((name) => modules.includes(name))) {
    bytes = gzipSync(Buffer.concat([gunzipSync(bytes), lvmArchive()]));
  }
  writeFileSync(made, bytes);
  renameSync(made, file);
  return file;
}

export type GuestTree = {
  readonly kernel: KernelName;
  /** Modules of the initramfs. Default: GUEST_MODULES. */
  readonly modules?: readonly string[];
  /** The kernel's arguments in grub.cfg. Default: `root=/dev/xvda console=hvc0`. */
  readonly args?: string;
  /** What GRUB has in front of /boot: a btrfs subvolume. */
  readonly prefix?: string;
  /** The whole of grub.cfg. */
  readonly grub?: string;
  /** A file of this machine's in place of Debian's kernel. */
  readonly vmlinuz?: string;
  /** A file of this machine's in place of the initramfs. */
  readonly initramfs?: string;
};

export const DEFAULT_ARGS = "root=/dev/xvda console=hvc0";

function grubConfig(version: string, { args = DEFAULT_ARGS, prefix = "" }: GuestTree): string {
  return `set default=0
set timeout=0
menuentry 'Debian GNU/Linux, with Linux ${version}' {
\tlinux ${prefix}/boot/vmlinuz-${version} ${args}
\tinitrd ${prefix}/boot/initrd.img-${version}
}
`;
}

/** Writes a guest's whole file tree into the empty directory `dir`: /boot with GRUB's configuration, and the userland. */
export function writeGuestTree(dir: string, tree: GuestTree): void {
  const { vmlinuz, version } = debianKernel(tree.kernel);
  for (const name of ["bin", "boot/grub", "dev", "etc", "proc", "sys", "sbin", "tmp", "var"]) {
    mkdirSync(join(dir, name), { recursive: true });
  }
  cpSync(busybox(), join(dir, "bin", "busybox"));
  for (const applet of ["sh", "cat", "uname", "sleep", "setsid", "cttyhack", "ls", "mount"]) {
    symlinkSync("busybox", join(dir, "bin", applet));
  }
  const script = (name: string, text: string) => {
    writeFileSync(join(dir, "sbin", name), text);
    chmodSync(join(dir, "sbin", name), 0o755);
  };
  script("init", USERLAND);
  script("poweroff", "#!/bin/busybox sh\n/bin/busybox sync\nexec /bin/busybox poweroff -f\n");
  script("reboot", "#!/bin/busybox sh\n/bin/busybox sync\nexec /bin/busybox reboot -f\n");
  writeFileSync(join(dir, "etc", "fstab"), "/dev/xvda / auto defaults 0 1\n");
  const initramfs = tree.initramfs ?? guestInitramfs(tree.kernel, tree.modules);
  cpSync(tree.vmlinuz ?? vmlinuz, join(dir, "boot", `vmlinuz-${version}`));
  cpSync(initramfs, join(dir, "boot", `initrd.img-${version}`));
  writeFileSync(join(dir, "boot/grub/grub.cfg"), tree.grub ?? grubConfig(version, tree));
}

/** An image with one ext4 filesystem over the whole disk, made of a guest's tree. */
export function makeExt4Guest(file: string, tree: GuestTree, sizeBytes = 64 * 1024 ** 2): void {
  const dir = `${file}.tree`;
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  try {
    writeGuestTree(dir, tree);
    if (existsSync(file)) rmSync(file);
    writeFileSync(file, "");
    truncateSync(file, sizeBytes);
    const path = `${process.env["PATH"]}:/usr/sbin:/sbin`;
    execFileSync("mkfs.ext4", ["-q", "-F", "-d", dir, file], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, PATH: path },
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
