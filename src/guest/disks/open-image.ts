/** From a disk's device or file in dom0 and its `format=` to the bytes that the guest sees. */
import type { Finding } from "../../base/finding.ts";
import { attempt } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import { cachedSource } from "../../disk/cache.ts";
import type { Volume } from "../../disk/content.ts";
import { openImage, sniffImage } from "../../disk/image/formats.ts";
import type { ImageFormat, SniffedFormat } from "../../disk/image/formats.ts";
import type { DiskImage, ImageOptions } from "../../disk/image/image.ts";
import type { BlockDevice, ByteSource } from "../../disk/source.ts";
import type { DiskSpec } from "../../xen/disk-spec.ts";

export function isImageFormat(format: DiskSpec["format"]): format is ImageFormat {
  return format === "qcow2" || format === "vhd";
}

/**
 * The disk in `device`. Without `openBacking`, backing files and parents are not opened: what an image names could be any
 * file of dom0, and the image may have come from the guest's owner.
 */
export async function openDiskImage(
  device: BlockDevice,
  spec: DiskSpec,
  options: Pick<ImageOptions, "openBacking" | "signal"> = {},
): Promise<DiskImage> {
  const where = [spec.vdev];
  const { format } = spec;
  if (!isImageFormat(format)) return { source: named(device, where), findings: [] };
  const file = cachedSource(named(device, [...where, format]));
  const { source, findings } = await openImage(format, file, { where, ...options });
  // QEMU minds only where it has to write.
  const severity = spec.readonly ? "warning" : "error";
  return { source, findings: findings.map((finding) => ({ ...finding, severity })) };
}

/** The device's bytes under another name: failures name the disk as the guest's config does. */
function named(device: BlockDevice, where: Where): ByteSource {
  return {
    size: device.size,
    where,
    read: (offset, length, signal, into) => device.read(offset, length, signal, into),
  };
}

/** Where a disk is given to the guest raw, and is an image; `volume` is what was found on it. */
export async function imageAsRaw(
  { vdev, format }: DiskSpec,
  volume: Volume,
  signal?: AbortSignal,
): Promise<Finding[]> {
  // A disk that is good as it is may begin with anything.
  if (format !== "raw" || volume.content.kind !== "unknown") return [];
  const sniffed = await attempt(() => sniffImage(volume.source, signal));
  if (!sniffed.ok || sniffed.value === undefined) return [];
  const found = sniffed.value;
  const known = found === "qcow2" || found === "vhd" ? found : undefined;
  return [
    {
      code: "disk-format-mismatch",
      severity: "error",
      where: [vdev],
      what: `The disk ${vdev} is a ${found} image, and the config gives it to the guest raw.`,
      why: "The guest sees the image's tables where its disk should be: no partitions, no filesystem.",
      next: `If you made it as a ${found} image, ${known ? `say so in disk=: format=${known}` : "convert it: qemu-img convert -O raw IMAGE COPY"}. If it was made as a raw disk, the guest wrote this: leave the format as it is, for an image can make QEMU open other files of this host.`,
    },
  ];
}

const REFUSAL: Readonly<Record<ImageFormat, string>> = {
  qcow2: "Image is not in qcow2 format",
  vhd: "invalid VPC image",
};

/** Where the config says that a disk is an image, and it is none of that format. */
export async function rawAsImage(
  device: BlockDevice,
  { vdev, format }: DiskSpec,
  signal?: AbortSignal,
): Promise<Finding[]> {
  if (!isImageFormat(format)) return [];
  const sniffed = await attempt(() => sniffImage(device, signal));
  if (!sniffed.ok || sniffed.value === format) return [];
  const found: SniffedFormat | "raw" = sniffed.value ?? "raw";
  return [
    {
      code: "disk-format-mismatch",
      severity: "error",
      where: [vdev],
      what: `The config says that the disk ${vdev} is a ${format} image, but it is ${found === "raw" ? "none" : `a ${found} image`}.`,
      why: `QEMU, which serves such disks, refuses it ("${REFUSAL[format]}"), so the guest is not made.`,
      next: `Correct the disk's format in the config${found === "raw" ? ", most likely to raw" : ""}. qemu-img info IMAGE shows what it is, file -s DEVICE for a device.`,
    },
  ];
}
