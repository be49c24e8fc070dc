/** The oracle's cases: kernels and initramfs images in every wrapping, roots, memory, loaders, configs. */
import type { LabRelease } from "../releases.ts";
import { DEFAULT_ARGS, ORACLE_DIRECTORY, type OracleCase } from "./case.ts";
import { ROOT_UUID } from "./disks.ts";

const ALL: readonly LabRelease[] = ["bullseye", "bookworm", "trixie"];
const OLD: readonly LabRelease[] = ["bullseye"];
const MIDDLE: readonly LabRelease[] = ["bookworm"];
const NEW: readonly LabRelease[] = ["trixie"];
/** Those that inflate a gzip initramfs before the guest starts. */
const INFLATING: readonly LabRelease[] = ["bullseye", "bookworm"];

const KERNEL = "6.1-cloud/original";
const RAMDISK = "6.1-cloud/good/zstd";

type More = Partial<OracleCase>;

/** kernel= and ramdisk= in dom0, and all else as it should be. */
function direct(name: string, releases: readonly LabRelease[], more: More = {}): OracleCase {
  return { name, releases, kernel: KERNEL, ramdisk: RAMDISK, ...more };
}

function packedKernel(
  variant: string,
  releases: readonly LabRelease[],
  more: More = {},
): OracleCase {
  return direct(`kernel ${variant}`, releases, { kernel: `6.1-cloud/${variant}`, ...more });
}

function packedRamdisk(
  packing: string,
  releases: readonly LabRelease[],
  more: More = {},
): OracleCase {
  return direct(`initramfs ${packing}`, releases, {
    ramdisk: `6.1-cloud/good/${packing}`,
    ...more,
  });
}

const damaged: More = { code: "kernel-damaged" };

const KERNELS: readonly OracleCase[] = [
  direct("kernel as Debian packs it: lz4", ALL, { subset: true }),
  direct("kernel as Debian packs it: xz", ALL, {
    kernel: "5.10/original",
    ramdisk: "5.10/good/zstd",
  }),
  direct("kernel as Debian packs it: zstd, Xen with it", ["bookworm", "trixie"], {
    kernel: "6.12/original",
    ramdisk: "6.12/good/zstd",
  }),
  direct("kernel as Debian packs it: zstd, Xen without", OLD, {
    kernel: "6.12/original",
    ramdisk: "6.12/good/zstd",
    code: "kernel-packing",
  }),
  packedKernel("gzip", ALL),
  packedKernel("lzma", MIDDLE),
  packedKernel("xz", ["bookworm", "trixie"], { subset: true }),
  packedKernel("xz-no-filter", MIDDLE),
  packedKernel("bzip2", ALL, { subset: true }),
  packedKernel("lzo", ALL),
  packedKernel("lz4-frame", ALL, { code: "kernel-packing" }),
  packedKernel("none", MIDDLE),
  packedKernel("elf", ALL),
  packedKernel("elf-gzip", MIDDLE),
  packedKernel("elf-xz", MIDDLE, damaged),
  packedKernel("bzimage-gzip", MIDDLE),
  packedKernel("unknown-payload", MIDDLE, { code: "kernel-packing" }),
  direct("kernel xz with a dictionary of 128 MiB", ALL, {
    kernel: "6.12/xz-large-dictionary",
    ramdisk: "6.12/good/zstd",
    open: true,
  }),
  packedKernel("truncated", ALL, { ...damaged, subset: true }),
  packedKernel("short-payload", MIDDLE, damaged),
  packedKernel("payload-length-overflow", MIDDLE, damaged),
  packedKernel("protocol-2.07", MIDDLE, damaged),
  packedKernel("elf-truncated", MIDDLE, damaged),
  packedKernel("empty", ALL, damaged),
  direct("kernel that is a text", MIDDLE, { kernel: "text", ...damaged }),
  direct("kernel that is not there", ALL, { kernel: "absent", code: "kernel-missing" }),
  packedKernel("elf-other-owner", ALL, { code: "kernel-not-pv", subset: true }),
  direct("kernel of 32 bits", ALL, {
    kernel: "5.10-686-pae/original",
    ramdisk: "5.10/good/zstd",
    code: "kernel-width",
  }),
];

const RAMDISKS: readonly OracleCase[] = [
  packedRamdisk("none", MIDDLE),
  packedRamdisk("gzip", ALL, { subset: true }),
  packedRamdisk("bzip2", NEW),
  packedRamdisk("lzma", OLD),
  packedRamdisk("lzo", MIDDLE),
  packedRamdisk("xz", MIDDLE),
  packedRamdisk("lz4", MIDDLE),
  packedRamdisk("early-gzip", ALL),
  packedRamdisk("early-zstd", MIDDLE),
  packedRamdisk("crc", MIDDLE),
  packedRamdisk("xz-crc64", ALL, { code: "initramfs-xz-check", subset: true }),
  packedRamdisk("xz-sha256", MIDDLE, { code: "initramfs-xz-check" }),
  packedRamdisk("lz4-frame", ALL, { code: "initramfs-lz4-frame" }),
  packedRamdisk("zstd-window", MIDDLE, { code: "initramfs-zstd-window" }),
  packedRamdisk("zstd-window", MIDDLE, {
    name: "initramfs zstd-window, and memory for it",
    memory: 512,
    code: "initramfs-zstd-window",
  }),
  packedRamdisk("zstd-window-128", MIDDLE, { code: "initramfs-zstd-window", memory: 160 }),
  packedRamdisk("zstd-cut", ALL, { code: "initramfs-truncated" }),
  packedRamdisk("gzip-cut", ALL, { code: "initramfs-truncated" }),
  packedRamdisk("gzip-damaged", ALL, { code: "initramfs-truncated" }),
  packedRamdisk("empty", ALL, { code: "initramfs-truncated" }),
  packedRamdisk("odc", ALL, { code: "initramfs-cpio" }),
  packedRamdisk("bin", MIDDLE, { code: "initramfs-cpio" }),
  packedRamdisk("text", MIDDLE, { code: "initramfs-junk" }),
  packedRamdisk("junk-after", MIDDLE, { code: "initramfs-junk" }),
  packedRamdisk("early-only", MIDDLE, { code: "initramfs-no-init" }),
  direct("initramfs of two gzip parts, the main one second, lost", INFLATING, {
    ramdisk: "6.1-cloud/good/small-then-main",
    code: "initramfs-gzip-members",
    subset: true,
  }),
  direct("initramfs of two gzip parts, the main one second", NEW, {
    ramdisk: "6.1-cloud/good/small-then-main",
  }),
  direct("initramfs of two gzip parts, the main one first", ALL, {
    ramdisk: "6.1-cloud/good/main-then-small",
    open: true,
  }),
  direct("initramfs crc, kernel before 5.19", MIDDLE, {
    kernel: "5.10/original",
    ramdisk: "5.10/good/crc",
    code: "initramfs-cpio",
  }),
  direct("initramfs zstd, kernel built without", ALL, {
    kernel: "5.10/zstd-off",
    ramdisk: "5.10/good/zstd",
    code: "initramfs-compression",
    subset: true,
  }),
  direct("initramfs zstd, kernel too old for it", MIDDLE, {
    kernel: "5.10/zstd-unknown",
    ramdisk: "5.10/good/zstd",
    code: "initramfs-compression",
  }),
  direct("initramfs gzip, kernel built without zstd", MIDDLE, {
    kernel: "5.10/zstd-off",
    ramdisk: "5.10/good/gzip",
  }),
  direct("initramfs that is not there", ALL, { ramdisk: "absent", code: "ramdisk-missing" }),
  direct("initramfs without /init", ALL, {
    ramdisk: "6.1-cloud/no-init/zstd",
    code: "initramfs-no-init",
  }),
  direct("initramfs without xen_blkfront", ALL, {
    ramdisk: "6.1-cloud/no-blkfront/zstd",
    code: "initramfs-no-blkfront",
    subset: true,
  }),
  direct("initramfs without the root's filesystem", ["bookworm", "trixie"], {
    kernel: "6.12/original",
    ramdisk: "6.12/no-ext4/zstd",
    code: "initramfs-no-root-fs",
  }),
  direct("initramfs without crc32c", MIDDLE, {
    kernel: "6.12/original",
    ramdisk: "6.12/no-crc32c/zstd",
    open: true,
  }),
  direct("initramfs of another kernel", ALL, {
    ramdisk: "6.1-cloud/of-5.10/zstd",
    code: "initramfs-version",
  }),
  {
    name: "no initramfs, root by UUID",
    releases: MIDDLE,
    kernel: KERNEL,
    args: `root=UUID=${ROOT_UUID} console=hvc0`,
    code: "initramfs-missing",
  },
];

/** A command line of that many bytes, with `first` at its start and `last` at its end. */
function padded(bytes: number, first: string, last: string): string {
  const filler = "x".repeat(bytes - first.length - last.length - 2);
  return `${first} ${filler} ${last}`;
}

const ROOTS: readonly OracleCase[] = [
  direct("root by UUID", ALL, { args: `root=UUID=${ROOT_UUID} console=hvc0` }),
  direct("root by label", MIDDLE, { args: "root=LABEL=oracle console=hvc0" }),
  direct("root by a UUID that no disk has", ALL, {
    args: "root=UUID=0d0e0a0c-1e00-4000-8000-00000000000f console=hvc0",
    code: "root-not-found",
    subset: true,
  }),
  direct("root on a partition that is not there", MIDDLE, {
    args: "root=/dev/xvda1 console=hvc0",
    code: "root-not-found",
  }),
  direct("root on a partition", MIDDLE, { args: "root=/dev/xvda1 console=hvc0", disk: "table" }),
  direct("root on /dev/sda", ALL, {
    args: "root=/dev/sda console=hvc0",
    code: "root-device-name",
  }),
  direct("root is swap", MIDDLE, { disk: "swap", code: "root-not-a-filesystem" }),
  direct("root is a disk with partitions", MIDDLE, {
    disk: "table",
    code: "root-not-a-filesystem",
  }),
  direct("root without init", MIDDLE, { disk: "headless", code: "root-no-init", open: true }),
  direct("root on btrfs", MIDDLE, {
    disk: "btrfs",
    kernel: "6.12/original",
    ramdisk: "6.12/btrfs/zstd",
  }),
  direct("root in a subvolume that is not there", MIDDLE, {
    disk: "btrfs",
    kernel: "6.12/original",
    ramdisk: "6.12/btrfs/zstd",
    args: `${DEFAULT_ARGS} rootflags=subvol=gone`,
    code: "root-no-subvolume",
  }),
  {
    name: "no root=, no initramfs",
    releases: MIDDLE,
    kernel: KERNEL,
    args: "console=hvc0",
    code: "root-missing",
  },
  direct("command line of 1023 bytes", ALL, {
    args: padded(1023, "console=hvc0", "root=/dev/xvda"),
  }),
  direct("command line of 1024 bytes, root= last", ALL, {
    args: padded(1024, "console=hvc0", "root=/dev/xvda"),
    code: "command-line-too-long",
    subset: true,
  }),
  direct("command line of 1100 bytes, root= first", MIDDLE, {
    args: padded(1100, DEFAULT_ARGS, "y"),
    code: "command-line-too-long",
  }),
];

const MEMORY: readonly OracleCase[] = [
  ...(["zstd", "gzip"] as const).flatMap((packing) => [
    packedRamdisk(packing, ALL, {
      name: `memory: the least for a ${packing} initramfs`,
      memory: "least" as const,
    }),
    packedRamdisk(packing, ALL, {
      name: `memory: one MiB less for a ${packing} initramfs`,
      memory: "below-least" as const,
      code: "memory-too-small",
      ...(packing === "gzip" && { subset: true as const }),
    }),
  ]),
  direct("memory: too little to unpack the initramfs", MIDDLE, {
    ramdisk: "6.1-cloud/large/zstd",
    memory: 160,
    code: "memory-too-small",
  }),
  direct("memory: enough to unpack the same", MIDDLE, {
    ramdisk: "6.1-cloud/large/zstd",
    memory: 384,
  }),
];

const PVH: readonly OracleCase[] = [
  direct("pvh", ALL, { type: "pvh" }),
  direct("pvh, kernel gzip", MIDDLE, { type: "pvh", kernel: "6.1-cloud/gzip" }),
  direct("pvh, kernel without the notes", ALL, {
    type: "pvh",
    kernel: "6.1-cloud/elf-other-owner",
    code: "kernel-not-pvh",
  }),
  direct("pvh, zstd kernel, Xen without", OLD, {
    type: "pvh",
    kernel: "6.12/original",
    ramdisk: "6.12/good/zstd",
    code: "kernel-packing",
  }),
  direct("pvh, memory: the least", MIDDLE, { type: "pvh", memory: "least" }),
  direct("pvh, memory: one MiB less", MIDDLE, {
    type: "pvh",
    memory: "below-least",
    code: "memory-too-small",
  }),
];

/** Xen's own pygrub reads the guest's disk. */
function pygrub(
  disk: string,
  releases: readonly LabRelease[],
  more: Omit<More, "kernel" | "ramdisk"> = {},
): OracleCase {
  return {
    name: `pygrub ${disk}`,
    releases,
    disk,
    config: ['bootloader = "pygrub"'],
    ...more,
  };
}

const PYGRUB: readonly OracleCase[] = [
  pygrub("ext4", ALL, { subset: true }),
  pygrub("mbr", MIDDLE),
  pygrub("gpt", MIDDLE),
  pygrub("grub-legacy", MIDDLE),
  pygrub("default-1", ALL),
  pygrub("default-by-title", ALL, { code: "pygrub-entry" }),
  pygrub("xfs", ALL, { code: "pygrub-blind" }),
  pygrub("btrfs-boot", ALL, { code: "pygrub-blind", subset: true }),
  pygrub("no-grub", MIDDLE, { code: "pygrub-blind" }),
  pygrub("kernel-gone", ALL, { code: "kernel-missing" }),
  pygrub("initrd-gone", ALL, { code: "ramdisk-missing" }),
  pygrub("zstd-kernel", ALL),
];

function refusedConfig(
  name: string,
  config: readonly string[],
  code: string,
  more: More = {},
): OracleCase {
  return direct(`config: ${name}`, ALL, { config, code, ...more });
}

const ROOT_DISK = `"phy:${ORACLE_DIRECTORY}/disks/root,xvda,r"`;

const CONFIGS: readonly OracleCase[] = [
  refusedConfig("a line that is none", ["vif = ["], "config-syntax"),
  refusedConfig("an unknown type", ['type = "pvx"'], "config-value"),
  refusedConfig("a disk that is none", ['disk = [ "phy:" ]'], "config-disk-spec"),
  refusedConfig("a disk that is not there", [], "disk-missing", { disk: "absent" }),
  refusedConfig("Python, as xm had it", ["vcpus = int('1')"], "config-xm-python"),
  refusedConfig(
    "two disks of one name",
    [`disk = [ ${ROOT_DISK}, ${ROOT_DISK} ]`],
    "config-duplicate-vdev",
  ),
  refusedConfig("disk= without brackets", [`disk = ${ROOT_DISK}`], "config-disk-not-a-list"),
  { name: "config: no kernel and no bootloader", releases: ALL, code: "no-boot-entry" },
];

export const CASES: readonly OracleCase[] = [
  ...KERNELS,
  ...RAMDISKS,
  ...ROOTS,
  ...MEMORY,
  ...PVH,
  ...PYGRUB,
  ...CONFIGS,
];
