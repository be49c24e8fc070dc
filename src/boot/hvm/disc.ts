/**
 * What a firmware starts from a CD: an image of the disc's boot catalog.
 *
 * Source: SeaBIOS src/cdrom.c (`cdrom_boot`) takes the default entry, for BIOS, and nothing else; edk2
 * MdeModulePkg/Universal/Disk/PartitionDxe/ElTorito.c offers every bootable image as a disk, on which the program of the
 * fixed name is then looked for.
 */
import { attempt, FailureError } from "../../base/failure.ts";
import { latin1 } from "../../bytes/text.ts";
import { readElTorito } from "../../disk/fs/iso9660/el-torito.ts";
import type { BootImage, ElTorito } from "../../disk/fs/iso9660/el-torito.ts";
import { openVfat } from "../../disk/fs/fat/vfat.ts";
import type { FileSystem } from "../../disk/fs/filesystem.ts";
import { windowSource } from "../../disk/source.ts";
import type { ByteSource } from "../../disk/source.ts";
import { bootCodeOf } from "./boot-code.ts";
import type { BootCode } from "./boot-code.ts";

/** What was found, or for people why nothing was. */
export type DiscLook = { readonly code: BootCode } | { readonly said: string };

/** Where the names of well-known programs are in their images. */
const IMAGE_HEAD_BYTES = 4096;

/** Fails when the boot catalog is damaged. */
export async function lookAtDiscForBios(
  source: ByteSource,
  signal?: AbortSignal,
): Promise<DiscLook> {
  const catalog = await readElTorito(source, signal);
  if (!catalog) return { said: "the disc has no boot catalog" };
  const [image] = catalog.images;
  if (image?.platform !== "bios" || !image.bootable) {
    return { said: `the disc's boot catalog has nothing for BIOS${offered(catalog)}` };
  }
  if (image.offset >= source.size) {
    return { said: `the disc ends before its boot image (at byte ${image.offset})` };
  }
  const length = Math.min(IMAGE_HEAD_BYTES, source.size - image.offset);
  const head = await source.read(image.offset, length, signal);
  return { code: bootCodeOf(latin1(head)) };
}

/**
 * The filesystems among the disc's boot images, which UEFI looks at as it does at EFI system partitions. Fails when the
 * catalog is damaged, or each of the images.
 */
export async function readUefiImages(
  source: ByteSource,
  signal?: AbortSignal,
): Promise<{ readonly images: readonly FileSystem[]; readonly said?: string }> {
  const catalog = await readElTorito(source, signal);
  if (!catalog) return { images: [], said: "the disc has no boot catalog" };
  const forUefi = catalog.images.filter(
    ({ bootable, platform }) => bootable && platform === "uefi",
  );
  if (forUefi.length === 0) {
    return { images: [], said: `the disc's boot catalog has nothing for UEFI${offered(catalog)}` };
  }
  const opened = [];
  for (const image of forUefi) {
    opened.push(await attempt(() => openImage(source, image, signal)));
  }
  const images = opened.flatMap((one) => (one.ok ? one.value : []));
  const failed = opened.find((one) => !one.ok);
  if (images.length === 0 && failed) throw new FailureError(failed.failure);
  return { images };
}

/** Its length is up to the filesystem: catalogs cannot tell one above 32 MiB. */
async function openImage(
  source: ByteSource,
  { offset }: BootImage,
  signal?: AbortSignal,
): Promise<FileSystem> {
  const image = windowSource(source, offset, Math.max(0, source.size - offset), "UEFI boot image");
  return openVfat(image, signal ? { signal } : {});
}

function offered({ images }: ElTorito): string {
  const platforms = new Set(images.filter(({ bootable }) => bootable).map(platformName));
  return platforms.size === 0 ? "" : `, only for ${[...platforms].join(", ")}`;
}

const NAMES: Readonly<Record<BootImage["platform"], string>> = {
  bios: "BIOS",
  uefi: "UEFI",
  powerpc: "PowerPC",
  mac: "Macs",
  unknown: "something else",
};

function platformName({ platform }: BootImage): string {
  return NAMES[platform];
}
