import { describe, expect, test } from "vitest";
import { cpuTime } from "../../../../support/cpu-time.ts";
import { matchesGlob } from "../../../../../src/boot/loader/systemd-boot/glob.ts";
import { parseCounter } from "../../../../../src/boot/loader/systemd-boot/item.ts";
import { systemdBootLoader } from "../../../../../src/boot/loader/systemd-boot/loader.ts";
import { parseOsRelease } from "../../../../../src/boot/loader/systemd-boot/uki.ts";
import { compareUapiVersions } from "../../../../../src/boot/loader/systemd-boot/version.ts";
import { encodeText } from "../../../../../src/bytes/text.ts";
import { peFile } from "../../../../support/elf-writer.ts";
import { survivesMutation } from "../../../../support/mutate.ts";
import { volume } from "../grub2/run.ts";
import type { Files } from "../grub2/run.ts";

const CONF = "/loader/loader.conf";

async function find(files: Files) {
  const esp = volume(
    { "/k": "", "/i": "", ...files },
    { kind: "vfat", partition: 1, table: "gpt" },
  );
  return systemdBootLoader.find(esp, [esp]);
}

/** Ids in the order of the menu, and the one that is started. */
async function menu(entries: Readonly<Record<string, string>>, conf = "") {
  const files = Object.entries(entries).map(([name, text]) => [
    `/loader/entries/${name}`,
    `linux /k\n${text}`,
  ]);
  const found = await find({ ...Object.fromEntries(files), [CONF]: conf });
  const ids = found!.entries.map(({ id }) => id);
  return {
    ids,
    chosen: ids[found!.chosen ?? -1],
    because: found!.because,
    timeout: found!.timeout,
  };
}

describe("versions", () => {
  // The examples of the specification, oldest first.
  const ORDER = "~rc1 ~rc2 0 9 11 11-1 11-1.1 11^1 11^2 11.1 11.1a 11.1b 11a 11b 11.10 12".split(
    " ",
  );

  test.each([
    ["11", "11.1"],
    ["123~rc1", "123"],
    ["123", "123.1"],
    ["123.a", "123.1"],
    ["123-9", "123.1-1"],
    ["5.10.9", "5.10.103"],
    ["A", "a"],
    ["a", "aa"],
    ["1^", "1."],
    ["abc-5", "abc.5"],
    ["122", "123~rc1"],
  ])("%s before %s", (older, newer) => {
    expect(compareUapiVersions(older, newer)).toBeLessThan(0);
    expect(compareUapiVersions(newer, older)).toBeGreaterThan(0);
  });

  test("the same, and any pair both ways", () => {
    expect(compareUapiVersions("007_x", "7!x")).toBe(0);
    for (const a of ORDER) {
      for (const b of ORDER) {
        expect(Math.sign(compareUapiVersions(a, b)) + Math.sign(compareUapiVersions(b, a))).toBe(0);
      }
    }
  });
});

test.each([
  ["arch*", "arch-lts.conf", true],
  ["arch", "arch.conf", false],
  ["*.conf", "a.conf", true],
  ["a?c[0-9].conf", "abc7.conf", true],
  ["[!a]*", "abc", false],
  ["[!a]*", "bbc", true],
  ["[]x]", "]", true],
  ["\\*", "*", true],
  ["\\*", "x", false],
  ["[a", "a", false],
  ["a*b*c", "a-b-b-c", true],
])("pattern %s, name %s: %s", (pattern, name, matches) => {
  expect(matchesGlob(pattern, name)).toBe(matches);
});

test("counters", () => {
  expect(parseCounter("a+3-1.conf")).toEqual({ id: "a.conf", triesLeft: 3, triesDone: 1 });
  expect(parseCounter("a+2.efi")).toEqual({ id: "a.efi", triesLeft: 2, triesDone: 0 });
  expect(parseCounter("gcc+x.conf")).toEqual({ id: "gcc+x.conf" });
});

describe("order", () => {
  test("sort-key, machine, version; then without a sort-key by name, newest first", async () => {
    const { ids } = await menu({
      "old.conf": "",
      "zold.conf": "",
      "x1.conf": "sort-key b\nversion 1\n",
      "x2.conf": "sort-key b\nversion 1.10\n",
      "x3.conf": "sort-key b\nversion 1.9\n",
      "x4.conf": "sort-key a\nversion 1\n",
      "x5.conf": "sort-key b\nmachine-id 0\nversion 0\n",
    });
    expect(ids.map((id) => id!.replace(".conf", ""))).toEqual("x4 x2 x3 x1 x5 zold old".split(" "));
  });

  test("what has no tries left is last", async () => {
    const { ids, chosen } = await menu({ "b+0-3.conf": "", "a+1-2.conf": "", "a.1.conf": "" });
    expect(ids).toEqual(["a.1.conf", "a+1-2.conf", "b+0-3.conf"]);
    expect(chosen).toBe("a.1.conf");
  });
});

describe("default", () => {
  const two = { "a.conf": "", "b.conf": "" };
  test.each([
    ["", "b.conf", "first in the order of versions: no default is set", 0],
    ["default A*\ntimeout 4\n", "a.conf", 'default "A*" in loader.conf', 4],
    [
      "timeout menu-force\ndefault c\n",
      "b.conf",
      'first in the order of versions: default "c" in loader.conf matches no entry',
      -1,
    ],
    [
      "default @saved\n",
      "b.conf",
      "first in the order of versions: default @saved is kept in UEFI's variables",
      0,
    ],
  ])("%j", async (conf, chosen, because, timeout) => {
    expect(await menu(two, conf)).toMatchObject({ chosen, because, timeout });
  });

  test("a counter is no part of the name", async () => {
    expect((await menu({ "a+3.conf": "", "b.conf": "" }, "default a.conf\n")).chosen).toBe(
      "a+3.conf",
    );
  });

  test("entries without their kernel, or for another processor, are not in the menu", async () => {
    const { ids } = await menu({ "a.conf": "linux /k\n", "b.conf": "architecture aa64\n" });
    expect(ids).toEqual(["a.conf"]);
    const gone = await find({ "/loader/entries/a.conf": "linux /gone\n" });
    expect(gone).toMatchObject({ entries: [], because: "there are no entries" });
    expect(gone).not.toHaveProperty("chosen");
  });

  test("a missing initrd is said", async () => {
    expect((await menu({ "a.conf": "initrd /i\ninitrd /gone\n" })).because).toMatch(
      /; it names \/gone, which is not there$/,
    );
  });
});

describe("places", () => {
  test("/boot of a root, with paths from the partition and from /boot", async () => {
    const entries = {
      "/boot/loader/entries/a.conf": "linux /boot/k\ninitrd /i2\noptions a\noptions b\n",
      "/boot/k": "",
      "/boot/i2": "",
    };
    const found = await find(entries);
    expect(found).toMatchObject({ loader: "bls", configPath: "/boot/loader/entries" });
    const [entry] = found!.entries;
    expect([entry!.kernel!.path, entry!.ramdisks[0]!.path]).toEqual(["/boot/k", "/boot/i2"]);
    expect(entry!.args).toBe("a b");
  });

  test("nothing", async () => {
    expect(await find({})).toBe(undefined);
  });
});

describe("unified kernel images", () => {
  const uki = peFile({
    ".osrel": encodeText('ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian \\"12\\""\n'),
    ".cmdline": encodeText("root=/dev/xvda2 ro\n\0"),
    ".initrd": encodeText("initramfs"),
    ".linux": encodeText("kernel"),
  });

  test("kernel, initramfs and arguments are inside", async () => {
    const found = await find({ "/EFI/Linux/debian-6.1.efi": uki });
    expect(found).toMatchObject({ loader: "uki", chosen: 0, configPath: "/EFI/Linux" });
    expect(found!.because).toMatch(/not on the disk$/);
    const [entry] = found!.entries;
    expect(entry).toMatchObject({
      title: 'Debian "12"',
      args: "root=/dev/xvda2 ro",
      kind: "linux",
    });
    expect(entry!.ramdisks).toMatchObject([{ section: ".initrd" }]);
  });

  test("together with entries, in the menu of systemd-boot", async () => {
    const found = await find({
      [CONF]: "default debian*\n",
      "/EFI/Linux/debian-6.1+2.efi": uki,
      "/EFI/Linux/broken.efi": "no program",
      "/loader/entries/a.conf": "linux /k\n",
    });
    expect(found!.loader).toBe("systemd-boot");
    expect(found!.entries.map(({ id, problem }) => [id, problem])).toEqual([
      ["debian-6.1+2.efi", undefined],
      ["broken.efi", "it is no EFI program that can be read"],
      ["a.conf", undefined],
    ]);
    expect(found!.chosen).toBe(0);
  });

  test("damage", async () => {
    await survivesMutation([uki], (bytes) => find({ "/EFI/Linux/x.efi": bytes }));
    expect([...parseOsRelease("A=1\n# B=2\nC='3'\n")]).toEqual([
      ["A", "1"],
      ["C", "3"],
    ]);
  });
});

describe("hostile", () => {
  test("mutations", async () => {
    const entry = encodeText("title a\nversion 1\nsort-key k\nlinux /k\ninitrd /i\noptions a b\n");
    const conf = encodeText("default a*[x-z]\\b\ntimeout 3\n");
    await survivesMutation([entry], (bytes) => find({ "/loader/entries/a.conf": bytes }));
    await survivesMutation([conf], (bytes) =>
      find({ [CONF]: bytes, "/loader/entries/a.conf": "linux /k\n" }),
    );
  });

  test("long patterns and versions end soon", () => {
    const took = cpuTime();
    matchesGlob("*a".repeat(2_000), "a".repeat(4_000));
    compareUapiVersions("1.".repeat(30_000), `${"1.".repeat(30_000)}2`);
    compareUapiVersions("~".repeat(60_000), "~".repeat(60_000));
    expect(took()).toBeLessThan(1000);
  });
});
