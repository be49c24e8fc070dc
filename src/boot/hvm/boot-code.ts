/** Whose boot code it is, by the texts that it carries for its error messages. */
import type { LoaderResult } from "../loader/loader.ts";

export type BootCode = {
  /** For people: `GRUB's boot code`. */
  readonly name: string;
  /** Which loader's configuration it reads, when that is certain. */
  readonly loader?: LoaderResult["loader"];
};

const AUTHORS: readonly (readonly [mark: RegExp, code: BootCode])[] = [
  // Also what grub-mkrescue puts on CDs. GRUB legacy has the same text.
  [/GRUB |cdrom read fails/, { name: "GRUB's boot code" }],
  [/BOOTMGR|NTLDR|Invalid partition table|CDBOOT/, { name: "Windows' boot code" }],
  // The name of the file is what the code in front of hybrid images looks for.
  [/(SYS|EXT|ISO)LINUX|isolinux\.bin/, { name: "SYSLINUX's boot code", loader: "extlinux" }],
  // Its MBR, which goes on to the active partition, whatever begins there.
  [/Missing operating system/i, { name: "SYSLINUX's boot code" }],
  [/LILO/, { name: "LILO's boot code" }],
];

/** `text` has a byte for each character. */
export function bootCodeOf(text: string): BootCode {
  return AUTHORS.find(([mark]) => mark.test(text))?.[1] ?? { name: "boot code" };
}
