/** HVM guests with UEFI: loaders, entries and unified images on FAT partitions that dosfstools and mtools made. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { debianPackage } from "../../../lab/debian.ts";
import { diskImage, ext4Image } from "../../../tools/sample/image.ts";
import { sampleInitramfs } from "../../../tools/sample/initramfs.ts";
import { sampleKernel } from "../../../tools/sample/kernel.ts";
import { cli } from "../../support/cli.ts";
import { need, sh } from "../../support/need.ts";

const RELEASE = "6.1.0-18-amd64";
const ROOT_UUID = "6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de0b1";
const XBOOTLDR = "bc13c2ff-59e6-4262-a352-b275fd6f7172";

type Tree = Readonly<Record<string, string | Uint8Array>>;

let root: string;
let stub: string;
let systemdBoot: Uint8Array;
let kernel: Uint8Array;
let initramfs: Uint8Array;

beforeAll(async () => {
  need("mkfs.vfat", "mcopy", "mkfs.ext4", "sfdisk", "objcopy");
  root = mkdtempSync(join(tmpdir(), "domus-efi-"));
  for (const dir of ["etc/xen", "srv/xen", "var/lib/dpkg"])
    mkdirSync(join(root, dir), { recursive: true });
  writeFileSync(
    join(root, "var/lib/dpkg/status"),
    "Package: xen-utils-4.17\nStatus: install ok installed\nVersion: 4.17.5+72\n\n",
  );
  const efi = join(debianPackage("bookworm", "systemd-boot-efi"), "usr/lib/systemd/boot/efi");
  stub = join(efi, "linuxx64.efi.stub");
  systemdBoot = sh(`cat '${efi}/systemd-bootx64.efi'`);
  kernel = sampleKernel({
    release: RELEASE,
    packing: "gzip",
    decompressors: [
      ["gzip", true],
      ["zstd", true],
    ],
  });
  initramfs = sampleInitramfs({
    generator: "initramfs-tools",
    kernel: RELEASE,
    packing: "gzip",
    modules: ["block/xen-blkfront", "ext4", "jbd2", "mbcache", "crc16", "crc32c_generic"],
  });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A FAT filesystem in a file of its own, its files copied by mtools. */
function fatImage(path: string, tree: Tree, options = "-F 32 -s 1"): void {
  const source = `${path}.tree`;
  for (const [name, content] of Object.entries(tree)) {
    mkdirSync(dirname(join(source, name)), { recursive: true });
    writeFileSync(join(source, name), content);
  }
  mkdirSync(source, { recursive: true });
  sh(`truncate -s 48M '${path}'; mkfs.vfat ${options} -n ESP '${path}'`);
  if (Object.keys(tree).length > 0) sh(`mcopy -s -i '${path}' '${source}'/* ::/`);
  rmSync(source, { recursive: true });
}

type Parts = { readonly esp: Tree; readonly xbootldr?: Tree; readonly options?: string };

/** A guest whose disk has an EFI system partition, perhaps XBOOTLDR, and a root of ext4. */
function guest(name: string, { esp, xbootldr, options }: Parts, firmware = "ovmf"): void {
  const image = join(root, "srv/xen", name);
  fatImage(`${image}.esp`, esp, options);
  if (xbootldr) fatImage(`${image}.boot`, xbootldr);
  ext4Image(`${image}.root`, {
    sizeMib: 16,
    uuid: ROOT_UUID,
    tree: {
      "etc/fstab": `UUID=${ROOT_UUID} / ext4 defaults 0 1\n`,
      "sbin/init": "-> ../lib/systemd/systemd",
      "lib/systemd/systemd": "sample",
    },
  });
  diskImage(`${image}.img`, "gpt", [
    { type: "uefi", image: `${image}.esp` },
    ...(xbootldr ? [{ type: XBOOTLDR, image: `${image}.boot` }] : []),
    { type: "linux", image: `${image}.root` },
  ]);
  const lines = [
    `name = "${name}"`,
    'type = "hvm"',
    `firmware = "${firmware}"`,
    "memory = 1024",
    'on_crash = "preserve"',
    `disk = [ '/srv/xen/${name}.img,raw,xvda,rw' ]`,
  ];
  writeFileSync(join(root, "etc/xen", `${name}.cfg`), `${lines.join("\n")}\n`);
}

type Checked = {
  readonly verdict: string;
  readonly plan: {
    readonly loader: string;
    readonly source: readonly string[];
    readonly entry: string;
    readonly kernel: { readonly path: string; readonly version: string };
    readonly args: string;
    readonly root: readonly string[];
  } | null;
  readonly findings: readonly { readonly code: string; readonly why: string }[];
};

async function check(name: string): Promise<Checked> {
  const { stdout } = await cli(["check", "--json", "--root", root, name]);
  return (JSON.parse(stdout) as { guests: Checked[] }).guests[0]!;
}

const ARGS = `root=UUID=${ROOT_UUID} ro console=hvc0`;
const entry = (id: string, more = "") =>
  `title Debian ${id}\nversion ${id}\nlinux /debian/${id}/linux\ninitrd /debian/${id}/initrd\noptions ${ARGS}\n${more}`;
const boots = (id: string): Tree => ({
  [`debian/${id}/linux`]: kernel,
  [`debian/${id}/initrd`]: initramfs,
});

describe("systemd-boot", () => {
  test("its entries on the EFI system partition, the default by loader.conf", async () => {
    guest("esp", {
      esp: {
        "EFI/BOOT/BOOTX64.EFI": systemdBoot,
        "EFI/systemd/systemd-bootx64.efi": systemdBoot,
        "loader/loader.conf": "default debian-6.1*\ntimeout 3\n",
        "loader/entries/debian-6.1.0.conf": entry("6.1.0"),
        "loader/entries/debian-6.9.0.conf": entry("6.9.0"),
        ...boots("6.1.0"),
        ...boots("6.9.0"),
      },
    });
    const { verdict, plan, findings } = await check("esp");
    expect([verdict, findings]).toEqual(["boots", []]);
    expect(plan).toMatchObject({
      loader: "systemd-boot",
      source: ["xvda", "partition 1", "vfat", "/loader/loader.conf"],
      entry: "Debian 6.1.0",
      kernel: { path: "/debian/6.1.0/linux", version: RELEASE },
      args: ARGS,
      root: ["xvda", "partition 2", "ext4"],
    });
  });

  test("its entries on XBOOTLDR; FAT16 for the EFI system partition", async () => {
    guest("xbootldr", {
      esp: { "EFI/BOOT/BOOTX64.EFI": systemdBoot, "loader/loader.conf": "timeout 3\n" },
      xbootldr: { "loader/entries/debian-6.1.0.conf": entry("6.1.0"), ...boots("6.1.0") },
      options: "-F 16",
    });
    const { verdict, plan, findings } = await check("xbootldr");
    expect([verdict, findings]).toEqual(["boots", []]);
    expect(plan).toMatchObject({ loader: "systemd-boot", kernel: { path: "/debian/6.1.0/linux" } });
    const { stdout } = await cli(["disk", "parts", "--root", root, "xbootldr"]);
    expect(stdout).toMatch(/xvda1 +48 MiB +vfat +EFI system +ESP .* clean\n/);
    expect(stdout).toMatch(/xvda2 +48 MiB +vfat +Linux extended boot/);
  });

  test("a kernel that an entry names and that is gone keeps it out of the menu", async () => {
    const { "debian/6.9.0/initrd": left } = boots("6.9.0");
    guest("gone", {
      esp: {
        "EFI/BOOT/BOOTX64.EFI": systemdBoot,
        "loader/loader.conf": "timeout 3\n",
        "loader/entries/debian-6.1.0.conf": entry("6.1.0"),
        "loader/entries/debian-6.9.0.conf": entry("6.9.0"),
        "debian/6.9.0/initrd": left!,
        ...boots("6.1.0"),
      },
    });
    expect((await check("gone")).plan?.entry).toBe("Debian 6.1.0");
  });
});

test("a unified kernel image, put together by objcopy", async () => {
  const parts = { linux: kernel, initrd: initramfs, cmdline: ARGS, osrel: "PRETTY_NAME=Debian\n" };
  const dir = mkdtempSync(join(root, "uki-"));
  for (const [name, bytes] of Object.entries(parts)) writeFileSync(join(dir, name), bytes);
  const places = { osrel: 0x20000, cmdline: 0x30000, linux: 0x2000000, initrd: 0x4000000 };
  const options = Object.entries(places).map(
    ([name, at]) => `--add-section .${name}=${dir}/${name} --change-section-vma .${name}=${at}`,
  );
  sh(`objcopy ${options.join(" ")} '${stub}' '${dir}/uki.efi'`);
  guest("uki", {
    esp: {
      "EFI/BOOT/BOOTX64.EFI": systemdBoot,
      "EFI/systemd/systemd-bootx64.efi": systemdBoot,
      "EFI/Linux/debian-6.1.0.efi": sh(`cat '${dir}/uki.efi'`),
    },
  });
  const { verdict, plan, findings } = await check("uki");
  expect([verdict, findings]).toEqual(["boots", []]);
  expect(plan).toMatchObject({
    loader: "systemd-boot",
    kernel: { path: "/EFI/Linux/debian-6.1.0.efi", version: RELEASE },
    args: ARGS,
    root: ["xvda", "partition 2", "ext4"],
  });
});

describe("what the firmware finds", () => {
  test("a loader that only UEFI's variables lead to", async () => {
    guest("named", { esp: { "EFI/debian/shimx64.efi": "MZ", "EFI/debian/grubx64.efi": "MZ" } });
    const { verdict, findings } = await check("named");
    expect(verdict).toBe("unknown");
    const why = findings.find(({ code }) => code === "hvm-no-efi-loader")?.why;
    expect(why).toContain(
      "xvda: no /EFI/BOOT/BOOTX64.EFI on its EFI system partition; there is EFI/debian.",
    );
  });

  test("an EFI system partition that is empty, and a guest with a BIOS", async () => {
    guest("empty", { esp: {} });
    expect((await check("empty")).findings.map(({ code }) => code)).toContain("hvm-no-efi-loader");
    guest("bios", { esp: { "EFI/BOOT/BOOTX64.EFI": "MZ" } }, "seabios");
    expect((await check("bios")).findings.map(({ code }) => code)).toContain("hvm-no-boot-code");
  });
});
