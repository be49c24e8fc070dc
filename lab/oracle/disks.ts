/** The disks that cases name, made with the filesystems' own tools. All guests have them read-only, so one does for many. */
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { sh } from "../../test/support/need.ts";
import { cacheDir } from "../debian.ts";
import { busybox } from "../initramfs.ts";
import { oracleKernel } from "./kernels.ts";
import { oracleRamdisk } from "./ramdisks.ts";

export const ROOT_UUID = "0d0e0a0c-1e00-4000-8000-000000000001";
const LABEL = "oracle";

/** A directory tree and what makes a disk of it. */
type Disk = {
  /** Text files by their path. */
  readonly files?: Readonly<Record<string, string>>;
  /** Kernels and initramfs images by their path, named as cases name them. */
  readonly kernels?: Readonly<Record<string, string>>;
  readonly ramdisks?: Readonly<Record<string, string>>;
  /** No /sbin/init. */
  readonly headless?: true;
  /** Shell: makes the disk `$IMAGE` of the tree in `$TREE`; `$W` is a directory of its own. */
  readonly make: string;
};

const SMALL = "truncate -s 24M $IMAGE";
const EXT4 = `mkfs.ext4 -q -F -U ${ROOT_UUID} -L ${LABEL} -d $TREE`;

const USERLAND = `#!/bin/busybox sh
exec < /dev/console > /dev/console 2>&1
echo "domus-lab: userland reached"
while :; do /bin/busybox sleep 60; done
`;

const VMLINUZ = "/boot/vmlinuz-1";
const INITRD = "/boot/initrd-1";
const BOOT = {
  kernels: { [VMLINUZ]: "6.1-cloud/original" },
  ramdisks: { [INITRD]: "6.1-cloud/good/zstd" },
};

type Entry = {
  readonly title: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly args?: string;
};

/** Its number is on the kernel's command line, where the console shows it. */
function grubEntry(entry: Entry, index: number): string {
  const args = entry.args ?? "root=/dev/xvda console=hvc0";
  return `menuentry '${entry.title}' {
\tlinux ${entry.kernel ?? VMLINUZ} ${args} oracle.entry=${index}
\tinitrd ${entry.initrd ?? INITRD}
}
`;
}

function grubConfig(defaultEntry: string, ...entries: readonly Entry[]): Record<string, string> {
  const text = `set default="${defaultEntry}"\nset timeout=0\n${entries.map(grubEntry).join("")}`;
  return { "/boot/grub/grub.cfg": text };
}

const ONE = grubConfig("0", { title: "one" });
/** In the first partition of 16 to 62 MiB, behind its table. */
const PARTITIONED = (table: string, uuidArgs = EXT4) =>
  `truncate -s 46M $W/part; ${uuidArgs} $W/part; truncate -s 64M $IMAGE; printf '${table}' | sfdisk -q $IMAGE; dd if=$W/part of=$IMAGE bs=1M seek=1 conv=notrunc,sparse status=none`;
const ON_PARTITION = grubConfig("0", { title: "one", args: "root=/dev/xvda1 console=hvc0" });
const BOOTABLE = `truncate -s 48M $IMAGE; ${EXT4} $IMAGE`;
const MBR = "label: dos\\nstart=2048, size=94208, type=83\\n";
const GPT = "label: gpt\\nstart=2048, size=94208, type=L\\n";

const DISKS: Readonly<Record<string, Disk>> = {
  root: { make: `${SMALL}; ${EXT4} $IMAGE` },
  headless: { headless: true, make: `${SMALL}; ${EXT4} $IMAGE` },
  swap: { make: `${SMALL}; mkswap -q $IMAGE` },
  table: { make: PARTITIONED(MBR) },
  btrfs: { make: `truncate -s 128M $IMAGE; mkfs.btrfs -q -r $TREE $IMAGE` },
  // What pygrub looks at
  ext4: { ...BOOT, files: ONE, make: BOOTABLE },
  mbr: { ...BOOT, files: ON_PARTITION, make: PARTITIONED(MBR) },
  gpt: { ...BOOT, files: ON_PARTITION, make: PARTITIONED(GPT) },
  xfs: {
    ...BOOT,
    files: ONE,
    make: `truncate -s 320M $IMAGE; mkfs.xfs -q $IMAGE; mkdir $W/m; mount -o loop $IMAGE $W/m; cp -a $TREE/. $W/m; umount $W/m`,
  },
  "btrfs-boot": {
    ...BOOT,
    files: ONE,
    make: `truncate -s 160M $IMAGE; mkfs.btrfs -q -r $TREE $IMAGE`,
  },
  "no-grub": { ...BOOT, make: BOOTABLE },
  "grub-legacy": {
    ...BOOT,
    files: {
      "/boot/grub/menu.lst": `default 1\ntimeout 0\ntitle zero\nroot (hd0)\nkernel ${VMLINUZ} root=/dev/xvda console=hvc0 oracle.entry=0\ninitrd ${INITRD}\ntitle one\nroot (hd0)\nkernel ${VMLINUZ} root=/dev/xvda console=hvc0 oracle.entry=1\ninitrd ${INITRD}\n`,
    },
    make: BOOTABLE,
  },
  "default-1": {
    ...BOOT,
    files: grubConfig("1", { title: "zero" }, { title: "one" }),
    make: BOOTABLE,
  },
  "default-by-title": {
    ...BOOT,
    files: grubConfig("one", { title: "zero" }, { title: "one" }),
    make: BOOTABLE,
  },
  "kernel-gone": {
    ...BOOT,
    files: grubConfig("0", { title: "one", kernel: "/boot/vmlinuz-2" }),
    make: BOOTABLE,
  },
  "initrd-gone": {
    ...BOOT,
    files: grubConfig("0", { title: "one", initrd: "/boot/initrd-2" }),
    make: BOOTABLE,
  },
  "zstd-kernel": {
    kernels: { [VMLINUZ]: "6.12/original" },
    ramdisks: { [INITRD]: "6.12/good/zstd" },
    files: ONE,
    make: BOOTABLE,
  },
};

/** Undefined where there is no disk of that name. */
function writeTree(dir: string, disk: Disk): void {
  for (const name of ["bin", "boot", "dev", "etc", "proc", "sbin", "sys", "mnt"]) {
    mkdirSync(join(dir, name));
  }
  const put = (path: string, from: string | undefined) => {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    if (from !== undefined) cpSync(from, join(dir, path));
  };
  put("bin/busybox", busybox());
  if (!disk.headless) symlinkSync("busybox", join(dir, "bin", "sh"));
  writeFileSync(join(dir, "etc", "fstab"), "");
  if (!disk.headless) {
    writeFileSync(join(dir, "sbin", "init"), USERLAND);
    chmodSync(join(dir, "sbin", "init"), 0o755);
  }
  for (const [path, name] of Object.entries(disk.kernels ?? {})) put(path, oracleKernel(name));
  for (const [path, name] of Object.entries(disk.ramdisks ?? {})) put(path, oracleRamdisk(name));
  for (const [path, text] of Object.entries(disk.files ?? {})) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
}

/** How a tree is made belongs to what is in the cache, too. */
const SOURCE = readFileSync(import.meta.filename, "utf8");

/** The image of that disk on this machine, made unless it is in the cache; undefined for `absent`. */
export function oracleDisk(name: string): string | undefined {
  if (name === "absent") return undefined;
  const disk = DISKS[name];
  if (!disk) throw new Error(`no disk ${name}`);
  const ramdisks = Object.values(disk.ramdisks ?? {}).map(oracleRamdisk);
  const kernels = Object.values(disk.kernels ?? {}).map(oracleKernel);
  const recipe = createHash("sha256").update(JSON.stringify([SOURCE, disk, ramdisks, kernels]));
  const dir = cacheDir("lab", "oracle", "disks");
  const file = join(dir, `${name}-${recipe.digest("hex").slice(0, 12)}.img`);
  if (existsSync(file)) return file;
  const work = mkdtempSync(join(tmpdir(), "domus-oracle-"));
  try {
    const tree = join(work, "tree");
    mkdirSync(tree);
    writeTree(tree, disk);
    const made = `${file}.${process.pid}`;
    sh(`W=${work}; TREE=${tree}; IMAGE=${made}; ${disk.make}`);
    renameSync(made, file);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return file;
}
