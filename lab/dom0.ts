/**
 * What is in a lab host's dom0 beside Debian's packages: its settings, as files. They are an admin's usual ones (a
 * bridge, consoles logged, a volume group, ssh), with what slows an emulated machine down turned off.
 */
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** dom0 as QEMU's user network sees it (QEMU docs/system/devices/net: the first address given out). */
export const DOM0_ADDRESS = "10.0.2.15";
/** The network that joins the hosts, on xenbr0: host N is .N. Guests may use 10.77.0.100 and above. */
export const LAB_NETWORK = "10.77.0";
export const MAX_HOSTS = 9;

/** The address of the lab host of that number, 1 to MAX_HOSTS. */
export function hostAddress(number: number): string {
  return `${LAB_NETWORK}.${number}`;
}

export const VOLUME_GROUP = "vg0";

/** The packages that a dom0 needs beside Xen's own. */
export const DOM0_PACKAGES: readonly string[] = [
  "systemd-sysv",
  "udev",
  "dbus",
  "openssh-server",
  "lvm2",
  "iproute2",
  "iputils-ping",
  "kmod",
  "e2fsprogs",
  "procps",
  "zstd",
];

/** Where modules of a dom0 are; the rest of the package (graphics, sound, wireless) is for other machines. */
export const DOM0_MODULES: readonly string[] = [
  "arch",
  "block",
  "crypto",
  "fs/{autofs,btrfs,exportfs,ext4,fat,fuse,isofs,jbd2,nls,overlayfs,squashfs,udf,xfs}",
  "fs/*.ko*",
  "lib",
  "mm",
  "net/802",
  "net/8021q",
  "net/bridge",
  "net/core",
  "net/ipv4",
  "net/ipv6",
  "net/llc",
  "net/netfilter",
  "net/packet",
  "net/sched",
  "net/unix",
  "drivers/block",
  "drivers/char/hw_random",
  "drivers/dax",
  "drivers/md",
  "drivers/net/xen-netback",
  "drivers/net/{dummy,macvlan,net_failover,tap,tun,veth,virtio_net}.ko*",
  "drivers/virtio",
  "drivers/xen",
];

/** What must be loaded before dom0's root can be mounted. */
export const ROOT_MODULES: readonly string[] = [
  "virtio_pci",
  "virtio_blk",
  "crc32c_generic",
  "ext4",
];

/** /init of dom0's initramfs: the first virtio disk is the root. */
export const DOM0_INIT = `
while [ ! -b /dev/vda ]; do usleep 20000; done
mount -t ext4 -o rw /dev/vda /mnt
mount --move /dev /mnt/dev
mount --move /sys /mnt/sys
mount --move /proc /mnt/proc
exec switch_root /mnt /sbin/init
`;

const NETWORK = "etc/systemd/network";

const FILES: Readonly<Record<string, string>> = {
  "etc/fstab": `/dev/vda / ext4 errors=remount-ro 0 1
/dev/vdc /opt/domus ext4 ro,noauto,nofail 0 0
`,
  "etc/hosts": [
    "127.0.0.1 localhost",
    ...Array.from({ length: MAX_HOSTS }, (_, at) => `${hostAddress(at + 1)} host${at + 1}`),
    "",
  ].join("\n"),
  "etc/hostname": "domus-lab\n",
  // the id is made at the first boot, before the snapshot: hosts made from one snapshot share it
  "etc/machine-id": "",
  "etc/resolv.conf": "nameserver 10.0.2.3\n",
  [`${NETWORK}/10-eth0.network`]: `[Match]
Name=eth0
[Network]
Address=${DOM0_ADDRESS}/24
Gateway=10.0.2.2
LinkLocalAddressing=no
`,
  [`${NETWORK}/10-xenbr0.netdev`]: `[NetDev]
Name=xenbr0
Kind=bridge
[Bridge]
STP=no
ForwardDelaySec=0
`,
  [`${NETWORK}/20-eth1.network`]: `[Match]
Name=eth1
[Network]
Bridge=xenbr0
`,
  [`${NETWORK}/30-xenbr0.network`]: `[Match]
Name=xenbr0
[Network]
Address=${LAB_NETWORK}.254/24
LinkLocalAddressing=no
ConfigureWithoutCarrier=yes
`,
  "etc/ssh/sshd_config": `HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
UseDNS no
X11Forwarding no
MaxSessions 100
MaxStartups 100
Subsystem sftp /usr/lib/openssh/sftp-server
`,
  "etc/default/xen": `XENSTORED_ARGS=
XENCONSOLED_ARGS="--log=all --log-dir=/var/log/xen/console"
`,
  "etc/modules-load.d/xen.conf": `xen-evtchn
xen-gntdev
xen-gntalloc
xen-blkback
xen-netback
xenfs
bridge
loop
dm-mod
dm-snapshot
tun
`,
  "etc/lvm/lvmlocal.conf": `devices {\n  filter = [ "a|^/dev/vdb|", "r|.*|" ]\n}\n`,
  "etc/profile.d/domus-lab.sh": `export PATH="$PATH:/usr/sbin:/sbin"\n`,
  "etc/systemd/system.conf.d/lab.conf": `[Manager]
DefaultTimeoutStartSec=600s
DefaultTimeoutStopSec=60s
`,
  "etc/systemd/journald.conf.d/lab.conf": `[Journal]
Storage=persistent
SystemMaxUse=64M
ForwardToConsole=no
`,
};

/** dom0 says this on its console when it has booted: Xen's daemons run and sshd answers. */
export const READY = "domus-lab: ready";

const READY_UNIT = `[Unit]
Description=Says that the host is ready
After=ssh.service xen.service systemd-networkd.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'while ! ss -ltn | grep -q :22; do sleep 0.2; done; mkdir -p /var/log/xen/console; echo "${READY}" > /dev/hvc0'
`;

/**
 * Timers and checks that would run at some moment of a test, logins on consoles that nobody looks at, filesystems and
 * services that nothing here uses, each of them a second of an emulated boot.
 */
const MASKED: readonly string[] = [
  "apt-daily.timer",
  "apt-daily-upgrade.timer",
  "dpkg-db-backup.timer",
  "e2scrub_all.timer",
  "e2scrub_reap.service",
  "fstrim.timer",
  "getty@tty1.service",
  "serial-getty@hvc0.service",
  "systemd-logind.service",
  "systemd-user-sessions.service",
  "systemd-binfmt.service",
  "proc-sys-fs-binfmt_misc.automount",
  "proc-sys-fs-binfmt_misc.mount",
  "dev-hugepages.mount",
  "dev-mqueue.mount",
  "sys-kernel-debug.mount",
  "sys-kernel-tracing.mount",
  "sys-kernel-config.mount",
  "sys-fs-fuse-connections.mount",
  "modprobe@.service",
  "systemd-update-utmp-runlevel.service",
  "systemd-sysusers.service",
  "systemd-tmpfiles-clean.timer",
  "systemd-pstore.service",
  "systemd-networkd-wait-online.service",
  "lvm2-monitor.service",
  "lvm2-lvmpolld.socket",
  "dm-event.socket",
  "systemd-random-seed.service",
  "systemd-rfkill.socket",
  "systemd-update-utmp.service",
  "systemd-firstboot.service",
  "systemd-machine-id-commit.service",
  "ldconfig.service",
];

export type Dom0Keys = {
  readonly hostKey: string;
  readonly hostPublicKey: string;
  /** The key that may log in as root; the hosts have it, too, to reach each other (`xl migrate` uses ssh). */
  readonly loginKey: string;
  readonly authorized: string;
};

function put(root: string, path: string, text: string, mode = 0o644): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  rmSync(file, { force: true });
  writeFileSync(file, text);
  chmodSync(file, mode);
}

/** Writes dom0's settings into the file tree `root` (made by Debian's packages). */
export function writeDom0Files(root: string, keys: Dom0Keys): void {
  for (const [path, text] of Object.entries(FILES)) put(root, path, text);
  for (const unit of MASKED) {
    const link = join(root, "etc/systemd/system", unit);
    rmSync(link, { force: true });
    symlinkSync("/dev/null", link);
  }
  put(root, "etc/systemd/system/domus-lab.service", READY_UNIT);
  const wants = join(root, "etc/systemd/system/multi-user.target.wants");
  mkdirSync(wants, { recursive: true });
  for (const unit of [
    "/lib/systemd/system/systemd-networkd.service",
    "/etc/systemd/system/domus-lab.service",
  ]) {
    rmSync(join(wants, basename(unit)), { force: true });
    symlinkSync(unit, join(wants, basename(unit)));
  }
  put(root, "etc/ssh/ssh_host_ed25519_key", keys.hostKey, 0o600);
  put(root, "etc/ssh/ssh_host_ed25519_key.pub", keys.hostPublicKey);
  put(root, "root/.ssh/id_ed25519", keys.loginKey, 0o600);
  put(root, "root/.ssh/known_hosts", `${LAB_NETWORK}.*,host* ${keys.hostPublicKey}`);
  put(root, "root/.ssh/authorized_keys", keys.authorized, 0o600);
  chmodSync(join(root, "root/.ssh"), 0o700);
  for (const dir of ["var/log/journal", "var/log/xen/console", "srv/guests", "opt/domus"]) {
    mkdirSync(join(root, dir), { recursive: true });
  }
}
