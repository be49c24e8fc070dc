/**
 * The initramfs images that cases name: `KERNEL/TREE/PACKING`, say `6.1-cloud/good/zstd`. The tree has its modules where
 * distributions have them, with the lists of depmod, and loads them by name.
 */
import { execFileSync } from "node:child_process";
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
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CPIO } from "../../test/support/boot-probe.ts";
import { sh } from "../../test/support/need.ts";
import { cacheDir, debianKernel, type KernelName } from "../debian.ts";
import { busybox } from "../initramfs.ts";
import { depmod, moduleDirectory, moduleName, modulesOf } from "../modules.ts";
import { ABSENT } from "./kernels.ts";

type Tree = {
  /** What /init loads; files of other modules are not in the image. */
  readonly modules: readonly string[];
  /** The modules are those of this kernel instead. */
  readonly of?: KernelName;
  /** No /init. */
  readonly headless?: true;
  /** A file of this many MiB, which packs to nothing. */
  readonly fillerMib?: number;
};

const GOOD = ["xen_blkfront", "crc32c_generic", "ext4"];

const TREES: Readonly<Record<string, Tree>> = {
  good: { modules: GOOD },
  "no-blkfront": { modules: ["crc32c_generic", "ext4"] },
  "no-ext4": { modules: ["xen_blkfront", "crc32c_generic"] },
  "no-crc32c": { modules: ["xen_blkfront", "ext4"] },
  "of-5.10": { modules: GOOD, of: "5.10" },
  "no-init": { modules: GOOD, headless: true },
  btrfs: { modules: ["xen_blkfront", "crc32c_generic", "btrfs"] },
  large: { modules: GOOD, fillerMib: 160 },
};

/** What must come first, and uncompressed. */
const EARLY = `(mkdir -p $W/early/kernel/x86/microcode; cd $W/early; echo x >kernel/x86/microcode/GenuineIntel.bin; ${CPIO})`;
/** A small archive beside the real one. */
const EXTRA = `(mkdir -p $W/extra/etc; cd $W/extra; echo x >etc/extra; ${CPIO})`;
const ODD = (format: string) => `find . | LC_ALL=C sort | cpio --quiet -o -H ${format} | gzip -n`;

/** Shell pipelines from the tree's directory to the image on stdout; `$W` is a directory of its own. */
const PACKINGS: Readonly<Record<string, string>> = {
  none: CPIO,
  gzip: `${CPIO} | gzip -n`,
  bzip2: `${CPIO} | bzip2`,
  lzma: `${CPIO} | xz --format=lzma`,
  lzo: `${CPIO} | lzop -q`,
  xz: `${CPIO} | xz --check=crc32`,
  "xz-crc64": `${CPIO} | xz --check=crc64`,
  "xz-sha256": `${CPIO} | xz --check=sha256`,
  lz4: `${CPIO} | lz4 -q -l`,
  "lz4-frame": `${CPIO} | lz4 -q`,
  zstd: `${CPIO} | zstd -q -19`,
  "zstd-window-128": `${CPIO} | zstd -q --long=27`,
  "zstd-window": `${CPIO} | zstd -q --long=28`,
  "zstd-cut": `${CPIO} | zstd -q >$W/whole; head -c 200000 $W/whole`,
  "gzip-cut": `${CPIO} | gzip -n >$W/whole; head -c 200000 $W/whole`,
  "gzip-damaged": `${CPIO} | gzip -n >$W/whole; printf XXXXXXXX | dd of=$W/whole bs=1 seek=300000 conv=notrunc status=none; cat $W/whole`,
  odc: ODD("odc"),
  bin: ODD("bin"),
  crc: ODD("crc"),
  "small-then-main": `${EXTRA} | gzip -n; ${CPIO} | gzip -n`,
  "main-then-small": `${CPIO} | gzip -n; ${EXTRA} | gzip -n`,
  "early-gzip": `${EARLY}; ${CPIO} | gzip -n`,
  "early-zstd": `${EARLY}; ${CPIO} | zstd -q`,
  "early-only": EARLY,
  "junk-after": `${CPIO} | zstd -q; echo trailing garbage`,
  text: "echo this is no initramfs",
  empty: "true",
};

/** Loads its modules, mounts root=, goes there; says in one line what does not work. */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
exec < /dev/console > /dev/console 2>&1
for word in $(cat /proc/cmdline); do
  case "$word" in
    root=*) root="\${word#root=}" ;;
    rootflags=*) flags="-o \${word#rootflags=}" ;;
  esac
done
fail() {
  echo "domus-lab: $1"
  poweroff -f
}
for module in $(cat /etc/modules); do modprobe "$module"; done
[ -n "$root" ] || fail "no root="
tries=0
while [ $tries -lt 30 ]; do
  case "$root" in
    LABEL=*|UUID=*) device="$(findfs "$root" 2>/dev/null)" ;;
    *) device="$root" ;;
  esac
  [ -b "$device" ] && break
  tries=$((tries + 1))
  usleep 100000
done
[ -b "$device" ] || fail "no device for root=$root"
mount -o ro $flags "$device" /mnt || fail "cannot mount root=$root"
[ -x /mnt/sbin/init ] || fail "no init in root=$root"
mount --move /dev /mnt/dev
exec switch_root /mnt /sbin/init
`;

/** Unpacked: busybox loads no other modules. */
function unpackedModule(file: string): Uint8Array {
  return file.endsWith(".xz")
    ? execFileSync("xz", ["-dc", file], { maxBuffer: 1 << 28 })
    : readFileSync(file);
}

/** Writes the tree of an image into the empty directory `dir`. */
function writeTree(dir: string, kernel: KernelName, tree: Tree): void {
  const { root, version } = debianKernel(tree.of ?? kernel);
  const from = moduleDirectory(root, version);
  const to = join(dir, "lib", "modules", version);
  for (const name of ["bin", "dev", "etc", "mnt", "proc", "sys"]) mkdirSync(join(dir, name));
  mkdirSync(join(to, "kernel"), { recursive: true });
  cpSync(busybox(), join(dir, "bin", "busybox"));
  for (const file of modulesOf(root, version, tree.modules)) {
    writeFileSync(join(to, "kernel", `${moduleName(file)}.ko`), unpackedModule(file));
  }
  for (const list of ["modules.builtin", "modules.builtin.modinfo", "modules.order"])
    cpSync(join(from, list), join(to, list));
  depmod(to);
  writeFileSync(join(dir, "etc", "modules"), `${tree.modules.join("\n")}\n`);
  if (tree.fillerMib !== undefined) {
    writeFileSync(join(dir, "filler"), new Uint8Array(tree.fillerMib * 1024 ** 2));
  }
  if (tree.headless) return;
  writeFileSync(join(dir, "init"), INIT);
  chmodSync(join(dir, "init"), 0o755);
}

/** How a tree is made belongs to what is in the cache, too. */
const SOURCE = readFileSync(import.meta.filename, "utf8");

/** The file of that image on this machine, made unless it is in the cache; undefined for `absent`. */
export function oracleRamdisk(name: string): string | undefined {
  if (name === ABSENT) return undefined;
  const [kernel, treeName, packing] = name.split("/") as [KernelName, string, string];
  const tree = TREES[treeName];
  const pack = PACKINGS[packing];
  if (!tree || pack === undefined) throw new Error(`no initramfs ${name}`);
  const { version } = debianKernel(tree.of ?? kernel);
  const recipe = createHash("sha256").update(JSON.stringify([SOURCE, version, tree, pack]));
  const file = join(
    cacheDir("lab", "oracle", "ramdisks"),
    `${name.replaceAll("/", "_")}-${recipe.digest("hex").slice(0, 12)}`,
  );
  if (existsSync(file)) return file;
  const work = mkdtempSync(join(tmpdir(), "domus-oracle-"));
  try {
    const dir = join(work, "tree");
    mkdirSync(dir);
    writeTree(dir, kernel, tree);
    const made = join(work, "image");
    sh(`W=${work}; { ${pack}; } > ${made}`, { cwd: dir });
    writeFileSync(`${file}.${process.pid}`, readFileSync(made));
    renameSync(`${file}.${process.pid}`, file);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return file;
}
