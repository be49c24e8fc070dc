/** What small ISO 9660 volumes made by hand say. */
import { describe, expect, test } from "vitest";
import { iso9660Prober } from "../../../../../src/disk/fs/iso9660/prober.ts";
import { openIso9660 } from "../../../../../src/disk/fs/iso9660/iso9660.ts";
import { parseLongDate, parseShortDate } from "../../../../../src/disk/fs/iso9660/date.ts";
import { jolietName, plainName } from "../../../../../src/disk/fs/iso9660/name.ts";
import type { FileSystem, Inode } from "../../../../../src/disk/fs/filesystem.ts";
import { readFile, resolvePath } from "../../../../../src/disk/fs/resolve.ts";
import {
  addJoliet,
  all,
  blankImage,
  ce,
  cl,
  CONTINUED,
  DIRECTORY,
  ER,
  FILE,
  JOLIET_ROOT,
  nm,
  PARENT,
  plainImage,
  pn,
  PRIMARY,
  px,
  putText,
  rockImage,
  ROOT,
  SECTOR,
  SELF,
  sl,
  SP,
  susp,
  utf16be,
} from "./image.ts";
import type { Image, RecordFields } from "./image.ts";

async function names(fs: FileSystem): Promise<string[]> {
  return (await Array.fromAsync(fs.list(await fs.root()))).map(({ name }) => name);
}

const open = (image: Image) => openIso9660(image.source());
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const linkIn = async (fs: FileSystem, path: string) =>
  fs.readLink((await resolvePath(fs, path, { followLast: false })).inode);
const inodeIn = async (fs: FileSystem, path: string): Promise<Inode> =>
  (await resolvePath(fs, path, { followLast: false })).inode;

describe("which tree and which names", () => {
  test("Rock Ridge", async () => {
    const fs = await open(rockImage());
    expect(fs).toMatchObject({
      kind: "iso9660",
      label: "VOLUME_LABEL",
      uuid: "2026-11-21-03-34-36-00",
      blockSizeBytes: SECTOR,
      sizeBytes: 64 * SECTOR,
      state: { clean: true },
      notes: [],
    });
    expect(await names(fs)).toEqual(["file", "link", "dir"]);
    expect(await inodeIn(fs, "/file")).toMatchObject({ mode: 0o640, uid: 7, gid: 8, size: 5 });
    expect(await inodeIn(fs, "/dir")).toMatchObject({
      mode: 0o700,
      links: 2,
      number: DIRECTORY * SECTOR,
    });
    expect(await linkIn(fs, "/link")).toBe("/a/../.");
    expect(text(await readFile(fs, "/dir/inner", 10))).toBe("hello");
    expect(await fs.lookup(await fs.root(), "FILE")).toBeUndefined();
    expect(await Array.fromAsync(fs.usedExtents())).toEqual([{ offset: 0, length: 64 * SECTOR }]);
  });

  test("plain", async () => {
    const fs = await open(plainImage());
    expect(await names(fs)).toEqual(["file.txt"]);
    expect(await inodeIn(fs, "/file.txt")).toMatchObject({
      mode: 0o555,
      links: 1,
      mtime: Date.UTC(2020, 0, 2, 3, 4, 5) / 1000,
    });
  });

  const withJoliet = (image: Image) => {
    addJoliet(image);
    image.directory(JOLIET_ROOT, [
      SELF(JOLIET_ROOT),
      PARENT(JOLIET_ROOT),
      { name: utf16be("Jöliet 🐧.txt;1"), extent: FILE, size: 5 },
    ]);
    return image;
  };

  test("Joliet before plain names; the case does not count", async () => {
    const fs = await open(withJoliet(plainImage()));
    expect(await names(fs)).toEqual(["Jöliet 🐧.txt"]);
    expect(text(await readFile(fs, "/jöLIET 🐧.TXT..", 10))).toBe("hello");
  });

  test("Rock Ridge before Joliet", async () => {
    expect(await names(await open(withJoliet(rockImage())))).toEqual(["file", "link", "dir"]);
  });

  test("Joliet when Rock Ridge is not announced", async () => {
    const image = withJoliet(rockImage());
    image.directory(ROOT, [SELF(ROOT, SP), PARENT(ROOT), { name: "A", extent: FILE }]);
    expect(await names(await open(image))).toEqual(["Jöliet 🐧.txt"]);
  });

  test("Rock Ridge that is not announced, without Joliet", async () => {
    const image = rockImage();
    const file = { name: "A", extent: FILE, systemUse: nm("rock") };
    image.directory(ROOT, [SELF(ROOT, SP), PARENT(ROOT), file]);
    expect(await names(await open(image))).toEqual(["rock"]);
    image.directory(ROOT, [SELF(ROOT), PARENT(ROOT), file]);
    expect(await names(await open(image))).toEqual(["a"]);
  });

  test("Joliet when the tree with Rock Ridge is empty", async () => {
    const image = withJoliet(rockImage());
    image.directory(ROOT, [SELF(ROOT, all(SP, ER)), PARENT(ROOT)]);
    expect(await names(await open(image))).toEqual(["Jöliet 🐧.txt"]);
  });

  test("bytes of others before Rock Ridge's", async () => {
    const image = rockImage();
    const skip = susp("SP", [0xbe, 0xef, 14]);
    const others = new Uint8Array(14).fill(0x55);
    image.directory(ROOT, [
      SELF(ROOT, all(others, skip, ER)),
      PARENT(ROOT),
      { name: "A", extent: FILE, systemUse: all(others, nm("behind")) },
    ]);
    expect(await names(await open(image))).toEqual(["behind"]);
  });
});

describe("names", () => {
  test.each([
    ["README.TXT;1", "readme.txt"],
    ["README.;1", "readme"],
    ["README;1", "readme"],
    ["README.TXT;2", "readme.txt.2"],
    ["A/B;C", "a.b.c"],
    ["ÄÖ", "\udcc4\udcd6"],
    ["NUL\0BEHIND", "nul"],
    [";1", ""],
  ])("plain %j", (name, expected) => {
    expect(plainName(Buffer.from(name, "latin1"))).toBe(expected);
  });

  test.each([
    ["name.txt;1", "name.txt"],
    ["dots...", "dots"],
    [".", "."],
    [";1", ";1"],
    ["a\ud800b", "ab"],
    ["end\0behind", "end"],
  ])("Joliet %j", (name, expected) => {
    expect(jolietName(utf16be(name))).toBe(expected);
  });

  test("of several NM entries, and those that stand for . and ..", async () => {
    const fs = await open(
      rockImage(
        { name: "A", extent: FILE, systemUse: all(nm("first ", 1), nm("second")) },
        { name: "B", extent: FILE, systemUse: all(nm("", 2), nm("", 4)) },
      ),
    );
    expect((await names(fs)).slice(3)).toEqual(["first second", "b"]);
  });
});

describe("Rock Ridge", () => {
  const only = async (systemUse: Uint8Array, prepare?: (image: Image) => void) => {
    const image = rockImage({
      name: "X",
      extent: FILE,
      size: 5,
      systemUse: all(nm("x"), systemUse),
    });
    prepare?.(image);
    return open(image);
  };

  test.each([
    [
      [
        [0, "a"],
        [0, "b"],
      ],
      "a/b",
    ],
    [
      [
        [8, ""],
        [0, "b"],
      ],
      "/b",
    ],
    [[[8, ""]], "/"],
    [
      [
        [4, ""],
        [4, ""],
        [2, ""],
      ],
      "../../.",
    ],
    [
      [
        [1, "long"],
        [0, "er"],
        [0, "x"],
      ],
      "longer/x",
    ],
    [
      [
        [0, ""],
        [0, "x"],
      ],
      "/x",
    ],
  ] as const)("a symlink of %j", async (components, expected) => {
    const fs = await only(all(px(0o120777), sl(components)));
    expect(await linkIn(fs, "/x")).toBe(expected);
    expect((await inodeIn(fs, "/x")).size).toBe(expected.length);
  });

  test("a symlink in two entries", async () => {
    const fs = await only(
      all(
        px(0o120777),
        sl(
          [
            [0, "a"],
            [1, "b"],
          ],
          1,
        ),
        sl([
          [0, "c"],
          [0, "d"],
        ]),
      ),
    );
    expect(await linkIn(fs, "/x")).toBe("a/bc/d");
  });

  test.each([
    [pn(0, 0x0501), "5:1"],
    [pn(5, 1), "5:1"],
    [pn(0, 7), "0:7"],
    [pn(0x1fff, 0xffff_ffff), "4095:1048575"],
  ])("a device", async (entry, expected) => {
    const { device } = await inodeIn(await only(all(px(0o60600), entry)), "/x");
    expect(`${device?.major}:${device?.minor}`).toBe(expected);
  });

  test("times, short and long", async () => {
    const short = [121, 6, 1, 12, 0, 0, 4];
    const fs = await only(susp("TF", [0x0f, 1, 1, 1, 1, 1, 1, 0, ...short, ...short, ...short]));
    expect((await inodeIn(fs, "/x")).mtime).toBe(Date.UTC(2021, 5, 1, 11) / 1000);
    const long = [...Buffer.from("2021060112000050"), 4];
    const other = await only(susp("TF", [0x82, ...long]));
    expect((await inodeIn(other, "/x")).mtime).toBe(Date.UTC(2021, 5, 1, 11) / 1000 + 0.5);
  });

  test("a continuation, and one after it", async () => {
    const fs = await only(ce(CONTINUED, 100, 28 + 9), (image) => {
      image.bytes.set(all(nm("-two", 1), ce(CONTINUED + 1, 2040, 8)), CONTINUED * SECTOR + 100);
      image.bytes.set(nm("-3"), (CONTINUED + 1) * SECTOR + 2040);
    });
    expect((await names(fs)).at(-1)).toBe("x-two-3");
  });

  test("a directory that was moved is where it belongs", async () => {
    const image = rockImage(
      {
        name: "MOVED",
        extent: FILE,
        systemUse: all(nm("moved"), px(0o100644), cl(DIRECTORY + 20)),
      },
      {
        name: "REAL",
        extent: DIRECTORY + 20,
        flags: 2,
        systemUse: all(nm("real"), susp("RE", [])),
      },
    );
    image.directory(DIRECTORY + 20, [
      SELF(DIRECTORY + 20, px(0o40711, 2)),
      PARENT(ROOT),
      { name: "IN", extent: FILE, size: 5, systemUse: nm("in") },
    ]);
    const fs = await open(image);
    expect(await names(fs)).toEqual(["file", "link", "dir", "moved"]);
    expect(await inodeIn(fs, "/moved")).toMatchObject({ kind: "directory", mode: 0o711 });
    expect(text(await readFile(fs, "/moved/in", 10))).toBe("hello");
  });

  test("compressed and sparse files are listed, not read", async () => {
    const zf = susp("ZF", [...Buffer.from("pz"), 4, 15, 0x40, 0x42, 0x0f, 0, 0, 0x0f, 0x42, 0x40]);
    const fs = await only(all(px(0o100644), zf));
    const inode = await inodeIn(fs, "/x");
    expect(inode.size).toBe(1_000_000);
    await expect(fs.read(inode, 0, 10)).rejects.toThrow(/zisofs, "pz"\) is not supported/);
    const sparse = await only(all(px(0o100644), susp("SF", new Uint8Array(17))));
    await expect(sparse.read(await inodeIn(sparse, "/x"), 0, 10)).rejects.toThrow(/sparse file/);
  });
});

describe("records", () => {
  test("a file in several extents", async () => {
    const part = (extent: number, size: number, flags: number): RecordFields => ({
      name: "BIG.;1",
      extent,
      size,
      flags,
    });
    const image = plainImage(part(40, SECTOR, 0x80), part(33, 2 * SECTOR, 0x80), part(36, 100, 0));
    for (const [sector, letter] of [
      [40, "a"],
      [33, "b"],
      [34, "c"],
      [36, "d"],
    ] as const)
      image.bytes.fill(letter.charCodeAt(0), sector * SECTOR, (sector + 1) * SECTOR);
    const fs = await open(image);
    expect(await names(fs)).toEqual(["file.txt", "big"]);
    const inode = await inodeIn(fs, "/big");
    expect(inode.size).toBe(3 * SECTOR + 100);
    const bytes = text(await fs.read(inode, 0, 1e6));
    expect(bytes.replaceAll(/(.)\1*/g, "$1")).toBe("abcd");
    expect(text(await fs.read(inode, SECTOR - 1, 2))).toBe("ab");
    expect(text(await fs.read(inode, 3 * SECTOR - 1, 500))).toBe(`c${"d".repeat(100)}`);
  });

  test("a directory of two sectors, with room left at the end of the first", async () => {
    const image = blankImage();
    const many = Array.from({ length: 30 }, (_, i) => ({
      name: `F${i}`.padEnd(30, "X"),
      extent: FILE,
    }));
    image.directory(ROOT, [
      { ...SELF(ROOT), size: 2 * SECTOR },
      PARENT(ROOT),
      ...many.slice(0, 29),
    ]);
    image.directory(ROOT + 1, [{ name: "SECOND", extent: FILE }]);
    const fs = await open(image);
    const found = await names(fs);
    expect([found.length, found.at(-1)]).toEqual([30, "second"]);
  });

  test("associated files are not shown; interleaved ones not read", async () => {
    const image = plainImage(
      { name: "HIDDEN", extent: FILE, flags: 1 },
      { name: "ASSOCIATED", extent: FILE, flags: 4 },
      { name: "INTER", extent: FILE, size: 5 },
    );
    const fs = await open(image);
    expect(await names(fs)).toEqual(["file.txt", "hidden", "inter"]);
    const { number } = (await fs.lookup(await fs.root(), "inter"))!;
    image.u8(number + 27, 1);
    const inode = await fs.inode({ name: "inter", number });
    await expect(fs.read(inode, 0, 5)).rejects.toThrow(/interleaving of files is not supported/);
  });

  test("blocks of 512 bytes", async () => {
    const image = blankImage();
    image.u8(PRIMARY * SECTOR + 129, 2);
    image.both32(PRIMARY * SECTOR + 158, ROOT * 4);
    image.directory(ROOT, [
      SELF(ROOT * 4),
      PARENT(ROOT * 4),
      { name: "F", extent: FILE * 4 + 1, size: 5 },
    ]);
    putText(image, FILE * SECTOR + 512, "512er");
    expect(text(await readFile(await open(image), "/f", 10))).toBe("512er");
  });
});

describe("label and id", () => {
  const label = async (plain: string, joliet: string) => {
    const image = plainImage();
    putText(image, PRIMARY * SECTOR + 40, plain.padEnd(32));
    addJoliet(image, joliet);
    image.directory(JOLIET_ROOT, [SELF(JOLIET_ROOT), PARENT(JOLIET_ROOT)]);
    return (await open(image)).label;
  };

  test.each([
    ["LABEL", "Label", "Label"],
    ["L_BEL_OF_MORE_THAN_16", "Läbel of more th", "Läbel of more thAN_16"],
    ["OTHER", "Label", "Label"],
    ["A_CDEFGHIJKLMNOPQR", "A🐧CDEFGHIJKLMNO", "A🐧CDEFGHIJKLMNOPQR"],
    ["", "Joliet only", "Joliet only"],
  ])("%j and %j", async (plain, joliet, expected) => {
    expect(await label(plain, joliet)).toBe(expected);
  });

  test.each([
    ["2026112103343600", "2026-11-21-03-34-36-00"],
    ["0000000000000000", "2020-01-02-03-04-05-06"],
    ["no digits at all", "2020-01-02-03-04-05-06"],
  ])("the time %s", async (time, expected) => {
    const image = plainImage();
    putText(image, PRIMARY * SECTOR + 830, time);
    expect((await open(image)).uuid).toBe(expected);
  });

  test("an image that was cut off is noted", async () => {
    const image = plainImage();
    image.both32(PRIMARY * SECTOR + 80, 65);
    expect((await open(image)).notes).toMatchObject([{ code: "filesystem-cut-off" }]);
  });

  test("the prober finds it", async () => {
    const found = await iso9660Prober.probe(plainImage().source(), {});
    expect(found).toMatchObject({ kind: "filesystem", fs: { kind: "iso9660" } });
  });
});

test("dates", () => {
  const short = (...bytes: number[]) => parseShortDate(Uint8Array.from(bytes));
  expect(short(70, 1, 1, 0, 0, 0, 0)).toBe(0);
  expect(short(69, 12, 31, 0, 0, 0, 0)).toBe(0);
  expect(short(126, 11, 21, 3, 34, 36, 0xfc)).toBe(Date.UTC(2026, 10, 21, 4, 34, 36) / 1000);
  expect(short(126, 11, 21, 3, 34, 36, 0x7f)).toBe(Date.UTC(2026, 10, 21, 3, 34, 36) / 1000);
  expect(parseLongDate(Buffer.from("not a date at all"))).toBe(0);
  expect(parseLongDate(Buffer.from("0000000000000000\0"))).toBe(0);
});
