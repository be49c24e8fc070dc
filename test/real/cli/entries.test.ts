/** `domus entries` on the sample host: what a person sees, and what a script gets. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeSampleHost } from "../../../tools/sample/host.ts";
import { blankImage, ext4Image } from "../../../tools/sample/image.ts";
import { cli } from "../../support/cli.ts";
import { need, scratch } from "../../support/need.ts";

let root: string;

beforeAll(() => {
  need("mkfs.ext4", "sfdisk", "mkswap");
  root = mkdtempSync(join(tmpdir(), "domus-entries-"));
  makeSampleHost(root);
});

afterAll(() => rmSync(root, { recursive: true }));

const MENU = `set default='more>single'
set timeout=5
menuentry 'Linux' --id plain { linux /boot/vmlinuz root=/dev/xvda ro
 initrd /boot/initrd.img }
submenu 'More' --id more { menuentry 'Linux, single' --id single { linux /boot/vmlinuz root=/dev/xvda single } }
`;

function image(): string {
  const path = join(scratch(), "guest.img");
  const boot = { "boot/vmlinuz": "x", "boot/initrd.img": "x", "boot/grub/grub.cfg": MENU };
  ext4Image(path, { sizeMib: 16, uuid: "6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de0ff", tree: boot });
  return path;
}

test("a menu with its default, which lies in a submenu", async () => {
  const { code, stdout } = await cli(["entries", image()]);
  expect(code).toBe(0);
  expect(stdout).toBe(`grub2: disk > ext4 > /boot/grub/grub.cfg
Default: entry 1, "Linux, single", because of default="more>single" in grub.cfg
line 1. The menu waits 5 s.

  0  Linux
  id         plain
  kernel     /boot/vmlinuz
  initrd     /boot/initrd.img
  args       root=/dev/xvda ro

* 1  More > Linux, single
  id         single
  kernel     /boot/vmlinuz
  args       root=/dev/xvda single
`);
});

test("the same as JSON", async () => {
  const path = image();
  const { code, stdout } = await cli(["entries", "--json", path]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    domus: 1,
    target: path,
    loaders: [
      {
        loader: "grub2",
        where: ["disk", "ext4", "/boot/grub/grub.cfg"],
        runs: true,
        default: 1,
        timeout: 5,
        entries: [
          { title: "Linux", id: "plain", submenus: [], ramdisks: [{ path: "/boot/initrd.img" }] },
          { title: "Linux, single", submenus: ["More"], args: "root=/dev/xvda single" },
        ],
      },
    ],
  });
});

test("a guest of the host, by its name", async () => {
  const { code, stdout } = await cli(["entries", "--root", root, "pandora"]);
  expect(code).toBe(0);
  expect(stdout).toContain("/boot/vmlinuz-linux");
});

test("nothing to boot is a failure that says where it was looked", async () => {
  const blank = join(scratch(), "blank.img");
  blankImage(blank, 4);
  const { code, stderr } = await cli(["entries", blank]);
  expect(code).toBe(1);
  expect(stderr).toContain("menu of a boot loader");
});
