/**
 * `domus check` on guests whose root is btrfs, laid out as distributions do: GRUB's paths begin at the top level (or, with
 * openSUSE's GRUB, at the default subvolume), the kernel's at the default subvolume or the one that rootflags= names.
 * Everywhere a path leads to in the wrong view there is a kernel of another version.
 */
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { diskImage, ext4Image } from "../../../tools/sample/image.ts";
import { sampleInitramfs } from "../../../tools/sample/initramfs.ts";
import { sampleKernel } from "../../../tools/sample/kernel.ts";
import { cli } from "../../support/cli.ts";
import { mountedAs } from "../../support/fs/mounted.ts";
import { need, needRoot, sh } from "../../support/need.ts";

const RIGHT = "6.1.0-18-amd64";
const WRONG = "5.10.0-1-amd64";
const UUID = "6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de0c0";
const BOOT_UUID = "6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de0c1";

let root: string;

beforeAll(() => {
  need("mkfs.btrfs", "btrfs", "mkfs.ext4", "sfdisk");
  needRoot("it mounts images");
  root = mkdtempSync(join(tmpdir(), "domus-btrfs-"));
  mkdirSync(join(root, "etc/xen"), { recursive: true });
  mkdirSync(join(root, "srv"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Paths in the mounted filesystem to what is in them; `null` makes a subvolume. */
type Tree = Readonly<Record<string, string | Uint8Array | null>>;

const kernel = (release: string) =>
  sampleKernel({
    release,
    packing: "gzip",
    decompressors: (["gzip", "bzip2", "lzma", "xz", "lzo", "lz4"] as const).map(
      (one) => [one, true] as const,
    ),
  });

const initrd = sampleInitramfs({
  generator: "initramfs-tools",
  kernel: RIGHT,
  packing: "gzip",
  modules: ["block/xen-blkfront", "btrfs", "crc32c_generic", "xor", "raid6_pq", "libcrc32c"],
});

/** A kernel and its initramfs in `directory`, under names that do not tell the version. */
const bootFiles = (directory: string, release = RIGHT): Tree => ({
  [`${directory}/vmlinuz`]: kernel(release),
  [`${directory}/initrd`]: initrd,
});

const system = (subvolume: string): Tree => ({
  [`${subvolume}/usr/lib/systemd/systemd`]: "sample",
  [`${subvolume}/etc/hostname`]: "guest\n",
});

/** As grub-mkconfig writes it; `directory` is where GRUB finds the kernel. */
const grubCfg = (directory: string, args: string, head = "") => `${head}
set default="0"
search --no-floppy --fs-uuid --set=root ${UUID}
menuentry 'Linux' --id 'linux' {
  linux ${directory}/vmlinuz root=UUID=${UUID} ro ${args} console=hvc0
  initrd ${directory}/initrd
}
`;

type Layout = {
  readonly tree: Tree;
  /** The subvolume that becomes the default one. */
  readonly setDefault?: string;
  /** A partition for /boot in front of it, as ext4. */
  readonly boot?: Readonly<Record<string, string | Uint8Array>>;
};

/** A disk with GRUB in its first sector, and a config: HVM, unless it says something else. */
async function makeGuest(
  name: string,
  { tree, setDefault, boot }: Layout,
  more = 'type = "hvm"',
): Promise<void> {
  const image = join(root, `srv/${name}.part`);
  sh(`truncate -s 256M '${image}' && mkfs.btrfs -q -f -U ${UUID} '${image}'`);
  await mountedAs({ image, type: "btrfs" }, (at) => {
    for (const [path, content] of Object.entries(tree)) {
      mkdirSync(dirname(join(at, path)), { recursive: true });
      if (content === null) sh(`btrfs subvolume create '${at}/${path}'`);
      else writeFileSync(join(at, path), content);
    }
    if (setDefault !== undefined) sh(`btrfs subvolume set-default '${at}/${setDefault}'`);
  });
  // Another image with the same filesystem id is to come.
  sh("btrfs device scan --forget");
  const parts = [{ type: "linux", image }];
  if (boot) {
    const path = join(root, `srv/${name}.boot`);
    ext4Image(path, { sizeMib: 32, uuid: BOOT_UUID, tree: boot });
    parts.unshift({ type: "linux", image: path });
  }
  const disk = join(root, `srv/${name}.img`);
  diskImage(disk, "gpt", parts);
  const fd = openSync(disk, "r+");
  writeSync(fd, Uint8Array.of(0xeb, 0x63, 0x90), 0, 3, 0);
  writeSync(fd, Buffer.from("GRUB "), 0, 5, 0x180);
  closeSync(fd);
  const lines = [
    `name = "${name}"`,
    "memory = 1024",
    'on_crash = "preserve"',
    `disk = [ '/srv/${name}.img,raw,xvda,rw' ]`,
    more,
  ];
  // Another guest with the same filesystem, or disk, would be a finding.
  sh(`rm -f '${root}'/etc/xen/*`);
  writeFileSync(join(root, `etc/xen/${name}.cfg`), `${lines.join("\n")}\n`);
}

type Guest = {
  readonly verdict: string;
  readonly plan: {
    readonly source: readonly string[];
    readonly root: readonly string[] | null;
    readonly kernel: { readonly path: string; readonly version: string } | null;
  } | null;
  readonly findings: readonly { readonly code: string; readonly severity: string }[];
};

async function check(name: string) {
  const argv = ["check", "--json", "--xen", "4.17", "--root", root, name];
  const { stdout } = await cli(argv);
  const guest = (JSON.parse(stdout) as { guests: Guest[] }).guests[0]!;
  const { plan, verdict, findings } = guest;
  return {
    verdict,
    codes: findings
      .filter((one) => one.severity !== "note")
      .map((one) => `${one.severity} ${one.code}`),
    config: plan?.source.join(" > "),
    kernel: plan?.kernel && `${plan.kernel.path} ${plan.kernel.version}`,
    root: plan?.root?.join(" > "),
  };
}

const boots = { verdict: "boots", codes: [] };
const part = (number: number) => `xvda > partition ${number} > btrfs`;

const ubuntu = (args: string, directory = "/@/boot"): Layout => ({
  tree: {
    "@": null,
    "@home": null,
    ...system("@"),
    ...bootFiles("@/boot"),
    // What GRUB would find if its paths began in @.
    ...bootFiles("@/@/boot", WRONG),
    ...bootFiles("boot", WRONG),
    "@/boot/grub/grub.cfg": grubCfg(directory, args),
    "@home/somebody/file": "",
  },
});

describe("Ubuntu: @ and @home, the top level is the default", () => {
  test("rootflags=subvol=@", async () => {
    await makeGuest("ubuntu", ubuntu("rootflags=subvol=@"));
    expect(await check("ubuntu")).toEqual({
      ...boots,
      config: `${part(1)} > /@/boot/grub/grub.cfg`,
      kernel: `/@/boot/vmlinuz ${RIGHT}`,
      root: `${part(1)} > subvol=@`,
    });
    const { stdout } = await cli(["disk", "parts", "--root", root, "ubuntu"]);
    expect(stdout).toMatch(/xvda1 .*btrfs.*a root/);
  });

  test("pygrub sees nothing of it, and that is told", async () => {
    await makeGuest("ubuntu", ubuntu("rootflags=subvol=@"), 'bootloader = "pygrub"');
    expect((await check("ubuntu")).codes).toContain("error pygrub-blind");
    const { stdout } = await cli(["check", "--xen", "4.17", "--root", root, "ubuntu"]);
    expect(stdout.replace(/\s+/g, " ")).toContain("btrfs, which pygrub does not read");
  });

  test("no rootflags=, a subvolume without a system, one that is not there", async () => {
    await makeGuest("ubuntu", ubuntu(""));
    expect((await check("ubuntu")).codes).toEqual(["warning root-no-init"]);
    await makeGuest("ubuntu", ubuntu("rootflags=compress=zstd,subvol=/@home"));
    expect(await check("ubuntu")).toMatchObject({
      codes: ["warning root-no-init"],
      root: `${part(1)} > subvol=/@home`,
    });
    await makeGuest("ubuntu", ubuntu("rootflags=subvol=@gone"));
    expect(await check("ubuntu")).toMatchObject({
      verdict: "fails",
      codes: ["error root-no-subvolume"],
    });
  });
});

describe("Arch: @, @home, @snapshots", () => {
  const arch = (directory: string, args: string): Layout => ({
    tree: {
      "@": null,
      "@home": null,
      "@snapshots": null,
      ...system("@"),
      ...bootFiles("@/boot"),
      ...bootFiles("boot", WRONG),
      "@/boot/grub/grub.cfg": grubCfg(directory, args),
    },
    setDefault: "@",
  });

  test("the default subvolume is for the kernel only", async () => {
    await makeGuest("arch", arch("/@/boot", ""));
    const plan = {
      config: `${part(1)} > subvolume 5 > /@/boot/grub/grub.cfg`,
      kernel: `/@/boot/vmlinuz ${RIGHT}`,
    };
    expect(await check("arch")).toEqual({ ...boots, ...plan, root: part(1) });
    await makeGuest("arch", arch("/@/boot", "rootflags=subvol=@"));
    expect(await check("arch")).toEqual({ ...boots, ...plan, root: `${part(1)} > subvol=@` });
    await makeGuest("arch", arch("/@/boot", "rootflags=subvolid=5"));
    expect(await check("arch")).toMatchObject({ ...plan, codes: ["warning root-no-init"] });
  });

  test("a path without the subvolume is another file to GRUB", async () => {
    await makeGuest("arch", arch("/boot", ""));
    expect((await check("arch")).kernel).toBe(`/boot/vmlinuz ${WRONG}`);
  });
});

describe("openSUSE: a snapshot of snapper is the default", () => {
  const snapshot = "@/.snapshots/1/snapshot";
  const suse = (head: string, directory = "/boot"): Layout => ({
    tree: {
      "@": null,
      "@/home": null,
      "@/.snapshots": null,
      [snapshot]: null,
      ...system(snapshot),
      ...bootFiles(`${snapshot}/boot`),
      ...bootFiles("boot", WRONG),
      ...bootFiles("@/boot", WRONG),
      [`${snapshot}/boot/grub2/grub.cfg`]: grubCfg(directory, "", head),
    },
    setDefault: snapshot,
  });

  test("its GRUB begins there, too", async () => {
    const head = 'set btrfs_relative_path="y"\nexport btrfs_relative_path\n';
    await makeGuest("suse", suse(head));
    expect(await check("suse")).toEqual({
      ...boots,
      config: `${part(1)} > /boot/grub2/grub.cfg`,
      kernel: `/boot/vmlinuz ${RIGHT}`,
      root: part(1),
    });
  });

  test("another GRUB does not", async () => {
    await makeGuest("suse", suse("", `/${snapshot}/boot`));
    expect(await check("suse")).toMatchObject({
      ...boots,
      kernel: `/${snapshot}/boot/vmlinuz ${RIGHT}`,
      root: part(1),
    });
    await makeGuest("suse", suse(""));
    expect((await check("suse")).kernel).toBe(`/boot/vmlinuz ${WRONG}`);
  });
});

describe("Fedora: /boot of its own, root and home", () => {
  const fedora = (args: string): Layout => ({
    tree: { root: null, home: null, ...system("root"), ...bootFiles("root/boot", WRONG) },
    boot: {
      vmlinuz: kernel(RIGHT),
      initrd,
      "grub2/grub.cfg": `search --no-floppy --fs-uuid --set=root ${BOOT_UUID}\nset default=0\ninsmod blscfg\nblscfg\n`,
      "loader/entries/0123-6.1.conf": `title Fedora\nversion 6.1\nlinux /vmlinuz\ninitrd /initrd\noptions root=UUID=${UUID} ro ${args} console=hvc0\n`,
    },
  });

  test("rootflags=subvol=root", async () => {
    await makeGuest("fedora", fedora("rootflags=subvol=root"));
    expect(await check("fedora")).toEqual({
      ...boots,
      config: "xvda > partition 1 > ext4 > /grub2/grub.cfg",
      kernel: `/vmlinuz ${RIGHT}`,
      root: `${part(2)} > subvol=root`,
    });
    await makeGuest("fedora", fedora("rootflags=subvol=home"));
    expect((await check("fedora")).codes).toEqual(["warning root-no-init"]);
  });
});
