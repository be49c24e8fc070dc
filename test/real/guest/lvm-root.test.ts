/** `domus check` and `domus disk` on guests whose root is a logical volume of a group that the real LVM2 made. */
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { diskImage, ext4Image } from "../../../tools/sample/image.ts";
import { sampleInitramfs } from "../../../tools/sample/initramfs.ts";
import { sampleKernel } from "../../../tools/sample/kernel.ts";
import { cli } from "../../support/cli.ts";
import { lvRows, openLvm, writeVolume } from "../../support/lvm-tools.ts";
import type { LoopFile } from "../../support/lvm-tools.ts";
import { need } from "../../support/need.ts";

const MIB = 1 << 20;
const RELEASE = "6.1.0-18-amd64";
const BOOT_UUID = "6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de0b0";
const ROOT_UUID = "6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de0b1";

let root: string;
const image = (name: string) => join(root, "srv/xen", name);

beforeAll(() => {
  need("mkfs.ext4", "sfdisk");
  root = mkdtempSync(join(tmpdir(), "domus-lvm-"));
  for (const dir of ["etc/xen", "srv/xen", "var/lib/dpkg"])
    mkdirSync(join(root, dir), { recursive: true });
  writeFileSync(
    join(root, "var/lib/dpkg/status"),
    "Package: xen-utils-4.17\nStatus: install ok installed\nVersion: 4.17.5+72\n\n",
  );
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

type BootOptions = { readonly root: string; readonly lvm?: boolean; readonly prefix?: string };

/** What Debian puts into /boot; `prefix` is where that is on its filesystem. */
function bootTree({ root: device, lvm = true, prefix = "" }: BootOptions) {
  const search = prefix === "" ? BOOT_UUID : ROOT_UUID;
  const classic = ["gzip", "bzip2", "lzma", "xz", "lzo", "lz4"] as const;
  const kernel = sampleKernel({
    release: RELEASE,
    packing: "gzip",
    decompressors: classic.map((one) => [one, true] as const),
  });
  const initrd = sampleInitramfs({
    generator: "initramfs-tools",
    kernel: RELEASE,
    packing: "gzip",
    modules: ["block/xen-blkfront", "ext4", "jbd2", "mbcache", "crc16", "crc32c_generic", "dm-mod"],
    programs: lvm ? ["usr/sbin/lvm"] : [],
  });
  const at = prefix === "" ? "" : `${prefix.slice(1)}/`;
  return {
    [`${at}vmlinuz-${RELEASE}`]: kernel,
    [`${at}initrd.img-${RELEASE}`]: initrd,
    [`${at}grub/grub.cfg`]: `set default="0"
search --no-floppy --fs-uuid --set=root ${search}
menuentry 'Debian' --id 'debian' {
  linux ${prefix}/vmlinuz-${RELEASE} root=${device} ro console=hvc0
  initrd ${prefix}/initrd.img-${RELEASE}
}
`,
  };
}

const SYSTEM = {
  "etc/fstab": `/dev/mapper/vg0-root / ext4 defaults 0 1\nUUID=${BOOT_UUID} /boot ext4 defaults 0 2\n`,
  "sbin/init": "-> ../lib/systemd/systemd",
  "lib/systemd/systemd": "sample",
};

/** Puts `tree` as an ext4 filesystem onto vg0/root, which is made on the physical volumes in two pieces each. */
function rootVolume(files: readonly LoopFile[], tree: Record<string, string | Uint8Array>): void {
  const lvm = openLvm(files);
  lvm.run(`vgcreate -y -s 4m vg0 ${lvm.devices.join(" ")}`);
  const each = Math.ceil(12 / files.length);
  for (const [index, device] of lvm.devices.entries()) {
    if (index === 0) lvm.create(`-l 3 -n root vg0 ${device}`);
    else lvm.run(`lvextend --driverloaded n -l +3 vg0/root ${device}`);
    lvm.create(`-l 1 -n between${index} vg0 ${device}`);
    lvm.run(`lvextend --driverloaded n -l +${each} vg0/root ${device}`);
  }
  const rows = lvRows(lvm).filter((row) => row.name === "root");
  lvm.close();
  const extents = rows.flatMap((row) => row.ranges).reduce((sum, [, a, b]) => sum + b - a + 1, 0);
  const fs = image("root.fs");
  ext4Image(fs, { sizeMib: extents * 4, uuid: ROOT_UUID, label: "root", tree });
  const place = { lvm, files, extentBytes: 4 * MIB, startBytes: MIB };
  writeVolume(place, rows, readFileSync(fs));
  rmSync(fs);
}

function blank(name: string, sizeMib = 96): string {
  writeFileSync(image(name), "");
  truncateSync(image(name), sizeMib * MIB);
  return image(name);
}

function config(name: string, disks: readonly string[], more: readonly string[] = []): void {
  const specs = disks.map((disk, index) => `'/srv/xen/${disk},raw,xvd${"abc"[index]},rw'`);
  const lines = [
    `name = "${name}"`,
    "memory = 1024",
    'on_crash = "preserve"',
    `disk = [ ${specs.join(", ")} ]`,
  ];
  const boots = more.length > 0 ? more : ['bootloader = "pygrub"'];
  writeFileSync(join(root, "etc/xen", `${name}.cfg`), `${[...lines, ...boots].join("\n")}\n`);
}

/** A disk with /boot as an ext4 partition, and the root in the partition behind it. */
function partitioned(name: string, options: BootOptions): void {
  const boot = image(`${name}.p1`);
  ext4Image(boot, { sizeMib: 32, uuid: BOOT_UUID, tree: bootTree(options) });
  const pv = blank(`${name}.p2`);
  diskImage(image(`${name}.img`), "gpt", [
    { type: "linux", image: boot },
    { type: "lvm", image: pv },
  ]);
  const part = { path: image(`${name}.img`), offset: 33 * MIB, size: 96 * MIB };
  rootVolume([part], SYSTEM);
  config(name, [`${name}.img`]);
}

type Guest = {
  readonly verdict: string;
  readonly plan: { readonly root: string[] | null; readonly source: string[] } | null;
  readonly findings: readonly { readonly code: string; readonly severity: string }[];
};

async function check(name: string): Promise<Guest & { readonly codes: string[] }> {
  const { stdout } = await cli(["check", "--json", "--root", root, name]);
  const guest = (JSON.parse(stdout) as { guests: Guest[] }).guests[0]!;
  return { ...guest, codes: guest.findings.map((one) => `${one.severity} ${one.code}`) };
}

describe("a partition for /boot, LVM in the next one", () => {
  test.each(["/dev/mapper/vg0-root", "/dev/vg0/root", `UUID=${ROOT_UUID}`, "LABEL=root"])(
    "root=%s is found and boots",
    async (device) => {
      partitioned("web", { root: device });
      expect(await check("web")).toMatchObject({
        verdict: "boots",
        codes: [],
        plan: {
          root: ["vg0/root", "ext4"],
          source: ["xvda", "partition 1", "ext4", "/grub/grub.cfg"],
        },
      });
    },
  );

  test("the volumes are listed and read", async () => {
    partitioned("web", { root: "/dev/mapper/vg0-root" });
    const { stdout, code } = await cli(["disk", "parts", "--root", root, "web"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/xvda2 .*LVM2 physical volume.*part of vg0/);
    expect(stdout).toMatch(/\/dev\/mapper\/vg0-root .*ext4 +on xvda2 +root .*clean, a root/);
    for (const path of [
      "/etc/fstab",
      "vg0/root:/etc/fstab",
      "/dev/vg0/root:/etc/fstab",
      "vg0-root:/etc/fstab",
    ]) {
      const read = await cli(["disk", "cat", "--root", root, "web", path]);
      expect(read.stdout, path).toBe(SYSTEM["etc/fstab"]);
    }
    const json = await cli(["disk", "parts", "--json", "--root", root, "web"]);
    const { disks } = JSON.parse(json.stdout) as {
      disks: { volumes: Record<string, unknown>[] }[];
    };
    expect(disks[0]!.volumes.find((one) => one["device"] === "/dev/mapper/vg0-root")).toMatchObject(
      {
        where: ["vg0/root"],
        aliases: expect.arrayContaining(["/dev/vg0/root"]),
        assembly: { system: "lvm2", group: { name: "vg0" }, members: [["xvda", "partition 2"]] },
      },
    );
  });

  test("a volume with another name is not there, and that is certain", async () => {
    partitioned("web", { root: "/dev/mapper/vg1-root" });
    const { verdict, codes } = await check("web");
    expect([verdict, codes]).toEqual(["fails", ["error root-not-found"]]);
  });

  test("an initramfs without LVM tools is the end", async () => {
    partitioned("web", { root: `UUID=${ROOT_UUID}`, lvm: false });
    const { verdict, codes } = await check("web");
    expect([verdict, codes]).toEqual(["fails", ["error initramfs-no-lvm"]]);
  });
});

/** GRUB's boot code goes into sector 0, which LVM leaves alone: that is enough for the guest's BIOS. */
function bootSector(path: string): void {
  const sector = new Uint8Array(512);
  sector.set([0xeb, 0x63, 0x90]);
  sector.set(Buffer.from("GRUB "), 0x180);
  sector.set([0x55, 0xaa], 510);
  const fd = openSync(path, "r+");
  writeSync(fd, sector, 0, sector.length, 0);
  closeSync(fd);
}

/** Disks that are physical volumes as a whole, with /boot on the root. */
function whole(names: readonly string[]): void {
  const files = names.map((name) => ({ path: blank(name) }));
  rootVolume(files, { ...SYSTEM, ...bootTree({ root: "/dev/vg0/root", prefix: "/boot" }) });
  // pvcreate has zeroed it.
  for (const { path } of files) bootSector(path);
}

describe("whole disks as physical volumes", () => {
  test("pygrub is blind, GRUB in an HVM guest is not", async () => {
    whole(["db.img"]);
    config("db", ["db.img"]);
    const blind = await check("db");
    expect(blind.verdict).toBe("fails");
    expect(blind.codes).toContain("error pygrub-blind");
    const { stdout } = await cli(["check", "--root", root, "db"]);
    expect(stdout.replace(/\s+/g, " ")).toContain(
      "part of an LVM2 volume group, which pygrub does not look into",
    );
    config("db", ["db.img"], ['type = "hvm"']);
    expect(await check("db")).toMatchObject({
      verdict: "boots",
      plan: { root: ["vg0/root", "ext4"], source: ["vg0/root", "ext4", "/boot/grub/grub.cfg"] },
    });
  });

  test("a volume over two disks, and one of them missing", async () => {
    whole(["big1.img", "big2.img"]);
    config("big", ["big2.img", "big1.img"], ['type = "hvm"']);
    expect(await check("big")).toMatchObject({
      verdict: "boots",
      plan: { root: ["vg0/root", "ext4"] },
    });
    config("big", ["big1.img"], ['type = "hvm"']);
    const { verdict, codes } = await check("big");
    expect(verdict).not.toBe("boots");
    expect(codes).toContain("warning lvm-pv-missing");
    const parts = await cli(["disk", "parts", "--root", root, "big"]);
    expect(parts.stdout).toMatch(/vg0-root .*no physical volume pv1/);
  });
});
