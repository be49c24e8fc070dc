/** How a guest is started, in the terms that several rules need. */
import { contains } from "../base/where.ts";
import type { Where } from "../base/where.ts";
import type { InitramfsFacts, InitramfsSegment } from "../boot/initramfs/initramfs-facts.ts";
import { compareKernelVersions } from "../boot/kernel/version.ts";
import { xenRelease } from "../xen/host-facts.ts";
import type { HostFacts } from "../xen/host-facts.ts";
import type { GuestFacts, NeededFile, PlannedBoot, VolumeFacts } from "./facts.ts";

/**
 * PV and PVH: Xen's domain builder in dom0 unpacks the kernel. A loader inside the guest does it in HVM guests, and where
 * what Xen builds is GRUB.
 */
export function isBuiltByXen({ config, boot }: GuestFacts): boolean {
  return (config.type === "pv" || config.type === "pvh") && !boot?.chain;
}

/** What the kernel has to be able to do. With pvshim, a PV kernel runs inside a PVH domain. */
export function kernelRole(facts: GuestFacts): "pv" | "pvh" | "hvm" {
  return isInShim(facts) ? "pv" : facts.config.type;
}

export function isInShim({ config }: GuestFacts): boolean {
  return config.type === "pvh" && config.pvshim;
}

/**
 * True when the kernel says itself that it is no Linux (GRUB for PV guests, a BSD, a unikernel), and when nothing is
 * known but that the firmware finds something to start (Windows).
 */
export function isOtherKernel({ boot }: GuestFacts): boolean {
  if (boot?.loader === "hvm-disk" || boot?.grubSaid !== undefined) return true;
  const guestOs = boot?.kernel?.xen?.guestOs;
  return guestOs !== undefined && guestOs !== "" && !/^linux/i.test(guestOs);
}

/** With kernel= and no bootloader= the boot files are dom0's. */
export function filesAreInDom0({ config, boot }: GuestFacts): boolean {
  return boot?.loader === "direct" && !config.bootloader;
}

/** `Xen 4.14` */
export function xenText({ version }: HostFacts): string {
  return `Xen ${xenRelease(version)}`;
}

/** False when either is unknown. */
export function isKernelAtLeast(boot: PlannedBoot, version: string): boolean {
  const own = boot.kernel?.version;
  return own !== undefined && compareKernelVersions(own, version) >= 0;
}

/** False when either is unknown. */
export function isKernelBefore(boot: PlannedBoot, version: string): boolean {
  const own = boot.kernel?.version;
  return own !== undefined && compareKernelVersions(own, version) < 0;
}

function kernelFile(boot: PlannedBoot): NeededFile | undefined {
  return boot.files.find((file) => file.role === "kernel");
}

export function kernelWhere(boot: PlannedBoot): Where {
  return kernelFile(boot)?.where ?? boot.source;
}

/** `the kernel 4.11.7-1-ARCH (/boot/vmlinuz-linux)` */
export function kernelText(boot: PlannedBoot): string {
  const path = boot.kernel?.path ?? kernelFile(boot)?.path ?? "(unknown)";
  const version = boot.kernel?.version;
  return version === undefined ? `the kernel ${path}` : `the kernel ${version} (${path})`;
}

export function imageWhere(boot: PlannedBoot, image: InitramfsFacts): Where {
  const file = boot.files.find((one) => one.role === "ramdisk" && one.path === image.path);
  return file?.where ?? [...boot.source, image.path];
}

export type PlacedSegment = {
  readonly image: InitramfsFacts;
  readonly segment: InitramfsSegment;
  readonly index: number;
  readonly where: Where;
};

/** Every archive in every image but the early ones, which the kernel reads by itself, never packed. */
export function mainSegments(boot: PlannedBoot): PlacedSegment[] {
  return boot.initramfs.flatMap((image) =>
    image.segments.flatMap((segment, index) =>
      segment.early ? [] : [{ image, segment, index, where: imageWhere(boot, image) }],
    ),
  );
}

/**
 * Xen up to 4.19 inflates an initramfs that begins with gzip before the guest starts: that part never meets the
 * kernel's own decompressor.
 */
export function isInflatedByXen(facts: GuestFacts, { image, index }: PlacedSegment): boolean {
  return (
    facts.host.inflatesRamdisk &&
    isBuiltByXen(facts) &&
    image === facts.boot?.initramfs[0] &&
    index === 0 &&
    image.segments[0]?.compression === "gzip"
  );
}

/** Whether all that the kernel will find in its initramfs is known, so that an absence is proven. */
export function isInitramfsComplete(boot: PlannedBoot): boolean {
  const files = boot.files.filter((file) => file.role === "ramdisk");
  return (
    files.every((file) => file.state === "read") &&
    files.length === boot.initramfs.length &&
    boot.initramfs.every(
      (image) =>
        image.failure === undefined &&
        image.junkAt === undefined &&
        image.segments.length > 0 &&
        image.segments.every((segment) => segment.failure === undefined),
    )
  );
}

export function hasRamdisk(boot: PlannedBoot): boolean {
  return boot.files.some((file) => file.role === "ramdisk") || boot.initramfs.length > 0;
}

/** The volume that root= was found to be; undefined when it was not found. */
export function rootVolume({ boot, disks }: GuestFacts): VolumeFacts | undefined {
  const where = boot?.root?.where;
  if (!where) return undefined;
  return disks
    .flatMap((disk) => disk.volumes)
    .find((volume) => volume.where.length === where.length && contains(volume.where, where));
}
