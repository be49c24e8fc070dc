/** All rules, each list in the order in which a boot would hit what they are about. */
import type { Rule } from "./rule.ts";
import { bridgeMissing } from "./rules/bridge-missing.ts";
import { bootFileUnreadable } from "./rules/boot-file-unreadable.ts";
import { commandLineTooLong } from "./rules/command-line-too-long.ts";
import { consoleMissing } from "./rules/console-missing.ts";
import { diskMissing } from "./rules/disk-missing.ts";
import { diskMounted } from "./rules/disk-mounted.ts";
import { diskReadOnly } from "./rules/disk-read-only.ts";
import { diskShared } from "./rules/disk-shared.ts";
import { diskUnknownFormat } from "./rules/disk-unknown-format.ts";
import { diskUnfinished } from "./rules/disk-unfinished.ts";
import { diskUnreadable } from "./rules/disk-unreadable.ts";
import { duplicateMac } from "./rules/duplicate-mac.ts";
import { duplicateName } from "./rules/duplicate-name.ts";
import { duplicateUuid } from "./rules/duplicate-uuid.ts";
import { filesystemDirty } from "./rules/filesystem-dirty.ts";
import { grubCannotLoad } from "./rules/grub-cannot-load.ts";
import { hvmNoBootCode } from "./rules/hvm-no-boot-code.ts";
import { hvmNoEfiLoader } from "./rules/hvm-no-efi-loader.ts";
import { initramfsCompression } from "./rules/initramfs-compression.ts";
import { initramfsCpio } from "./rules/initramfs-cpio.ts";
import { initramfsGzipMembers } from "./rules/initramfs-gzip-members.ts";
import { initramfsJunk } from "./rules/initramfs-junk.ts";
import { initramfsLz4Frame } from "./rules/initramfs-lz4-frame.ts";
import { initramfsMissing } from "./rules/initramfs-missing.ts";
import { initramfsNoBlkfront } from "./rules/initramfs-no-blkfront.ts";
import { initramfsNoInit } from "./rules/initramfs-no-init.ts";
import { initramfsNoLvm } from "./rules/initramfs-no-lvm.ts";
import { initramfsNoMdadm } from "./rules/initramfs-no-mdadm.ts";
import { initramfsNoVolumeDriver } from "./rules/initramfs-no-volume-driver.ts";
import { initramfsNoRootFs } from "./rules/initramfs-no-root-fs.ts";
import { initramfsTruncated } from "./rules/initramfs-truncated.ts";
import { initramfsVersion } from "./rules/initramfs-version.ts";
import { initramfsXzCheck } from "./rules/initramfs-xz-check.ts";
import { initramfsZstdWindow } from "./rules/initramfs-zstd-window.ts";
import { kernelDamaged } from "./rules/kernel-damaged.ts";
import { kernelMissing } from "./rules/kernel-missing.ts";
import { kernelNoInitramfs } from "./rules/kernel-no-initramfs.ts";
import { kernelNotLinux } from "./rules/kernel-not-linux.ts";
import { kernelNotPv } from "./rules/kernel-not-pv.ts";
import { kernelNotPvh } from "./rules/kernel-not-pvh.ts";
import { kernelPacking } from "./rules/kernel-packing.ts";
import { kernelWidth } from "./rules/kernel-width.ts";
import { libcTls } from "./rules/libc-tls.ts";
import { memoryTooSmall } from "./rules/memory-too-small.ts";
import { noBootEntry } from "./rules/no-boot-entry.ts";
import { onCrashEvidence } from "./rules/on-crash-evidence.ts";
import { pygrubBlind } from "./rules/pygrub-blind.ts";
import { pygrubEntry } from "./rules/pygrub-entry.ts";
import { ramdiskMissing } from "./rules/ramdisk-missing.ts";
import { rootAmbiguous } from "./rules/root-ambiguous.ts";
import { rootDeviceName } from "./rules/root-device-name.ts";
import { rootFstab } from "./rules/root-fstab.ts";
import { rootMissing } from "./rules/root-missing.ts";
import { rootNoSubvolume } from "./rules/root-no-subvolume.ts";
import { rootNoInit } from "./rules/root-no-init.ts";
import { rootNotAFilesystem } from "./rules/root-not-a-filesystem.ts";
import { rootNotFound } from "./rules/root-not-found.ts";
import { swapShared } from "./rules/swap-shared.ts";

/** About what happens before the kernel runs, whatever kernel it is. */
export const HOST_RULES: readonly Rule[] = [
  duplicateName,
  duplicateUuid,
  diskMissing,
  diskUnfinished,
  diskMounted,
  diskReadOnly,
  diskShared,
  swapShared,
  bridgeMissing,
  duplicateMac,
  diskUnreadable,
  diskUnknownFormat,
  filesystemDirty,
  noBootEntry,
  hvmNoBootCode,
  hvmNoEfiLoader,
  pygrubBlind,
  pygrubEntry,
  kernelMissing,
  ramdiskMissing,
  bootFileUnreadable,
  kernelDamaged,
  kernelPacking,
  kernelNotPv,
  kernelNotPvh,
  kernelNotLinux,
  grubCannotLoad,
  kernelWidth,
  memoryTooSmall,
  onCrashEvidence,
];

/** About what Xen's domain builder makes of the file that it is given. */
export const BUILDER_RULES: readonly Rule[] = [
  kernelMissing,
  bootFileUnreadable,
  kernelDamaged,
  kernelPacking,
  kernelNotPv,
  kernelNotPvh,
  kernelWidth,
  memoryTooSmall,
];

/** About what Linux then does with its command line, initramfs and root. */
export const LINUX_RULES: readonly Rule[] = [
  commandLineTooLong,
  consoleMissing,
  kernelNoInitramfs,
  initramfsMissing,
  initramfsGzipMembers,
  initramfsCompression,
  initramfsLz4Frame,
  initramfsXzCheck,
  initramfsZstdWindow,
  initramfsCpio,
  initramfsTruncated,
  initramfsJunk,
  initramfsNoInit,
  initramfsVersion,
  initramfsNoBlkfront,
  initramfsNoLvm,
  initramfsNoMdadm,
  initramfsNoVolumeDriver,
  initramfsNoRootFs,
  rootMissing,
  rootDeviceName,
  rootNotFound,
  rootAmbiguous,
  rootNotAFilesystem,
  rootFstab,
  rootNoSubvolume,
  rootNoInit,
  libcTls,
];

export const RULES: readonly Rule[] = [...HOST_RULES, ...LINUX_RULES];
