/**
 * What domus says of a kernel and an initramfs, against what that kernel itself says when it boots with it.
 *
 * Real Debian kernels in QEMU; the initramfs is a busybox whose init says that it was reached. The kernel without zstd is a
 * real one with its table entry changed, as a build without CONFIG_RD_ZSTD (or a version before 5.9) has it.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { cacheDir } from "../../../lab/debian.ts";
import type { KernelName } from "../../../lab/debian.ts";
import { checkGuest } from "../../../src/guest/check/check-guest.ts";
import { localHost } from "../../../src/host/local/local-host.ts";
import { assumeXen } from "../../../src/xen/xl-info.ts";
import { CPIO, kernelWithoutZstd, probeTree, REACHED } from "../../support/boot-probe.ts";
import { need, sh } from "../../support/need.ts";
import { bootInQemu } from "../../support/qemu.ts";
import { unpackedKernel } from "../../support/repack.ts";

/** What the kernel says (facts of linux init/initramfs.c and lib/decompress*.c), and the finding that must foresee it. */
type Pair = {
  readonly name: string;
  readonly kernel: KernelName | "zstd-off" | "zstd-unknown";
  /** Shell pipeline from the directory of the tree to the image on stdout; `$W` is a directory of its own. */
  readonly pack: string;
  readonly console?: RegExp;
  /** Without one the kernel must be content, too. */
  readonly code?: string;
  /** Init is reached all the same, and the finding is a warning. */
  readonly boots?: true;
};

/** What must come first, and uncompressed. */
const EARLY = `(mkdir -p $W/early/kernel/x86/microcode; cd $W/early; echo x >kernel/x86/microcode/GenuineIntel.bin; ${CPIO})`;
/** A small archive beside the real one. */
const EXTRA = `(mkdir -p $W/extra/etc; cd $W/extra; echo x >etc/extra; ${CPIO})`;
const CRC = "find . | LC_ALL=C sort | cpio --quiet -o -H crc";

const PAIRS: readonly Pair[] = [
  { name: "gzip", kernel: "6.1", pack: `${CPIO} | gzip -n` },
  { name: "zstd", kernel: "6.1", pack: `${CPIO} | zstd -q -19` },
  { name: "xz with crc32", kernel: "6.1", pack: `${CPIO} | xz --check=crc32` },
  { name: "lz4, legacy frame", kernel: "6.1-cloud", pack: `${CPIO} | lz4 -q -l` },
  { name: "lzma", kernel: "5.10", pack: `${CPIO} | xz --format=lzma` },
  { name: "lzo", kernel: "5.10", pack: `${CPIO} | lzop -q` },
  { name: "bzip2", kernel: "6.12", pack: `${CPIO} | bzip2` },
  {
    name: "microcode archive, then gzip",
    kernel: "6.12",
    pack: `${EARLY}; ${CPIO} | gzip -n`,
  },
  {
    name: "zstd, kernel built without it",
    kernel: "zstd-off",
    pack: `${CPIO} | zstd -q`,
    console: /compression method zstd not configured/,
    code: "initramfs-compression",
  },
  {
    name: "zstd, kernel that never heard of it",
    kernel: "zstd-unknown",
    pack: `${CPIO} | zstd -q`,
    console: /invalid magic at start of compressed archive/,
    code: "initramfs-compression",
  },
  {
    name: "xz with crc64",
    kernel: "6.1",
    pack: `${CPIO} | xz --check=crc64`,
    console: /not supported by this XZ decoder/,
    code: "initramfs-xz-check",
  },
  {
    name: "lz4, modern frame",
    kernel: "6.1",
    pack: `${CPIO} | lz4 -q`,
    console: /invalid magic at start of compressed archive/,
    code: "initramfs-lz4-frame",
  },
  {
    name: "zstd, cut off",
    kernel: "6.1",
    pack: `${CPIO} | zstd -q >$W/whole.zst; head -c 200000 $W/whole.zst`,
    console: /ZSTD-compressed data is (truncated|probably corrupt)/,
    code: "initramfs-truncated",
  },
  {
    name: "cpio in the old portable format",
    kernel: "6.1",
    pack: "find . | LC_ALL=C sort | cpio --quiet -o -H odc | gzip -n",
    console: /incorrect cpio method used: use -H newc/,
    code: "initramfs-cpio",
  },
  { name: "not compressed", kernel: "sid", pack: CPIO },
  { name: "zstd as strong as it gets", kernel: "sid", pack: `${CPIO} | zstd -q --ultra -22` },
  { name: "cpio with checksums", kernel: "sid", pack: `${CRC} | gzip -n` },
  {
    name: "cpio with checksums, before 5.19",
    kernel: "5.10",
    pack: `${CRC} | gzip -n`,
    console: /no cpio magic/,
    code: "initramfs-cpio",
  },
  {
    name: "microcode, two compressed archives, padding",
    kernel: "sid",
    pack: `${EARLY}; ${EXTRA} | bzip2; ${CPIO} | xz --check=crc32 --x86 --lzma2=preset=1; head -c 4096 /dev/zero`,
  },
  {
    name: "lz4, which has no end, before another archive",
    kernel: "sid",
    pack: `${EXTRA} | lz4 -q -l; ${CPIO} | gzip -n`,
    console: /Initramfs unpacking failed/,
    code: "initramfs-truncated",
  },
  {
    name: "xz with sha256",
    kernel: "sid",
    pack: `${CPIO} | xz --check=sha256`,
    console: /not supported by this XZ decoder/,
    code: "initramfs-xz-check",
  },
  {
    name: "zstd with a long window",
    kernel: "sid",
    pack: `${CPIO} | zstd -q --long=28`,
    console: /ZSTD-compressed data/,
    code: "initramfs-zstd-window",
  },
  {
    name: "a damaged archive after a good one",
    kernel: "sid",
    pack: `${CPIO} | gzip -n; ${EXTRA} | zstd -q >$W/extra.zst; head -c 60 $W/extra.zst`,
    console: /Initramfs unpacking failed: ZSTD-compressed data is truncated/,
    code: "initramfs-truncated",
    boots: true,
  },
  {
    name: "junk after the archive",
    kernel: "sid",
    pack: `${CPIO} | gzip -n; echo trailing garbage`,
    console: /Initramfs unpacking failed: invalid magic at start of compressed archive/,
    code: "initramfs-junk",
    boots: true,
  },
  {
    name: "a plain archive at an odd place",
    kernel: "sid",
    pack: `${CPIO} | gzip -n >$W/main.gz; truncate -s %4 $W/main.gz; cat $W/main.gz; printf '\\0'; ${EXTRA}`,
    console: /Initramfs unpacking failed: invalid magic at start of compressed archive/,
    code: "initramfs-truncated",
    boots: true,
  },
  {
    name: "gzip, damaged in the middle",
    kernel: "sid",
    pack: `${CPIO} | gzip -n >$W/whole.gz; printf XXXXXXXX | dd of=$W/whole.gz bs=1 seek=300000 conv=notrunc status=none; cat $W/whole.gz`,
    console: /Initramfs unpacking failed/,
    code: "initramfs-truncated",
  },
];

let dir: string;

beforeAll(() => {
  need("qemu-system-x86_64", "cpio", "gzip", "zstd", "xz", "lz4", "lzop", "bzip2");
  dir = cacheDir("ground-truth");
  probeTree(dir);
});

/** The unpacked ELF, which QEMU boots by its PVH note: emulated, a kernel takes long to unpack itself. */
function kernelPath(kernel: Pair["kernel"]): string {
  if (kernel === "zstd-off" || kernel === "zstd-unknown") return kernelWithoutZstd(kernel, dir);
  return unpackedKernel(kernel);
}

/** What is in the image (modules, programs) is not the question here. */
const IS_ABOUT_UNPACKING =
  /^initramfs-(compression|xz-check|lz4-frame|zstd-window|truncated|cpio|junk|missing|no-init)$/;

/** The findings about unpacking, from a real check of a guest with kernel= and ramdisk=. */
async function foreseen(kernel: string, ramdisk: string): Promise<string[]> {
  const config = `${ramdisk}.cfg`;
  writeFileSync(
    config,
    `name = "guest"\ntype = "pvh"\nmemory = 1024\nkernel = "${kernel}"\nramdisk = "${ramdisk}"\nextra = "console=hvc0 rdinit=/init"\n`,
  );
  const report = await checkGuest({
    host: localHost(),
    // It leaves the initramfs to the kernel
    xen: assumeXen("4.20"),
    configPath: config,
  });
  return report.findings
    .filter(({ code, severity }) => severity !== "note" && IS_ABOUT_UNPACKING.test(code))
    .map(({ code, severity }) => `${severity} ${code}`);
}

async function tried(pair: Pair, work: string) {
  mkdirSync(work, { recursive: true });
  const image = join(work, "initrd");
  writeFileSync(image, sh(`W=${work}; ${pair.pack}`, { cwd: join(dir, "tree") }));
  const kernel = kernelPath(pair.kernel);
  const booting = bootInQemu({
    kernel,
    initrd: image,
    memoryMib: 1024,
    until: new RegExp(`${REACHED}|Kernel panic`),
    timeoutMs: 300_000,
  });
  const [console, findings] = await Promise.all([booting, foreseen(kernel, image)]);
  return { console, findings };
}

/** Two machines at a time: each keeps one processor busy. */
const lanes: Promise<unknown>[] = [Promise.resolve(), Promise.resolve()];

function inLane<T>(index: number, work: () => Promise<T>): Promise<T> {
  const lane = index % lanes.length;
  const done = lanes[lane]!.then(work);
  lanes[lane] = done.catch(() => undefined);
  return done;
}

describe.concurrent("the kernel's own word on its initramfs", () => {
  test.each(PAIRS.map((pair, index) => ({ ...pair, index })))("$kernel: $name", async (pair) => {
    const work = join(dir, `pair-${pair.index}`);
    const { console, findings } = await inLane(pair.index, () => tried(pair, work));
    const severity = pair.boots ? "warning" : "error";
    expect({ booted: console.includes(REACHED), findings }, console.slice(-2000)).toEqual({
      booted: pair.code === undefined || pair.boots === true,
      findings: pair.code ? [`${severity} ${pair.code}`] : [],
    });
    if (pair.console) expect(console).toMatch(pair.console);
    else expect(console).not.toContain("Initramfs unpacking failed");
  });
});
