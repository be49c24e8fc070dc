import { expect, test } from "vitest";
import { findLoaders } from "../../../../src/boot/loader/loaders.ts";
import { symlink } from "../../../support/memory-fs.ts";
import { volume } from "./grub2/run.ts";

const MENU = "menuentry a { linux /k; }\n";

test("a stub on an EFI system partition leads to a configuration that is told once", async () => {
  const esp = volume(
    { "/EFI/debian/grub.cfg": "search.fs_uuid r00t root\nconfigfile ($root)/boot/grub/grub.cfg\n" },
    { kind: "vfat", partition: 1, table: "gpt" },
  );
  const root = volume(
    { "/boot/grub/grub.cfg": MENU, "/k": "" },
    { partition: 2, table: "gpt", uuid: "r00t" },
  );
  const { results, tried } = await findLoaders([esp, root]);
  expect(results.map((one) => [one.volume === root, one.configPath])).toEqual([
    [true, "/boot/grub/grub.cfg"],
  ]);
  expect(tried).toEqual([]);
});

test("a configuration below EFI/ comes after the others, and is one of UEFI", async () => {
  const config = `${MENU}menuentry $grub_platform { linux /k; }\n`;
  const esp = volume({ "/EFI/x/grub.cfg": config }, { partition: 1 });
  const root = volume({ "/grub2/grub.cfg": config }, { partition: 2 });
  const { results } = await findLoaders([esp, root]);
  expect(results.map((one) => [one.configPath, one.entries[1]!.title])).toEqual([
    ["/grub2/grub.cfg", "pc"],
    ["/EFI/x/grub.cfg", "efi"],
  ]);
});

test("an empty configuration gives way to one with entries", async () => {
  const files = { "/boot/grub/grub.cfg": "", "/boot/grub2/grub.cfg": MENU };
  const { results } = await findLoaders([volume(files)]);
  expect(results.map((one) => one.configPath)).toEqual(["/boot/grub2/grub.cfg"]);
  const none = await findLoaders([volume({ "/boot/grub/grub.cfg": "" })]);
  expect(none.results.map((one) => one.because)).toEqual(["the menu has no entries"]);
});

test("a subvolume of btrfs", async () => {
  const files = { "/@/boot/grub/grub.cfg": "menuentry a { linux /@/k; }\n", "/@/k": "" };
  const found = await findLoaders([volume(files, { kind: "btrfs" })]);
  expect(found.results[0]!.entries[0]!.missing).toEqual([]);
  expect((await findLoaders([volume(files)])).results).toEqual([]);
});

test("nothing to find, and a configuration that asks for too much", async () => {
  const plain = volume({ "/etc/fstab": "" }, { where: ["xvda", "ext4"] });
  const greedy = volume(
    { "/grub/grub.cfg": "while true; do true; done\n" },
    { where: ["xvdb", "ext4"] },
  );
  const { results, tried } = await findLoaders([plain, greedy]);
  expect(results).toEqual([]);
  expect(tried.map(({ where, failure }) => [where.join(" > "), failure?.kind])).toEqual([
    ["xvda > ext4", undefined],
    ["xvdb > ext4 > /grub/grub.cfg", "limit"],
  ]);
});

test("a signal ends it", async () => {
  const search = findLoaders([volume({ "/grub/grub.cfg": MENU })], AbortSignal.abort());
  await expect(search).rejects.toThrow(/abort/i);
});

test("what GRUB reads is not told a second time as entries of systemd-boot", async () => {
  const files = {
    "/grub2/grub.cfg": MENU,
    "/k": "",
    "/loader/entries/a.conf": "linux /k\n",
  };
  expect((await findLoaders([volume(files)])).results.map(({ loader }) => loader)).toEqual([
    "grub2",
  ]);
  const empty = { ...files, "/grub2/grub.cfg": "" };
  expect((await findLoaders([volume(empty)])).results.map(({ loader }) => loader)).toEqual([
    "grub2",
    "bls",
  ]);
});

test("links are the last resort", async () => {
  const links = {
    "/vmlinuz": symlink("boot/vmlinuz-1"),
    "/initrd.img": symlink("boot/initrd.img-1"),
    "/boot/vmlinuz-1": "",
    "/boot/initrd.img-1": "",
  };
  const { results } = await findLoaders([volume({}), volume(links, { disk: 1 })]);
  expect(results).toMatchObject([
    { loader: "links", chosen: 0, because: "nothing but links: no loader configuration" },
  ]);
  expect(results[0]!.entries[0]!.ramdisks[0]!.path).toBe("/initrd.img");
  // Broken links are none, and a configuration on any other volume goes before them.
  expect((await findLoaders([volume({ "/vmlinuz": symlink("gone") })])).results).toEqual([]);
  const menu = volume({ "/grub/grub.cfg": MENU, "/k": "" }, { disk: 1 });
  const both = await findLoaders([volume(links), menu]);
  expect(both.results.map(({ loader }) => loader)).toEqual(["grub2"]);
});
