/**
 * What the firmware of an HVM guest would start: SeaBIOS a boot sector with code in it, OVMF a program on a FAT
 * filesystem. What that then does is known only where a loader's configuration can be read; Windows has none.
 *
 * Not looked at: boot from the network, the code itself, UEFI's variables. xl keeps none of those from boot to boot, so
 * OVMF is left with the program of a fixed name.
 */
import { attempt, failureText } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import { latin1 } from "../../bytes/text.ts";
import type { Volume } from "../../disk/content.ts";
import type { FileSystem } from "../../disk/fs/filesystem.ts";
import { fileNames, isFile } from "../loader/boot-file.ts";
import type { BootVolume, LoaderResult } from "../loader/loader.ts";
import { bootCodeOf } from "./boot-code.ts";
import type { BootCode } from "./boot-code.ts";
import { lookAtDiscForBios, readUefiImages } from "./disc.ts";

export type Firmware = "bios" | "uefi";

export type HvmDisk = {
  readonly vdev: string;
  readonly cdrom: boolean;
  /** Absent when the disk could not be read. */
  readonly volume?: Volume;
  readonly bootVolumes: readonly BootVolume[];
};

export type HvmInput = {
  readonly disks: readonly HvmDisk[];
  readonly firmware: Firmware;
  /** `boot=` of the config: c, the first disk; d, CD-ROMs; n, the network; a, a floppy. */
  readonly order: string;
  readonly signal?: AbortSignal;
};

export type HvmBoot = {
  readonly firmware: Firmware;
  /** Absent when nothing was found that it would start. */
  readonly start?: {
    readonly where: Where;
    readonly what: string;
    /** Whose configuration that reads, when it is certain. */
    readonly loader?: LoaderResult["loader"];
  };
  /** What was looked at before, or instead, and what was found there. */
  readonly looked: readonly { readonly where: Where; readonly said: string }[];
  /** False when a disk could not be read, or the network may answer: then an absence proves nothing. */
  readonly complete: boolean;
};

/** What libxl takes when the config has no `boot=`. */
export const DEFAULT_ORDER = "cda";

const SECTOR_BYTES = 512;
/** A disk's partition table begins here; what is before is code. */
const CODE_BYTES = 440;

/** Never fails: what cannot be read is told. */
export async function hvmBoot(input: HvmInput): Promise<HvmBoot> {
  const { firmware, order, signal } = input;
  const looked: { where: Where; said: string }[] = [];
  let complete = !order.includes("n");
  for (const disk of inOrder(input)) {
    const where = [disk.vdev];
    const { volume } = disk;
    const look = firmware === "bios" ? lookForBios : lookForUefi;
    const answer = volume && (await attempt(() => look({ ...disk, volume }, signal)));
    if (!answer?.ok) {
      complete = false;
      looked.push({ where, said: answer ? failureText(answer.failure) : "it could not be read" });
    } else if ("starts" in answer.value) {
      const { starts: what, loader } = answer.value;
      return { firmware, looked, complete, start: { where, what, ...(loader && { loader }) } };
    } else {
      looked.push({ where, said: answer.value.said });
    }
  }
  return { firmware, looked, complete };
}

/** SeaBIOS takes the first hard disk only; OVMF goes through all. */
function inOrder({ disks, order, firmware }: HvmInput): HvmDisk[] {
  const hard = disks.filter(({ cdrom }) => !cdrom);
  const discs = disks.filter(({ cdrom }) => cdrom);
  return [...new Set(order)].flatMap((letter) => {
    if (letter === "c") return firmware === "bios" ? hard.slice(0, 1) : hard;
    return letter === "d" ? discs : [];
  });
}

type Readable = HvmDisk & { readonly volume: Volume };
type Look =
  | { readonly starts: string; readonly loader?: LoaderResult["loader"] }
  | { readonly said: string };

async function lookForBios({ volume, cdrom }: Readable, signal?: AbortSignal): Promise<Look> {
  const { source } = volume;
  if (cdrom) {
    const look = await lookAtDiscForBios(source, signal);
    return "said" in look ? look : bootCodeStarts(look.code, " on the disc");
  }
  if (source.size < SECTOR_BYTES) return { said: "it is smaller than a sector" };
  const sector = await source.read(0, SECTOR_BYTES, signal);
  if (sector[510] !== 0x55 || sector[511] !== 0xaa) {
    return { said: "its first sector is no boot sector (it does not end in 55 aa)" };
  }
  if (sector.subarray(0, CODE_BYTES).every((byte) => byte === 0)) {
    return { said: "its first sector has no boot code, only zeroes" };
  }
  return bootCodeStarts(bootCodeOf(latin1(sector)));
}

function bootCodeStarts({ name, loader }: BootCode, place = ""): Look {
  return { starts: name + place, ...(loader && { loader }) };
}

/** The program that UEFI starts when its variables name none (UEFI specification 2.10, section 3.5.1.1). */
const FALLBACK = "/EFI/BOOT/BOOTX64.EFI";
const MAX_VENDORS = 16;

async function lookForUefi(disk: Readable, signal?: AbortSignal): Promise<Look> {
  const partitions = disk.bootVolumes.map(({ fs }) => fs).filter(isFat);
  const onDisc = disk.cdrom ? await readUefiImages(disk.volume.source, signal) : { images: [] };
  const others: string[] = [];
  const fats = [...partitions, ...onDisc.images];
  for (const fs of fats) {
    if (await isFile(fs, FALLBACK)) return { starts: `${FALLBACK} on ${fs.where.join(" > ")}` };
    const options = { limit: MAX_VENDORS, ...(signal && { signal }) };
    const vendors = await fileNames(fs, "/EFI", options);
    others.push(...vendors.filter((name) => name.toUpperCase() !== "BOOT"));
  }
  if (fats.length === 0) {
    return { said: onDisc.said ?? "no EFI system partition that can be read" };
  }
  const found = others.length > 0 ? `; there is EFI/${others.slice(0, 4).join(", EFI/")}` : "";
  const place = disk.cdrom ? "UEFI boot image" : "EFI system partition";
  return { said: `no ${FALLBACK} on its ${place}${found}` };
}

function isFat({ kind }: FileSystem): boolean {
  return kind === "vfat" || kind === "msdos";
}
