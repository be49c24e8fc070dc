/** Guests that Debian's GRUB for Xen boots (package grub-xen-host): the real images, disks of the field's tools. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { debianPackage } from "../../../lab/debian.ts";
import type { Release } from "../../../lab/debian.ts";
import { detectGrubImage, unpackedBy } from "../../../src/boot/grub-image/grub-image.ts";
import { parseTar } from "../../../src/boot/grub-image/tar.ts";
import { diskImage, ext4Image } from "../../../tools/sample/image.ts";
import { sampleInitramfs } from "../../../tools/sample/initramfs.ts";
import { sampleKernel } from "../../../tools/sample/kernel.ts";
import { cli } from "../../support/cli.ts";
import { need } from "../../support/need.ts";

const RELEASE = "6.1.0-18-amd64";
const UUID = "6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de0b1";
/** The type of a partition for sfdisk. */
const LINUX = "linux";
const IMAGES = ["grub-x86_64-xen.bin", "grub-i386-xen.bin", "grub-i386-xen_pvh.bin"] as const;

let root: string;
const packaged = (release: Release, name: string) =>
  join(debianPackage(release, "grub-xen-host"), "usr/lib/grub-xen", name);

beforeAll(() => {
  need("mkfs.ext4", "sfdisk");
  root = mkdtempSync(join(tmpdir(), "domus-pvgrub-"));
  for (const dir of ["etc/xen", "srv/xen", "usr/lib/grub-xen"])
    mkdirSync(join(root, dir), { recursive: true });
  for (const name of IMAGES)
    copyFileSync(packaged("bookworm", name), join(root, "usr/lib/grub-xen", name));
  makeDisk("gzip.img", "gzip");
  makeDisk("zstd.img", "zstd");
  makeDisk("pvboot.img", "gzip", { "boot/xen/pvboot-x86_64.elf": "another GRUB" });
  makeDisk(
    "saved.img",
    "gzip",
    {},
    'if [ -s $prefix/grubenv ]; then load_env; fi\nset default="1"\n',
  );
  makeDisk("empty.img", "gzip", {}, undefined);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function makeDisk(
  name: string,
  packing: "gzip" | "zstd",
  more: Readonly<Record<string, string>> = {},
  head: string | undefined = 'set default="0"\n',
): void {
  const kernel = sampleKernel({
    release: RELEASE,
    packing,
    decompressors: [
      ["gzip", true],
      ["zstd", true],
    ],
  });
  const initrd = sampleInitramfs({
    generator: "initramfs-tools",
    kernel: RELEASE,
    packing: "gzip",
    modules: ["block/xen-blkfront", "ext4", "jbd2", "mbcache", "crc16", "crc32c_generic"],
    programs: [],
  });
  const entry = (title: string, rest: string) => `menuentry '${title}' {
  search --no-floppy --fs-uuid --set=root ${UUID}
  linux /boot/vmlinuz-${RELEASE} root=UUID=${UUID} ro console=hvc0 ${rest}
  initrd /boot/initrd.img-${RELEASE}
}
`;
  const menu = `${head}if [ "$grub_platform" = xen -o "$grub_platform" = xen_pvh ]; then
${entry("Debian on Xen", "xen")}
else
${entry("Debian on a PC", "pc")}
fi
${entry("Debian, older", "older")}`;
  const tree = {
    [`boot/vmlinuz-${RELEASE}`]: kernel,
    [`boot/initrd.img-${RELEASE}`]: initrd,
    "etc/fstab": `UUID=${UUID} / ext4 defaults 0 1\n`,
    "sbin/init": "sample",
    ...(name === "empty.img" ? {} : { "boot/grub/grub.cfg": menu }),
    ...more,
  };
  const fs = join(root, `${name}.ext4`);
  ext4Image(fs, { sizeMib: 48, uuid: UUID, label: "root", tree });
  diskImage(join(root, "srv/xen", name), "gpt", [{ image: fs, type: LINUX }]);
}

type Guest = {
  verdict: string;
  plan: { entry: string | null; because: string; args: string; loader: string } | null;
  findings: { code: string; severity: string; what: string; why: string }[];
};

async function check(
  disk: string,
  type: "pv" | "pvh",
  image: string,
  xen = "4.17",
): Promise<Guest> {
  writeFileSync(
    join(root, "etc/xen/guest.cfg"),
    `name = "guest"\ntype = "${type}"\nmemory = 512\non_crash = "preserve"
kernel = "/usr/lib/grub-xen/${image}"\ndisk = [ '/srv/xen/${disk},raw,xvda,rw' ]\n`,
  );
  const { stdout } = await cli(["check", "--json", "--xen", xen, "--root", root, "guest"]);
  return (JSON.parse(stdout) as { guests: Guest[] }).guests[0]!;
}
const codes = ({ findings }: Guest) => findings.map(({ code, severity }) => `${severity} ${code}`);

describe("the images of Debian's packages", () => {
  test.each(["bullseye", "bookworm", "trixie"] as const)("%s", (release) => {
    const found = IMAGES.map((name) => {
      const image = detectGrubImage(readFileSync(packaged(release, name)), [name])!;
      expect(image.config).toBe("normal (memdisk)/grub.cfg\n");
      expect(image.prefix).toBe("(memdisk)/boot/grub");
      expect([...parseTar(image.memdisk!, [name]).keys()]).toEqual(["grub.cfg"]);
      for (const module of ["lvm", "mdraid1x", "btrfs", "xfs", "part_gpt", "search"])
        expect(image.modules).toContain(module);
      return [image.platform, image.cpu, image.bits, ...unpackedBy(image)];
    });
    expect(found).toEqual([
      ["xen", "x86_64", 64, "gzip", "xz", "lzo"],
      ["xen", "i386", 32, "gzip", "xz", "lzo"],
      ["xen_pvh", "i386", 32, "gzip", "xz", "lzo"],
    ]);
  });
});

describe("a guest that GRUB boots", () => {
  test("PV: GRUB's own configuration leads to the guest's, on its own platform", async () => {
    const guest = await check("gzip.img", "pv", "grub-x86_64-xen.bin");
    expect([guest.verdict, codes(guest)]).toEqual(["boots", []]);
    expect(guest.plan).toMatchObject({ loader: "grub2", entry: "Debian on Xen" });
    expect(guest.plan!.args).toContain(" xen");
    expect(guest.plan!.because).toContain("/usr/lib/grub-xen/grub-x86_64-xen.bin");
  });

  test("PVH", async () => {
    const guest = await check("zstd.img", "pvh", "grub-i386-xen_pvh.bin", "4.14");
    // The kernel unpacks itself: neither dom0's Xen nor GRUB has to know zstd.
    expect([guest.verdict, codes(guest)]).toEqual(["boots", []]);
    expect(guest.plan).toMatchObject({ entry: "Debian on Xen" });
  });

  test("PV, and a kernel that GRUB cannot unpack, whatever dom0's Xen can", async () => {
    const guest = await check("zstd.img", "pv", "grub-x86_64-xen.bin", "4.20");
    expect(guest.verdict).toBe("fails");
    expect(codes(guest)).toEqual(["error grub-cannot-load"]);
    expect(guest.findings[0]!.why).toContain("unpacks gzip, xz and lzo only");
  });

  test("a 64-bit kernel and a 32-bit GRUB, which this Xen does not even start", async () => {
    const guest = await check("gzip.img", "pv", "grub-i386-xen.bin");
    expect(codes(guest)).toEqual(["error kernel-width", "error grub-cannot-load"]);
  });

  test("a PVH guest with the GRUB for PV", async () => {
    const guest = await check("gzip.img", "pvh", "grub-x86_64-xen.bin");
    expect(guest.verdict).toBe("fails");
    expect(codes(guest)).toContain("error kernel-not-pvh");
  });

  test("its prefix is in memory: the grubenv of the guest is not read", async () => {
    const guest = await check("saved.img", "pv", "grub-x86_64-xen.bin");
    expect(guest.plan).toMatchObject({ entry: "Debian, older" });
  });

  test("no grub.cfg on the disk: nobody says that it boots", async () => {
    const guest = await check("empty.img", "pv", "grub-x86_64-xen.bin");
    expect(guest.verdict).toBe("unknown");
    expect(codes(guest)).toEqual(["note kernel-not-linux"]);
    const pvh = await check("empty.img", "pvh", "grub-i386-xen_pvh.bin");
    expect([pvh.verdict, codes(pvh)]).toEqual(["unknown", ["note kernel-not-linux"]]);
  });

  test("a GRUB of the guest's own that is started instead is not followed", async () => {
    const guest = await check("pvboot.img", "pv", "grub-x86_64-xen.bin");
    expect(guest.verdict).toBe("unknown");
    expect(guest.findings[0]!.why).toContain("the configuration ends with `boot`");
  });
});
