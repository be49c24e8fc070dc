/**
 * What domus says of a kernel and an initramfs, against what that kernel itself says when it boots with it.
 *
 * Real Debian kernels in QEMU; the initramfs is a busybox whose init says that it was reached. The kernel without zstd is a
 * real one with its table entry changed, as a build without CONFIG_RD_ZSTD (or a version before 5.9) has it.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { cacheDir, debianKernel } from "../../../lab/debian.ts";
import type { KernelName } from "../../../lab/debian.ts";
import { checkGuest } from "../../../src/guest/check/check-guest.ts";
import { localHost } from "../../../src/host/local/local-host.ts";
import { assumeXen } from "../../../src/xen/xl-info.ts";
import { CPIO, kernelWithoutZstd, probeTree, REACHED } from "../../support/boot-probe.ts";
import { need, sh } from "../../support/need.ts";
import { bootInQemu } from "../../support/qemu.ts";

/** What the kernel says (facts of linux init/initramfs.c and lib/decompress*.c), and the finding that must foresee it. */
type Pair = {
  readonly name: string;
  readonly kernel: KernelName | "zstd-off" | "zstd-unknown";
  /** Shell pipeline from the directory of the tree to the image on stdout. */
  readonly pack: string;
  readonly console?: RegExp;
  readonly code?: string;
};

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
    pack: `(mkdir -p ../early/kernel/x86/microcode; cd ../early; echo x >kernel/x86/microcode/GenuineIntel.bin; ${CPIO}); ${CPIO} | gzip -n`,
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
    pack: `${CPIO} | zstd -q >../whole.zst; head -c 200000 ../whole.zst`,
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
];

let dir: string;

beforeAll(() => {
  need("qemu-system-x86_64", "cpio", "gzip", "zstd", "xz", "lz4", "lzop", "bzip2");
  dir = cacheDir("ground-truth");
  probeTree(dir);
});

function kernelPath(kernel: Pair["kernel"]): string {
  if (kernel === "zstd-off" || kernel === "zstd-unknown") return kernelWithoutZstd(kernel, dir);
  return debianKernel(kernel).vmlinuz;
}

/** The codes of severity error about the initramfs, from a real check of a guest with kernel= and ramdisk=. */
async function foreseen(kernel: string, ramdisk: string): Promise<string[]> {
  const config = join(dir, "guest.cfg");
  writeFileSync(
    config,
    `name = "guest"\ntype = "pvh"\nmemory = 1024\nkernel = "${kernel}"\nramdisk = "${ramdisk}"\nextra = "console=hvc0 rdinit=/init"\n`,
  );
  const report = await checkGuest({
    host: localHost(),
    xen: assumeXen("4.17"),
    configPath: config,
  });
  return report.findings
    .filter(({ code, severity }) => severity === "error" && code.startsWith("initramfs-"))
    .map(({ code }) => code);
}

describe("the kernel's own word on its initramfs", () => {
  test.each(PAIRS)("$kernel: $name", async (pair) => {
    const image = join(dir, "initrd");
    writeFileSync(image, sh(pair.pack, { cwd: join(dir, "tree") }));
    const kernel = kernelPath(pair.kernel);
    const console = await bootInQemu({
      kernel,
      initrd: image,
      memoryMib: 1024,
      until: new RegExp(`${REACHED}|Kernel panic`),
      timeoutMs: 180_000,
    });
    const codes = await foreseen(kernel, image);
    const booted = console.includes(REACHED);
    expect({ booted, codes }).toEqual({ booted: !pair.code, codes: pair.code ? [pair.code] : [] });
    if (pair.console) expect(console).toMatch(pair.console);
  });
});
