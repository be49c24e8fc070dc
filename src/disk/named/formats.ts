/**
 * Formats that domus knows by name and does not read: one row each. When a reader is written, its prober takes the
 * row's place in `probers.ts` and the row goes. Places of magics and ids are those of the sources named in the rows.
 */
import { asciiUuid, binaryUuid, fatSerial, ntfsSerial } from "./identifiers.ts";

export type NamedFormat = {
  readonly name: string;
  /** Bytes as text, each character one byte. */
  readonly magics: readonly { readonly offset: number; readonly text: string }[];
  /** As `blkid` prints it; empty when there is none. */
  readonly uuid?: (head: Uint8Array) => string;
  /** What follows for the user, in whole sentences. */
  readonly why: string;
};

const GIVE_KERNEL =
  "If the guest's kernel is on it, put kernel= and ramdisk= with paths of this host into the guest's config, and domus checks those.";
const NOT_A_BOOT_DISK = "Linux guests do not keep their kernel on it, so this is rarely a problem.";

function cannotRead(name: string, advice: string): string {
  return `domus cannot read ${name} yet. ${advice}`;
}

/** LUKS on-disk format specification 1.2.3, and LUKS2 1.1.2: the version follows the magic, big endian. */
export const luks1: NamedFormat = {
  name: "LUKS1",
  magics: [{ offset: 0, text: "LUKS\xba\xbe\x00\x01" }],
  uuid: asciiUuid(168),
  why: "It is encrypted, and domus has no key. What is inside can only be checked in the running guest.",
};

export const luks2: NamedFormat = {
  ...luks1,
  name: "LUKS2",
  magics: [{ offset: 0, text: "LUKS\xba\xbe\x00\x02" }],
};

export const ntfs: NamedFormat = {
  name: "NTFS",
  magics: [{ offset: 3, text: "NTFS    " }],
  uuid: ntfsSerial(72),
  why: cannotRead(
    "NTFS",
    "Windows boots by its own loader, as an HVM guest; domus cannot foretell that.",
  ),
};

export const exfat: NamedFormat = {
  name: "exFAT",
  magics: [{ offset: 3, text: "EXFAT   " }],
  uuid: fatSerial(100),
  why: cannotRead("exFAT", NOT_A_BOOT_DISK),
};

/** fs/squashfs/squashfs_fs.h; it has no id. */
export const squashfs: NamedFormat = {
  name: "squashfs",
  magics: [{ offset: 0, text: "hsqs" }],
  why: cannotRead("squashfs", NOT_A_BOOT_DISK),
};

/** include/linux/f2fs_fs.h */
export const f2fs: NamedFormat = {
  name: "F2FS",
  magics: [{ offset: 1024, text: "\x10\x20\xf5\xf2" }],
  uuid: binaryUuid(1024 + 108),
  why: cannotRead("F2FS", GIVE_KERNEL),
};

/** fs/erofs/erofs_fs.h */
export const erofs: NamedFormat = {
  name: "EROFS",
  magics: [{ offset: 1024, text: "\xe2\xe1\xf5\xe0" }],
  uuid: binaryUuid(1024 + 48),
  why: cannotRead("EROFS", NOT_A_BOOT_DISK),
};

/** include/uapi/linux/bcache.h (before 6.1): `cache_sb` at 4 KiB, the magic at its byte 24. */
export const bcache: NamedFormat = {
  name: "bcache",
  magics: [
    { offset: 4096 + 24, text: "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81" },
  ],
  uuid: binaryUuid(4096 + 40),
  why: cannotRead(
    "bcache",
    "The filesystem behind it may have its newest data on another device. " + GIVE_KERNEL,
  ),
};

/**
 * OpenZFS, module/zfs/vdev_label.c: the label's XDR nvlist is at 16 KiB and its first pair is named `version`. The id of
 * the pool is further inside.
 */
export const zfs: NamedFormat = {
  name: "ZFS",
  magics: [{ offset: 16384 + 20, text: "\x00\x00\x00\x07version" }],
  why: cannotRead("ZFS", GIVE_KERNEL),
};
