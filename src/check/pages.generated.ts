/** Made by `node tools/findings-index.ts` from docs/reference/findings/. Do not edit. */
import type { Severity } from "../base/finding.ts";

export type FindingPage = {
  /** The highest that the finding can have. */
  readonly severity: Severity;
  /** One sentence. */
  readonly summary: string;
  /** Markdown. */
  readonly page: string;
};

/** By code, in alphabetical order. */
export const PAGES: Readonly<Record<string, FindingPage>> = {
  "auto-link-broken": {
    severity: "warning",
    summary: `A link in /etc/xen/auto leads nowhere, so that its guest does not start with the host.`,
    page: `# auto-link-broken

Severity: warning

## What it means

A link in /etc/xen/auto leads nowhere, so that its guest does not start with the host.

## What you see

After a restart of the host one guest is missing.

## Why

The config that it leads to was renamed, moved or deleted.

## What to do

Delete the link if the guest is gone. Otherwise link to the config again: \`ln -sfn /etc/xen/NAME.cfg /etc/xen/auto/NAME.cfg\`.

## How domus knows

The name is in the directory, and there is nothing behind it.
`,
  },
  "boot-file-unreadable": {
    severity: "warning",
    summary: `domus could not read, or not make out, the kernel or the initramfs.`,
    page: `# boot-file-unreadable

Severity: warning

## What it means

domus found the kernel or the initramfs, but could not read it to the end, or not make out what is in it. So it cannot
tell whether the guest boots: the verdict is \`unknown\` at best.

## What you see

Nothing as such.

## Why

The filesystem could not give the file (damage, or a change under the reader while the guest runs), the file uses a
format that domus does not know, or it is larger than domus is ready to unpack. The text says which.

## What to do

If the guest is running, check again when it is stopped. Damage that stays: \`fsck\` from a rescue system, on a copy
first, then install the file again. A format or a limit of domus: please report it with the text.

## How domus knows

Damage that a kernel or Xen would stumble over as well has codes of its own: [kernel-damaged](kernel-damaged.md),
[initramfs-truncated](initramfs-truncated.md).
`,
  },
  "bridge-missing": {
    severity: "error",
    summary: `A network interface is to be put on a bridge that this host does not have.`,
    page: `# bridge-missing

Severity: error, or warning when there is a network device of that name that is no bridge

## What it means

A \`vif\` is to be put on a bridge that this host does not have.

## What you see

\`\`\`
libxl: error: libxl_exec.c: /etc/xen/scripts/vif-bridge online exited with error status 1
libxl: error: script: Could not find bridge device xenbr0
\`\`\`

and the guest is taken down again.

## Why

The bridge was renamed, has not come up at boot, or the guest comes from another host. Without \`bridge=\` libxl takes \`xenbr0\`, unless \`/etc/xen/xl.conf\` has \`vif.default.bridge\`.

## What to do

Compare \`bridge link\` and \`ip -br link show type bridge\` with \`vif=\`. Correct the name, or bring the bridge up (\`ifup NAME\`).

## How domus knows

From /sys/class/net of the running host. Nothing is said for a file tree (\`--root\`), for other scripts than vif-bridge, and for interfaces that another domain serves.
`,
  },
  "btrfs-default-subvolume": {
    severity: "note",
    summary: `Paths of this btrfs filesystem begin in a subvolume that was made its default, not in the top level.`,
    page: `# btrfs-default-subvolume

Severity: note

## What it means

Paths of this btrfs filesystem begin in a subvolume that was made its default, not in the top level.

## Why

Linux mounts the default subvolume when the mount options name no other (\`subvol=\`, \`subvolid=\`). domus shows files as such a mount does. GRUB's paths begin
in the top level all the same.

## What to do

Nothing. \`btrfs subvolume get-default /\` in the guest shows it, \`btrfs subvolume set-default\` changes it.

## How domus knows

From the directory item \`default\` in the root tree.
`,
  },
  "btrfs-errors-recorded": {
    severity: "warning",
    summary: `The guest's kernel recorded errors in this btrfs filesystem.`,
    page: `# btrfs-errors-recorded

Severity: warning

## What it means

The guest's kernel recorded errors in this btrfs filesystem.

## Why

Its structures contradicted each other, or the disk failed. Files may be damaged, also where domus reads them without complaint.

## What to do

Run \`btrfs device stats /\` and \`btrfs scrub start -B /\` in the guest, or \`btrfs check --readonly\` with the guest stopped. Look in dmesg of dom0 for errors of
the disk below.

## How domus knows

From the error flag in the superblock.
`,
  },
  "btrfs-log-not-replayed": {
    severity: "error",
    summary: `The filesystem was not shut down properly, and its log of files that were synced last could not be replayed by domus.`,
    page: `# btrfs-log-not-replayed

Severity: error when Linux will probably refuse to mount, else warning

## What it means

The filesystem was not shut down properly, and its log of files that were synced last could not be replayed by domus. Those files are shown as they were
before.

## What you see

A sound log is replayed by Linux at the next mount. A damaged one ends in \`BTRFS error: failed to read log tree\` or \`open_ctree failed\`, then an
initramfs shell.

## Why

btrfs writes what \`fsync\` asks for into a log tree until the next commit. After a crash the log has files that the main trees do not have yet.

## What to do

Shut the guest down properly, then look again. If Linux cannot mount the filesystem either: stop the guest, make a copy of the disk, then run
\`btrfs rescue zero-log\`. What was synced in the last seconds before the crash is lost then.

## How domus knows

The superblock names a log tree, and its blocks cannot be read or say what domus does not replay; \`why\` has the reason.
`,
  },
  "btrfs-several-devices": {
    severity: "note",
    summary: `This is one device of a btrfs filesystem that has several.`,
    page: `# btrfs-several-devices

Severity: note

## What it means

This is one device of a btrfs filesystem that has several.

## Why

domus reads what this device has a copy of: RAID1 data and metadata are whole on it when all of it was mirrored here. If this device was away for a time, another one has
newer data.

## What to do

Nothing, where all that is looked for can be read. Otherwise look at the other disks of the guest: \`domus disk parts GUEST\`.

## How domus knows

From \`num_devices\` in the superblock.
`,
  },
  "btrfs-superblock-damaged": {
    severity: "error",
    summary: `The first superblock of a btrfs filesystem is damaged.`,
    page: `# btrfs-superblock-damaged

Severity: error

## What it means

The first superblock of a btrfs filesystem is damaged. domus read one of its copies, at 64 MiB or 256 GiB.

## What you see

When the guest boots from it: \`BTRFS error: superblock checksum mismatch\` or no btrfs found at all, then an initramfs shell or \`VFS: Unable to mount root fs\`.

## Why

Linux looks at the first superblock only and does not mount the filesystem as it is. Something wrote over the beginning of the volume, or the disk fails.

## What to do

Stop the guest and run \`btrfs rescue super-recover\` on this filesystem: it restores the first superblock from a copy. Look in dmesg of dom0 for
disk errors first, and make a copy of the disk where there are any.

## How domus knows

The checksum or the magic of the superblock at 64 KiB is wrong, and a copy's is right.
`,
  },
  "btrfs-unknown-feature": {
    severity: "note",
    summary: `A btrfs filesystem has a feature bit that domus does not know, of the kinds that do not change how files are read.`,
    page: `# btrfs-unknown-feature

Severity: note

## What it means

A btrfs filesystem has a feature bit that domus does not know, of the kinds that do not change how files are read.

## Why

Features are sorted into \`compat\`, \`compat_ro\` and \`incompat\`. An unknown bit of \`incompat\` makes domus refuse the filesystem; unknown bits of the
other two do not change what a reader sees. The filesystem was made by a newer mkfs.btrfs or kernel than domus knows.

## What to do

Nothing. A kernel that does not know a \`compat_ro\` feature mounts the filesystem read-only: if the guest shall boot an older kernel, compare with
\`btrfs inspect-internal dump-super\` what that one supports.

## How domus knows

From \`compat_flags\` and \`compat_ro_flags\` in the superblock.
`,
  },
  "command-line-too-long": {
    severity: "error",
    summary: `The kernel's command line is longer than what reaches the kernel; the rest is cut off silently.`,
    page: `# command-line-too-long

Severity: error when root= or another word that decides is lost, else warning

## What it means

The kernel's command line is longer than what arrives at the kernel. The rest is cut off, and nothing says so.

## What you see

Whatever the lost words would have changed. If \`root=\` is among them, the boot ends waiting for a root.

## Why

Xen hands a PV guest 1024 bytes, of which the last is a NUL. The kernel has a limit of its own, 2048 bytes on x86.
With \`bootloader=\`, the words from the config (\`root=\`, \`extra=\`, \`cmdline=\`) come after those of the loader's entry,
so they are the first to be lost.

## What to do

Shorten it: \`GRUB_CMDLINE_LINUX\` in \`/etc/default/grub\`, then \`update-grub\`; \`extra=\` and \`cmdline=\` in the config.
Repeated words are the usual cause.

## How domus knows

It puts the command line together as xl and the bootloader do, counts bytes, and takes the kernel's limit from its
header.
`,
  },
  "config-disk-not-a-list": {
    severity: "error",
    summary: `\`disk\` is a string, where \`xl\` wants a list of strings.`,
    page: `# config-disk-not-a-list

Severity: error

## What it means

\`disk\` is a string, where \`xl\` wants a list of strings.

## Why it matters

\`xl\` prints \`parameter 'disk' is a single value but should be a list\` and starts the guest without any disk. It says that
all went well, too.

## What to do

Put brackets around it: \`disk = [ 'phy:/dev/vg0/pandora,xvda,w' ]\`.
`,
  },
  "config-disk-spec": {
    severity: "error",
    summary: `An entry of \`disk=\` is none that \`xl\` takes, or its name for the disk in the guest is none that libxl knows.`,
    page: `# config-disk-spec

Severity: error

## What it means

An entry of \`disk=\` is none that \`xl\` takes, or its name for the disk in the guest is none that libxl knows.

## Why it matters

\`xl create\` stops with \`config parsing error in disk specification\`, or \`Invalid or unsupported virtual disk identifier\`.
Left over from \`xm\`: the access mode \`w!\`, formats such as \`aio\`, prefixes of scripts that are gone.

## What to do

The form is \`TARGET,FORMAT,VDEV,ACCESS\`, for example \`/dev/vg0/pandora,raw,xvda,rw\`; \`man xl-disk-configuration\` has it all.
A target with a comma or an \`=\` in it must come last, as \`target=\`.
`,
  },
  "config-drift": {
    severity: "warning",
    summary: `What runs is not what the config says.`,
    page: `# config-drift

Severity: warning (note for memory, and for the medium of a CD-ROM drive)

## What it means

What runs is not what the config says: a disk or a network interface was attached or detached live, vcpus were added or taken away, the guest was renamed, or the config was edited while the guest runs.

## What you see

Nothing. A reboot from inside the guest keeps what the domain has, for months perhaps. Then the guest is shut down and started, or the host is, and a disk is missing.

## Why

xl reads the config once, when it creates the domain. What is attached later, libxl keeps for the domain only; when the domain ends, it is forgotten. An edited config is not seen by a reboot.

## What to do

\`domus persist GUEST --dry-run\` shows what would change in the config; without \`--dry-run\` it is written, comments, order and style kept, with a copy of the old file beside it.
If the config is right and the domain is not: \`domus persist --revert GUEST\`.

## How domus knows

It sets \`xl list -l\` against the config: disks by their place in the guest and by what they are after all links, network interfaces by MAC address, vcpus and memory by number. What xl makes up at every start (a MAC address or uuid that is not in the config) is not compared.
`,
  },
  "config-duplicate-vdev": {
    severity: "error",
    summary: `Two disks of the guest have the same name (\`vdev\`), perhaps in two spellings.`,
    page: `# config-duplicate-vdev

Severity: error

## What it means

Two disks of the guest have the same name (\`vdev\`), perhaps in two spellings: \`xvda\` is \`d0p0\` is \`51712\`.

## Why it matters

libxl attaches the first one, finds \`device already exists in xenstore\` for the second, and gives the guest up.

## What to do

Give each disk a name of its own. Mind \`/etc/fstab\` and \`root=\` in the guest when a disk gets another name.
`,
  },
  "config-ignored-key": {
    severity: "warning",
    summary: `\`xl\` knows the key and does nothing with it here.`,
    page: `# config-ignored-key

Severity: warning

## What it means

\`xl\` knows the key and does nothing with it here.

\`root\` and \`extra\` are ignored when \`cmdline\` is given (a warning). \`device_model\`, \`vncviewer\`, \`vif2\`, and a \`kernel\` that
names \`hvmloader\`, are left over from \`xm\` (a note).

## Why it matters

Options for the guest's kernel that stand in \`extra\` do not reach it.

## What to do

Put what \`root\` and \`extra\` say into \`cmdline\`, and take the lines out.
`,
  },
  "config-missing-key": {
    severity: "error",
    summary: `The config lacks something that \`xl\` insists on.`,
    page: `# config-missing-key

Severity: error

## What it means

The config lacks something that \`xl\` insists on: a \`name\`, or, for a PV or PVH guest, a \`kernel\` or a \`bootloader\`.

## Why it matters

\`xl create\` stops with \`Domain name must be specified\` or \`Neither kernel nor bootloader specified\`.

## What to do

Add the line. A guest that should boot like a PC, from its disk, wants \`type = "hvm"\`: without \`type\`, \`xl\` makes it PV.
`,
  },
  "config-repeated-key": {
    severity: "warning",
    summary: `A key is given twice in the config.`,
    page: `# config-repeated-key

Severity: warning

## What it means

A key is given twice in the config. The last value counts; the earlier one is lost.

## Why it matters

\`xl\` says nothing of it. With two \`disk = [ ... ]\` the guest has only the disks of the second.

## What to do

Keep one line, or join the values: \`disk += [ ... ]\`, \`extra += " quiet"\`.
`,
  },
  "config-syntax": {
    severity: "error",
    summary: `The file is not in the syntax of an xl config, so \`xl\` refuses all of it.`,
    page: `# config-syntax

Severity: error

## What it means

The file is not in the syntax of an xl config, so \`xl\` refuses all of it. The place is given with line and column.

## Why it matters

\`xl create\` prints \`config parsing error\` with the line, and the guest does not start. \`xl\` tells only the first mistake
of a line; domus lists one for each line that is wrong.

Easily overlooked: keys are lower case only. A string ends on its line. Strings side by side are not joined. A comment on
the last line needs a line end after it. Windows line ends (CRLF) are errors. \`\\x41\` in a string never works.

## What to do

Correct the line that is named. For Windows line ends: \`sed -i 's/\\r$//' FILE\`.
`,
  },
  "config-unknown-key": {
    severity: "warning",
    summary: `The config has a key that \`xl\` does not know.`,
    page: `# config-unknown-key

Severity: warning

## What it means

The config has a key that \`xl\` does not know: a slip of the pen, or a key that came with a later release of Xen.

## Why it matters

\`xl\` ignores unknown keys without a word. What the line says does not happen: with \`memroy = 4096\` the guest gets the
default of 32 MiB, and does not boot.

## What to do

Write the key that is suggested, or look it up in \`man xl.cfg\`. Take the line out when nobody needs it.

## How domus knows

From the keys that \`xl\` reads, in each release from 4.14 to 4.22.
`,
  },
  "config-unreadable": {
    severity: "warning",
    summary: `A config cannot be read, or xl would refuse it, so that it is not known which guest it describes.`,
    page: `# config-unreadable

Severity: warning

## What it means

A config cannot be read, or xl would refuse it, so that it is not known which guest it describes.

## What you see

\`xl create\` refuses it. In \`domus list\` the guest has the name of the file, and a running domain or a save image of it seems to have no config.

## Why

A slip while it was edited; a config of xm with more Python in it than domus reads; a file that only root may read.

## What to do

\`domus check FILE\` says what is wrong, with line and column.

## How domus knows

It reads configs by xl's own grammar.
`,
  },
  "config-value": {
    severity: "error",
    summary: `A key has a value that \`xl\` refuses, ignores, or reads as something else than it looks like.`,
    page: `# config-value

Severity: error

## What it means

A key has a value that \`xl\` refuses, ignores, or reads as something else than it looks like.

It is an error when \`xl create\` fails on it, and a warning when \`xl\` starts the guest all the same: a list where one value
belongs, a number that is none, a number with a leading 0 (octal: \`010\` is 8), \`type = "h"\` (taken for \`hvm\`), a name of
digits only, no \`memory\` at all (32 MiB).

## Why it matters

What \`xl\` does not take it mentions among other lines, at best. The guest then starts with a default.

## What to do

Write the value as the text of the finding says; \`man xl.cfg\` has the others.
`,
  },
  "config-vif-spec": {
    severity: "warning",
    summary: `Part of an entry of \`vif=\` is nothing that \`xl\` takes.`,
    page: `# config-vif-spec

Severity: warning

## What it means

Part of an entry of \`vif=\` is nothing that \`xl\` takes.

It is an error for a \`rate\`, \`mtu\` or \`devid\` that cannot be read: there \`xl create\` fails. Other mistakes \`xl\` mentions
(\`unrecognized argument\`, \`Invalid parameter\`), and starts the guest without that part.

## Why it matters

With a slip in \`bridge=\` the guest is on the default bridge; with a bad \`mac=\` it has a new address at every start.

## What to do

Correct it: \`vif = [ 'mac=00:16:3e:01:02:03,bridge=xenbr0' ]\`. \`man xl-network-configuration\` lists the keys.
`,
  },
  "config-xm-code": {
    severity: "warning",
    summary: `The config was made for the old xm and has Python code in it (\`import\`, \`if\`, \`def\`, a call), which domus does not run.`,
    page: `# config-xm-code

Severity: warning

## What it means

The config was made for the old xm and has Python code in it (\`import\`, \`if\`, \`def\`, a call), which domus does not run.

## What you see

xl refuses the whole file; see [config-xm-python](config-xm-python.md).

## Why

Configs of xm were Python programs. domus reads what is plain data in them: strings, \`+\` and \`%\` of constants, numbers, lists,
tuples, None, True, False, and names that were assigned before. Everything else is left out, so the check goes by less than xm did.

## What to do

Write the values out as xl wants them: \`memory = 512\` in place of what computes it.

## How domus knows

From the statements of the file, each with its line and column.
`,
  },
  "config-xm-key": {
    severity: "note",
    summary: `The config has a key of the old \`xm\` that \`xl\` no longer has.`,
    page: `# config-xm-key

Severity: note

## What it means

The config has a key of the old \`xm\` that \`xl\` no longer has.

## Why it matters

\`xl\` ignores it without a word. Most of these keys can go; a few did something that has to be done otherwise now:
\`dhcp\`, \`ip\`, \`netmask\`, \`gateway\` and \`nfs_root\` put words on the kernel's command line, and \`cpu\` chose a CPU (now \`cpus\`).

## What to do

Take the line out when the guest runs well without it. Otherwise say it in today's way: \`extra=\` for the kernel, \`cpus=\`.
`,
  },
  "config-xm-python": {
    severity: "error",
    summary: `The config was written for the old \`xm\`, whose configs were Python programs; \`xl\` does not run Python.`,
    page: `# config-xm-python

Severity: error

## What it means

The config was written for the old \`xm\`, whose configs were Python programs; \`xl\` does not run Python. It has variables,
expressions, \`True\`, brackets \`( )\`, or statements such as \`import\`.

## Why it matters

\`xl create\` refuses the file, with \`Config file looks like it contains Python code\`. The guest does not start.

## What to do

Write the values out: \`True\` as \`1\`, \`64 * 4\` as \`256\`, a variable or \`"a" + b\` as the text that comes out, \`( )\` as \`[ ]\`.
Keys and disks of \`xm\` mostly mean the same to \`xl\`; [config-xm-key](config-xm-key.md) names those that do not.
`,
  },
  "console-missing": {
    severity: "warning",
    summary: `The kernel will not write to the Xen console, so xl console stays silent.`,
    page: `# console-missing

Severity: warning

## What it means

The kernel will not write to the Xen console, so \`xl console\` stays silent during the boot.

## What you see

Nothing. That is the trouble: when the boot fails, nobody sees why.

## Why

\`console=\` names other devices only, such as \`ttyS0\` or \`tty0\`, as is usual for images made for KVM or for the cloud.
A PV or PVH guest has neither. Without any \`console=\`, a PV kernel takes hvc0 by itself; a PVH kernel does not.

## What to do

Add \`console=hvc0\` as the last \`console=\`: in the guest to \`GRUB_CMDLINE_LINUX\` in \`/etc/default/grub\`, then
\`update-grub\`; or \`extra="console=hvc0"\` in the config.

## How domus knows

From the command line that the kernel will get.
`,
  },
  "crash-loop": {
    severity: "error",
    summary: `A guest crashes again and again, and is started anew each time.`,
    page: `# crash-loop

Severity: error

## What it means

A guest crashes again and again, and is started anew each time.

## What you see

\`xl list\` shows it with another number each time you look, \`running\` or for a moment \`---sc-\`. It never gets as far as its services. The host is busy with building it, and with the scripts for its disks and network cards.

## Why

\`on_crash="restart"\` (or \`rename-restart\`, \`coredump-restart\`) starts it into the same crash: a kernel that does not find its root, a driver, a broken update. xl waits two seconds between two lives and never gives up. Each crash is
a power failure for the guest's filesystems. With \`rename-restart\` each crash leaves a domain that keeps its memory; with \`coredump-restart\` the dump of the last crash replaces the one of the first.

## What to do

- End it: \`domus stop --destroy-after 0 GUEST\`. It sees to it that xl does not start it once more.
- Find out why: the last lines in \`/var/log/xen/console/guest-GUEST.log\` (when xenconsoled keeps logs), \`domus history GUEST --events\`, \`domus check GUEST\`.
- To have the next crash stay to be looked at: \`on_crash = "preserve"\` in its config, then \`domus start GUEST\`, which says what it sees on the console. \`domus start\` and \`domus reboot\` watch a guest through two restarts, report it once, and leave it to you.

## How domus knows

\`domus watch\` counts crashes: three of one guest within 15 minutes raise an alarm, once for as long as it goes on. \`domus list\` and \`domus show\` read the log of the process of xl that looks after the domain, which has no times in it: there, three in a row right before the
domain of now are one.
`,
  },
  "disk-format-mismatch": {
    severity: "error",
    summary: `The config gives a disk to the guest in another format than its file has.`,
    page: `# disk-format-mismatch

Severity: error

## What it means

The config gives a disk to the guest in another format than its file has: an image (qcow2, VHD and the like) as a raw disk, or
something else as an image.

## What you see

An image as a raw disk: the guest starts, finds no partitions and no root. With pygrub, \`Unable to find partition containing
kernel\`.

Something else as an image: \`xl create\` fails, and \`/var/log/xen/qemu-dm-GUEST.log\` or the output of QEMU has

\`\`\`
Image is not in qcow2 format
\`\`\`

## Why

\`xl\` does not look into the file: it takes the format from \`disk=\`, and raw where that says nothing.

## What to do

If you made the disk as an image, write its format into \`disk=\`: \`'/srv/xen/web.qcow2,qcow2,xvda,rw'\`. \`qemu-img info FILE\` shows which
one it is. Formats that \`xl\` does not know (VMDK, VHDX, VDI) have to be converted: \`qemu-img convert -O raw IMAGE COPY\`.

If it was made as a raw disk, do not change the format: then the guest has written the header of an image to the start of its own disk. An
image can name files of this host as its backing file, and QEMU would open them for the guest. Look into the guest instead.

## How domus knows

From the first bytes of the file, and for a raw disk from having found nothing else on it.
`,
  },
  "disk-missing": {
    severity: "error",
    summary: `A disk's target is not there, so xl create fails.`,
    page: `# disk-missing

Severity: error

## What it means

A disk in the guest's \`disk=\` list points to a file or device that is not there in dom0. \`xl\` does not make a guest
without all of its disks, empty CD-ROM drives excepted.

## What you see

\`\`\`
libxl: error: ... Disk vdev=xvda failed to stat: /dev/vg0/pandora: No such file or directory
\`\`\`

## Why

The usual causes: a logical volume that is not active or was renamed, an image on a filesystem that is not mounted, a
network disk that is not logged in, a CD image that was tidied away.

## What to do

- A logical volume: \`lvs -a\` shows whether it exists. \`vgchange -ay VG\` activates it.
- An image file: mount its filesystem, or correct the path in \`disk=\`.
- A CD image: put it back, or take the drive out of \`disk=\`.

## How domus knows

It follows the target as libxl does: a target without a leading \`/\` is taken to lie in \`/dev\`. Nothing is there under
the resulting path.
`,
  },
  "disk-mounted": {
    severity: "error",
    summary: `dom0 itself has mounted a disk of this guest, or something on it.`,
    page: `# disk-mounted

Severity: error, or warning when Xen does not notice

## What it means

dom0 has mounted a disk of this guest, a partition on it, or uses it as swap.

## What you see

\`\`\`
Device /dev/vg0/pandora is mounted in the privileged domain,
and so cannot be mounted by a guest.
\`\`\`

With \`kpartx\`, \`losetup\` or an image file there is no message, and the filesystem is destroyed.

## Why

Somebody looked into the disk and did not unmount it, or dom0's \`/etc/fstab\` has it.

## What to do

\`umount\` it (\`kpartx -d\`, \`losetup -d\` where they made the device), then start the guest. \`domus disk ls\` and \`domus disk cp\` look into disks without mounting them.

## How domus knows

From /proc/mounts, /proc/swaps and sysfs of the running host, down to what each mounted device lies on. Nothing is said for a file tree (\`--root\`).
`,
  },
  "disk-read-only": {
    severity: "error",
    summary: `A disk that the guest writes to is read-only: in the config, or in dom0.`,
    page: `# disk-read-only

Severity: error, or warning when the guest starts and fails later

## What it means

The guest is to write to a disk that it cannot write to: the config says \`r\` for the disk with its root, or the device is read-only in dom0.

## What you see

\`xl create\` fails when the device is read-only in dom0. With \`r\` in the config the guest starts, and its root is not mounted or stays read-only: \`cannot mount ... read-only\`, \`write access unavailable, cannot proceed\`, \`Failed to remount root\`.

## Why

A snapshot made without write permission, a left-over \`blockdev --setro\`, or an \`r\` from a time when the disk was shared.

## What to do

Make the device writable (\`lvchange -pw VG/LV\`, \`blockdev --setrw DEVICE\`), or write \`w\` in \`disk=\`.

## How domus knows

From the config, from the read-only flag of the device in sysfs, and from the state of the filesystem: a journal that is to be replayed needs a disk that can be written.
`,
  },
  "disk-shared": {
    severity: "warning",
    summary: `Another guest's config names the same disk, and at least one of the two writes to it.`,
    page: `# disk-shared

Severity: warning, or error when both guests have a domain

## What it means

Another guest has the same disk, and at least one of the two may write to it.

## What you see

For a block device \`xl create\` of the second guest fails: \`Device /dev/... is mounted in a guest domain, and so cannot be mounted now\`. For an image file both start, and the filesystem is destroyed.

## Why

A copied config, or a rescue guest that shares the disk on purpose.

## What to do

If it is on purpose, see that the two never run at one time. Otherwise correct \`disk=\` in one of them.

## How domus knows

From the configs in /etc/xen and /etc/xen/auto; all names of a device count as one. \`domus list\` also compares a partition with its whole disk, a mapping with what it is made of, a loop device with its file, and hard links and bind mounts of one file; two configs with one name it takes for copies of each other, of which only one can run. \`domus check\` does not.
`,
  },
  "disk-snapshot": {
    severity: "warning",
    summary: `A disk of this guest is an LVM snapshot, classic or thin, of a disk of another guest.`,
    page: `# disk-snapshot

Severity: warning

## What it means

A disk of this guest is an LVM snapshot, classic or thin, of a disk of another guest.

## What you see

Nothing, until the snapshot is full: then it becomes invalid, and the guest gets I/O errors. Of thin snapshots it is the pool that gets full, and all guests in it get the errors.

## Why

A trial copy of a guest, or a config that was pointed at a snapshot to look into an old state.

## What to do

For a trial nothing: \`lvs\` shows how full the snapshot is, or the pool. A guest that is to stay gets a volume of its own: \`domus sync\`. Both have the same filesystem UUIDs, addresses and names, so keep them apart.

## How domus knows

From the hidden volume that LVM puts under an origin and its snapshots, in sysfs. Thin snapshots have only their pool in common there: where guests have several volumes of one pool, \`lvs\` is asked which is whose snapshot. That needs root, and both volumes active.
`,
  },
  "disk-unfinished": {
    severity: "error",
    summary: `A disk is the destination of a copy that was cut off.`,
    page: `# disk-unfinished

Severity: error

## What it means

The disk is the destination of a \`domus sync\` that was cut off, or that still runs. Or the record of a copy to it cannot be read, so that nobody can tell.

## What you see

Nothing, or a guest that starts with a damaged filesystem: fsck errors, a root that does not mount, files of two different days.

## Why

A copy writes to the disk piece by piece. Until both sides agree that all of it is there, part of the disk is old and part is new.

## What to do

Run the same \`domus sync\` again: it goes on where it was, and sends only what is missing.
If the disk was filled in another way since (\`dd\`, a restored backup) and is whole, remove the record that the finding names.

## How domus knows

Each copy leaves a record: \`NAME.domus-sync\` beside a file, in \`/var/lib/domus/sync\` for a device. It says \`unfinished\` from before the first byte is written until both sides have agreed on the digest of the whole disk.
`,
  },
  "disk-unknown-format": {
    severity: "note",
    summary: `A disk is of a kind that domus does not read: qcow2 with a backing file, qed, a script's, another domain's.`,
    page: `# disk-unknown-format

Severity: note

## What it means

domus did not look into this disk: it is in a format that it does not read (qcow, qed; qcow2 that is encrypted, has a backing file
or an external data file; a differencing VHD), is attached by a script (iSCSI, DRBD, Ceph), or belongs to another backend domain.

## What you see

Nothing: to Xen such a disk is as good as any other.

## Why

domus reads block devices, raw image files, qcow2 and VHD. It does not follow an image to the file behind it: the name of that file comes
out of the image, and could be that of any file of this host. With \`--backing DIR\` it does, as far as the file lies in DIR after all
symlinks. If the guest's kernel or root is on this disk, the verdict is \`unknown\`;
if it is a data disk, nothing is lost.

## What to do

An image with a backing file: \`qemu-img info IMAGE\` names the file. If that is right, \`domus check --backing DIR\` (and \`domus disk ... --backing DIR\`)
with the directory that it is in.

To have another one checked, convert a copy and look into that: \`qemu-img convert -O raw IMAGE COPY\`, then \`domus disk parts
COPY\`. A disk that is attached already can be checked under its device name: \`domus disk parts /dev/...\`.

## How domus knows

From the disk's entry in the config (\`format=\`, \`script=\`, \`backend=\`) and from the header of the image.
`,
  },
  "disk-unreadable": {
    severity: "warning",
    summary: `domus could not read a disk, so it cannot tell what is on it.`,
    page: `# disk-unreadable

Severity: warning

## What it means

The disk's target is there, but domus could not read it. It cannot say what is on the disk, so the verdict is at best
\`unknown\`.

## What you see

Nothing as such. When the device itself is broken, dom0's kernel log has I/O errors, and so has the guest's.

## Why

Most often domus was not run as root. Otherwise the device reports errors, or what is on it changed while it was being
read, as it does when the guest is running.

## What to do

1. Run domus as root.
2. If it says EIO: \`dmesg\` and \`smartctl -a\` in dom0. Copy the disk (\`ddrescue\`) before you try anything else with it.
3. If it says that data is damaged: run the check again when the guest is stopped.

## How domus knows

The text has the step that failed and the error that the system gave.
`,
  },
  "domain-crashed": {
    severity: "warning",
    summary: `A guest has crashed, and its domain is still there, with its memory and its disks.`,
    page: `# domain-crashed

Severity: warning

## What it means

A guest has crashed, and its domain is still there, with its memory and its disks.

## What you see

\`xl list\` shows it as \`---sc-\`. It does not answer, and \`xl create\` says that a domain of its name exists.

## Why

\`on_crash="preserve"\` keeps it to be looked at, until somebody takes it away. Where \`on_crash\` says something else, and the process of xl that does it is there, it is about to: a core dump takes a while. Where that process is gone, it is [domain-unwatched](domain-unwatched.md).

## What to do

- Keep what says why it crashed: \`xl dump-core ID FILE\` (as large as the guest's memory, and with all that was in it), the last lines of its console in \`/var/log/xen/console\`.
- \`domus stop --destroy-after 0 GUEST\` takes it away; what it had not written to its disks is lost with it, as after a power failure. Then \`domus start GUEST\`.
- It cannot be saved: \`xl save\` ends with an error and leaves a file of a few KiB that looks like an image ([image-incomplete](image-incomplete.md)).

## How domus knows

From \`xl list -v\`, from \`on_crash\` in \`xl list -l\`, and from the process that the domain's log names.
`,
  },
  "domain-half-built": {
    severity: "warning",
    summary: `A domain that was never made to its end.`,
    page: `# domain-half-built

Severity: warning

## What it means

A domain that was never made to its end: paused, without a configuration, often with 0 MiB.

## What you see

\`xl list\` shows it, \`xl list -l\` does not. A start of the guest says that a domain with its name already exists.

## Why

The \`xl create\` or \`xl restore\` that was making it was killed, or its terminal closed half-way. Or another toolstack made the domain.

## What to do

See that nothing is making it (\`ps ax | grep "[x]l "\`), then \`xl destroy ID\`, by its number, as names may be given again. Disks that it had attached are let go of with it. Then start the guest.

## How domus knows

libxl writes the configuration of a domain when all of it is made. A paused domain without one is half built; while an \`xl\` is making a domain nothing is said.
`,
  },
  "domain-left-over": {
    severity: "warning",
    summary: `A domain has the name that xl gives it while it is migrated.`,
    page: `# domain-left-over

Severity: warning

## What it means

A domain has the name that xl gives it while it is migrated: \`NAME--incoming\` where it arrives, \`NAME--migratedaway\` where it came from.

## What you see

A domain that is paused and stays so, with the guest's memory and disks. A new migration, or a start of the guest, may be refused.

## Why

A migration is under way. Or it was cut off: \`xl migrate\` was ended, or the connection broke, and what had been made on the receiving side was not taken away.

## What to do

See whether a migration is under way, on both hosts: \`ps ax | grep "xl migrate"\`. If not, find out where the guest runs before anything else: two domains with one
disk destroy its filesystems. Then \`xl destroy ID\`, by the number of the domain.

## How domus knows

By the name alone.
`,
  },
  "domain-unwatched": {
    severity: "warning",
    summary: `The process of \`xl\` that stays behind for each domain and acts when it ends is not there.`,
    page: `# domain-unwatched

Severity: warning, or error when the guest has crashed

## What it means

The process of \`xl\` that stays behind for each domain and acts when it ends is not there.

## What you see

Nothing, until the guest reboots, shuts down or crashes: then it stays in \`xl list\` with its memory and disks (\`---s--\`, \`---sc-\`) for ever, and does not come back, whatever \`on_crash\` says.

## Why

The process was killed (by hand, by the kernel when memory ran out, with the session that started it), or the guest was started with \`xl create -e\`. It also ends with \`xl save -c\`: for it the guest has ended with the save, though it goes on (seen on Xen 4.17). With a name that has a slash in it xl cannot open its log and leaves no process either.

## What to do

- While it runs well: save and restore it, or stop and start it when that suits; both give it a new process. Until then do not reboot it from inside.
- One that has shut down: \`domus stop GUEST\` takes it away, then \`domus start GUEST\`.
- One that has crashed: keep a dump if you want to know why (\`xl dump-core ID FILE\`), then \`domus stop --destroy-after 0 GUEST\` and \`domus start GUEST\`.

## How domus knows

From the logs \`/var/log/xen/xl-NAME.log\`, which name the process of each domain, and from the processes that there are. Where an \`xl\` runs of which domus cannot tell what it watches, or libvirt, nothing is said.
`,
  },
  "domain-zombie": {
    severity: "warning",
    summary: `A domain has ended, and Xen cannot give all of its memory back.`,
    page: `# domain-zombie

Severity: warning

## What it means

A domain has ended, and Xen cannot give all of its memory back.

## What you see

\`xl list\` shows it as \`(null)\` with the state \`d\`. Its memory is missing in \`xl info\`.

## Why

Something in dom0 still has pages of it: QEMU that did not end, a backend whose disk does not answer, a program that looked into the guest. For a moment after each end of a guest this is usual.

## What to do

If it stays: end the QEMU that served it (\`ps ax | grep "qemu.*-xen-domid ID"\`), look into \`dmesg\` for a disk that hangs. What cannot be helped is given back when the host restarts.

## How domus knows

From \`xl list -v\`: dying, and without a name.
`,
  },
  "duplicate-mac": {
    severity: "warning",
    summary: `Two network interfaces on this host have the same MAC address.`,
    page: `# duplicate-mac

Severity: warning

## What it means

Two network interfaces have the same MAC address: two of this guest, or one of it and one of another guest.

## What you see

Connections of both guests hang and come back at random. DHCP may give both the same address; \`ip neigh\` of a third machine changes all the time.

## Why

The config was copied from that of another guest.

## What to do

Give each \`vif\` a \`mac=\` of its own. \`00:16:3e:\` followed by three random bytes is the range that is set aside for Xen guests. Systems from before 2015 or so remember the old address in \`/etc/udev/rules.d/70-persistent-net.rules\`.

## How domus knows

From the configs in /etc/xen and /etc/xen/auto. Whether the two are ever in one network at one time is not known.
`,
  },
  "duplicate-name": {
    severity: "warning",
    summary: `Another config on this host has a guest of the same name.`,
    page: `# duplicate-name

Severity: warning

## What it means

Another config on this host has a guest of the same name.

## What you see

\`xl create\` of the second one stops with \`Domain with name "..." already exists\`. As long as only one is started, nothing.

## Why

Most often an old copy of the config that still ends in \`.cfg\`.

## What to do

Give one of them another name (and uuid, and MAC addresses), or move the copy away.

## How domus knows

From the configs in /etc/xen and /etc/xen/auto; a link to the same file does not count.
`,
  },
  "duplicate-uuid": {
    severity: "warning",
    summary: `Another guest's config on this host has the same uuid=.`,
    page: `# duplicate-uuid

Severity: warning

## What it means

Another guest of this host has the same \`uuid=\`.

## What you see

Nothing at first. Then programs that know guests by uuid mix them up: backups, monitoring, licences; and what xenstore keeps under \`/vm/UUID\` is overwritten.

## Why

The config was copied from that of another guest.

## What to do

Write another \`uuid=\` into one of them (\`uuidgen\`), or take the line out: then each start makes up a new one.

## How domus knows

From the configs in /etc/xen and /etc/xen/auto.
`,
  },
  "ext4-errors-recorded": {
    severity: "warning",
    summary: `The guest's kernel found errors in this ext4 filesystem and recorded them in its superblock.`,
    page: `# ext4-errors-recorded

Severity: warning

## What it means

The guest's kernel found errors in this ext4 filesystem and recorded them in its superblock.

## What you see

In the guest's kernel log: \`EXT4-fs error (device xvda1): ...\`, and \`EXT4-fs (xvda1): error count since last fsck: 3\` at every
mount. With the mount option \`errors=remount-ro\`, Debian's default, the filesystem is read-only from the first error on;
with \`errors=panic\` the guest has crashed.

## Why

Structures contradicted each other, or a read or write of the disk failed. Causes are a failing disk under the
guest's volume, a volume that was written to from two sides at once (mounted in dom0 while the guest ran), a thin
pool that ran full, or a bug.

## What to do

1. Look in dom0 for disk errors: \`dmesg\`, \`smartctl -a\`, \`lvs\`. Mend the cause before the filesystem.
2. Stop the guest, and take a snapshot or a copy of the volume.
3. Run \`e2fsck -f\` on the volume. It also takes the record away.

The record stays until e2fsck has run, so the errors can be old: \`dumpe2fs -h\` shows the times of the first and the
last.

## How domus knows

From the error bit of \`s_state\`, and from \`s_error_count\` and \`s_last_error_func\` in the superblock.
`,
  },
  "ext4-journal-end-damaged": {
    severity: "error",
    summary: `The journal of an ext4 filesystem ends in a transaction, or in a first fast commit after it, that is damaged.`,
    page: `# ext4-journal-end-damaged

Severity: error

## What it means

The journal of an ext4 filesystem ends in a transaction, or in a first fast commit after it, that is damaged.

## What you see

The mount fails: \`JBD2: journal transaction 1234 on xvda1-8 is corrupt.\`, then \`EXT4-fs (xvda1): error loading journal\`. If it
is the root filesystem, the boot ends with \`VFS: Unable to mount root fs\` or in a shell of the initramfs.

## Why

The transaction was committed, but its checksum is wrong. The host lost power while writes were on their way and the
disk wrote them in another order, a cache lost them, or the disk is failing. A transaction that merely was not finished is
normal after a crash and not meant here.

## What to do

1. Stop the guest, and take a snapshot or a copy of the volume.
2. Run \`e2fsck -f\` on the volume. The changes of the damaged transaction are lost.
3. Look at what the guest's disk goes through: \`cache=\` of the disk, barriers of the storage below, the battery of a RAID
   controller.

## How domus knows

It replays the journal in memory, as Linux does at mount, and verifies the checksums of its blocks. It shows the
filesystem without that transaction.
`,
  },
  "ext4-journal-not-replayed": {
    severity: "warning",
    summary: `The newest changes to an ext4 filesystem are in a journal that domus does not replay, so what it shows is a little old.`,
    page: `# ext4-journal-not-replayed

Severity: warning

## What it means

The newest changes to an ext4 filesystem are in a journal that domus does not replay, so what it shows is a little old.

## What you see

Nothing in the guest. Here, files can be missing, or have the contents of some seconds ago. A kernel that was
installed a moment before the guest was stopped hard may not be seen.

## Why

One of two things. The journal is on another device, whose UUID is named, and domus looks at one device at a time. Or the
filesystem uses fast commits (feature \`fast_commit\`), and among those after the last full transaction is one that domus
does not replay: of a name in a directory that ignores case, or of a file without extents; or there are more than 65,536
records of them. In both cases the filesystem was not unmounted: the guest runs, or was destroyed, or crashed.

## What to do

Shut the guest down properly, or let it boot once, and look again. If it cannot boot, replay the journal on a copy or a
snapshot of the volume with \`e2fsck -p\`, and look at that.

domus does not trust the block bitmaps meanwhile. A copy has all of the bytes of the volume, also those of free space.

## How domus knows

From the feature \`needs_recovery\` in the superblock and the blocks of the journal.
`,
  },
  "ext4-superblock-damaged": {
    severity: "error",
    summary: `The superblock of an ext4 filesystem is damaged; domus read the filesystem with one of its copies.`,
    page: `# ext4-superblock-damaged

Severity: error

## What it means

The superblock of an ext4 filesystem is damaged; domus read the filesystem with one of its copies.

## What you see

When the guest boots from it: \`VFS: Cannot open root device\`, or an initramfs shell after \`mount: wrong fs type, bad option, bad
superblock\`. GRUB and pygrub do not find their files.

## Why

Linux reads the first superblock only. Something wrote over the start of the volume: often a partition table, a boot
loader or \`mkswap\` given the wrong device.

## What to do

1. Stop the guest, and take a snapshot or a copy of the volume.
2. Run \`e2fsck -b BLOCK\` on the volume, with the block that the finding names. It restores the first superblock.
3. Find out what wrote there: what lies behind the superblock may be damaged as well. \`e2fsck\` says so.

## How domus knows

The first superblock contradicts its checksum or itself. The copy was accepted because it is sound and says of itself
that it belongs where it was found. Newest changes can be missing in it, such as the feature bit of a journal to replay.
`,
  },
  "ext4-unknown-feature": {
    severity: "note",
    summary: `An ext4 filesystem has a feature bit that domus does not know, of the two kinds that do not change how files are read.`,
    page: `# ext4-unknown-feature

Severity: note

## What it means

An ext4 filesystem has a feature bit that domus does not know, of the two kinds that do not change how files are read.

## What you see

Nothing. The guest mounts it if its own kernel knows the feature.

## Why

Features are sorted into three words of the superblock. A reader may ignore unknown bits of two of them: \`compat\`, which
only those who repair must know, and \`ro_compat\`, which those who write must know. An unknown bit of the third,
\`incompat\`, makes domus refuse the filesystem instead. The filesystem was made by a newer mke2fs than domus knows.

## What to do

Nothing. A kernel that does not know a \`ro_compat\` feature mounts the filesystem read-only: if the guest shall boot
an older kernel, compare with \`dumpe2fs -h\` what that one supports.

domus does not trust the block bitmaps of a filesystem with an unknown \`ro_compat\` feature. Then a copy has all of its bytes,
also those of free space.

## How domus knows

From \`s_feature_compat\` and \`s_feature_ro_compat\` in the superblock.
`,
  },
  "fat-copy-used": {
    severity: "warning",
    summary: `The first file allocation table of a FAT filesystem cannot be read.`,
    page: `# fat-copy-used

Severity: warning

## What it means

The first file allocation table of a FAT filesystem cannot be read. domus read its second copy.

## Why

The disk fails there, or something wrote over the beginning of the filesystem. Linux and firmware read the first copy only, so the guest may not find its
files: on an EFI system partition, its loader.

## What to do

Look in dmesg of dom0 for disk errors and make a copy of the disk. With the guest stopped, \`fsck.vfat -r\` on the partition brings both copies together.

## How domus knows

The first table fails to be read or does not begin with the media byte, and the second one does.
`,
  },
  "filesystem-cut-off": {
    severity: "warning",
    summary: `A filesystem says that it is larger than the partition or volume that it lies on.`,
    page: `# filesystem-cut-off

Severity: warning

## What it means

A filesystem says that it is larger than the partition or volume that it lies on.

## What you see

Linux mounts it all the same (FAT and ISO 9660 are of this kind). Files in the part that is missing end in input/output errors.

## Why

The volume was made smaller without the filesystem, or it is a copy that ended too early.

## What to do

Compare the size with what it was (LVM keeps it in /etc/lvm/archive), and enlarge the volume again or repeat the copy. Until then write nothing to it.

## How domus knows

From the size in the boot sector or the volume descriptor, and the size of the device.
`,
  },
  "filesystem-dirty": {
    severity: "note",
    summary: `A filesystem was not unmounted: the guest is running, or it stopped without shutting down.`,
    page: `# filesystem-dirty

Severity: note

## What it means

One or more of the guest's filesystems were not unmounted. While the guest runs this is as it should be.

## What you see

At the next boot the kernel prints that it recovers the journal, and the boot may take longer.

## Why

A filesystem is marked when it is mounted and unmarked when it is unmounted. If the guest does not run, it was
destroyed, or crashed, or dom0 was switched off under it.

## What to do

Nothing, as a rule: ext4, xfs and btrfs bring themselves into order. If the boot stops at the filesystem check, run
\`fsck\` from a rescue system, on a copy or a snapshot first.

## How domus knows

From the filesystem's superblock and journal. domus itself reads such a filesystem as it will be after the journal was
replayed, and writes nothing.
`,
  },
  "filesystem-past-end": {
    severity: "error",
    summary: `An ext2, ext3, ext4, XFS or btrfs filesystem says that it is larger than the partition or volume that it lies on, and Linux does not mount it.`,
    page: `# filesystem-past-end

Severity: error

## What it means

An ext2, ext3, ext4, XFS or btrfs filesystem says that it is larger than the partition or volume that it lies on, and Linux does
not mount it.

## What you see

| filesystem | message of the kernel |
|---|---|
| ext4 | \`bad geometry: block count ... exceeds size of device\` |
| XFS | \`last sector read failed\` |
| btrfs | \`device total_bytes should be at most ... but found ...\` |

When it is the root, the boot ends in a shell of the initramfs or in a panic.

## Why

The volume was made smaller without the filesystem (\`lvreduce\` without \`--resizefs\`), the partition was written anew with another
end, or the disk is a copy that ended too early.

## What to do

Find out which size is right. Enlarge the volume again (\`lvextend\`; the sizes of before are in \`/etc/lvm/archive\`), correct the
partition, or repeat the copy. Run no \`fsck\` and mount nothing before that: a repair cuts off what lies past the end.

## How domus knows

From the size in the superblock and the size of the device.
`,
  },
  "gpt-backup-damaged": {
    severity: "warning",
    summary: `The second copy of the GUID partition table, at the end of the disk, is damaged or missing.`,
    page: `# gpt-backup-damaged

Severity: warning

## What it means

The second copy of the GUID partition table, at the end of the disk, is damaged or missing. The first copy is intact and in use.

## Why it matters

The guest boots. The second copy is the only way to repair the table when the first one breaks. It is missing when the disk
was cut off at its end, for example by a copy that stopped early: see also \`partition-past-end\` and \`gpt-ignored-by-linux\`.

## What to do

With the guest stopped, write the second copy anew at the end of the disk: \`sgdisk -e DISK\`.
`,
  },
  "gpt-copies-differ": {
    severity: "warning",
    summary: `Both copies of the GUID partition table are intact, and they describe different partitions.`,
    page: `# gpt-copies-differ

Severity: warning

## What it means

Both copies of the GUID partition table are intact, and they describe different partitions. domus used the first, as Linux does.

## Why it matters

Something changed one copy only, or the second copy is left from an earlier table. A repair from the wrong copy would lose partitions.

## What to do

With the guest stopped, look at both: \`gdisk DISK\` shows the first with \`p\`; \`r\`, \`c\` loads the second, \`p\` shows it. Leave with \`q\`, or
write the right one over both with \`w\`.
`,
  },
  "gpt-hybrid-mbr": {
    severity: "note",
    summary: `The disk has a GUID partition table and, in its MBR, partitions besides the protective entry.`,
    page: `# gpt-hybrid-mbr

Severity: note

## What it means

The disk has a GUID partition table and, in its MBR, partitions besides the protective entry: a hybrid MBR. domus used the GPT.

## Why it matters

Linux and GRUB use the GPT, old BIOS loaders and Windows the MBR. The two do not follow each other's changes.

## What to do

Nothing, if something needs it. Otherwise, with the guest stopped: \`gdisk DISK\`, then \`x\`, \`n\` (new protective MBR), \`w\`.
`,
  },
  "gpt-ignored-by-linux": {
    severity: "error",
    summary: `The GUID partition table can be read, but Linux refuses it.`,
    page: `# gpt-ignored-by-linux

Severity: error

## What it means

The GUID partition table can be read, but Linux refuses it. The reason is in the finding, one of:

- The table is made for a larger disk than this one: the disk was shrunk, or it is an incomplete copy.
- The MBR has no entry of type \`0xee\` at sector 1 that announces the table (a "protective MBR").
- The table is made for another sector size, for example a copy of a 4096-byte-sector disk on one with 512.
- Its entries do not have 128 bytes.

## Why it matters

A Linux guest finds no partitions, and so no root filesystem. Other programs are less strict, so the disk can look fine from the host.

## What to do

- Larger disk: copy the disk again, or give it its old size back (see \`partition-past-end\`). If only unused space was cut off, \`sgdisk -e DISK\`
  fits the table to the disk.
- MBR: with the guest stopped, \`gdisk DISK\`, then \`x\`, \`n\` (new protective MBR), \`w\`.
- Sector size: give the guest a disk with the right one, or copy partition by partition into a new table.
- Entry size: write the table anew with sfdisk from a dump (\`sfdisk -d\`).
`,
  },
  "gpt-primary-damaged": {
    severity: "error",
    summary: `The first copy of the disk's GUID partition table (header at sector 1, entries after it) is damaged.`,
    page: `# gpt-primary-damaged

Severity: error

## What it means

The first copy of the disk's GUID partition table (header at sector 1, entries after it) is damaged: its signature, one of its
checksums or a field is wrong. The second copy, at the end of the disk, is intact, and domus read the partitions from there.

## Why it matters

Linux does not fall back on the second copy unless its command line says \`gpt\`: a guest finds no partitions at all, and so no
root filesystem. GRUB and pygrub do not look at the second copy either.

## What to do

1. Stop the guest.
2. Let gdisk rebuild the first copy: \`gdisk DISK\`, then \`r\`, \`b\` (header), \`c\` (entries), \`p\` to look, \`w\` to write.
3. Run \`domus check\` again.

If the guest must boot before that, add \`gpt\` to its kernel command line. Something wrote over the start of the disk: find out what.
`,
  },
  "grub-cannot-load": {
    severity: "error",
    summary: `GRUB runs as the guest's kernel (pvgrub) and cannot start the kernel that its menu names.`,
    page: `# grub-cannot-load

Severity: error

## What it means

What Xen starts is GRUB (\`kernel="/usr/lib/grub-xen/grub-x86_64-xen.bin"\` or the like), and GRUB cannot start the kernel that its menu
names.

## What you see

On the guest's console, in GRUB:

\`\`\`
error: not xen image.
Press any key to continue...
\`\`\`

## Why

GRUB as a PV guest puts the kernel into memory as Xen's domain builder does, and so has to unpack it. It knows gzip, xz and lzo; the kernels
of Debian 13 and of Ubuntu since 19.10 are packed with zstd or lz4. The kernel must also be a PV kernel, and of the same width as
GRUB.

## What to do

- \`type="pvh"\` and \`kernel="/usr/lib/grub-xen/grub-i386-xen_pvh.bin"\`: there the kernel unpacks itself.
- \`bootloader="pygrub"\`, if Xen in dom0 can unpack the kernel and pygrub can read the disk.
- For a wrong width, the other image: \`grub-i386-xen.bin\` for 32-bit kernels, \`grub-x86_64-xen.bin\` for 64-bit ones.

## How domus knows

It reads the image in dom0: its modules say what it unpacks, its configuration where it looks. It runs that configuration and the guest's
grub.cfg as GRUB would, and reads the kernel's notes.
`,
  },
  "grub-default": {
    severity: "warning",
    summary: `The default entry that GRUB's configuration names is not in its menu, and GRUB starts another one.`,
    page: `# grub-default

Severity: warning

## What it means

The default entry that GRUB's configuration names is not in its menu, and GRUB starts another one.

## What you see

Nothing: GRUB does not complain. The guest comes up with another kernel than the one that was chosen, or with a memory test, or not at
all.

## Why

The default is a title, an id or a number from before: the kernel was removed, the menu was written anew with other titles, or
the entry moved into the submenu of older kernels. \`grub-set-default\` saves such names in \`grubenv\`, where they outlive the entry.

## What to do

In the guest, look at the entries (\`domus check\` names the one that is started), then set \`GRUB_DEFAULT\` in \`/etc/default/grub\` and run
\`update-grub\`, or save another one with \`grub-set-default\`. Fedora and its relatives have \`grubby --set-default\` for it. In GRUB legacy the
line is \`default\` in \`menu.lst\`.

## How domus knows

It runs the configuration as GRUB does and looks the default up in the menu that comes out.
`,
  },
  "grub-environment": {
    severity: "warning",
    summary: `The file that GRUB keeps its saved variables in (\`grubenv\`) is not an environment block, so GRUB cannot read it.`,
    page: `# grub-environment

Severity: warning

## What it means

The file that GRUB keeps its saved variables in (\`grubenv\`) is not an environment block, so GRUB cannot read it.

## Why it matters

A default that was saved with \`grub-set-default\` or \`grub-reboot\` is in that file. Without it GRUB starts its first entry.

## What to do

In the guest: \`grub-editenv /boot/grub/grubenv create\` (\`/boot/grub2/grubenv\` on Fedora, RHEL and SUSE), then set the default again
with \`grub-set-default\` or \`grub2-set-default\`.
`,
  },
  "grub-loopback": {
    severity: "note",
    summary: `A GRUB entry boots a system from inside an image file on the guest's disk (\`loopback\`).`,
    page: `# grub-loopback

Severity: note

## What it means

A GRUB entry boots a system from inside an image file on the guest's disk (\`loopback\`).

## Why it matters

domus does not look into such image files, so it cannot say whether the entry boots.

## What to do

If the entry is the one that is started, check the image by itself, or choose another entry in the guest.
`,
  },
  "grub-password": {
    severity: "warning",
    summary: `GRUB asks for a user and a password before it starts the entry that it would start by itself.`,
    page: `# grub-password

Severity: warning

## What it means

GRUB asks for a user and a password before it starts the entry that it would start by itself.

## Why it matters

The guest waits at its console until somebody answers; an unattended boot ends there. It concerns guests that run GRUB themselves
(HVM, and PV or PVH with a GRUB of their own), not those that pygrub boots.

## What to do

In the guest, let everybody start the entries and only superusers edit them: add \`--unrestricted\` to \`CLASS\` in
\`/etc/grub.d/10_linux\` and run \`update-grub\` or \`grub2-mkconfig\`.
`,
  },
  "grub-syntax": {
    severity: "warning",
    summary: `A line of the guest's GRUB configuration does not follow GRUB's grammar, for example an empty menu entry, \`&&\`, or a quote that is not closed.`,
    page: `# grub-syntax

Severity: warning

## What it means

A line of the guest's GRUB configuration does not follow GRUB's grammar, for example an empty menu entry, \`&&\`, or a quote that is
not closed.

## Why it matters

GRUB passes over the statement and goes on with the next line. When a menu entry is cut off in this way, the lines of its body run
as commands of their own, and the numbers of the entries after it change: another kernel than meant may be started.

## What to do

Do not mend grub.cfg itself, it is written anew with every kernel. Mend the file in \`/etc/grub.d\` (often \`40_custom\`) or
\`/etc/default/grub\` that the line comes from, then run \`update-grub\` or \`grub2-mkconfig -o /boot/grub2/grub.cfg\` in the guest.
\`grub-script-check /boot/grub/grub.cfg\` shows the line as GRUB sees it.
`,
  },
  "grub-unknown-command": {
    severity: "note",
    summary: `The guest's GRUB configuration uses a command that domus does not know.`,
    page: `# grub-unknown-command

Severity: note

## What it means

The guest's GRUB configuration uses a command that domus does not know: one of a patched GRUB, or a typing error.

## Why it matters

domus passes over it, as GRUB does with a command that it does not have. Where GRUB has it and it decides over what is booted, the
entry that domus names may not be the one that GRUB starts.

## What to do

Look at the line. If it is a typing error, mend it in the guest and run \`update-grub\` or \`grub2-mkconfig\` there; else compare the
entry that domus names with the guest's boot menu once.
`,
  },
  "guest-without-config": {
    severity: "warning",
    summary: `A domain runs, or a save image is there, of a guest that no config describes.`,
    page: `# guest-without-config

Severity: warning

## What it means

A domain runs, or a save image is there, of a guest that no config describes.

## What you see

The guest works. When it stops, nothing on the host remembers that it existed, or which disks were its.

## Why

Its config was deleted, moved or renamed while it ran, it was started from somebody's home directory, or it came from another host. A guest called
\`NAME--incoming\` or \`NAME--migratedaway\` is left over from a migration that failed: it holds memory and disks.

## What to do

If its config is in another directory, name that with \`--also DIR\`. Otherwise write one: \`xl list -l NAME\` prints what Xen knows of a running guest, \`domus show\` what
is in a save image.

## How domus knows

No config in /etc/xen, /etc/xen/auto and where its links lead has its uuid, its name, or one of its writable disks.
`,
  },
  "hotplug-left-over": {
    severity: "warning",
    summary: `A script of Xen's for disks or network cards has failed or was killed, and something that it had set up is still there.`,
    page: `# hotplug-left-over

Severity: warning

## What it means

A script of Xen's for disks or network cards has failed or was killed, and something that it had set up is still there.

## What you see

A guest's image file in \`losetup -a\`, though the guest does not run; \`domus start\` refuses it. Or no guest starts any more: \`xl create\` ends after 40 seconds with \`killing execution of /etc/xen/scripts/block add because of timeout\`.

## Why

libxl runs a script for each disk and network card, and kills it after 40 seconds. What the script had done by then stays: a file has its loop device, and as xenstore does not say which, the script that takes the disk away again does not find it. What the script itself had started is not killed with it: such a process
keeps the lock in \`/run/xen-hotplug\`, and every other script waits for that, until it is killed, too.

## What to do

- A loop device: \`losetup -d /dev/loopN\`, unless you look into the file from dom0 just now.
- A lock: \`ps -fp PID\` says what holds it, and often what it hangs on (a disk, a server that does not answer). Then \`kill PID\`. The file itself does not matter: a lock that nobody holds is free.
- Why the script failed is in \`/var/log/xen/xen-hotplug.log\`; \`domus start\` shows it.

## How domus knows

From \`/sys/class/block/loopN/loop/backing_file\`, compared with the disks of all guests, whatever they are called; nothing is said of one that a domain has, that is mounted or that something is built on, nor while an xl makes a domain. From the files in \`/run/xen-hotplug\` that a process has open.
`,
  },
  "hvm-no-boot-code": {
    severity: "warning",
    summary: `The BIOS of an HVM guest finds no boot code on the disks that it would start from.`,
    page: `# hvm-no-boot-code

Severity: warning

## What it means

The BIOS of an HVM guest finds no boot code on the disks that it would start from.

## What you see

SeaBIOS prints \`Boot failed: not a bootable disk\` and \`No bootable device\` on the guest's VGA console (VNC). If the first
sector ends in the signature \`55 aa\` and has no code before it, the guest hangs after \`Booting from Hard Disk...\`.

## Why

SeaBIOS loads the first sector of the first disk and runs it when it ends in \`55 aa\`; a CD-ROM needs a boot catalog (El
Torito). Partitioning tools write the signature and no code: that is the work of \`grub-install\` or of the system's
installer. A disk that was installed for UEFI, or for a PV guest with pygrub, has no boot code either.

The verdict is \`unknown\`, not \`fails\`: the network, or a device that domus does not know, may still boot the guest.

## What to do

- Boot from a rescue system and run \`grub-install\` on the disk.
- The system was installed for UEFI: set \`firmware="ovmf"\` in the config.
- It was a PV or PVH guest: set \`type=\` back, with \`bootloader="pygrub"\`.
- The disk to boot from is not the first, or it is a CD-ROM: put it first in \`disk=\`, or change \`boot=\`.

## How domus knows

It reads the first sector of the first disk, and of CD-ROMs the boot catalog, whose default entry must be for BIOS, in the
order of \`boot=\`.
`,
  },
  "hvm-no-efi-loader": {
    severity: "warning",
    summary: `OVMF finds no \\EFI\\BOOT\\BOOTX64.EFI on the disks of an HVM guest.`,
    page: `# hvm-no-efi-loader

Severity: warning

## What it means

The UEFI firmware (OVMF) of an HVM guest finds no loader under the one name that it tries by itself,
\`\\EFI\\BOOT\\BOOTX64.EFI\`.

## What you see

The guest stops in the UEFI shell, or in the firmware's menu, on its VGA console (VNC).

## Why

UEFI keeps the paths of installed loaders in variables. Under \`xl\` these are lost when the domain ends, so that only the
name for removable media is left. Installers often write \`\\EFI\\debian\\grubx64.efi\` or the like, and nothing under
\`\\EFI\\BOOT\`.

The verdict is \`unknown\`, not \`fails\`: a toolstack that keeps the variables, or the network, may still boot the guest.

## What to do

- In the guest: \`grub-install --target=x86_64-efi --removable\` (Debian: \`dpkg-reconfigure grub-efi-amd64\`, and answer
  yes to "removable media path"), or \`bootctl install\`.
- From a rescue system, copy the loader: \`\\EFI\\debian\\shimx64.efi\` and what is beside it to \`\\EFI\\BOOT\`, the former as
  \`BOOTX64.EFI\`.
- The system was installed for BIOS: take \`firmware=\` or \`bios=\` out of the config.

## How domus knows

It looks for that file on every FAT filesystem of the guest's disks, and in the UEFI boot images of CD-ROMs.
`,
  },
  "image-bypassed": {
    severity: "error",
    summary: `A guest was started from its disks, or restored from another image, while its save image was waiting to be restored; or another guest has got one of these disks to write to.`,
    page: `# image-bypassed

Severity: error

## What it means

A guest was started from its disks, or restored from another image, while its save image was waiting to be restored; or another guest has got one of these disks to write to.

## What you see

The guest boots as after a power failure: what ran in it at the time of the save is gone. Or another guest runs with the disk, by whatever name. \`domus watch\` raises an alarm within seconds; nothing else says a word.
domus itself gives such a disk to nobody who would write to it; \`xl create\` and \`xl block-attach\` do.

## Why

\`xl create\`, and xendomains at the start of the host, do not know that there is an image. From the first write on, the disks are not those of the image any more: a
guest that is restored from it goes on with what it remembers of its filesystems, and destroys them.

## What to do

Decide which of the two is worth more. The guest as it runs now: leave it, never restore the image, and set it aside (\`domus start --discard-image\` does it at
the next start, or move the file away). What it was doing when it was saved: \`xl destroy\` at once, and see with \`domus show GUEST\` whether the disks are still those of the image; only then
restore it.

When the guest was restored from another image, an older one perhaps: it goes on from a moment that its disks are not of, and destroys more with every write. \`xl destroy\` at once, unless that file is a copy of the image that waits;
then \`domus restore\` compares the disks with the one that waits.

When it is another guest that has the disk: \`domus detach\` takes it away. The image is set aside when a command of domus sees this, and \`domus restore\` with its path takes it as long as nothing was written; it compares the disks, and refuses otherwise.

## How domus knows

The image is in the records as waiting, a domain runs that has the guest's uuid or name, or may write to one of its disks (the same device or file under any name, a partition of it, the disk around it), and no command of domus is at work on it.
`,
  },
  "image-incomplete": {
    severity: "warning",
    summary: `A save image is cut off or damaged, so that it cannot be restored.`,
    page: `# image-incomplete

Severity: warning

## What it means

A save image is cut off or damaged, so that it cannot be restored.

## What you see

\`xl restore\` fails: \`Failed to read ... bytes of data for record\`. In the directory of xendomains, the guest does not start with the host, each time anew.

## Why

The disk was full while the guest was saved, \`xl save\` was ended half-way, or the guest had already crashed: then only a few KiB are there, with a perfect header.

## What to do

Start the guest from its disks, as after a power failure. Delete the image, or move it out of the directory of xendomains.

## How domus knows

An image has no checksums, but it ends with two END records. domus goes through it from record to record, without reading the memory in it, and has not
met both. Images of Xen before 4.6, of xend and of libvirt cannot be checked this way.
`,
  },
  "image-missing": {
    severity: "warning",
    summary: `A guest was saved by domus, and the file of its save image is not where it was put.`,
    page: `# image-missing

Severity: warning

## What it means

A guest was saved by domus, and the file of its save image is not where it was put.

## What you see

\`domus restore\` and \`domus start\` refuse, or say that the image is gone. The guest does not run.

## Why

Somebody deleted or moved the file, its filesystem is not mounted, or another file was put in its place.

## What to do

If it was moved, name the directory: \`domus list --also DIR\`. If it is gone for good, the guest can be started from its disks, as after a power failure: \`domus start GUEST\`. What it was doing is lost.

## How domus knows

From the record that \`domus save\` wrote. A file that was moved to one of the places where save images usually are, with its size and times, is recognised by these and by the uuid inside.
`,
  },
  "image-restored-unseen": {
    severity: "error",
    summary: `A guest was restored from its save image by something else than domus.`,
    page: `# image-restored-unseen

Severity: error

Severity: warning where the disks were not seen to have changed.

## What it means

A guest was restored from its save image by something else than domus.

## What you see

The guest runs. When its disks had been changed since the save: errors of its filesystems in its console and log, sooner or later.

## Why

\`xl restore\` and xendomains look at nothing. domus compares the fingerprints of the disks, from the moment of the save, with what is there while the guest is being
restored, as far as there is time for it. When the guest ran already before that was done, and is not known to have been started since the save, what differs may be what it has written itself: then the
finding is a warning, and says so.

## What to do

Where the disks had changed: \`xl destroy\` the domain at once, as it destroys more with every write. Then check the filesystems from a rescue system, or restore a backup. Where they had not: delete the
image, and use \`domus restore\` the next time. The records have the image as restored, so that the guest's next boot is not stopped for its sake.

## How domus knows

The image is in the records as waiting, and the process that made the domain is \`xl restore\` of that file. Restored from another file it is [image-bypassed](image-bypassed.md), and the image waits on.
`,
  },
  "image-stale": {
    severity: "error",
    summary: `A save image no longer fits the disks of its guest.`,
    page: `# image-stale

Severity: error

## What it means

A save image no longer fits the disks of its guest: to restore it would destroy their filesystems.

## What you see

Nothing, until somebody runs \`xl restore\`, or until xendomains does so when the host starts. It succeeds. The guest goes on where it was saved, does not see
what was written in between, and its next writes tear the filesystem apart. \`fsck\` finds the damage days later.

## Why

A save image holds the guest's memory, and in it what the guest knows of its filesystems: caches, free blocks, open files. It fits its disks only as they were
at that moment. \`xl create\` starts a saved guest from its disks without a word, and \`xl restore\` does not look whether that happened. \`xl save -c\` leaves the
guest running, so that the image is stale at once, unless the disks were snapshotted in the same moment.

## What to do

Do not restore it. Move it out of the directory of xendomains (\`/var/lib/xen/save\`), then delete it, or keep it with the snapshots of the disks that it belongs to.

## How domus knows

The guest has a domain that has run since (one that is paused or being saved may be the saved one itself), or the file of a writable disk was written more than
half a minute after the image (what serves the disks ends a little later than the save). Of an image that \`domus save\` made, the fingerprints of its disks tell: \`domus list\` sees what the kernel has counted and the times of files, \`domus show\` reads the disks and says what changed, and when. Without
a fingerprint a disk that looks unchanged is no proof, and domus calls no image safe.
`,
  },
  "image-superseded": {
    severity: "warning",
    summary: `A guest has several save images, and this is not the newest.`,
    page: `# image-superseded

Severity: warning

## What it means

A guest has several save images, and this is not the newest.

## What you see

Nothing, until the wrong one is restored.

## Why

Between two saves the guest ran and wrote to its disks. The older image fits the disks as they were before (see image-stale).

## What to do

Delete it, or keep it with the snapshots of the disks that it belongs to.

## How domus knows

By the times of the files. A copy that was made without \`cp -p\` looks newer than it is.
`,
  },
  "image-waiting": {
    severity: "note",
    summary: `A guest is saved.`,
    page: `# image-waiting

Severity: note

## What it means

A guest is saved: its memory is in a file, and it waits to be restored.

## What you see

\`xl list\` does not show the guest, and nothing else says that it is not simply stopped.

## Why

xl forgets a guest when it saves it. \`xl create\` with its config starts it afresh, and from then on the image no longer fits the disks (see image-stale).

## What to do

\`domus restore GUEST\` (or the path of the image) lets it go on, when its disks are what they were. To give up what it was doing: \`domus start --discard-image GUEST\` starts it from its disks, and keeps the image aside for a while.

## How domus knows

A complete save image with the guest's uuid or name, or with its disks, and no domain.
`,
  },
  "initramfs-compression": {
    severity: "error",
    summary: `The initramfs is compressed in a way that this kernel cannot unpack.`,
    page: `# initramfs-compression

Severity: error, or warning when the kernel needs no initramfs or its version alone leaves it open

## What it means

The initramfs is compressed in a way that this kernel cannot unpack.

## What you see

\`\`\`
Initramfs unpacking failed: invalid magic at start of compressed archive
\`\`\`

or \`Initramfs unpacking failed: compression method zstd not configured\`; in older kernels \`junk in compressed
archive\`. It scrolls by early. What stays on the screen comes later:

\`\`\`
VFS: Cannot open root device "UUID=..." or unknown-block(0,0): error -6
Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)
\`\`\`

## Why

The tool that makes the image and the kernel that reads it are updated separately. mkinitcpio compresses with zstd
since version 30, initramfs-tools since 0.141 (Debian 12), dracut since 103; Linux knows zstd since 5.9. A guest whose
kernel is held back gets an image that its kernel cannot read, and nothing is noticed until the next reboot.

| format | Linux since |
|---|---|
| gzip | always |
| bzip2, lzma | 2.6.30 |
| lzo | 2.6.33 |
| xz | 2.6.38 |
| lz4 (legacy format) | 3.11 |
| zstd | 5.9 |

## What to do

In the guest, before it reboots, or in a chroot from a rescue system:

| generator | setting | then |
|---|---|---|
| mkinitcpio | \`COMPRESSION="gzip"\` in \`/etc/mkinitcpio.conf\` | \`mkinitcpio -P\` |
| initramfs-tools | \`COMPRESS=gzip\` in \`/etc/initramfs-tools/initramfs.conf\` | \`update-initramfs -u -k all\` |
| dracut | \`compress="gzip"\` in \`/etc/dracut.conf.d/compress.conf\` | \`dracut --force\` |
| booster | \`compression: gzip\` in \`/etc/booster.yaml\` | \`/usr/lib/booster/regenerate_images\` |

From dom0, without touching the disk: copy the kernel and the image out (\`domus disk cp\`), pack the image anew (\`zstd
-dc IMAGE | gzip > NEW\`), and start the guest once with \`kernel=\`, \`ramdisk=\` and \`cmdline=\`. Then mend it inside, as
above.

## How domus knows

Best first: from the table of decompressors in the unpacked kernel, which is exact; from the build configuration
inside the kernel or beside it; from its version, which can only say what it cannot know. The text says which it was.
`,
  },
  "initramfs-cpio": {
    severity: "error",
    summary: `What is in the initramfs is not a cpio archive of the kind that the kernel reads (newc).`,
    page: `# initramfs-cpio

Severity: error, or warning when the kernel needs no initramfs

## What it means

What is in the initramfs is not a cpio archive of the kind that the kernel reads.

## What you see

\`\`\`
Initramfs unpacking failed: incorrect cpio method used: use -H newc option
Initramfs unpacking failed: no cpio magic
\`\`\`

## Why

The kernel reads the newc format, since 5.19 also crc. \`cpio -o\` without \`-H newc\` writes another; a tar archive or a
filesystem image is none at all.

## What to do

Make it with \`find . | cpio -o -H newc\`, or with the distribution's tool.

## How domus knows

From the first bytes of the archive, after unpacking it.
`,
  },
  "initramfs-gzip-members": {
    severity: "error",
    summary: `The initramfs is several gzip parts, and this Xen (4.19 or older) hands only the first to the guest.`,
    page: `# initramfs-gzip-members

Severity: error when the larger part is lost, else warning

## What it means

The initramfs file is several gzip parts, one behind the other, and this Xen hands only the first to the guest.

## What you see

Nothing from Xen. The guest behaves as if the other files were not in the image: no modules, or no \`/init\`.

## Why

Xen up to 4.19 inflates a gzip initramfs before it starts a PV or PVH guest, and stops after the first gzip member.
The kernel itself would read all of them. Such files come from \`cat extra.gz initrd.gz\`.

## What to do

Make one archive of it: \`gzip -dc IMAGE | gzip > NEW\` (gzip reads all members). Or put the extra files in by a hook of
the generator. An uncompressed first part, such as microcode, is no trouble: then Xen inflates nothing.

## How domus knows

It walks the file as the kernel does and counts what lies in each part.
`,
  },
  "initramfs-junk": {
    severity: "error",
    summary: `The initramfs has bytes in it that are no archive of any kind.`,
    page: `# initramfs-junk

Severity: error, or warning when the main archive lies before the junk

## What it means

The initramfs has bytes in it that are neither an archive nor a compression that Linux knows.

## What you see

\`\`\`
Initramfs unpacking failed: invalid magic at start of compressed archive
\`\`\`

in older kernels \`junk in compressed archive\`, or \`rootfs image is not initramfs (...); looks like an initrd\`.

## Why

The kernel unpacks one archive after the other and stops where it finds something else. When that is behind the main
archive it complains and goes on; when it is the main archive itself, the root is not found.

## What to do

\`file IMAGE\` often says what it is. Make the image anew. A file that is appended by hand has to be a cpio archive; an
uncompressed one has to begin at a multiple of 4 bytes.

## How domus knows

It walks the file as the kernel does, byte for byte.
`,
  },
  "initramfs-lz4-frame": {
    severity: "error",
    summary: `The initramfs is in the modern lz4 format; the kernel reads only the legacy one.`,
    page: `# initramfs-lz4-frame

Severity: error, or warning when the kernel needs no initramfs

## What it means

The initramfs is in the modern lz4 format (the frame format). The kernel reads only the legacy one.

## What you see

\`\`\`
Initramfs unpacking failed: invalid magic at start of compressed archive
\`\`\`

## Why

\`lz4\` writes the frame format unless it is called with \`-l\`. The distributions' tools do call it so; hand-made images
often do not.

## What to do

Compress it with \`lz4 -l\`, or with gzip. See [initramfs-compression](initramfs-compression.md) for the settings.

## How domus knows

By the magic at the start: \`04 22 4d 18\` is the frame format, \`02 21 4c 18\` the legacy one.
`,
  },
  "initramfs-missing": {
    severity: "error",
    summary: `No initramfs is given, and the root cannot be mounted without one.`,
    page: `# initramfs-missing

Severity: error, or warning when the kernel may not need one

## What it means

No initramfs is given, and the root cannot be mounted without one.

## What you see

\`\`\`
VFS: Cannot open root device "UUID=..." or unknown-block(0,0): error -6
Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)
\`\`\`

## Why

Without an initramfs the kernel has only the drivers that are built into it, and it cannot look up \`UUID=\` or
\`LABEL=\`, nor set up LVM, RAID or encryption. Kernels of distributions have xen_blkfront and most filesystems as
modules.

## What to do

In the guest: \`update-initramfs -c -k all\`, \`mkinitcpio -P\` or \`dracut --regenerate-all\`, then \`update-grub\`. With
\`kernel=\` in the config: give \`ramdisk=\` too.

## How domus knows

From \`root=\`, and from the kernel's build configuration where there is one. Where there is none it says that it cannot
tell.
`,
  },
  "initramfs-no-blkfront": {
    severity: "error",
    summary: `The driver for Xen's disks is neither built into the kernel nor in the initramfs.`,
    page: `# initramfs-no-blkfront

Severity: error, or warning when it cannot be told or the guest is HVM

## What it means

The driver for Xen's disks, xen_blkfront, is neither built into the kernel nor in the initramfs. A PV or PVH guest
without it sees no disk at all.

## What you see

\`\`\`
ALERT!  UUID=... does not exist.  Dropping to a shell!
\`\`\`

or \`ERROR: device 'UUID=...' not found\` (mkinitcpio), or \`dracut-initqueue timeout\`.

## Why

Images that contain only what the machine needs (\`MODULES=dep\`, dracut's hostonly mode, the \`autodetect\` hook) lack it
when they were made on other hardware: on a KVM guest, in a container, in a chroot on dom0. An HVM guest can fall back
on its emulated disks.

## What to do

| generator | setting | then |
|---|---|---|
| initramfs-tools | \`xen-blkfront\` in \`/etc/initramfs-tools/modules\` | \`update-initramfs -u -k all\` |
| dracut | \`add_drivers+=" xen-blkfront "\` in \`/etc/dracut.conf.d/xen.conf\` | \`dracut --force\` |
| mkinitcpio | \`MODULES=(xen-blkfront)\` in \`/etc/mkinitcpio.conf\` | \`mkinitcpio -P\` |

## How domus knows

From the module files in the image and its modules.dep (modprobe finds no others), from modules.builtin, and from the
kernel's build configuration. When none says what is built in, it says that it cannot tell.
`,
  },
  "initramfs-no-init": {
    severity: "error",
    summary: `The initramfs has no /init that the kernel could start.`,
    page: `# initramfs-no-init

Severity: error

## What it means

The initramfs has no executable \`/init\`, so the kernel has nothing to start in it.

## What you see

\`\`\`
VFS: Cannot open root device "UUID=..." or unknown-block(0,0): error -6
Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)
\`\`\`

## Why

Without \`/init\` the kernel tries to mount the root itself, with the drivers that are built in. The file may be the
microcode only (\`intel-ucode.img\`), given without the main image; or it was made by hand.

## What to do

Name the main image: GRUB and extlinux take several (\`initrd UCODE MAIN\`), \`ramdisk=\` and pygrub one. Otherwise make
the image anew.

## How domus knows

It reads the whole archive. With \`rdinit=\` on the command line it says nothing.
`,
  },
  "initramfs-no-lvm": {
    severity: "error",
    summary: `The root is a logical volume, and the initramfs has no LVM tools to activate it.`,
    page: `# initramfs-no-lvm

Severity: error

## What it means

The root is a logical volume, and the initramfs has no LVM tools that could activate it.

## What you see

\`\`\`
ALERT!  /dev/mapper/vg0-root does not exist.  Dropping to a shell!
\`\`\`

## Why

The kernel does not activate logical volumes by itself; the initramfs has to run \`lvm\`. The package was not installed
when the image was made, or its hook is not on the list.

## What to do

initramfs-tools: install \`lvm2\`, then \`update-initramfs -u -k all\`. dracut: \`add_dracutmodules+=" lvm "\`, then \`dracut
--force\`. mkinitcpio: \`lvm2\` in \`HOOKS=()\`, before \`filesystems\`, then \`mkinitcpio -P\`.

## How domus knows

From \`root=\` (\`/dev/mapper/VG-LV\` or \`/dev/VG/LV\`) and the programs in the image.
`,
  },
  "initramfs-no-mdadm": {
    severity: "warning",
    summary: `The root is on an md array, and the initramfs has no mdadm to start it.`,
    page: `# initramfs-no-mdadm

Severity: warning

## What it means

The root is on an md array (Linux software RAID), and the initramfs has no \`mdadm\` that could start it.

## What you see

\`\`\`
ALERT!  UUID=6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de001 does not exist.  Dropping to a shell!
\`\`\`

## Why

The initramfs has to run \`mdadm\`. The package was not installed when the image was made, or its hook is not on the list. A
kernel with md built in starts arrays by itself if their superblocks are of version 0.90 and their partitions of type \`fd\`; so
domus cannot be sure, and the verdict is \`unknown\`.

## What to do

initramfs-tools: install \`mdadm\`, then \`update-initramfs -u -k all\`. dracut: \`add_dracutmodules+=" mdraid "\`, then \`dracut
--force\`. mkinitcpio: \`mdadm_udev\` in \`HOOKS=()\`, before \`filesystems\`, then \`mkinitcpio -P\`.

If the guest has booted with this very image before, there is nothing to do.

## How domus knows

From the array that \`root=\` was found on, and the programs in the image.
`,
  },
  "initramfs-no-root-fs": {
    severity: "error",
    summary: `The driver of the root's filesystem is neither built into the kernel nor in the initramfs.`,
    page: `# initramfs-no-root-fs

Severity: error, or warning when only a helper module is missing

## What it means

The root's filesystem has no driver: it is neither built into the kernel nor in the initramfs.

## What you see

\`\`\`
mount: unknown filesystem type 'xfs'
Failed to mount ... as root file system.
\`\`\`

or, when only crc32c is missing, \`Cannot load crc32c driver.\`

## Why

The root was converted or moved to another filesystem after the image was made, or the image was made by hand.

## What to do

Add the filesystem's module in the way of the generator (see [initramfs-no-blkfront](initramfs-no-blkfront.md) for the
three ways), then make the image anew.

## How domus knows

The filesystem is the one that domus found on the volume that \`root=\` names. Drivers are looked for in the image's
modules, in modules.builtin and in the kernel's build configuration.
`,
  },
  "initramfs-no-volume-driver": {
    severity: "error",
    summary: `The root is on a logical volume or an array, and a module for it is neither built into the kernel nor in the initramfs.`,
    page: `# initramfs-no-volume-driver

Severity: error

## What it means

The root lies on a logical volume or an md array, and a kernel module for it (\`dm-mod\`, \`dm-mirror\`, \`dm-raid\`, \`raid1\`, \`raid456\`, ...) is
neither built into the kernel nor in the initramfs.

## What you see

\`\`\`
Required device-mapper target(s) not detected in your kernel.
md: personality for level 1 is not loaded!
\`\`\`

and then the boot waits for its root.

## Why

The image was made by hand, on another machine, or before the root was moved onto LVM or an array; a generator that takes only what is in use
(\`MODULES=dep\`, \`hostonly\`, \`autodetect\`) saw no need for the module. Volumes that change their type (\`lvconvert --type raid1\`) need
another one than before.

## What to do

Make the image anew in the running guest, or add the module by name: \`/etc/initramfs-tools/modules\`, \`add_drivers\` of dracut, \`MODULES=()\` of
mkinitcpio.

## How domus knows

From the volume group's own metadata and the array's superblock: which mapping each part of the root has. What is built in is read from
the kernel's configuration or from modules.builtin in the image; when neither is there, nothing is said.
`,
  },
  "initramfs-truncated": {
    severity: "error",
    summary: `The initramfs is cut off or damaged.`,
    page: `# initramfs-truncated

Severity: error, or warning when the kernel needs no initramfs or does not notice

## What it means

The initramfs is cut off, damaged or empty.

## What you see

\`\`\`
Initramfs unpacking failed: ZSTD-compressed data is truncated
\`\`\`

or the like, each compression with words of its own, and then the panic about the root. An archive that is not
compressed is taken as far as it goes, without a word.

Xen itself refuses some: an empty file with \`zero length file\`, and, where it inflates a gzip initramfs (4.19 and older), one
that was cut off so that its last four bytes say too large a size:
\`\`\`
xc: error: panic: xg_dom_core.c:536: xc_dom_chk_alloc_pages: segment module0 too large (0x243ce > 0xc000 - 0x4000 pages): Out of memory
\`\`\`
Other damage to a gzip it passes on, after \`xc_dom_do_gunzip: inflate failed\`.

## Why

A full \`/boot\` is the usual cause: the file ends where the space did. Or the guest was destroyed before the file was
written out.

## What to do

Check the space (\`df -h /boot\`), remove old kernels, then make the image anew: \`update-initramfs -u -k all\`,
\`mkinitcpio -P\`, \`dracut --force\`.

## How domus knows

It unpacks the whole image, checksums included.
`,
  },
  "initramfs-version": {
    severity: "error",
    summary: `The initramfs carries modules for another kernel only, which this kernel does not load.`,
    page: `# initramfs-version

Severity: error, or warning when the drivers are built in

## What it means

The initramfs carries modules, but for another kernel version than the one that is started.

## What you see

\`\`\`
ALERT!  UUID=... does not exist.  Dropping to a shell!
\`\`\`

or \`ERROR: device 'UUID=...' not found\` (mkinitcpio), or \`dracut-initqueue timeout\`.

## Why

The kernel looks for its modules in \`/lib/modules\` under its own version. It finds no driver for the disk there, and
no disk appears. The kernel and the image belong to different versions: one of them was copied, renamed, or restored
alone.

## What to do

Give the image that belongs to the kernel, or make it: \`update-initramfs -c -k VERSION\`, \`mkinitcpio -P\`, \`dracut
--force --kver VERSION\`.

## How domus knows

The version comes from inside the kernel, not from its name; those of the modules from the directories in the image.
`,
  },
  "initramfs-xz-check": {
    severity: "error",
    summary: `The initramfs is an xz file with a checksum that the kernel's decoder does not know.`,
    page: `# initramfs-xz-check

Severity: error, or warning when the kernel needs no initramfs

## What it means

The initramfs is an xz file with a checksum that the kernel's decoder does not know.

## What you see

\`\`\`
Initramfs unpacking failed: Input was encoded with settings that are not supported by this XZ decoder
\`\`\`

## Why

The kernel's xz decoder knows CRC32 and no checksum at all; \`xz\` takes CRC64 unless it is told otherwise.

## What to do

Compress it with \`xz --check=crc32\`. The distributions' tools do so.

## How domus knows

From the stream header of the xz data.
`,
  },
  "initramfs-zstd-window": {
    severity: "error",
    summary: `The initramfs was compressed with a larger zstd window than the kernel takes, or has room for.`,
    page: `# initramfs-zstd-window

Severity: error, or warning when the kernel needs no initramfs

## What it means

The initramfs was compressed with a larger zstd window than the kernel takes, or has room for.

## What you see

\`\`\`
Initramfs unpacking failed: ZSTD-compressed data is probably corrupt
\`\`\`
or, when the guest's memory is smaller than the window:
\`\`\`
Initramfs unpacking failed: Out of memory while allocating ZSTD_DStream
\`\`\`

## Why

The kernel has 128 MiB for the window at most. \`zstd --long=28\` and more, and \`--ultra\` with large files, need a
larger one. It takes the memory for the window before anything is unpacked, in one piece: a window that fits the limit
(\`--long\` alone means 128 MiB) still fails in a guest that has less than that to spare.

## What to do

Compress it without \`--long\` and \`--ultra\`; \`zstd -19\` is fine. For a window of 128 MiB or less, more memory does, too.

## How domus knows

From the frame header of the zstd data, the memory in the config, and the size of the kernel in memory.
`,
  },
  "kernel-damaged": {
    severity: "error",
    summary: `The kernel file is cut off, damaged, too old, or no kernel at all.`,
    page: `# kernel-damaged

Severity: error

## What it means

The kernel file cannot be started by anybody: it is empty, cut off, damaged, no kernel at all, or (for PV and PVH) a
bzImage older than Xen can load.

## What you see

| what | message |
|---|---|
| empty file | \`zero length file\` |
| not a kernel | \`xc_dom_find_loader: no loader found\`, and nothing before it |
| bzImage older than 2.6.26 | \`boot protocol too old\` |
| cut off | \`payload length overflow\` |
| damaged | \`unable to ... decompress kernel\`, \`inflate failed (rc=-3)\` |

In an HVM guest GRUB loads the file, and the kernel stops while it unpacks itself.

## Why

The filesystem was full when the kernel was installed, the guest was destroyed before the file was written out, or a
copy into dom0 broke off.

## What to do

Install the kernel package again from a rescue system, after a look at the free space. Another kernel of the guest may
do until then.

## How domus knows

It reads the setup header, unpacks the payload as Xen does, and compares the unpacked size with the one that the file
states.
`,
  },
  "kernel-missing": {
    severity: "error",
    summary: `The kernel that the config or the loader names is not there.`,
    page: `# kernel-missing

Severity: error

## What it means

The kernel file that the config or the chosen menu entry names does not exist.

## What you see

| who loads it | message |
|---|---|
| pygrub | \`Error opening /boot/vmlinuz-... in guest\` |
| xl, \`kernel=\` | \`failed to open file '...': No such file or directory\` |
| GRUB in the guest | \`error: file '/boot/vmlinuz-...' not found.\` |

## Why

The kernel package was removed without the menu being written anew, or the kernel was installed while \`/boot\`, a
filesystem of its own, was not mounted (then the new kernel lies underneath it, in the root filesystem). With
\`kernel=\`, dom0 was upgraded and the old file removed.

## What to do

The text names other kernels that lie beside it. In the guest, install the kernel again, with \`/boot\` mounted, and
write the menu anew (\`update-grub\`). For one boot, choose another entry with \`xl create -c\`. With \`kernel=\`, correct
the path in the config.

## How domus knows

It looks the path up in the filesystem that the loader would read, symlinks included.
`,
  },
  "kernel-no-initramfs": {
    severity: "error",
    summary: `The kernel was built without support for an initramfs, and is given one.`,
    page: `# kernel-no-initramfs

Severity: error, or warning when the kernel needs none

## What it means

The kernel was built without support for an initramfs, and is given one. It ignores it.

## What you see

\`\`\`
VFS: Cannot open root device "UUID=..." or unknown-block(0,0): error -6
Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)
\`\`\`

## Why

CONFIG_BLK_DEV_INITRD is off. That is so in some kernels that were built by hand, and in no distribution's.

## What to do

Build the kernel with CONFIG_BLK_DEV_INITRD=y, or install the distribution's. Or give it all that it needs built in,
and a \`root=/dev/xvda1\`.

## How domus knows

From the build configuration: inside the kernel, or \`/boot/config-VERSION\`.
`,
  },
  "kernel-not-linux": {
    severity: "note",
    summary: `What Xen starts is not Linux but GRUB (pvgrub), a BSD or the like; domus does not follow it further.`,
    page: `# kernel-not-linux

Severity: note

## What it means

What Xen starts is not Linux: it is a BSD, a unikernel, or GRUB as a PV or PVH kernel (pvgrub) of which domus cannot tell what it leads to.
domus says what it can about how Xen loads it, and nothing about what happens then; the verdict is \`unknown\` at best.

## What you see

Nothing as such. With pvgrub, GRUB's menu appears on the guest's console.

## Why

With pvgrub the real kernel is chosen inside the guest, by a GRUB that reads the guest's disk. domus follows GRUB 2 (Debian's grub-xen-host) to
the guest's grub.cfg and judges what that starts; this finding is left for a disk on which nothing leads to a kernel, for a GRUB of the
guest's own that is started in between (\`/boot/xen/pvboot-*.elf\`), and for the old pv-grub, which is GRUB legacy.

## What to do

To have the guest's disk checked, make a copy of the config with \`bootloader="pygrub"\` in place of \`kernel=\`, and run
\`domus check\` on that. Findings about pygrub itself do not apply then.

## How domus knows

From the note GUEST_OS in the kernel, and from what grub-mkimage has put into GRUB.
`,
  },
  "kernel-not-pv": {
    severity: "error",
    summary: `The guest is PV, and its kernel cannot run as PV.`,
    page: `# kernel-not-pv

Severity: error

## What it means

The guest is PV (or PVH with the PV shim), and its kernel was not made to run as PV.

## What you see

\`\`\`
xc: error: panic: xg_dom_core.c: xc_dom_find_loader: no loader found
\`\`\`

Or, for a kernel that says that it runs as dom0 only: \`Kernel does not support unprivileged (DomU) operation\`. Whatever
else Xen dislikes about a kernel's notes, this is all that it prints.

## Why

A PV kernel says so in ELF notes: a loader "generic" or the system "linux", the ABI "xen-3.0", and an entry point for
PV. A kernel that was built without CONFIG_XEN_PV has none; 32-bit kernels have had no PV entry since Linux 5.9,
although they still carry other Xen notes. Unified kernel images are EFI programs, which Xen does not load.

## What to do

- If the kernel runs as PVH (domus says so): \`type="pvh"\` in the config. The host needs VT-x or SVM.
- A 32-bit guest: install a 64-bit kernel; it runs the 32-bit programs.
- Otherwise: HVM, or a kernel built with CONFIG_XEN_PV.

## How domus knows

It unpacks the kernel and reads its notes by the rules of Xen's own loader.
`,
  },
  "kernel-not-pvh": {
    severity: "error",
    summary: `The guest is PVH, and its kernel cannot run as PVH.`,
    page: `# kernel-not-pvh

Severity: error

## What it means

The guest is PVH, and its kernel was not made to run as PVH, or only on a newer Xen.

## What you see

A kernel with Xen notes that was built for PV only:

\`\`\`
xc: error: panic: ... xc_dom_guest_type: image not capable of booting inside a HVM container
\`\`\`

Any other bzImage, and an unpacked kernel (ELF) of 64 bits:

\`\`\`
xc: error: panic: xg_dom_core.c: xc_dom_find_loader: no loader found
xc: error: panic: ... xc_dom_parse_hvm_kernel: ELF image is not 32bit
\`\`\`

An unpacked kernel of 32 bits without Xen notes is started without a word, as if it were HVM firmware, and does nothing.

## Why

A PVH kernel has the ELF note PHYS32_ENTRY. Linux has it since 4.11, when built with CONFIG_PVH. Up to Xen 4.15 the
builder checked a PVH kernel's addresses as if it were PV, and so refused kernels built without PV; a few others wait for 4.18.

## What to do

If the kernel runs as PV (domus says so): \`type="pv"\`. Otherwise HVM, or a newer kernel of the distribution.

## How domus knows

It unpacks the kernel and reads its notes by the rules of Xen's own loader, those of the host's release.
`,
  },
  "kernel-packing": {
    severity: "error",
    summary: `The kernel is packed in a way that this Xen cannot unpack.`,
    page: `# kernel-packing

Severity: error, or warning when it depends on how Xen was built

## What it means

The kernel is packed with a compression that this Xen cannot unpack. For PV and PVH guests it is not the kernel that
unpacks itself: the domain builder in dom0 does it, and what it knows depends on its release and on the libraries that
it was built with.

## What you see

\`\`\`
xc: error: panic: xg_dom_bzimageloader.c: xc_dom_probe_bzimage_kernel: unknown compression format: Invalid kernel
\`\`\`

or \`unable to ZSTD decompress kernel\`, \`unable to LZO decompress kernel\` with \`decompress support unavailable\`, and,
before it, \`LZ4 decompression error: decoding failed\` or \`XZ decompression error: Memory usage limit reached\`.

## Why

| packing | Xen since | remarks |
|---|---|---|
| gzip | always | |
| bzip2, lzma | 4.0 | needs libbz2, liblzma; Debian's Xen has no bzip2 |
| lzo | 4.1 | needs liblzo2; Debian's Xen has none |
| xz | 4.2 | needs liblzma; with the dictionary of 128 MiB that Linux packs with since 6.12: 4.18.5, 4.19.2, 4.20, and Debian's 4.17.5 |
| lz4 | 4.4.0 | not 4.4.1 to 4.10, 4.11.0 to 4.11.3, 4.12.0 and 4.12.1: a bug takes all of them for damaged; the frame format never |
| zstd | 4.15 | needs libzstd |

Distributions change the packing of their kernels with new releases: Debian 13 and Ubuntu 22.04 use zstd. So a guest
that was upgraded may not boot on an old host, although nothing is wrong with either.

## What to do

- Every Xen takes the unpacked kernel: \`extract-vmlinux vmlinuz > vmlinux\` (the script comes with the kernel's
  headers), and \`kernel="vmlinux"\` in the config, with \`ramdisk=\` and \`cmdline=\` in place of \`bootloader=\`.
- Or boot an older kernel of the guest that is packed in another way.
- For good: a newer Xen in dom0.
- When it says "may": \`ldd /usr/lib/*/libxenguest.so.*\` shows whether libbz2 or liblzo2 is there.

## How domus knows

The packing is read from the kernel's payload, not guessed from its name. What Xen can unpack is known from its
release; the text says so, and says where that leaves a doubt.
`,
  },
  "kernel-width": {
    severity: "error",
    summary: `This Xen does not run guests of the kind (PV 32 or 64 bit, PVH, HVM) that the kernel or the config asks for.`,
    page: `# kernel-width

Severity: error

## What it means

This Xen does not run guests of the kind that is asked for: 32-bit PV, 64-bit PV, PVH or HVM.

## What you see

\`\`\`
xc: error: panic: ... guest type xen-3.0-x86_32p not supported by xen kernel, sorry
\`\`\`

## Why

| needed | in \`xl info\`, xen_caps | missing because |
|---|---|---|
| 64-bit PV | \`xen-3.0-x86_64\` | Xen was built without PV |
| 32-bit PV | \`xen-3.0-x86_32p\` | a build option since 4.14, off by default; also off at run time with CET or FRED |
| PVH | \`hvm-3.0-x86_32\` | no VT-x or SVM, or switched off in the firmware |
| HVM | any \`hvm-...\` | the same |

## What to do

- 32-bit PV: put the guest into the PV shim (\`type="pvh"\`, \`pvshim=1\`), or install a 64-bit kernel, or PVH if the
  kernel can.
- PVH or HVM: switch virtualization on in the host's firmware setup.

## How domus knows

From xen_caps as \`xl info\` prints it on this host; with \`--xen VERSION\` from what that release usually has, and the
text says so.
`,
  },
  "libc-tls": {
    severity: "warning",
    summary: `A 32-bit PV guest has /lib/tls and no C library made for Xen: it runs slowly.`,
    page: `# libc-tls

Severity: warning on a 32-bit Xen, note on others

## What it means

The guest is a 32-bit PV guest with thread libraries in \`/lib/tls\`, and has no C library that is made for Xen.

## What you see

On a 32-bit Xen the guest's kernel prints a banner at boot, \`Warning: 4gb seg fixup\`, and everything with threads is slow.

## Why

These libraries reach thread-local data through negative offsets in a segment. A 32-bit Xen keeps the top of the address space for itself, so each access traps and is emulated. A 64-bit Xen does not need that space.

## What to do

Install \`libc6-xen\` (Debian before 8), or move \`/lib/tls\` away: \`mv /lib/tls /lib/tls.disabled\`. An update of libc brings it back.

## How domus knows

From the directories in the guest's root filesystem, the width of its kernel, and xen_caps of the host.
`,
  },
  "lvm-metadata-damaged": {
    severity: "warning",
    summary: `A copy of the description of an LVM2 volume group is damaged.`,
    page: `# lvm-metadata-damaged

Severity: warning

## What it means

A copy of the description of an LVM2 volume group is damaged. The finding says whether another copy could be used.

## What you see

\`\`\`
WARNING: Metadata location on /dev/xvda2 at 4608 begins with invalid VG name.
WARNING: scanning /dev/xvda2 mda1 failed to read metadata summary.
\`\`\`

## Why

LVM keeps the description as text with a checksum, once or twice on every physical volume. One copy that is good is enough. If
none is, nobody can tell where the logical volumes lie; their data is untouched.

## What to do

With another copy: \`vgck --updatemetadata VG\` in the guest writes all of them anew.

Without: keep a copy of the disk before anything else. Older descriptions stay on the disk behind the last one: \`pvck --dump
metadata_search DEVICE\` lists them, with \`-f FILE\` it saves one, and \`vgcfgrestore -f FILE VG\` puts it back. The guest's own copies
are in its \`/etc/lvm/backup\` and \`/etc/lvm/archive\`, if those are not inside the group.

If the guest was running, look again when it is stopped: its disk changes under the reader.

## How domus knows

From the checksums of the metadata area's header and of the text, and from reading the text.
`,
  },
  "lvm-metadata-outdated": {
    severity: "note",
    summary: `The physical volumes of a group do not agree on what it looks like.`,
    page: `# lvm-metadata-outdated

Severity: note

## What it means

The physical volumes of a group do not agree on what it looks like. domus used the newest description, as LVM does.

## What you see

\`\`\`
WARNING: Inconsistent metadata found for VG vg0.
\`\`\`

## Why

A disk was not attached while the group was changed, or it is an older copy (a snapshot, a restored backup). In the second
case the data on it is older as well, and the logical volumes that lie on it are a mixture of two states.

## What to do

See whether the disks in the guest's config are the right ones, and of one age. If they are: \`vgck --updatemetadata VG\` in
the guest brings all copies up to date.

## How domus knows

From the sequence number (\`seqno\`) in each copy, which goes up with every change.
`,
  },
  "lvm-pv-duplicate": {
    severity: "warning",
    summary: `Two of the guest's disks or partitions are the same LVM2 physical volume.`,
    page: `# lvm-pv-duplicate

Severity: warning

## What it means

Two of the guest's disks or partitions are the same LVM2 physical volume: one is a copy of the other. domus used the
first.

## What you see

\`\`\`
WARNING: Not using device /dev/xvdb for PV En4gnF-3ooT-o6ZI-E8Sh-IqNN-I2Qo-JMjTO7.
Cannot activate LVs in VG vg0 while PVs appear on duplicate devices.
\`\`\`

## Why

A snapshot, clone or restored backup of a disk was attached beside the original. The ids are part of the copy. LVM cannot
tell which one is meant and refuses to activate the group, so a guest whose root is in it may not boot.

## What to do

Take one of the two out of \`disk=\` in the config. If both are wanted, give the copy ids of its own, where only the copy
is attached: \`vgimportclone DEVICE\`.

## How domus knows

From the uuid in the labels of the physical volumes.
`,
  },
  "lvm-pv-missing": {
    severity: "warning",
    summary: `A volume group on the guest's disks lacks physical volumes.`,
    page: `# lvm-pv-missing

Severity: warning

## What it means

A volume group on the guest's disks lacks physical volumes: none of the disks in the guest's config holds them. The
severity is \`note\` when no logical volume needs what is missing.

## What you see

\`\`\`
WARNING: Device for PV En4gnF-3ooT-o6ZI-E8Sh-IqNN-I2Qo-JMjTO7 not found or rejected by a filter.
Refusing activation of partial LV vg0/root.  Use '--activationmode partial' to override.
\`\`\`

## Why

A disk was taken out of the config, or a disk was added to the group in the running guest (\`xl block-attach\`) and never to the
config. A physical volume can also be marked as missing although it is there again: then LVM has changed the group without it
and does not trust what it holds.

Mirrors (RAID1) are activated without one of their legs; everything else that lies on a missing volume is not.

## What to do

Put the disk into \`disk=\` of the guest's config. In the running guest, \`pvs -o +uuid\` shows which disk has which id.

If the finding says that the volume is marked as missing, and nothing was written to the rest of the group meanwhile:
\`vgextend --restoremissing VG PV\`. If it is gone for good: \`vgreduce --removemissing VG\`, which removes what lay on it
only with \`--force\`.

## How domus knows

The group's metadata, which is on every physical volume, lists the ids of all of them; the labels on the guest's disks have the
ids of those that are there.
`,
  },
  "mbr-chain-damaged": {
    severity: "error",
    summary: `The chain of logical partitions (numbers from 5 on) breaks off.`,
    page: `# mbr-chain-damaged

Severity: error, or warning when the very first record is missing

## What it means

The chain of logical partitions (numbers from 5 on) breaks off: an extended boot record is not where the one before it says, cannot be
read, or there are more than Linux follows. When the first record is missing the extended partition may simply be empty.

## Why it matters

Linux stops at the same place. The guest does not find the partitions after it, nor what is mounted from them.

## What to do

If partitions are missing: work on a copy or a snapshot, search with \`testdisk\`, and write the table it finds. If there should be none,
delete the extended partition.
`,
  },
  "mbr-chain-loop": {
    severity: "warning",
    summary: `The chain of logical partitions (numbers from 5 on) leads back to a record that was already read.`,
    page: `# mbr-chain-loop

Severity: warning

## What it means

The chain of logical partitions (numbers from 5 on) leads back to a record that was already read. domus lists every partition once.

## Why it matters

Linux does not notice: it shows the same partitions again and again, up to number 255. Tools that search all partitions then find every
filesystem many times, and names such as \`xvda7\` may mean another partition than you think.

## What to do

With the guest stopped, write the table anew: \`sfdisk -d DISK > table\`, take the doubles out of \`table\`, \`sfdisk DISK < table\`.
`,
  },
  "md-degraded": {
    severity: "warning",
    summary: `A mirror (md RAID1) has fewer members on the guest's disks than it should.`,
    page: `# md-degraded

Severity: warning

## What it means

A mirror (md RAID1) has fewer members on the guest's disks than it should. domus read it from one that is up to date.

## What you see

\`[U_]\` in \`/proc/mdstat\`; at boot, some initramfs images wait for the missing member first:

\`\`\`
mdadm: /dev/md0 has been started with 1 drive (out of 2).
\`\`\`

## Why

A disk is not in the guest's config, or a member failed and was not replaced. Some mirrors are made with one member and
never get the second.

## What to do

See that every disk of the mirror is in \`disk=\` of the guest's config. In the guest, \`mdadm --detail /dev/md0\` shows what is
missing, and \`mdadm /dev/md0 --add DEVICE\` fills a replacement. If one member is all there will ever be: \`mdadm --grow
/dev/md0 --raid-devices=1 --force\`.

## How domus knows

From the superblock of the member with the most events: it says how many members there are, and which of them count.
`,
  },
  "md-member-stale": {
    severity: "warning",
    summary: `A disk or partition belongs to a mirror (md RAID1) but is not in use.`,
    page: `# md-member-stale

Severity: warning

## What it means

A disk or partition belongs to a mirror (md RAID1) but is not in use: it missed writes, failed, is a spare, or is still
being filled. domus did not read from it.

## What you see

\`\`\`
mdadm: /dev/xvdb1 has slot 1 and events 8, array has 10: not adding
md: kicking non-fresh xvdb1 from array!
\`\`\`

## Why

The member was away while the mirror went on without it: its disk was not attached, or had errors. What it holds is the
state of that moment. A tool that looks at this disk alone, pygrub among them, sees old files, perhaps an old kernel.

## What to do

In the guest: \`mdadm --detail ARRAY\`, then \`mdadm ARRAY --re-add DEVICE\`, or \`--add\` when that is refused. If the disk had
errors, replace it first.

## How domus knows

From the event counters of all members' superblocks, and from the roles that the newest of them lists. As in Linux, a
difference of one is no difference.
`,
  },
  "memory-too-small": {
    severity: "error",
    summary: `The guest has too little memory for its kernel and its initramfs.`,
    page: `# memory-too-small

Severity: error, or warning when it is close

## What it means

The guest has too little memory: either Xen cannot even put the kernel and the initramfs into it, or the kernel cannot
unpack the initramfs.

## What you see

While it is built:

\`\`\`
xc: error: panic: xg_dom_core.c: xc_dom_chk_alloc_pages: segment module0 too large (0x83fb > 0xa000 - 0x4c00 pages): Out of memory
xc: error: panic: ... count_pgtables: not enough memory for initial mapping (0x... > 0x...)
\`\`\`

In the guest: \`Out of memory and no killable processes\`, \`System is deadlocked on memory\`, or \`Initramfs unpacking
failed: write error\`.

## Why

Xen's builder lays out the kernel, the initramfs, the page tables and the list of memory pages. Up to Xen 4.19 it
inflates a gzip initramfs first, so that it counts with its unpacked size: three or four times as much. Then the
kernel needs room for itself, the image, and all that comes out of the image, at once. Without \`root=\` the files go to
a tmpfs, which takes half of the memory at most.

## What to do

Raise \`memory=\` to what the text says; \`xl mem-set\` gives the surplus back after the boot. Or make the initramfs
smaller: \`MODULES=dep\` (initramfs-tools), \`hostonly="yes"\` (dracut), the \`autodetect\` hook (mkinitcpio). On Xen up to
4.19 an image packed with zstd or xz instead of gzip needs much less, if the guest's kernel can unpack it.

## How domus knows

The first part is exact: domus lays out the pages as the builder does. The second part adds up sizes, and is an error
only when the kernel and the unpacked files alone are too much.
`,
  },
  "no-boot-entry": {
    severity: "error",
    summary: `Nothing in the guest's config, and nothing on its disks, says which kernel to start.`,
    page: `# no-boot-entry

Severity: error when nobody would look for a kernel, else warning

## What it means

There is no kernel to start: the config names none, and domus found no configuration of a boot loader on the guest's
disks.

## What you see

\`xl create\` fails because no kernel is given, or the bootloader that it runs finds none.

## Why

A PV or PVH guest does not boot from its disk by itself: its config needs \`kernel=\`, which names a file in dom0, or
\`bootloader=\`, a program in dom0 that fetches the kernel from the guest's disk. With neither it cannot start.

With a bootloader, or for HVM, the disk decides. When domus finds no configuration there, something else may: one that
it cannot read, on a volume that it cannot look into, or another system altogether. Then this is a warning and the
verdict is \`unknown\`. What pygrub finds or does not find domus knows: see [pygrub-blind](pygrub-blind.md).

## What to do

- Neither \`kernel=\` nor \`bootloader=\`: add one, in most cases \`bootloader="pygrub"\`.
- \`domus disk parts GUEST\` shows the partitions and what they hold.
- If the loader was never installed, or its configuration is lost: boot from a rescue system, mount the root,
  \`chroot\`, then \`update-grub\` (Debian, Ubuntu), \`grub-mkconfig -o /boot/grub/grub.cfg\` (Arch) or \`grub2-mkconfig -o
  /boot/grub2/grub.cfg\` (Fedora).

## How domus knows

It looks on every filesystem of every disk for the configuration of each boot loader that it knows; the text has what
came of it.
`,
  },
  "on-crash-evidence": {
    severity: "note",
    summary: `When this guest crashes, the evidence of why is thrown away.`,
    page: `# on-crash-evidence

Severity: note

## What it means

When this guest crashes, Xen destroys or restarts it at once, and what could have said why is gone.

## What you see

\`xl list\` shows the guest as gone, or as freshly started. The last lines of its console are kept only if xenconsoled
logs them.

## Why

\`on_crash=\` says what happens; without it xl takes \`destroy\`.

## What to do

- \`on_crash="preserve"\`: it stays, stopped, to be looked at (\`xl console\`, \`xl dump-core\`), until \`xl destroy\`.
- \`on_crash="coredump-restart"\`: its memory is written to \`/var/lib/xen/dump/NAME\` (as large as the guest's memory, over the dump of the crash before), then
  it restarts. xl does not make that directory: \`mkdir -p -m 700 /var/lib/xen/dump\`. When there is none, the log of xl
  (\`/var/log/xen/xl-NAME.log\`) says that the dump has failed, and nobody else does.
- To keep consoles: \`XENCONSOLED_TRACE=guest\` in \`/etc/default/xen\` or \`/etc/default/xencommons\`, then restart
  xenconsoled.

## How domus knows

From the config.
`,
  },
  "operation-cut-off": {
    severity: "warning",
    summary: `A command of domus that was changing this guest did not come to its end.`,
    page: `# operation-cut-off

Severity: warning

## What it means

A command of domus that was changing this guest did not come to its end.

## What you see

The guest may be paused, a half-written image may lie in its place, and nothing goes on.

## Why

The process was killed, or the host lost power.

## What to do

Nothing by hand: the next command that changes something looks at what is there, ends the work or takes it back, and says which. \`domus show GUEST\` says in which state the guest is.

## How domus knows

The line that the command wrote before it began is still there, and its process is not, or the host was started anew since.
`,
  },
  "operation-under-way": {
    severity: "note",
    summary: `domus is changing something about this guest at this moment.`,
    page: `# operation-under-way

Severity: note

## What it means

domus is changing something about this guest at this moment.

## What you see

Another command that changes the guest waits or is refused.

## Why

\`domus save\`, \`restore\`, \`start\` or another command has begun, and its process is still there.

## What to do

Let it end. Ctrl-C in its terminal takes it back where that can be done, and says in which state the guest is then.

## How domus knows

Each such command writes down what it does before it does it. The process is recognised by its number and the time of its start.
`,
  },
  "partition-bad-range": {
    severity: "warning",
    summary: `An entry of the GUID partition table ends before it begins, or lies further out than any disk can reach.`,
    page: `# partition-bad-range

Severity: warning

## What it means

An entry of the GUID partition table ends before it begins, or lies further out than any disk can reach. domus leaves it out.

## Why it matters

The checksums are right, so the entry was written that way, by a broken program or on purpose. What the partition held cannot be found.

## What to do

Look at the table with \`sgdisk -p DISK\`. With the guest stopped, delete the entry (\`sgdisk -d NUMBER DISK\`) or write the right one.
`,
  },
  "partition-number-limit": {
    severity: "warning",
    summary: `The partition table has entries with numbers above 255.`,
    page: `# partition-number-limit

Severity: warning

## What it means

The partition table has entries with numbers above 255. domus leaves them out.

## Why it matters

Linux makes devices for the numbers 1 to 255 only, so a guest cannot use the others either.

## What to do

With the guest stopped, move the entry to a free lower number: \`sgdisk -r 300:12 DISK\`. Look for \`PARTUUID=\` and device names that change.
`,
  },
  "partition-overlap": {
    severity: "warning",
    summary: `Two partitions of the table share sectors.`,
    page: `# partition-overlap

Severity: warning

## What it means

Two partitions of the table share sectors.

## Why it matters

Writing to one destroys data in the other. Usually only one of them is in use and the other is a leftover, or the table was restored
wrongly.

## What to do

1. See which of them has a filesystem that the guest mounts: \`domus disk tree GUEST\`, and the guest's \`/etc/fstab\`.
2. With the guest stopped, delete the other entry: \`sfdisk --delete DISK NUMBER\`. That removes the entry, not the data.
`,
  },
  "partition-past-end": {
    severity: "error",
    summary: `A partition ends, or even begins, after the end of the disk.`,
    page: `# partition-past-end

Severity: error

## What it means

A partition ends, or even begins, after the end of the disk. domus reads what is there.

## Why it matters

The disk was shrunk, or it is an incomplete copy of a larger one: data is missing. With a GPT, Linux leaves such a partition out. With an
MBR it cuts the partition off, and the filesystem in it then usually refuses to mount. If the root filesystem is in it, the guest
does not boot.

## What to do

1. Do not start the guest, and do not run fsck: it would "repair" what is only missing.
2. If a logical volume was shrunk and nothing else has used the space since, \`vgcfgrestore -f /etc/lvm/archive/FILE VG\` brings the old
   layout back with its data. \`lvextend\` alone gives the size, but not necessarily the same blocks.
3. Otherwise copy the disk again from the source or a backup.

If the partition is not in use, delete its entry.
`,
  },
  "pygrub-blind": {
    severity: "error",
    summary: `pygrub finds no kernel on this disk, whatever the guest's own loader would do.`,
    page: `# pygrub-blind

Severity: error

## What it means

The config says \`bootloader="pygrub"\`, and pygrub finds no kernel on the guest's first disk. It does not matter what
the guest's own GRUB would do: on this host, pygrub decides.

## What you see

\`\`\`
Unable to find partition containing kernel
libxl: error: ... bootloader failed - consult logfile /var/log/xen/bootloader.NN.log
\`\`\`

## Why

pygrub has filesystem readers and a configuration parser of its own, and both know less than GRUB. It does not see
logical partitions of an MBR, LVM, LUKS or md; it does not read btrfs, XFS of the current version, or ext4 with
bigalloc; it does not understand BLS entries (\`blscfg\`), unified kernel images, or a grub.cfg that leads to another.
It hides its reasons; domus lists them, one for each partition.

## What to do

- Let a real GRUB read the disk, inside the guest: \`kernel="/usr/lib/grub-xen/grub-x86_64-xen.bin"\` in place of
  \`bootloader=\` for PV, \`grub-i386-xen_pvh.bin\` for PVH (Debian: package grub-xen-host). It reads all that GRUB reads,
  but it has limits of its own for packed kernels.
- Or copy the kernel and the initramfs out (\`domus disk cp\`) and name them with \`kernel=\`, \`ramdisk=\`, \`cmdline=\`.
  They have to be copied again after each kernel update of the guest.
- Or give the guest a small ext4 \`/boot\` on a primary partition.

## How domus knows

It walks the disk as pygrub does, from the same sectors, with the same list of configuration files, and notes why each
step ends.
`,
  },
  "pygrub-entry": {
    severity: "warning",
    summary: `pygrub starts another entry than the guest's own loader configuration asks for.`,
    page: `# pygrub-entry

Severity: warning

## What it means

pygrub will start another menu entry than the guest's own loader configuration asks for: another kernel, another
initramfs or another command line.

## What you see

Nothing says so. The guest comes up with a kernel that nobody chose, often an older one.

## Why

pygrub reads the same grub.cfg with a parser of its own. It understands a number as the default only: a title, an id,
\`saved\`, and \`1>2\` all become entry 0. It counts the entries of submenus along with the others, and reads both
branches of every \`if\`.

## What to do

Make both agree. In the guest set \`GRUB_DEFAULT=0\` and \`GRUB_DISABLE_SUBMENU=y\` in \`/etc/default/grub\` and run
\`update-grub\`, so that the wanted kernel is the first entry for both. For a single boot, \`xl create -c\` shows pygrub's
menu.

The rest of the check is about what pygrub starts, since that is what will run.

## How domus knows

It evaluates grub.cfg twice: as GRUB does, and by pygrub's rules.
`,
  },
  "qcow2-marked-corrupt": {
    severity: "error",
    summary: `The qcow2 image has a mark in its header that says that its tables are wrong.`,
    page: `# qcow2-marked-corrupt

Severity: error

## What it means

The qcow2 image has a mark in its header that says that its tables are wrong. For a disk that the guest may only read, the
severity is \`warning\`.

## What you see

\`\`\`
Image is corrupt; cannot be opened read/write
\`\`\`

## Why

QEMU sets the mark when it is about to overwrite tables with data: after a full filesystem in dom0, two guests on one image, or
a fault of its own. From then on it opens the image for reading only.

## What to do

1. Keep a copy of the file.
2. With the guest stopped: \`qemu-img check IMAGE\` says what is wrong.
3. \`qemu-img check -r all IMAGE\` repairs what can be repaired and takes the mark away.
4. Check the filesystems inside (\`fsck\` from a rescue system): data may have been lost already.

## How domus knows

From bit 1 of the header's incompatible features.
`,
  },
  "ramdisk-missing": {
    severity: "error",
    summary: `The initramfs that the config or the loader names is not there.`,
    page: `# ramdisk-missing

Severity: error

## What it means

The initramfs that the config or the chosen menu entry names does not exist.

## What you see

As for a missing kernel: pygrub says \`Error opening ... in guest\`, GRUB \`error: file '...' not found.\`, and nothing is
started.

## Why

Making the image failed (a full \`/boot\` is the usual reason), or the menu is older than the files.

## What to do

In the guest, check the space (\`df -h /boot\`), then make the image: \`update-initramfs -c -k all\`, \`mkinitcpio -P\` or
\`dracut --regenerate-all\`; then \`update-grub\`. With \`ramdisk=\`, correct the path in the config.

## How domus knows

It looks the path up in the filesystem that the loader would read, symlinks included.
`,
  },
  "recent-change": {
    severity: "note",
    summary: `The package change in the guest that most likely brought the error.`,
    page: `# recent-change

Severity: note

## What it means

This is the change of packages in the guest that most likely brought the error beside it.

## What you see

Nothing: the change was made while the guest ran, often months ago, and waited for the next reboot.

## Why

Most boots fail because something was updated. The text says whether this very version is known to have changed a
default (then it is the cause), or whether it is only the last change that could have had to do with it (then it is
likely, not proven).

## What to do

\`domus history GUEST\` lists all changes, with the day and the command. Mending is told by the finding that this one
stands beside.

## How domus knows

From the logs of the guest's package manager: \`/var/log/pacman.log\`, \`/var/log/dpkg.log\` and
\`/var/log/apt/history.log\`, \`/var/log/yum.log\`, \`/var/log/dnf.rpm.log\`, \`/var/log/dnf5.log\`, \`/var/log/zypp/history\` or
\`/var/log/apk.log\`, the rotated ones included. Some of them are in local time without saying so; a day is as exact as it
gets. \`yum.log\` has no years: they are counted back from when the file was last written. apk before version 3 kept no log,
and the databases of rpm, yum and dnf are not read.
`,
  },
  "root-ambiguous": {
    severity: "warning",
    summary: `Two or more volumes answer to root=: clones or snapshots. Which one boots is chance.`,
    page: `# root-ambiguous

Severity: warning

## What it means

Two or more volumes of this guest answer to \`root=\`: they have the same UUID or label.

## What you see

Nothing. The guest comes up with one or the other, and which one may change from boot to boot.

## Why

A clone or a snapshot of a disk has the same UUIDs as the original. When it is attached to the same guest, for repair
or as a backup, both are there.

## What to do

Take the copy out of \`disk=\`; or, with the guest stopped, give it a UUID of its own: \`tune2fs -U random\`, \`xfs_admin
-U generate\`, \`btrfstune -u\`.

## How domus knows

It compares the ids of all volumes on all disks. The devices of one btrfs share their UUID and are not meant.
`,
  },
  "root-device-name": {
    severity: "error",
    summary: `root= names a disk as on real hardware (/dev/sda1), but a PV or PVH guest calls it xvda.`,
    page: `# root-device-name

Severity: error

## What it means

\`root=\` names a disk as on real hardware (\`/dev/sda1\`, \`/dev/hda1\`), but a PV or PVH guest has no such device.

## What you see

\`\`\`
ALERT!  /dev/sda1 does not exist.  Dropping to a shell!
VFS: Cannot open root device "sda1" or unknown-block(0,0): error -6
\`\`\`

## Why

The Xen disk driver names all disks \`xvd\`, whatever \`vdev=\` in the config says: \`sda\` and \`hda\` there become \`xvda\`.
(The kernels of the Xen 3 days did as they were told; this finding is not made for them.)

## What to do

Use the filesystem's UUID, or the \`xvd\` name, in \`root=\` and in \`/etc/fstab\`; then \`update-grub\`.

## How domus knows

From the command line, the type of the guest and the version of the kernel.
`,
  },
  "root-fstab": {
    severity: "warning",
    summary: `root= and the guest's own /etc/fstab name different roots.`,
    page: `# root-fstab

Severity: warning

## What it means

The kernel's command line and the guest's own \`/etc/fstab\` name different root filesystems.

## What you see

The guest boots from one and checks, or remounts, the other. With a name that leads nowhere systemd waits 90 seconds, and the boot may end in emergency mode.

## Why

The guest is a copy, or was restored, and only one half was changed to the new UUID; or two disks of the guest have a system on them.

## What to do

Make both say the same. \`root=\` is most likely right, as it is what the kernel mounts; \`blkid\` in the guest shows the UUIDs. Then \`update-grub\`, so that the menu agrees, too.

## How domus knows

From the last \`root=\` and the first line for \`/\` in \`/etc/fstab\` of the root that was found. Both names are looked up on the guest's disks: a UUID and a device that mean the same are the same.
`,
  },
  "root-missing": {
    severity: "error",
    summary: `There is no root= on the kernel's command line.`,
    page: `# root-missing

Severity: error, or warning when the initramfs may find the root by itself

## What it means

There is no \`root=\` on the kernel's command line.

## What you see

| generator | message |
|---|---|
| none | \`VFS: Unable to mount root fs on unknown-block(0,0)\` |
| initramfs-tools | \`No root device specified. Boot arguments must include a root= parameter.\` |

## Why

With \`kernel=\` in the config it is easily forgotten: then only \`cmdline=\` (or \`root=\` and \`extra=\`) says what the root
is. Some images find their root by themselves, and installers and live systems need none; domus cannot always see
that.

## What to do

Add it: \`root="/dev/xvda1 ro"\` or \`cmdline="root=UUID=... ro"\` in the config, or in the guest's \`/etc/default/grub\`.
The text lists what could be meant.

## How domus knows

From the command line that the kernel will get, and from settings inside the image (dracut's \`etc/cmdline.d\`).
`,
  },
  "root-no-init": {
    severity: "warning",
    summary: `The root filesystem has no init that domus knows: it is another filesystem, or the restore was not complete.`,
    page: `# root-no-init

Severity: warning

## What it means

The root filesystem has none of the programs that a kernel starts as its first: no \`/sbin/init\`, no systemd, no shell.
Unless they are on a filesystem of their own, the boot ends there.

## What you see

\`\`\`
Kernel panic - not syncing: No working init found.  Try passing init= option to kernel.
\`\`\`

or, from initramfs-tools, \`No init found. Try passing init= bootarg.\`

## Why

\`root=\` names another filesystem (\`/boot\`, \`/home\`), or a restore was not complete. With a \`/usr\` of its own, which
the initramfs mounts, all is well; domus cannot tell, so the verdict is \`unknown\`.

## What to do

\`domus disk ls GUEST\` shows what is on it. If it is the wrong filesystem, correct \`root=\`.

## How domus knows

It looks for these files, symlinks included; on btrfs in the subvolume that \`rootflags=\` names, or else in the default
one, which the kernel would mount. With \`init=\` on the command line it says nothing.
`,
  },
  "root-no-subvolume": {
    severity: "error",
    summary: `The subvolume that rootflags= names is not in the root filesystem.`,
    page: `# root-no-subvolume

Severity: error

## What it means

The root filesystem is btrfs, and \`rootflags=\` on the kernel's command line names a subvolume that is not in it.

## What you see

\`\`\`
mount: mounting /dev/xvda1 on /root failed: No such file or directory
\`\`\`

and a shell of the initramfs. Without an initramfs: \`VFS: Unable to mount root fs\`.

## Why

\`rootflags=subvol=NAME\` is the path of a subvolume from the top level of the filesystem, \`subvolid=N\` its id. A subvolume that was
renamed, deleted or restored from a snapshot has another one. The kernel does not fall back to the default subvolume.

## What to do

For one boot, edit the entry in the loader's menu (\`xl create -c\`). For good: mount the right subvolume as \`/\` and run \`update-grub\`
or \`grub2-mkconfig\`, which write \`rootflags=\` for what is mounted. \`btrfs subvolume list /\` shows the names and ids; \`mv\` renames a
subvolume.

## How domus knows

It looks the name or the id up in the filesystem, from its top level, as mount does.
`,
  },
  "root-not-a-filesystem": {
    severity: "error",
    summary: `What root= names is there, but is no filesystem: a whole disk with partitions, swap, something encrypted.`,
    page: `# root-not-a-filesystem

Severity: error, or warning when domus cannot look into it

## What it means

What \`root=\` names is there, but it holds no filesystem that could be mounted.

## What you see

\`\`\`
VFS: Cannot open root device "xvda" or unknown-block(202,0)
Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(202,0)
\`\`\`

## Why

\`root=\` names the whole disk instead of a partition, or the partition numbers changed and it is swap now. When it is
encrypted, or in a format that domus does not know, the initramfs may be able to open it; then this is a warning and
the verdict is \`unknown\`.

## What to do

Use the root filesystem's UUID: names and numbers change, UUIDs do not.

## How domus knows

From what domus found on that volume.
`,
  },
  "root-not-found": {
    severity: "error",
    summary: `Nothing on the guest's disks is what root= names.`,
    page: `# root-not-found

Severity: error when all disks were read, else note

## What it means

Nothing on the guest's disks is what \`root=\` names.

## What you see

\`\`\`
ALERT!  UUID=... does not exist.  Dropping to a shell!
\`\`\`

or \`ERROR: device 'UUID=...' not found\` (mkinitcpio), or \`dracut-initqueue timeout\` and \`Warning:
/dev/disk/by-uuid/... does not exist\` (dracut).

## Why

The filesystem was made anew (a new UUID), the guest was copied from another and its menu not changed, a volume was
renamed, or a disk is missing in the config.

## What to do

The text lists what is there. Change \`root=\` where the menu comes from (\`/etc/default/grub\`, \`/etc/fstab\`), then
\`update-grub\` in a chroot from a rescue system; or overrule it in the config: what \`root=\` or \`cmdline=\` say there
comes last, and the kernel takes the last, when pygrub starts the guest.

## How domus knows

It looks up UUIDs, labels, partition ids and device names on all volumes of all disks. When one of them could not be
looked into (LVM, LUKS, a disk of unknown format), or when only the running guest knows such a name, it is a note and
the verdict is \`unknown\`.
`,
  },
  "swap-shared": {
    severity: "warning",
    summary: `Two guests swap to the same disk.`,
    page: `# swap-shared

Severity: warning

## What it means

Two guests have the same disk as swap space.

## What you see

For a block device the second guest does not start. For an image file both do; then programs crash in ways that nobody can explain.

## Why

A copied config. Each guest takes the swap space for its own and overwrites what the other has put there.

## What to do

Give each guest swap of its own (\`lvcreate\`, \`mkswap\`). What is in it need not be copied.

## How domus knows

From the configs in /etc/xen and /etc/xen/auto, and the swap signature on the disk.
`,
  },
  "volumes-limit": {
    severity: "warning",
    summary: `The metadata on the guest's disks describes more logical volumes than domus looks at (1024).`,
    page: `# volumes-limit

Severity: warning

## What it means

The metadata on the guest's disks describes more logical volumes than domus looks at (1024). It did not look at the rest.

## What you see

Nothing in the guest.

## Why

Guests have a handful of volumes. Metadata that describes thousands is damaged, or was made to waste the time of whoever
reads it.

## What to do

Compare with \`lvs\` in the running guest. If it has that many, report it: then the limit is too low.

## How domus knows

By counting.
`,
  },
  "xfs-log-damaged": {
    severity: "error",
    summary: `The log of an XFS filesystem is damaged, and Linux does not mount the filesystem as it is.`,
    page: `# xfs-log-damaged

Severity: error

## What it means

The log of an XFS filesystem is damaged, and Linux does not mount the filesystem as it is.

## What you see

When the guest boots from it: \`XFS (xvda1): log mount/recovery failed: error -117\` or \`error -74\`, or \`failed to find log
head\`, then an initramfs shell or \`VFS: Unable to mount root fs\`.

## Why

The newest changes are in the log until they are written to their places; after a crash Linux replays it first, and refuses to go
on when it contradicts itself. A record that a power cut left half written is not damage in this sense: Linux and
domus leave it out. Causes are a failing disk, a volume that was written to from two sides at once (mounted in dom0 while the guest
ran), or a copy that was made while the guest ran.

## What to do

1. Make sure that it is no copy made from a running guest: then make a new one, with the guest stopped or from a snapshot.
2. Stop the guest, and take a snapshot or a copy of the volume.
3. Run \`xfs_repair\` on the volume. It refuses while the log holds changes.
4. \`xfs_repair -L\` drops the log, and with it the newest changes; files that were being changed can be damaged or
   land in \`lost+found\`. Compare with a backup.

## How domus knows

From the records of the log: their checksums, and that what they say makes sense. What domus shows is the filesystem without
the log. It does not trust the free-space trees: a copy has all of the bytes.
`,
  },
  "xfs-log-elsewhere": {
    severity: "warning",
    summary: `The log of an XFS filesystem is on another device.`,
    page: `# xfs-log-elsewhere

Severity: warning

## What it means

The log of an XFS filesystem is on another device. domus does not see whether it holds changes that are not yet in the
filesystem.

## What you see

Nothing in the guest, as long as it mounts the filesystem with \`logdev=\`. Without that option, or without the device, the mount
fails: \`XFS (xvda1): filesystem is marked as having an external log; specify logdev on the mount command line.\`

## Why

The filesystem was made with \`mkfs.xfs -l logdev=\`. domus looks at one device at a time.

## What to do

Shut the guest down properly, so that the log is empty, and look again: then what domus shows is all there is, although it cannot
tell. Copy or move both devices together, with the guest stopped.

## How domus knows

\`sb_logstart\` in the superblock is 0.
`,
  },
  "xfs-log-not-replayed": {
    severity: "warning",
    summary: `The newest changes to an XFS filesystem are in a log that domus does not replay, so what it shows is a little old.`,
    page: `# xfs-log-not-replayed

Severity: warning

## What it means

The newest changes to an XFS filesystem are in a log that domus does not replay, so what it shows is a little old.

## What you see

Nothing in the guest. Here, files can be missing or have older contents, and what is shown can contradict itself. A
kernel that was installed a moment before the guest was stopped hard may not be seen.

## Why

The filesystem was not unmounted: the guest runs, or was destroyed, or crashed. domus replays most logs in memory; this one
uses something that it does not know, such as a feature of a newer kernel, or was written by a big-endian machine.

## What to do

Shut the guest down properly, or let it boot once, and look again. If it cannot boot, mount a copy or a snapshot of
the volume in a rescue system, which replays the log, and look at that.

domus does not trust the free-space trees meanwhile. A copy has all of the bytes of the volume, also those of free space.

## How domus knows

From \`sb_features_log_incompat\` in the superblock and from the records of the log. \`why\` in the finding has the part that is
not known.
`,
  },
  "xfs-log-unfinished": {
    severity: "warning",
    summary: `The log of an XFS filesystem says that blocks were about to be moved into or out of files, and not that it was done.`,
    page: `# xfs-log-unfinished

Severity: warning

## What it means

The log of an XFS filesystem says that blocks were about to be moved into or out of files, and not that it was done. Linux
does that when it mounts the filesystem; domus does not.

## What you see

Nothing in the guest. Here, a file that was being cloned, deduplicated or written to while it shared blocks with another one can
have old contents in the part concerned.

## Why

Such changes take several steps. Each is in the log by itself, with a note of what is still to come ("intent"); the guest was
stopped hard between two of them.

## What to do

Let the guest boot once, shut it down properly, and look again. Nothing is damaged.

## How domus knows

From intents to change a file's map (BUI) or to exchange the contents of two files (XMI) in the log, without the item that
says they are done.
`,
  },
  "xfs-needs-repair": {
    severity: "error",
    summary: `An XFS filesystem is marked as in need of repair.`,
    page: `# xfs-needs-repair

Severity: error

## What it means

An XFS filesystem is marked as in need of repair. Linux does not mount it.

## What you see

When the guest boots from it: \`XFS (xvda1): Filesystem needs repair. Please run xfs_repair.\`, then an initramfs shell or
\`VFS: Unable to mount root fs\`.

## Why

\`xfs_admin\` sets the mark (feature \`needsrepair\`) before it adds a feature, and \`xfs_repair\` before it rebuilds things.
Both take it away at the end. It is still there because the work was cut off.

## What to do

1. Stop the guest, and take a snapshot or a copy of the volume.
2. Run \`xfs_repair\` on the volume. It takes the mark away.

## How domus knows

From the feature word \`sb_features_incompat\` in the superblock. Files are shown as far as they can be read.
`,
  },
  "xfs-unknown-feature": {
    severity: "note",
    summary: `An XFS filesystem has a feature bit that domus does not know, of the two kinds that do not change how files are read.`,
    page: `# xfs-unknown-feature

Severity: note

## What it means

An XFS filesystem has a feature bit that domus does not know, of the two kinds that do not change how files are read.

## What you see

Nothing. The guest mounts it if its own kernel knows the feature.

## Why

Features are sorted into words of the superblock. A reader may ignore unknown bits of two of them: \`compat\`, which nobody
has to know, and \`ro_compat\`, which those who write must know. An unknown bit of \`incompat\` makes domus refuse the
filesystem instead. The filesystem was made by a newer mkfs.xfs than domus knows.

## What to do

Nothing. A kernel that does not know a \`ro_compat\` feature mounts the filesystem only with \`-o ro\`: if the guest shall
boot an older kernel, compare with \`xfs_info\` what that one supports.

domus does not trust the free-space trees of a filesystem with an unknown \`ro_compat\` feature. Then a copy has all of its
bytes, also those of free space.

## How domus knows

From \`sb_features_compat\` and \`sb_features_ro_compat\` in the superblock.
`,
  },
};
