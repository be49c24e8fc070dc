/** What can be started, from the guest's own configuration and, failing that, as pygrub sees it. */
import { describe, expect, test } from "vitest";
import { memorySource } from "../../../../src/disk/source.ts";
import { readMenu } from "../../../../src/guest/bootloader/read-menu.ts";
import type { MenuOptions } from "../../../../src/guest/bootloader/read-menu.ts";
import type { OpenDisk } from "../../../../src/guest/disks/open-disks.ts";
import { memoryFs } from "../../../support/memory-fs.ts";
import type { Tree } from "../../../support/memory-fs.ts";

function diskWith(tree: Tree): OpenDisk {
  const fs = memoryFs(tree);
  // Large enough for pygrub's look at the first sectors, which are those of no table.
  const source = memorySource(new Uint8Array(1 << 16), ["xvda"]);
  return {
    facts: { spec: { vdev: "xvda" } } as OpenDisk["facts"],
    volume: {
      name: "whole disk",
      source,
      content: { kind: "filesystem", fs },
      tried: [],
      children: [],
    },
    assembled: [],
    bootVolumes: [{ fs, vdev: "xvda", diskIndex: 0 }],
    complete: true,
  };
}

function read(tree: Tree, options: Partial<MenuOptions> = {}) {
  return readMenu({ disk: diskWith(tree), ...options });
}

const KERNELS = { "boot/k1": "1", "boot/k2": "2", "boot/i": "i" };
const entry = (title: string, n: number, args = "a") =>
  `menuentry '${title}' {\n linux /boot/k${n} ${args}\n initrd /boot/i\n}\n`;
const grub = (text: string): Tree => ({ ...KERNELS, "boot/grub/grub.cfg": text });

describe("the guest's own menu", () => {
  test("its entries, the default, the timeout", async () => {
    const { menu } = await read(
      grub(`set timeout=7\nset default=1\n${entry("one", 1)}${entry("two", 2)}`),
    );
    expect(menu).toMatchObject({ loader: "grub2", chosen: 1, timeoutSeconds: 7 });
    expect(menu!.entries.map(({ title }) => title)).toEqual(["one", "two"]);
    expect(menu!.entries[1]).toMatchObject({ kernel: { path: "/boot/k2" }, args: "a" });
  });

  test("submenus are in the title, and an entry's own title stays", async () => {
    const { menu } = await read(grub(`${entry("one", 1)}submenu 'more' {\n${entry("two", 2)}}\n`));
    expect(menu!.entries[1]).toMatchObject({ title: "more > two", ownTitle: "two" });
  });

  test("arguments of every entry are spelled as pygrub copies them", async () => {
    const { menu } = await read(grub(entry("one", 1, "a   b") + entry("two", 2, "c  d")));
    expect(menu!.entries.map(({ args }) => args)).toEqual(["a   b", "c  d"]);
  });

  test("SYSLINUX's initrd= words are no arguments", async () => {
    const { menu } = await read({
      ...KERNELS,
      "boot/extlinux/extlinux.conf":
        "default two x\nlabel one\nkernel /boot/k1\nappend initrd=/boot/i a\nlabel two\nkernel /boot/k2\nappend initrd=/boot/i b myinitrd=1\n",
    });
    expect(menu!.entries.map(({ args }) => args)).toEqual(["a", "b myinitrd=1 x"]);
  });
});

describe("where the default cannot be started", () => {
  test("the others can be chosen", async () => {
    const { menu, looks } = await read(grub(entry("gone", 9) + entry("two", 2)));
    expect(menu!.chosen).toBe(0);
    expect(menu!.entries[0]!.problem).toBe("/boot/k9 is not there");
    expect(menu!.entries[1]!.problem).toBeUndefined();
    expect(looks.map(({ said }) => said).join()).toContain('the entry "gone"');
  });

  test("pygrub's view of it is whole, and starts what pygrub would", async () => {
    // GRUB legacy looks on a partition that this disk has not got; pygrub passes over `root`.
    const legacy = (n: number) =>
      `title t${n}\nroot (hd0,0)\nkernel /boot/k${n} a\ninitrd /boot/i\n`;
    const { menu } = await read({
      ...KERNELS,
      "boot/grub/menu.lst": `default 1\n${legacy(1)}${legacy(2)}title none\n`,
    });
    expect(menu).toMatchObject({ loader: "pygrub's reading of it", chosen: 1 });
    expect(menu!.entries.map(({ title }) => title).slice(0, 2)).toEqual(["t1", "t2"]);
    expect(menu!.entries[1]).toMatchObject({ ramdisks: [{ path: "/boot/i" }], args: "a" });
  });
});

describe("kernel= in the guest's config", () => {
  test("whatever the configuration says", async () => {
    const { menu } = await read(grub(entry("one", 1)), { kernel: "/boot/k2", ramdisk: "/boot/i" });
    expect(menu).toMatchObject({ loader: "kernel=", entries: [{ kernel: { path: "/boot/k2" } }] });
    expect(menu!.entries[0]!.ramdisks).toMatchObject([{ path: "/boot/i" }]);
    expect(menu!.entries[0]!.args).toBe("");
  });

  test("that is nowhere", async () => {
    const { menu, looks } = await read(grub(entry("one", 1)), { kernel: "/boot/none" });
    expect(menu).toBeUndefined();
    expect(looks[0]!.said).toBe("no file /boot/none");
  });
});

test("nothing to start: a line for each place", async () => {
  const { menu, looks } = await read({ etc: { fstab: "" } });
  expect(menu).toBeUndefined();
  expect(looks.length).toBeGreaterThan(0);
  const failing = diskWith({});
  const failure = { kind: "io", op: "open", where: ["xvda"], errno: "ENOENT" } as const;
  const facts = { ...failing.facts, failure };
  expect(await readMenu({ disk: { ...failing, facts } })).toMatchObject({
    looks: [{ where: ["xvda"] }],
  });
});

test("a menu of very many entries is no reason to wait", async () => {
  const many = Array.from({ length: 4000 }, (_, i) => entry(`t${i}`, (i % 2) + 1, `a${i}  b`));
  const { menu } = await read(grub(many.join("")));
  expect(menu?.entries.at(-1)?.args).toBe("a3999  b");
});
