/**
 * A cpio archive without an entry: newc, nothing but its trailer (Documentation/driver-api/early-userspace/
 * buffer-format.rst). The kernel reads it and goes on with what follows. In front of a gzipped initramfs it keeps Xen's
 * domain builder before 4.20 from inflating the first member and dropping the rest (xen: tools/libs/guest/xg_dom_core.c
 * xc_dom_ramdisk_check_size looks for gzip's magic at the very beginning only).
 */

/** What archives are padded to (cpio's block size); a multiple of the 4 bytes that the kernel asks for. */
const BLOCK_BYTES = 512;

const NAME = "TRAILER!!!\0";

/** 512 bytes. */
export function emptyArchive(): Uint8Array {
  const zero = "00000000";
  const hex = (value: number) => value.toString(16).padStart(8, "0").toUpperCase();
  const header = [
    "070701",
    zero, // c_ino
    zero, // c_mode
    zero, // c_uid
    zero, // c_gid
    hex(1), // c_nlink
    zero, // c_mtime
    zero, // c_filesize
    zero, // c_maj
    zero, // c_min
    zero, // c_rmaj
    zero, // c_rmin
    hex(NAME.length), // c_namesize
    zero, // c_chksum
  ].join("");
  const archive = new Uint8Array(BLOCK_BYTES);
  new TextEncoder().encodeInto(header + NAME, archive);
  return archive;
}
