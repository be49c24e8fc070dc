/** `npm test`: the whole suite, after seeing to it that the programs it uses are there. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ensurePrograms } from "./programs.ts";

/** Program -> Debian package. Real kernels, and Xen's domain builder, are fetched by the tests through apt. */
const PROGRAMS: Readonly<Record<string, string>> = {
  "mkfs.ext4": "e2fsprogs",
  debugfs: "e2fsprogs",
  "mkfs.xfs": "xfsprogs",
  "mkfs.btrfs": "btrfs-progs",
  "mkfs.vfat": "dosfstools",
  "mkfs.ntfs": "ntfs-3g",
  sfdisk: "fdisk",
  sgdisk: "gdisk",
  mkswap: "util-linux",
  losetup: "mount",
  gzip: "gzip",
  bzip2: "bzip2",
  xz: "xz-utils",
  lzop: "lzop",
  lz4: "lz4",
  zstd: "zstd",
  cpio: "cpio",
  gcc: "gcc",
  readelf: "binutils",
  file: "file",
  jq: "jq",
  python3: "python3",
  "grub-script-check": "grub-common",
  "qemu-system-x86_64": "qemu-system-x86",
  debootstrap: "debootstrap",
};

ensurePrograms(PROGRAMS);
const vitest = join(import.meta.dirname, "..", "node_modules", "vitest", "vitest.mjs");
const ran = spawnSync(process.execPath, [vitest, "run", ...process.argv.slice(2)], {
  stdio: "inherit",
});
process.exitCode = ran.status ?? 1;
