/**
 * Guests that would not boot, handed over so that they do: each pair is booted in QEMU twice, with the files that are on
 * the disk (it must fail) and with those that domus-pygrub hands over (it must reach init).
 */
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { cacheDir, debianKernel } from "../../../lab/debian.ts";
import { isElf } from "../../../src/boot/kernel/elf.ts";
import { prepareBoot } from "../../../src/guest/bootloader/prepare-boot.ts";
import { localHost } from "../../../src/host/local/local-host.ts";
import { assumeXen } from "../../../src/xen/xl-info.ts";
import { CPIO, kernelWithoutZstd, probeTree, REACHED } from "../../support/boot-probe.ts";
import { domusPygrub } from "../../support/domus-pygrub.ts";
import { need, scratch, sh } from "../../support/need.ts";
import { bootInQemu } from "../../support/qemu.ts";

let dir: string;

beforeAll(() => {
  need("qemu-system-x86_64", "mkfs.ext4", "cpio", "gzip", "zstd", "xz", "lz4");
  dir = cacheDir("pygrub-repair");
  probeTree(dir);
});

type Case = {
  readonly name: string;
  readonly kernel: () => string;
  readonly pack: string;
  /** What the console of the guest says without help. */
  readonly dies: RegExp;
  /** What domus-pygrub says. */
  readonly says: RegExp;
};

const bookworm = () => debianKernel("6.1").vmlinuz;

const CASES: readonly Case[] = [
  {
    name: "zstd, and a kernel built without it",
    kernel: () => kernelWithoutZstd("zstd-off", dir),
    pack: `${CPIO} | zstd -q`,
    dies: /compression method zstd not configured/,
    says: /compressed with zstd, which the kernel .* cannot unpack/,
  },
  {
    name: "microcode archive, then zstd, and a kernel that never heard of it",
    kernel: () => kernelWithoutZstd("zstd-unknown", dir),
    pack: `(mkdir -p ../early/kernel/x86/microcode; cd ../early; echo x >kernel/x86/microcode/GenuineIntel.bin; ${CPIO}); ${CPIO} | zstd -q`,
    dies: /invalid magic at start of compressed archive/,
    says: /compressed with zstd/,
  },
  {
    name: "xz with crc64",
    kernel: bookworm,
    pack: `${CPIO} | xz --check=crc64`,
    dies: /not supported by this XZ decoder/,
    says: /crc64/,
  },
  {
    name: "lz4, modern frame",
    kernel: bookworm,
    pack: `${CPIO} | lz4 -q`,
    dies: /invalid magic at start of compressed archive/,
    says: /lz4 frame format/,
  },
];

/** A disk with these two and a grub.cfg. */
function guestDisk(kernel: string, initramfs: Uint8Array): string {
  const root = scratch();
  mkdirSync(join(root, "boot/grub"), { recursive: true });
  copyFileSync(kernel, join(root, "boot/vmlinuz"));
  writeFileSync(join(root, "boot/initrd.img"), initramfs);
  writeFileSync(
    join(root, "boot/grub/grub.cfg"),
    "set timeout=0\nmenuentry 'Linux' {\n linux /boot/vmlinuz rdinit=/init\n initrd /boot/initrd.img\n}\n",
  );
  const image = join(scratch(), "guest.img");
  sh(`truncate -s 300M ${image}; mkfs.ext4 -q -d ${root} ${image}`);
  return image;
}

function boot(kernel: string, initrd: string): Promise<string> {
  return bootInQemu({
    kernel,
    initrd,
    memoryMib: 1024,
    until: new RegExp(`${REACHED}|Kernel panic`),
    timeoutMs: 300_000,
  });
}

function digest(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

describe("an initramfs that its kernel cannot unpack", () => {
  test.each(CASES)("$name", async ({ kernel: kernelOf, pack, dies, says }) => {
    const kernel = kernelOf();
    const initramfs = sh(pack, { cwd: join(dir, "tree") });
    const image = guestDisk(kernel, initramfs);
    const before = digest(image);
    const original = join(dir, "initrd.original");
    writeFileSync(original, initramfs);
    const without = await boot(kernel, original);
    expect(without).not.toContain(REACHED);
    expect(without).toMatch(dies);

    const run = domusPygrub(image);
    expect(run.exitCode, run.stderr).toBe(0);
    expect(run.stderr).toMatch(says);
    expect(run.stderr).toContain("For good");
    const repaired = join(dir, "initrd.repaired");
    writeFileSync(repaired, run.ramdisk!);
    expect(await boot(kernel, repaired)).toContain(REACHED);
    expect(Buffer.compare(run.kernel!, readFileSync(kernel))).toBe(0);
    expect(digest(image), "the guest's disk").toBe(before);

    const asItIs = domusPygrub(image, ["--no-repair"]);
    expect(Buffer.compare(asItIs.ramdisk!, initramfs)).toBe(0);
  });
});

describe("what is in order", () => {
  test.each([
    ["gzip", `${CPIO} | gzip -n`],
    ["zstd", `${CPIO} | zstd -q -19`],
    ["a plain archive", CPIO],
    ["something that no kernel unpacks, and domus neither", "head -c 100000 /dev/urandom"],
    ["cut off", `${CPIO} | xz --check=crc64 >../whole.xz; head -c 100000 ../whole.xz`],
    [
      "zstd with a window that neither takes",
      `(${CPIO}; head -c 140000000 /dev/zero) | zstd -q --long=31 --no-content-size`,
    ],
  ])("%s is handed over as it is", (_name, pack) => {
    const initramfs = sh(pack, { cwd: join(dir, "tree") });
    const run = domusPygrub(guestDisk(bookworm(), initramfs));
    expect(run.exitCode, run.stderr).toBe(0);
    expect(Buffer.compare(run.ramdisk!, initramfs)).toBe(0);
  });
});

describe("two gzip members", () => {
  test("on a Xen that inflates the first only, an empty archive goes in front", async () => {
    const pack = `(cd bin; echo busybox | cpio --quiet -o -H newc | gzip -n); ${CPIO} | gzip -n`;
    const initramfs = sh(pack, { cwd: join(dir, "tree") });
    const image = guestDisk(bookworm(), initramfs);
    const [old, current] = [await ramdiskFor(image, "4.17"), await ramdiskFor(image, "4.20")];
    expect(Buffer.compare(current, initramfs)).toBe(0);
    expect(Buffer.compare(old.subarray(512), initramfs)).toBe(0);
    expect(Buffer.from(old.subarray(0, 6)).toString()).toBe("070701");
    const file = join(dir, "initrd.lead");
    writeFileSync(file, old);
    expect(await boot(bookworm(), file)).toContain(REACHED);
  });

  test("one member is left alone", async () => {
    const initramfs = sh(`${CPIO} | gzip -n`, { cwd: join(dir, "tree") });
    const image = guestDisk(bookworm(), initramfs);
    expect(Buffer.compare(await ramdiskFor(image, "4.17"), initramfs)).toBe(0);
  });
});

describe("a kernel that this Xen's builder cannot unpack", () => {
  test("zstd on 4.14 becomes the ELF in it, on 4.17 it stays", async () => {
    const { vmlinuz } = debianKernel("6.12");
    const image = guestDisk(vmlinuz, sh(`${CPIO} | gzip -n`, { cwd: join(dir, "tree") }));
    const current = await handedOver(image, "4.17");
    expect(Buffer.compare(current.kernel, readFileSync(vmlinuz))).toBe(0);
    const old = await handedOver(image, "4.14");
    expect(isElf(old.kernel)).toBe(true);
    expect(old.remarks).toMatch(/Xen 4\.14 cannot unpack the kernel \/boot\/vmlinuz, .* zstd/);
    const elf = join(dir, "kernel.elf");
    const initrd = join(dir, "initrd.gz");
    writeFileSync(elf, old.kernel);
    writeFileSync(initrd, old.ramdisk);
    expect(await boot(elf, initrd)).toContain(REACHED);
  });
});

async function ramdiskFor(image: string, xen: string): Promise<Buffer> {
  return (await handedOver(image, xen)).ramdisk;
}

async function handedOver(image: string, xen: string) {
  const collect = () => {
    const parts: Uint8Array[] = [];
    return {
      parts,
      write: async (chunk: Uint8Array) => void parts.push(Uint8Array.from(chunk)),
      restart: async () => void (parts.length = 0),
    };
  };
  const [kernel, ramdisk] = [collect(), collect()];
  const done = await prepareBoot(
    { disk: image, args: "", repair: "auto" },
    { host: localHost(), xen: async () => assumeXen(xen) },
    { kernel, ramdisk },
  );
  return {
    kernel: Buffer.concat(kernel.parts),
    ramdisk: Buffer.concat(ramdisk.parts),
    remarks: done.remarks.map(({ what }) => what).join("\n"),
  };
}
