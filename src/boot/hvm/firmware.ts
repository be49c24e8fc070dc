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
import { fileNames, isFile } from "../loader/boot-file.ts";
import type { BootVolume } from "../loader/loader.ts";

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
  readonly start?: { readonly where: Where; readonly what: string };
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
    const look = firmware === "bios" || disk.cdrom ? lookForBios : lookForUefi;
    const answer = volume && (await attempt(() => look({ ...disk, volume }, signal)));
    if (!answer?.ok) {
      complete = false;
      looked.push({ where, said: answer ? failureText(answer.failure) : "it could not be read" });
    } else if ("starts" in answer.value) {
      return { firmware, looked, complete, start: { where, what: answer.value.starts } };
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
type Look = { readonly starts: string } | { readonly said: string };

async function lookForBios({ volume, cdrom }: Readable, signal?: AbortSignal): Promise<Look> {
  const { source } = volume;
  if (cdrom) return lookAtDisc(volume, signal);
  if (source.size < SECTOR_BYTES) return { said: "it is smaller than a sector" };
  const sector = await source.read(0, SECTOR_BYTES, signal);
  if (sector[510] !== 0x55 || sector[511] !== 0xaa) {
    return { said: "its first sector is no boot sector (it does not end in 55 aa)" };
  }
  if (sector.subarray(0, CODE_BYTES).every((byte) => byte === 0)) {
    return { said: "its first sector has no boot code, only zeroes" };
  }
  return { starts: bootCodeText(latin1(sector)) };
}

/** Texts that well-known boot code carries for its error messages. */
const AUTHORS: readonly (readonly [mark: RegExp, name: string])[] = [
  [/GRUB /, "GRUB's boot code"],
  [/BOOTMGR|NTLDR|Invalid partition table/, "Windows' boot code"],
  [/(SYS|EXT|ISO)LINUX|Missing operating system/i, "SYSLINUX's boot code"],
  [/LILO/, "LILO's boot code"],
];

function bootCodeText(sector: string): string {
  return AUTHORS.find(([mark]) => mark.test(sector))?.[1] ?? "boot code";
}

/** An El Torito boot record is the second volume descriptor, if there is one. */
async function lookAtDisc({ source }: Volume, signal?: AbortSignal): Promise<Look> {
  const at = 17 * 2048;
  const none = { said: "the disc has no boot catalog" };
  if (source.size < at + 2048) return none;
  const record = latin1(await source.read(at, 64, signal));
  return record.startsWith("\0CD001") && record.slice(7).startsWith("EL TORITO SPECIFICATION")
    ? { starts: "the disc's boot catalog" }
    : none;
}

/** The program that UEFI starts when its variables name none (UEFI specification 2.10, section 3.5.1.1). */
const FALLBACK = "/EFI/BOOT/BOOTX64.EFI";
const MAX_VENDORS = 16;

async function lookForUefi({ bootVolumes }: Readable, signal?: AbortSignal): Promise<Look> {
  const others: string[] = [];
  const fats = bootVolumes.filter(({ fs }) => fs.kind === "vfat" || fs.kind === "msdos");
  for (const { fs } of fats) {
    if (await isFile(fs, FALLBACK)) return { starts: `${FALLBACK} on ${fs.where.join(" > ")}` };
    const options = { limit: MAX_VENDORS, ...(signal && { signal }) };
    const vendors = await fileNames(fs, "/EFI", options);
    others.push(...vendors.filter((name) => name.toUpperCase() !== "BOOT"));
  }
  if (fats.length === 0) return { said: "no EFI system partition that can be read" };
  const found = others.length > 0 ? `; there is EFI/${others.slice(0, 4).join(", EFI/")}` : "";
  return { said: `no ${FALLBACK} on its EFI system partition${found}` };
}
