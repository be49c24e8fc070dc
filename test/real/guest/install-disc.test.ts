/** Guests with an installation disc, made by xorriso as Debian's are: ISOLINUX for BIOS, GRUB in an image for UEFI. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { blankImage, diskImage, ext4Image } from "../../../tools/sample/image.ts";
import { cpio } from "../../../tools/sample/initramfs.ts";
import { sampleKernel } from "../../../tools/sample/kernel.ts";
import { cli } from "../../support/cli.ts";
import { isoPrograms } from "../../support/fs/iso-programs.ts";
import { need, sh } from "../../support/need.ts";

const RELEASE = "6.1.0-18-amd64";
const ROOT_UUID = "6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de0b1";

let root: string;
const image = (name: string) => join(root, "srv/xen", name);

const ISOLINUX_CFG = "path\ninclude menu.cfg\ndefault vesamenu.c32\nprompt 0\ntimeout 0\n";
const MENU_CFG = `menu title Debian installer
label install
	menu label ^Install
	menu default
	kernel /install.amd/vmlinuz
	append vga=788 initrd=/install.amd/initrd.gz --- quiet
label expert
	kernel /install.amd/vmlinuz
	append priority=low initrd=/install.amd/initrd.gz ---
`;
const GRUB_CFG = `menuentry 'Install by GRUB' {
  linux /install.amd/vmlinuz vga=789 --- quiet
  initrd /install.amd/initrd.gz
}
`;

function kernel(release: string): Uint8Array {
  return sampleKernel({ release, packing: "gzip", decompressors: [["gzip", true]] });
}

beforeAll(() => {
  need("mkfs.vfat", "mcopy", "mkfs.ext4", "sfdisk", "gzip");
  root = mkdtempSync(join(tmpdir(), "domus-disc-"));
  for (const dir of ["etc/xen", "srv/xen", "var/lib/dpkg", "tree"])
    mkdirSync(join(root, dir), { recursive: true });
  writeFileSync(
    join(root, "var/lib/dpkg/status"),
    "Package: xen-utils-4.17\nStatus: install ok installed\nVersion: 4.17.5+72\n\n",
  );
  makeDisc();
  makeDisk();
  blankImage(image("blank.img"), 8);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function makeDisc(): void {
  const { xorriso, isolinux } = isoPrograms();
  const tree = join(root, "tree");
  const files = {
    "isolinux/isolinux.cfg": ISOLINUX_CFG,
    "isolinux/menu.cfg": MENU_CFG,
    "isolinux/isolinux.bin": sh(`cat '${isolinux}/isolinux.bin'`),
    "boot/grub/grub.cfg": GRUB_CFG,
    "install.amd/vmlinuz": kernel(RELEASE),
    "install.amd/initrd.gz": sh("gzip -c", {
      input: cpio([{ path: "init", mode: 0o100755, data: "#!/bin/sh\n" }]),
    }),
  };
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, name)), { recursive: true });
    writeFileSync(join(tree, name), content);
  }
  const esp = `${tree}/boot/grub/efi.img`;
  sh(`truncate -s 3M '${esp}'; mkfs.vfat -n EFIBOOT '${esp}'; mmd -i '${esp}' ::/efi ::/efi/boot
      echo MZ | mcopy -i '${esp}' - ::/efi/boot/bootx64.efi`);
  const boot =
    "-b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table";
  const uefi = "-eltorito-alt-boot -e boot/grub/efi.img -no-emul-boot -isohybrid-gpt-basdat";
  const make = (name: string, options: string) =>
    sh(
      `${xorriso} -as mkisofs -quiet -R -J -V 'Debian 12' ${options} -o '${image(name)}' '${tree}' 2>&1`,
    );
  make("hybrid.iso", `${boot} -isohybrid-mbr ${isolinux}/isohdpfx.bin ${uefi}`);
  make("cd.iso", boot);
  make("data.iso", "");
}

/** An installed system with boot code that names GRUB. */
function makeDisk(): void {
  ext4Image(`${image("disk.img")}.p1`, {
    sizeMib: 32,
    uuid: ROOT_UUID,
    tree: {
      "boot/grub/grub.cfg": `menuentry 'Installed' {\n linux /boot/vmlinuz root=UUID=${ROOT_UUID} ro console=hvc0\n initrd /boot/initrd.img\n}\n`,
      "boot/vmlinuz": kernel("6.1.0-99-amd64"),
      "boot/initrd.img": sh("gzip -c", {
        input: cpio([{ path: "init", mode: 0o100755, data: "#!/bin/sh\n" }]),
      }),
      "sbin/init": "sample",
    },
  });
  diskImage(image("disk.img"), "dos", [
    { type: "83", bootable: true, image: `${image("disk.img")}.p1` },
  ]);
  sh(`printf '\\xeb\\x63\\x90 GRUB ' | dd of='${image("disk.img")}' conv=notrunc status=none`);
}

type Checked = {
  readonly verdict: string;
  readonly plan: {
    readonly loader: string;
    readonly source: readonly string[];
    readonly entry: string;
    readonly kernel: { readonly version: string };
    readonly args: string;
  } | null;
  readonly findings: readonly { readonly code: string; readonly severity: string }[];
};

async function check(disks: readonly string[], more: string): Promise<Checked> {
  const list = disks.map((disk) => `'/srv/xen/${disk}'`).join(", ");
  const config = `name = "guest"\nmemory = 1024\non_crash = "preserve"\ndisk = [ ${list} ]\n${more}\n`;
  writeFileSync(join(root, "etc/xen/guest.cfg"), config);
  const { stdout } = await cli(["check", "--json", "--root", root, "/etc/xen/guest.cfg"]);
  return (JSON.parse(stdout) as { guests: Checked[] }).guests[0]!;
}

const HVM = 'type = "hvm"';
const CD = (name: string) => `${name},raw,hdc,r,cdrom`;
const BLANK = "blank.img,raw,xvda,w";
const DISK = "disk.img,raw,xvda,w";
const errors = ({ findings }: Checked) =>
  findings.filter(({ severity }) => severity === "error").map(({ code }) => code);

const ISOLINUX = {
  loader: "extlinux",
  source: ["hdc", "iso9660", "/isolinux/isolinux.cfg"],
  entry: "Install",
  kernel: { version: RELEASE },
  args: "vga=788 initrd=/install.amd/initrd.gz --- quiet",
};

describe("a BIOS", () => {
  test.each(["hybrid.iso", "cd.iso"])("and a blank disk: ISOLINUX of %s", async (disc) => {
    const found = await check([BLANK, CD(disc)], HVM);
    expect(found.plan).toMatchObject(ISOLINUX);
    expect(errors(found)).toEqual([]);
  });

  test("and an installed disk: a disc that stayed in the drive changes nothing", async () => {
    for (const disks of [
      [DISK, CD("hybrid.iso")],
      [CD("hybrid.iso"), DISK],
    ]) {
      const { plan } = await check(disks, HVM);
      expect(plan).toMatchObject({ loader: "grub2", entry: "Installed" });
    }
    expect((await check([DISK, CD("hybrid.iso")], `${HVM}\nboot = "dc"`)).plan).toMatchObject(
      ISOLINUX,
    );
  });

  test("and a disc that cannot boot", async () => {
    const found = await check([BLANK, CD("data.iso")], HVM);
    expect(found.plan).toBe(null);
    expect(found.verdict).toBe("unknown");
    expect(found.findings.map(({ code }) => code)).toContain("hvm-no-boot-code");
  });

  test("and the image as a hard disk, as on a USB stick", async () => {
    const { plan } = await check(["hybrid.iso,raw,xvda,r"], HVM);
    expect(plan).toMatchObject({
      entry: "Install",
      source: ["xvda", "iso9660", expect.anything()],
    });
  });
});

describe("UEFI", () => {
  test("the program in the boot image, then GRUB's configuration on the disc", async () => {
    const found = await check([BLANK, CD("hybrid.iso")], `${HVM}\nfirmware = "ovmf"`);
    expect(found.plan).toMatchObject({ loader: "grub2", entry: "Install by GRUB" });
    expect(errors(found)).toEqual([]);
  });

  test("a disc for BIOS only", async () => {
    const found = await check([BLANK, CD("cd.iso")], `${HVM}\nfirmware = "ovmf"`);
    expect(found.verdict).toBe("unknown");
    expect(found.findings.map(({ code }) => code)).toContain("hvm-no-efi-loader");
  });
});

test("a PV guest whose first disk is the disc: pygrub reads GRUB's configuration", async () => {
  const found = await check(["cd.iso,raw,xvdb,r", BLANK], 'bootloader = "pygrub"');
  expect(found.plan).toMatchObject({ loader: "grub2", entry: "Install by GRUB" });
  expect(errors(found)).toEqual([]);
});

describe("looking into the image", () => {
  test("its files, by the name of the image", async () => {
    const list = await cli(["disk", "ls", image("hybrid.iso"), "/"]);
    expect(list.stdout).toMatch(/ boot\n.* install\.amd\n.* isolinux$/m);
    const { stdout } = await cli(["disk", "cat", image("hybrid.iso"), "/isolinux/menu.cfg"]);
    expect(stdout).toBe(MENU_CFG);
    const inside = await cli(["disk", "ls", image("hybrid.iso"), "EFIBOOT:/EFI/BOOT"]);
    expect(inside.stdout).toMatch(/ bootx64\.efi$/m);
  });

  test("the filesystem, and the partitions in front of it", async () => {
    const { stdout, code } = await cli(["disk", "parts", image("hybrid.iso")]);
    expect(stdout).toMatch(
      /^ {2}disk .* iso9660 .*Debian 12 .*clean, with a partition table \(mbr\)/m,
    );
    expect(stdout).toMatch(/^ {2}disk1 .* iso9660 .*what is on disk/m);
    expect(stdout).toMatch(/^ {2}disk2 +3 MiB +vfat +EFI system +EFIBOOT/m);
    expect(stdout).not.toContain("partition-overlap");
    expect(code).toBe(0);
    const json = await cli(["disk", "parts", "--json", image("hybrid.iso")]);
    expect(JSON.parse(json.stdout)).toMatchObject({ disks: [{ table: "mbr", findings: [] }] });
  });
});
